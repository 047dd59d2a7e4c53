//! Answers to a push and to a read-back, in every envelope that was seen.

use serde_json::json;

use super::*;
use crate::record::Fingerprint;
use crate::transport::Trouble;

const KEY: &str = "6f7d6a579e5d422d8a25026a2d02cd05";

fn batch(ids: &[&str]) -> Batch {
    let mut batch = Batch::default();
    for id in ids {
        let body = json!({"outer_id": id, "last_name": "Щукина", "snils": "112-233-445 95"}).to_string();
        batch.push(Key::Text((*id).into()), Fingerprint::of(body.as_bytes()), None, false, body.as_bytes());
    }
    batch
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, retry_after: None, date: None, body: body.into() }
}

fn judged(ids: &[&str], status: u16, body: &str, signed: bool) -> Result<Vec<Verdict>, Failure> {
    match judge(&batch(ids), &answer(status, body), signed, KEY) {
        Delivery::Judged(verdicts) => Ok(verdicts),
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => Err(failure),
    }
}

fn receipt(status: u16, body: &str, signed: bool) -> Receipt {
    match judged(&["a-1", "a-2"], status, body, signed).unwrap().as_slice() {
        [Verdict::Accepted { receipt: Some(first) }, Verdict::Accepted { receipt: Some(second) }]
            if first == second =>
        {
            (**first).clone()
        }
        other => panic!("{other:?}"),
    }
}

fn error(code: &str, message: &str) -> String {
    format!(
        "<Error><StatusCode>{code}</StatusCode><Message>{message}</Message><DateTime>2026-11-22T09:48:23</DateTime>\
         <RequestId>0HN7-77:00000001</RequestId></Error>"
    )
}

#[test]
fn a_set_is_a_draft_or_on_its_way() {
    let body =
        |sent| format!("<Response><SetId>4282613</SetId><SendEducatedPerson>{sent}</SendEducatedPerson></Response>");
    for (sent, signed, status) in [("False", false, DRAFT), ("True", true, SENT), ("false", true, DRAFT)] {
        let receipt = receipt(200, &body(sent), signed);
        let stage = if status == DRAFT { Stage::Draft } else { Stage::Sent };
        assert_eq!((receipt.stage, receipt.set_id.as_deref()), (stage, Some("4282613")));
        assert_eq!(receipt.signed.is_some(), signed && status == DRAFT);
        assert_eq!(receipt.status.as_deref(), Some(status), "{sent} {signed}");
    }
}

#[test]
fn why_a_signed_set_was_kept_back_is_kept_without_a_person() {
    let body = format!(
        "<Response><SetId>7</SetId><SendEducatedPerson>False</SendEducatedPerson>\
         <Message>Ключ {KEY}: подпись не прошла проверку, первой записью Щукина</Message></Response>"
    );
    let receipt = receipt(200, &body, true);
    let reason = receipt.reason.unwrap();
    assert!(reason.contains("подпись не прошла проверку"), "{reason}");
    assert!(!reason.contains(KEY) && !reason.contains("Щукина"), "{reason}");
}

#[test]
fn a_date_of_the_register_has_one_form() {
    for (given, kept) in [
        ("2026-10-05", Some("2026-10-05")),
        ("2026-10-05T00:00:00", Some("2026-10-05")),
        ("2026-10-05T14:03:09.1234567+03:00", Some("2026-10-05T14:03:09")),
        ("05.10.2026 14:03:09", Some("2026-10-05T14:03:09")),
        ("soon", None),
    ] {
        assert_eq!(moment(given).as_deref(), kept, "{given}");
    }
}

#[test]
fn an_error_that_speaks_of_success_is_one_whatever_http_says() {
    for (status, body) in [
        (200, error("200", "Набор был создан")),
        (500, error("200", "Набор был создан")),
        (200, format!("<Response>{}</Response>", error("200 OK", "Набор был создан"))),
    ] {
        assert_eq!(receipt(status, &body, true).set_id, None, "{body}");
    }
    let numbered = format!("<Response><SetId>7</SetId>{}</Response>", error("200", "x"));
    assert_eq!(receipt(200, &numbered, true).set_id.as_deref(), Some("7"));
}

