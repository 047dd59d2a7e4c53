//! What hospital systems call the tables and columns of the portals' feeds, in English, in Russian, and in Russian written with Latin letters.
//! Everything here is lower case and without separators, as [`super::matching`] compares names.

/// Other names of a field, the likeliest first.
pub(super) fn of_field(field: &str) -> &'static [&'static str] {
    FIELDS.iter().find(|(name, _)| *name == field).map_or(&[], |(_, others)| others)
}

/// Words in the names of tables that hold a feed.
pub(super) fn of_feed(feed: &str) -> &'static [&'static str] {
    FEEDS.iter().find(|(name, _)| *name == feed).map_or(&[], |(_, others)| others)
}

const ID: &[&str] = &["guid", "uuid", "externalid", "extid", "globalid", "idguid", "rowguid", "ид", "идентификатор"];
const TITLE: &[&str] =
    &["title", "fullname", "caption", "naim", "naimenovanie", "nazvanie", "наименование", "название"];
const PATIENT: &[&str] = &["patientguid", "pacientid", "personid", "clientid", "пациент"];
const RESOURCE: &[&str] = &[
    "resourceguid",
    "doctorid",
    "doctorguid",
    "vrachid",
    "specialistid",
    "employeeid",
    "staffid",
    "medpersonalid",
    "sotrudnikid",
    "cabinetid",
    "kabinetid",
    "врач",
    "ресурс",
    "сотрудник",
    "специалист",
];
const UNIT: &[&str] = &[
    "moguid",
    "departmentid",
    "departmentguid",
    "deptid",
    "unitid",
    "lpuid",
    "lpuguid",
    "podrazdelenieid",
    "otdelenieid",
    "filialid",
    "clinicid",
    "отделение",
    "подразделение",
    "лпу",
];

const FIELDS: &[(&str, &[&str])] = &[
    ("id", ID),
    ("period_id", &["id", "guid", "uuid", "absenceguid", "ид"]),
    ("mo_id", UNIT),
    ("resource_id", RESOURCE),
    ("slot_id", &["slotguid", "timetableid", "talonid", "nomerokid", "scheduleid", "талон"]),
    ("referral_id", &["referralguid", "directionid", "napravlenieid", "направление"]),
    ("patient_id", PATIENT),
    ("parent_id", &["parentoid", "organisationoid", "organizationoid", "orgoid", "mooid"]),
    ("branch_oid", &["oid", "oidfrmo", "departmentoid", "podrazdelenieoid", "оид"]),
    ("name", TITLE),
    ("address", &["addr", "adres", "addresstext", "адрес"]),
    ("address_fias_guid", &["fiasguid", "fias", "aoguid", "houseguid"]),
    ("region_okato", &["okato"]),
    ("phone", &["tel", "telephone", "telefon", "phonenumber", "телефон"]),
    ("enabled", &["isenabled", "receives", "active"]),
    (
        "create_ts",
        &[
            "createdat",
            "created",
            "createdate",
            "datecreate",
            "insdt",
            "insdate",
            "insertdate",
            "datesozdaniya",
            "createts",
            "датасоздания",
            "создан",
        ],
    ),
    ("tag_age", &["ages", "agegroup", "vozrast", "возраст"]),
    ("tag_type", &["slottype", "channel", "dostup"]),
    (
        "visit_time",
        &[
            "startsat",
            "starttime",
            "begtime",
            "begintime",
            "timebegin",
            "datetime",
            "visitdate",
            "visitdatetime",
            "timetablebegtime",
            "nachalo",
            "datavremya",
            "datepriema",
            "vremyapriema",
            "началоприема",
            "датаприема",
            "время",
        ],
    ),
    (
        "duration",
        &[
            "minutes",
            "durationmin",
            "durationminutes",
            "length",
            "interval",
            "dlitelnost",
            "prodolzhitelnost",
            "длительность",
            "продолжительность",
        ],
    ),
    ("status", &["state", "slotstatus", "sostoyanie", "statuscode", "статус", "состояние"]),
    ("type", &["kind", "vid", "tip", "тип", "вид"]),
    ("post_id", &["postcode", "dolzhnostid", "dolzhnostkod", "должность"]),
    (
        "speciality_id",
        &["specialitycode", "specialtyid", "specialtycode", "specid", "spec", "specialnost", "специальность"],
    ),
    ("snils", &["snilsnumber", "снилс"]),
    ("last_name", &["lastname", "surname", "familiya", "fam", "persfam", "фамилия"]),
    ("first_name", &["firstname", "givenname", "imya", "im", "имя"]),
    ("middle_name", &["middlename", "patronymic", "otchestvo", "ot", "отчество"]),
    ("description", &["note", "comment", "opisanie", "описание"]),
    ("machine_name", &["equipment", "apparat", "оборудование"]),
    ("room_number", &["cabinetnumber", "roomno", "nomerkabineta", "номеркабинета"]),
    ("room_name", &["cabinetname", "kabinet", "кабинет"]),
    ("code", &["servicecode", "kod", "kodusluga", "codeusluga", "код"]),
    ("price", &["cost", "tsena", "cena", "stoimost", "цена", "стоимость"]),
    ("profile_code", &["profilecode", "profileid", "profil", "kodprofilya", "профиль"]),
    ("reason", &["cause", "prichina", "absencetype", "причина"]),
    ("beg_date", &["begdate", "firstday", "datefrom", "startdate", "begindate", "datanachala", "датаначала"]),
    ("end_date", &["enddate", "lastday", "dateto", "finishdate", "datakonca", "dataokonchaniya", "датаокончания"]),
    ("start_date", &["begdate", "datefrom", "firstday", "datanachala", "датаначала"]),
    ("status_code", &["status", "state", "bookstatus", "статус"]),
    ("tag_source", &["source", "istochnik", "источник"]),
    ("number", &["num", "no", "nomer", "номер"]),
    ("date", &["docdate", "documentdate", "data", "дата"]),
    ("to_mo_id", &["tomoguid", "tolpuid", "todepartmentid"]),
    ("from_mo_id", &["frommoguid", "fromlpuid", "fromdepartmentid"]),
    ("from_resource_id", &["fromdoctorid", "doctorid", "vrachid"]),
    ("to_service_id", &["servicecode", "servicekod"]),
    ("position", &["post", "dolzhnost", "должность"]),
    ("protocol_number", &["protocolno", "nomerprotokola", "protocol", "номерпротокола"]),
    ("test_date", &["examdate", "dateproverki", "dataproverki", "датапроверки"]),
    ("is_passed", &["passed", "result", "sdal", "сдал"]),
    ("employer_inn", &["inn", "orginn", "инн"]),
    ("employer_title", &["employer", "employername", "rabotodatel", "работодатель"]),
    ("organization_inn", &["orginn", "inn", "инн"]),
    ("organization_title", &["organization", "organizationname", "orgname", "организация"]),
    ("learn_program_id", &["programid", "programma", "программа"]),
    ("outer_id", &["guid", "uuid", "externalid", "id"]),
    ("module_id", &["moduleguid", "courseid", "kursid"]),
    ("external_id", &["guid", "uuid", "id", "extid"]),
    ("title", &["name", "naimenovanie", "nazvanie", "наименование"]),
    ("employee_name", &["employee", "fio", "fullname", "sotrudnik", "фио", "сотрудник"]),
    ("file_path", &["file", "path", "pdfpath", "documentpath", "filename"]),
    ("signature_path", &["sigpath", "signfile", "signaturefile", "sig"]),
    ("signature_type", &["signtype"]),
];

