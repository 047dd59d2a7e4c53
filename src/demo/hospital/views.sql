-- The eight views that the daemon reads: columns named as on the wire, values still in the hospital's own forms.
CREATE VIEW vitrina_fer_mo AS
SELECT d.guid AS id,
       d.org_oid AS parent_id,
       d.oid AS branch_oid,
       d.title AS name,
       d.address AS address,
       d.fias_guid AS address_fias_guid,
       d.okato AS region_okato,
       d.phone AS phone,
       CASE d.attachment WHEN 1 THEN 'ATTACHED_MO' WHEN 2 THEN 'ATTACHED_REG' WHEN 3 THEN 'ALL' ELSE 'NONE' END AS enabled,
       d.created_at AS create_ts,
       CASE d.ages WHEN 'взрослые' THEN 'ADULT' WHEN 'дети' THEN 'CHILD' ELSE 'ALL' END AS tag_age,
       d.updated_at AS updated_at
FROM departments d;

CREATE VIEW vitrina_fer_resource AS
SELECT r.guid AS id,
       CASE r.kind WHEN 'врач' THEN 'SPECIALIST' WHEN 'аппарат' THEN 'MACHINE' ELSE 'ROOM' END AS type,
       d.guid AS mo_id,
       CASE r.attachment WHEN 1 THEN 'ATTACHED_MO' WHEN 2 THEN 'ATTACHED_REG' WHEN 3 THEN 'ALL' ELSE 'NONE' END AS enabled,
       r.created_at AS create_ts,
       p.post_code AS post_id,
       p.speciality_code AS speciality_id,
       p.snils AS snils,
       p.last_name AS last_name,
       p.first_name AS first_name,
       p.middle_name AS middle_name,
       p.note AS description,
       m.model AS machine_name,
       k.number AS room_number,
       k.title AS room_name,
       r.updated_at AS updated_at
FROM resources r
JOIN departments d ON d.id = r.department_id
LEFT JOIN doctors p ON p.resource_id = r.id
LEFT JOIN machines m ON m.resource_id = r.id
LEFT JOIN rooms k ON k.resource_id = r.id
WHERE r.archived = 0;

CREATE VIEW vitrina_fer_service AS
SELECT s.guid AS id, r.guid AS resource_id, s.code AS code, s.price AS price, s.created_at AS create_ts,
       s.updated_at AS updated_at
FROM services s JOIN resources r ON r.id = s.resource_id;

CREATE VIEW vitrina_fer_profilecode_resource AS
SELECT p.guid AS id, r.guid AS resource_id, p.profile_code AS profile_code, p.created_at AS create_ts,
       p.updated_at AS updated_at
FROM profiles p JOIN resources r ON r.id = p.resource_id;

CREATE VIEW vitrina_fer_unaccessable_period AS
SELECT a.guid AS period_id,
       r.guid AS resource_id,
       CASE a.cause
           WHEN 'отпуск' THEN 'VACATION' WHEN 'больничный' THEN 'SICK_LEAVE' WHEN 'уволен' THEN 'FIRED' ELSE 'REPAIR'
       END AS reason,
       a.begins_on AS beg_date,
       a.ends_on AS end_date,
       a.created_at AS create_ts,
       a.updated_at AS updated_at
FROM absences a JOIN resources r ON r.id = a.resource_id;

CREATE VIEW vitrina_fer_slot AS
SELECT s.guid AS id,
       d.guid AS mo_id,
       r.guid AS resource_id,
       s.channels AS tag_type,
       s.ages AS tag_age,
       s.starts_at AS visit_time,
       s.minutes AS duration,
       CASE s.state
           WHEN 0 THEN 'AVAILABLE' WHEN 1 THEN 'RECORDED' WHEN 2 THEN 'CANCELED' WHEN 3 THEN 'RESERVED' ELSE 'BLOCKED'
       END AS status,
       s.created_at AS create_ts,
       s.updated_at AS updated_at
FROM slots s
JOIN departments d ON d.id = s.department_id
JOIN resources r ON r.id = s.resource_id;

CREATE VIEW vitrina_fer_referral AS
SELECT f.guid AS id,
       f.patient_id AS patient_id,
       f.speciality_code AS speciality_id,
       f.number AS number,
       CASE f.kind WHEN 'консультация' THEN 'CONSULTATION' ELSE 'RESEARCH' END AS type,
       f.starts_on AS start_date,
       f.ends_on AS end_date,
       t.guid AS to_mo_id,
       f.profile_code AS to_profile_code,
       f.post_title AS to_post_name,
       f.service_code AS to_service_id,
       o.guid AS from_mo_id,
       r.guid AS from_resource_id,
       CASE f.state WHEN 0 THEN 'AVAILABLE' WHEN 1 THEN 'RECORDED' ELSE 'CANCELED' END AS status,
       f.created_at AS create_ts,
       f.form_code AS referral_type_code,
       t.org_oid AS to_mo_oid,
       t.org_oid AS from_mo_oid,
       f.updated_at AS updated_at
FROM referrals f
JOIN departments t ON t.id = f.to_department_id
JOIN resources r ON r.id = f.from_resource_id
LEFT JOIN departments o ON o.id = f.from_department_id;

CREATE VIEW vitrina_fer_book AS
SELECT v.guid AS id,
       v.patient_id AS patient_id,
       s.guid AS slot_id,
       v.status AS status_code,
       v.source AS tag_source,
       v.kind AS type,
       f.guid AS referral_id,
       v.created_at AS create_ts,
       v.updated_at AS updated_at
FROM visits v
JOIN slots s ON s.id = v.slot_id
LEFT JOIN referrals f ON f.id = v.referral_id;