#[test]
fn a_refused_set_made_nothing_and_is_cut_until_the_culprit_is_found() {
    for (status, body) in [
        (200, error("400", "Запись 2: неверный СНИЛС")),
        (400, error("422", "Запись 2: неверный СНИЛС")),
        (200, format!("<Response>{}</Response>", error("409", "Запись 2: неверный СНИЛС"))),
    ] {
        let failure = judged(&["a-1", "a-2"], status, &body, true).unwrap_err();
        assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Unattributed, false), "{body}");
        assert!(failure.text.contains("RequestId 0HN7-77:00000001, DateTime 2026-11-22T09:48:23"), "{}", failure.text);
    }
    let alone = judged(&["a-1"], 200, &error("400", "Недопустимый формат даты"), true).unwrap();
    let [Verdict::Rejected { code, text, cure, .. }] = alone.as_slice() else { panic!("{alone:?}") };
    assert_eq!((code.as_str(), *cure), ("SOUT-400", Cure::Row));
    assert!(text.contains("Недопустимый формат даты (StatusCode 400, RequestId"), "{text}");
}

#[test]
fn the_record_that_a_refusal_names_is_named() {
    let failure = judged(&["a-1", "a-2"], 400, &error("400", "outerId=a-2: неверный СНИЛС"), true).unwrap_err();
    assert!(failure.text.ends_with("; the portal names the record a-2"), "{}", failure.text);
}

#[test]
fn only_a_text_that_blames_the_key_stops_the_portal() {
    let trouble = |status, code: &str, message: &str| {
        let failure = judged(&["a-1", "a-2"], status, &error(code, message), true).unwrap_err();
        (failure.trouble, failure.maybe_applied)
    };
    let parked = (Trouble::Parked, false);
    assert_eq!(trouble(200, "401", "Нет доступа"), parked);
    assert_eq!(trouble(400, "400", &format!("ApiKey {KEY} не найден")), parked);
    assert_eq!(trouble(404, "404", "Ключ пользователя недействителен"), parked);
    let data = (Trouble::Unattributed, false);
    assert_eq!(trouble(400, "400", &format!("Запрос с ключом {KEY}. Запись 3: неверный СНИЛС")), data);
    assert_eq!(trouble(400, "400", "Исключение: некорректный ИНН"), data);
    assert_eq!(trouble(200, "404", "Организация не найдена"), data);
}

#[test]
fn what_may_have_been_applied_is_told_from_what_was_not() {
    let table = [
        (200, String::new(), Trouble::Transient { retry_after: None }, true),
        (200, "<html><body>ok</body></html>".into(), Trouble::Transient { retry_after: None }, true),
        (200, "<Response><Message>x</Message></Response>".into(), Trouble::Transient { retry_after: None }, true),
        (200, "<Error><Message>x</Message></Error>".into(), Trouble::Unattributed, true),
        (200, error("500", "x"), Trouble::Transient { retry_after: None }, true),
        (200, error("503", "x"), Trouble::Maintenance { retry_after: None }, false),
        (200, error("413", "x"), Trouble::TooLarge, false),
        (200, error("403", "x"), Trouble::FeedParked, false),
        (400, "<html>".into(), Trouble::Foreign { retry_after: None }, false),
        (400, String::new(), Trouble::Foreign { retry_after: None }, false),
        (413, "<html>".into(), Trouble::TooLarge, false),
        (422, "<html>".into(), Trouble::Foreign { retry_after: None }, false),
        (429, "<html>".into(), Trouble::Transient { retry_after: None }, false),
        (503, "<html>".into(), Trouble::Maintenance { retry_after: None }, false),
        (504, String::new(), Trouble::TimedOut, true),
    ];
    for (status, body, trouble, maybe_applied) in table {
        let failure = judged(&["a-1", "a-2"], status, &body, true).unwrap_err();
        assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{status} {body}");
    }
}