const FEEDS: &[(&str, &[&str])] = &[
    (
        "mo",
        &["department", "dept", "otdelenie", "podrazdelenie", "lpu", "filial", "clinic", "отделени", "подразделени"],
    ),
    (
        "resource",
        &[
            "doctor",
            "vrach",
            "employee",
            "staff",
            "specialist",
            "medpersonal",
            "sotrudnik",
            "personal",
            "врач",
            "сотрудник",
            "ресурс",
        ],
    ),
    ("service", &["usluga", "uslugi", "price", "услуг"]),
    ("profilecode_resource", &["profile", "profil", "профил"]),
    ("unaccessable_period", &["absence", "vacation", "otsutstvi", "otpusk", "unavailable", "отсутстви", "отпуск"]),
    (
        "slot",
        &["timetable", "schedule", "raspisanie", "rasp", "grafik", "talon", "nomerok", "расписани", "талон", "график"],
    ),
    ("referral", &["direction", "napravlen", "naprav", "направлен"]),
    ("book", &["booking", "visit", "appointment", "zapis", "reception", "запис"]),
    ("training", &["obuchen", "ohranatruda", "protocol", "exam", "обучен", "охранатруда"]),
    ("module", &["course", "kurs", "курс", "модул"]),
    ("result", &["learner", "plan", "rezultat", "результат"]),
    ("poll", &["opros", "survey", "опрос"]),
    ("voting", &["golosovan", "vote", "голосован"]),
    ("voting_object", &["votingobject", "candidate", "obekt", "объект"]),
    ("document", &["dokument", "prikaz", "order", "документ", "приказ"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PortalKind;
    use crate::portal;

    #[test]
    fn every_synonym_is_written_as_names_are_compared_and_belongs_to_a_field_or_feed_there_is() {
        let kinds: Vec<_> = PortalKind::ALL.iter().filter_map(|kind| portal::kind(kind.name())).collect();
        let schemas = || kinds.iter().flat_map(|kind| kind.schemas);
        for (field, others) in FIELDS {
            assert!(schemas().any(|schema| schema.position(field).is_some()), "{field}");
            assert!(
                others.iter().all(|other| other.chars().all(|c| c.is_alphanumeric() && !c.is_uppercase())),
                "{field}"
            );
        }
        for (feed, others) in FEEDS {
            assert!(schemas().any(|schema| schema.feed == *feed), "{feed}");
            assert!(
                others.iter().all(|other| other.chars().all(|c| c.is_alphanumeric() && !c.is_uppercase())),
                "{feed}"
            );
        }
        for schema in schemas() {
            assert!(!of_feed(schema.feed).is_empty(), "{}", schema.feed);
        }
    }
}
