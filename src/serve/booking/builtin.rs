//! The statements behind `"builtin"`: booking in the demo hospital's own tables, with every rule of the document. They show, too, how a site
//! writes such statements where its database has no functions.
//!
//! Each script runs in one transaction that holds SQLite's write lock from its first word. What it finds out stands in a temporary table of the
//! connection, so that each later statement reads one ruling.

/// Books. The first rule that is broken decides; a booking that is there already is given again.
pub(super) const BOOK: &[&str] = &[
    "CREATE TEMP TABLE IF NOT EXISTS booking_ruling (
         code INTEGER, text TEXT, slot_id INTEGER, patient_id TEXT, birth_date TEXT, referral_id INTEGER,
         visit TEXT, is_new INTEGER NOT NULL DEFAULT 0)",
    "DELETE FROM booking_ruling",
    // Who and what: the patient under any of the identifiers that were merged into one.
    "INSERT INTO booking_ruling (slot_id, patient_id, birth_date, referral_id)
     SELECT (SELECT id FROM slots WHERE guid IN (lower(:slot_id), upper(:slot_id))),
            p.guid,
            coalesce(p.birth_date, substr(:birthdate, 1, 10)),
            (SELECT f.id FROM referrals f
             WHERE f.guid IN (lower(:referral_id), upper(:referral_id)) AND lower(f.patient_id) = p.guid AND f.state = 0)
     FROM (SELECT 1) LEFT JOIN patients p ON p.id = (
         SELECT id FROM patients
         WHERE guid = lower(:patient_id) OR guid IN (SELECT lower(value) FROM json_each(:united_guids))
         ORDER BY guid = lower(:patient_id) DESC LIMIT 1)",
    "UPDATE booking_ruling SET visit = (
         SELECT v.guid FROM visits v
         WHERE v.slot_id = booking_ruling.slot_id AND v.patient_id = booking_ruling.patient_id
           AND v.status = 5000 AND v.source = 'EPGU' AND v.case_number IS :case_number)",
    "UPDATE booking_ruling SET code = CASE
         WHEN visit IS NOT NULL THEN 0
         WHEN slot_id IS NULL THEN 18
         WHEN patient_id IS NULL THEN 17
         WHEN :referral_id IS NOT NULL AND referral_id IS NULL THEN 18
         WHEN (SELECT state FROM slots WHERE id = slot_id) = 2 THEN 15
         WHEN (SELECT state FROM slots WHERE id = slot_id) <> 0 THEN 11
         WHEN EXISTS (
             SELECT 1 FROM slots s WHERE s.id = slot_id AND CASE s.ages
                 WHEN 'ALL' THEN 0
                 WHEN 'BABY' THEN date(s.starts_at) >= date(birth_date, '+1 year')
                 WHEN 'CHILD' THEN date(s.starts_at) < date(birth_date, '+1 year')
                                   OR date(s.starts_at) >= date(birth_date, '+18 years')
                 ELSE date(s.starts_at) < date(birth_date, '+18 years') END) THEN 14
         WHEN EXISTS (
             SELECT 1 FROM slots s, visits v JOIN slots o ON o.id = v.slot_id
             WHERE s.id = booking_ruling.slot_id AND v.patient_id = booking_ruling.patient_id AND v.status = 5000
               AND datetime(o.starts_at) < datetime(s.starts_at, s.minutes || ' minutes')
               AND datetime(s.starts_at) < datetime(o.starts_at, o.minutes || ' minutes')) THEN 12
         WHEN EXISTS (
             SELECT 1 FROM slots s, visits v JOIN slots o ON o.id = v.slot_id
             LEFT JOIN doctors wanted ON wanted.resource_id = s.resource_id
             LEFT JOIN doctors other ON other.resource_id = o.resource_id
             WHERE s.id = booking_ruling.slot_id AND v.patient_id = booking_ruling.patient_id AND v.status = 5000
               AND date(o.starts_at) = date(s.starts_at)
               AND (other.resource_id = wanted.resource_id OR other.speciality_code = wanted.speciality_code)) THEN 13
         ELSE 0 END",
    "UPDATE booking_ruling SET text = CASE
         WHEN code = 18 AND slot_id IS NULL THEN 'Слот не найден'
         WHEN code = 18 THEN 'Передано неверное направление'
         WHEN code = 14 THEN (SELECT CASE ages
             WHEN 'BABY' THEN 'Бирка только для пациентов ДО ГОДА'
             WHEN 'ADULT' THEN 'Бирка только для пациентов от 18 лет'
             ELSE CASE WHEN date(starts_at) < date(birth_date, '+1 year') THEN 'Бирка только для пациентов СТАРШЕ ГОДА'
                       ELSE 'Бирка только для детей до 18 лет' END END FROM slots WHERE id = slot_id) END",
    // A random GUID, in upper case as the table of visits keeps them.
    "UPDATE booking_ruling SET is_new = 1, visit =
         hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
         || substr('89AB', 1 + abs(random() % 4), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))
     WHERE code = 0 AND visit IS NULL",
    "INSERT INTO visits (guid, patient_id, slot_id, referral_id, status, source, kind, created_at, updated_at, case_number)
     SELECT visit, patient_id, slot_id, referral_id, 5000, 'EPGU',
            CASE WHEN :booking_type IN ('VACCINATION', 'DISPENSARY', 'D_OBSERVATION', 'ONLINE_CONSULTING', 'PAID_APPOINTMENT')
                 THEN :booking_type WHEN :booking_type LIKE 'PROPHYLACTIC%' THEN 'PROPHYLACTIC' ELSE 'APPOINTMENT' END,
            strftime('%Y-%m-%d %H:%M:%S', 'now'), strftime('%Y-%m-%d %H:%M:%f', 'now'), :case_number
     FROM booking_ruling WHERE is_new",
    "UPDATE slots SET state = 1, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
     WHERE id = (SELECT slot_id FROM booking_ruling WHERE is_new)",
    "UPDATE referrals SET state = 1, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
     WHERE id = (SELECT referral_id FROM booking_ruling WHERE is_new)",
    "SELECT r.code AS status_code, r.text AS status_message, r.visit AS book_ext_id, s.guid AS slot_id,
            s.starts_at AS visit_time, s.minutes AS duration, d.guid AS organization_id
     FROM booking_ruling r LEFT JOIN slots s ON s.id = r.slot_id LEFT JOIN departments d ON d.id = s.department_id",
];