#[test]
fn neither_the_key_nor_a_person_is_repeated() {
    let message = format!("Ключ {KEY}, работник ЩУКИНА, СНИЛС 112-233-445 95: ошибка");
    let body = error("400", &message).replace("0HN7-77:00000001", KEY);
    for ids in [["a-1"].as_slice(), &["a-1", "a-2"]] {
        let text = format!("{:?}", judged(ids, 400, &body, true)).to_lowercase();
        assert!(!text.contains(KEY) && !text.contains("щукин") && !text.contains("112"), "{text}");
    }
    let echoed = format!("<Response><SetId>{KEY}</SetId></Response>");
    assert!(judged(&["a-1"], 200, &echoed, true).is_err());
}

#[test]
fn a_page_is_read_from_every_root_and_from_attributes_or_elements() {
    let wanted = [Found {
        outer_id: "a-1".into(),
        set_id: Some("7".into()),
        base_no: Some("00012".into()),
        registered_at: Some("2026-10-05".into()),
    }];
    let attributes = "<RegistryRecord setId=\"7\" baseNo=\"00012\" baseDateCreated=\"2026-10-05\" outerId=\"a-1\"><Worker/></RegistryRecord>";
    let elements = "<RegistryRecord><OuterId>a-1</OuterId><SetId>7</SetId><BaseNo>00012</BaseNo><BaseDateCreated>2026-10-05T00:00:00</BaseDateCreated></RegistryRecord><RegistryRecord/>";
    for (body, size) in [
        (format!("<EducatedPersons>{attributes}</EducatedPersons>"), 1),
        (format!("<ArrayOfRegistryRecord xmlns:xsi=\"x\">{elements}</ArrayOfRegistryRecord>"), 2),
        (format!("<Response><EducatedPersons>{attributes}</EducatedPersons></Response>"), 1),
    ] {
        let page = page(&answer(200, &body), KEY).unwrap();
        assert_eq!((page.size, page.found.as_slice()), (size, wanted.as_slice()), "{body}");
    }
    let empty = page(&answer(200, "<EducatedPersons/>"), KEY).unwrap();
    assert_eq!(empty, Page::default());
}

#[test]
fn only_a_list_or_the_portals_own_404_says_that_nothing_is_there() {
    assert_eq!(page(&answer(404, &error("404", "Записи не найдены")), KEY).unwrap(), Page::default());
    for (status, body) in
        [(200, error("200", "ok")), (404, "<html/>".into()), (200, String::new()), (200, error("500", ""))]
    {
        assert!(page(&answer(status, &body), KEY).is_err(), "{status} {body}");
    }
}

#[test]
fn a_404_that_blames_the_key_or_the_organisation_says_nothing_of_records() {
    for message in
        ["Ключ не найден", "ApiKey not found", "Организация с таким ключом не найдена", "Записи: неверный ApiKey"]
    {
        for status in [200, 404] {
            let failure = page(&answer(status, &error("404", message)), KEY).unwrap_err();
            assert_eq!(failure.trouble, Trouble::Parked, "{message}");
        }
    }
    for message in ["", "Не найдено", "Организация не найдена", "Учётная запись не найдена"]
    {
        assert!(page(&answer(404, &error("404", message)), KEY).is_err(), "{message}");
    }
    for message in ["Набор не найден", "По запросу ничего не найдено", "No records found"]
    {
        assert_eq!(page(&answer(404, &error("404", message)), KEY).ok(), Some(Page::default()), "{message}");
    }
}

#[test]
fn a_number_in_the_register_is_the_end_of_it() {
    let before =
        Receipt { stage: Stage::Sent, set_id: Some("7".into()), remote_id: Some("7".into()), ..Receipt::default() };
    let found = |base_no: Option<&str>| Found {
        outer_id: "a".into(),
        set_id: None,
        base_no: base_no.map(str::to_owned),
        registered_at: None,
    };
    let waits = found(None).receipt(Some(&before));
    assert_eq!((waits.stage, waits.status.as_deref(), waits.set_id.as_deref()), (Stage::Sent, Some(SENT), Some("7")));
    let done = found(Some("00012")).receipt(Some(&before));
    assert_eq!((done.stage, done.base_no.as_deref()), (Stage::Confirmed, Some("00012")));
}