/// Cancels: the slot and the referral are free again.
pub(super) const CANCEL: &[&str] = &[
    "CREATE TEMP TABLE IF NOT EXISTS booking_ending (code INTEGER, visit_id INTEGER, slot_id INTEGER, referral_id INTEGER)",
    "DELETE FROM booking_ending",
    "INSERT INTO booking_ending
     SELECT CASE v.status WHEN 5000 THEN 0 WHEN 5010 THEN 1 WHEN 5040 THEN 1 ELSE 18 END, v.id, v.slot_id, v.referral_id
     FROM (SELECT 1) LEFT JOIN visits v
       ON v.guid IN (lower(:book_ext_id), upper(:book_ext_id))
      AND (lower(v.patient_id) = lower(:patient_id)
           OR lower(v.patient_id) IN (SELECT lower(value) FROM json_each(:united_guids)))",
    "UPDATE visits SET status = 5010, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
     WHERE id = (SELECT visit_id FROM booking_ending WHERE code = 0)",
    "UPDATE slots SET state = 0, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
     WHERE state = 1 AND id = (SELECT slot_id FROM booking_ending WHERE code = 0)",
    "UPDATE referrals SET state = 0, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
     WHERE state = 1 AND id = (SELECT referral_id FROM booking_ending WHERE code = 0)",
    "SELECT e.code AS status_code, NULL AS status_message, v.guid AS book_ext_id, s.guid AS slot_id,
            s.starts_at AS visit_time, s.minutes AS duration
     FROM booking_ending e LEFT JOIN visits v ON v.id = e.visit_id LEFT JOIN slots s ON s.id = e.slot_id",
];

/// Finds a booking that stands.
pub(super) const LOOKUP: &[&str] = &["SELECT v.guid AS book_ext_id FROM visits v JOIN slots s ON s.id = v.slot_id
     WHERE s.guid IN (lower(:slot_id), upper(:slot_id)) AND v.status = 5000 AND v.source = 'EPGU'
       AND v.case_number IS :case_number
       AND (lower(v.patient_id) = lower(:patient_id)
            OR lower(v.patient_id) IN (SELECT lower(value) FROM json_each(:united_guids)))"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BOOK_PARAMETERS, CANCEL_PARAMETERS, LOOKUP_PARAMETERS};
    use crate::source::{Engine, Script};

    #[test]
    fn the_builtin_scripts_are_scripts_as_any_sites() {
        for (texts, known) in [(BOOK, BOOK_PARAMETERS), (CANCEL, CANCEL_PARAMETERS), (LOOKUP, LOOKUP_PARAMETERS)] {
            assert!(Script::parse(Engine::Sqlite, texts, known).is_ok(), "{texts:?}");
        }
    }
}
