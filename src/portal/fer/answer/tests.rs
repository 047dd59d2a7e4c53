//! Answers of every odd shape, and what is made of them.

use super::*;
use crate::record::Fingerprint;
use crate::transport::Trouble;

const A: &str = "aaaaaaa1-5eff-49b8-9d07-ff2486162b3f";
const B: &str = "bbbbbbb2-5eff-49b8-9d07-ff2486162b3f";

fn batch() -> Batch {
    let mut batch = Batch::default();
    for id in [A, B] {
        batch.push(Key::parse(id), Fingerprint::of(id.as_bytes()), None, false, b"{}");
    }
    batch
}

fn reply(status: u16, body: impl AsRef<[u8]>) -> Reply {
    Reply::of(Answer { status, retry_after: None, date: None, body: body.as_ref().to_vec() })
}

/// `A` accepted, `R` refused, `?` unknown, in the order of the batch; else the trouble.
fn outcome(delivery: Delivery) -> Result<String, Trouble> {
    match delivery {
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => Err(failure.trouble),
        Delivery::Judged(verdicts) => Ok(verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Accepted { .. } => 'A',
                Verdict::Begun { .. } => 'B',
                Verdict::Rejected { .. } => 'R',
                Verdict::Unknown => '?',
            })
            .collect()),
    }
}

fn upsert(status: u16, body: &str) -> Result<String, Trouble> {
    outcome(judge(&batch(), &reply(status, body)))
}

fn removal(status: u16, body: &str) -> Result<String, Trouble> {
    outcome(judge_removal(&Key::parse(A), &reply(status, body)))
}

const FOREIGN: Trouble = Trouble::Foreign { retry_after: None };
const AGAIN: Trouble = Trouble::Transient { retry_after: None };

#[test]
fn only_a_text_that_blames_a_value_leaves_it_to_the_row() {
    let table = [
        ("Поле [room_name] обязательно", Cure::Row),
        ("В слоте с идентификатором 'x': Поле [duration] должно быть целым числом больше нуля", Cure::Row),
        ("Поле [visit_time] имеет неверный формат", Cure::Row),
        ("Поле [mo_id] обязательно: подразделение не найдено", Cure::Time),
        ("Ресурс с идентификатором [resource_id] не существует", Cure::Time),
        ("Уникальный идентификатор слота [id] имеет дубликат внутри запроса", Cure::Time),
        ("Внутренняя ошибка", Cure::Time),
        ("", Cure::Time),
    ];
    for (text, cure) in table {
        assert_eq!(super::cure(text), cure, "{text}");
    }
}

#[test]
fn records_are_judged_by_the_lists_and_not_by_the_top_level_code() {
    let error = format!(r#"{{"id":"{A}","errorMessage":"нет","errorCode":"R-330"}}"#);
    let table = [
        (200, format!(r#"{{"isSuccess":true,"sendedGuids":["{A}","{B}"],"errors":null,"statusCode":200}}"#), "AA"),
        (200, r#"{"isSuccess":true,"sendedGuids":null,"errors":null,"statusCode":200}"#.into(), "AA"),
        (200, r#"{"isSuccess":true}"#.into(), "AA"),
        (200, r#"{"statusCode":200,"error":null,"errors":null}"#.into(), "AA"),
        (200, format!(r#"{{"isSuccess":true,"sendedGuids":["{B}"]}}"#), "?A"),
        (200, r#"{"isSuccess":true,"sendedGuids":[]}"#.into(), "??"),
        (422, format!(r#"{{"isSuccess":false,"errors":[{error}],"sendedGuids":["{B}"],"statusCode":422}}"#), "RA"),
        (422, format!(r#"{{"isSuccess":false,"errors":[{error}],"sendedGuids":[]}}"#), "R?"),
        (422, format!(r#"{{"isSuccess":false,"errors":[{error}],"sendedGuids":null}}"#), "R?"),
        (422, format!(r#"{{"isSuccess":false,"errors":[{error}],"sendedGuids":["{A}"]}}"#), "A?"),
        (400, format!(r#"{{"isSuccess":false,"errors":[{error}],"sendedGuids":["{B}"]}}"#), "RA"),
        (200, format!(r#"{{"isSuccess":false,"errors":[{error}],"sendedGuids":["{B}"]}}"#), "RA"),
        (200, format!(r#"{{"isSuccess":true,"errors":[{error}],"sendedGuids":null}}"#), "RA"),
        (200, format!(r#"{{"isSuccess":false,"errors":[{error}],"sendedGuids":["{B}"],"statusCode":422}}"#), "RA"),
    ];
    for (status, body, expected) in table {
        assert_eq!(upsert(status, &body), Ok(expected.to_owned()), "{status} {body}");
    }
}

#[test]
fn names_and_ids_are_read_in_any_letter_case_and_wrapping() {
    let upper = A.to_uppercase();
    let table = [
        format!(r#"{{"IsSuccess":false,"Errors":[{{"Id":"{upper}","ErrorCode":"R-1"}}],"SendedGuids":["{B}"]}}"#),
        format!(r#"{{"ISSUCCESS":false,"ERRORS":[{{"period_id":"{{{upper}}}"}}],"sendedguids":["{B}"],"extra":{{}}}}"#),
        format!(r#"[{{"isSuccess":false,"errors":[{{"id":"{A}"}}, null, 7],"sendedGuids":["{B}", null]}}]"#),
        format!(
            "\u{feff}{{\"isSuccess\":false,\"errors\":[{{\"id\":\"{A}\"}}],\"sendedGuids\":[\"{B}\"],\"statusCode\":\"422\"}}"
        ),
    ];
    for body in table {
        assert_eq!(upsert(422, &body), Ok("RA".to_owned()), "{body}");
    }
}

#[test]
fn a_refusal_that_names_none_of_ours_is_unattributed() {
    let foreign = r#"{"isSuccess":false,"errors":[{"id":"ccccccc3-5eff-49b8-9d07-ff2486162b3f"}],"sendedGuids":[]}"#;
    let table = [
        (400, r#"{"isSuccess":false,"error":"сбой разбора","errors":null,"sendedGuids":null,"statusCode":400}"#),
        (422, foreign),
        (422, r#"{"isSuccess":false,"errors":[{"errorMessage":"нет","errorCode":"R-310"}]}"#),
        (
            200,
            r#"{"isSuccess":false,"error":{"errorMessage":"нет","errorCode":"R-310"},"errors":null,"sendedGuids":[]}"#,
        ),
        (200, r#"{"isSuccess":false,"statusCode":400}"#),
        (409, r#"{"isSuccess":false}"#),
    ];
    for (status, body) in table {
        assert_eq!(upsert(status, body), Err(Trouble::Unattributed), "{status} {body}");
    }
}

#[test]
fn a_refusal_that_is_not_in_the_gateways_words_is_the_trouble_of_who_spoke_them() {
    let table = [
        (400, ""),
        (400, "<html>bad request</html>"),
        (400, r#"{"type":"about:blank","errors":{"$.data[0].duration":["not a number"]}}"#),
        (409, r#"{"message":"conflict"}"#),
        (422, "[]"),
        (422, "\u{feff} <html>"),
        (405, "<html>405 Not Allowed</html>"),
    ];
    for (status, body) in table {
        assert_eq!(upsert(status, body), Err(FOREIGN), "{status} {body}");
        assert_eq!(removal(status, body), Err(FOREIGN), "{status} {body}");
    }
}

#[test]
fn a_404_concerns_the_batch_only_in_the_gateways_words() {
    let named = format!(r#"{{"isSuccess":false,"errors":[{{"id":"{A}"}}],"sendedGuids":["{B}"],"statusCode":404}}"#);
    assert_eq!(upsert(404, &named), Ok("RA".to_owned()));
    let table = [
        (404, r#"{"isSuccess":false,"error":{"errorCode":"R-404"},"statusCode":404}"#, Trouble::Unattributed),
        (200, r#"{"isSuccess":false,"statusCode":404}"#, Trouble::Unattributed),
        (404, r#"{"isSuccess":true,"sendedGuids":null}"#, Trouble::Unattributed),
        (404, "", Trouble::FeedParked),
        (404, "<html>404</html>", Trouble::FeedParked),
        (404, r#"{"title":"Not Found","status":404,"errors":[]}"#, Trouble::FeedParked),
        (404, r#"{"statusCode":404,"message":"Cannot POST","error":"Not Found"}"#, Trouble::FeedParked),
    ];
    for (status, body, trouble) in table {
        assert_eq!(upsert(status, body), Err(trouble), "{status} {body}");
    }
}

#[test]
fn a_success_that_is_not_in_the_gateways_words_is_not_believed() {
    for body in ["", "<html>200</html>", "{}", "[]", "null", "\"ok\"", "{\"isSucc", r#"{"title":"OK","status":200}"#] {
        assert_eq!(upsert(200, body), Err(AGAIN), "{body}");
        assert_eq!(removal(200, body), Err(AGAIN), "{body}");
    }
}

#[test]
fn statuses_that_speak_for_the_whole_are_not_read_record_by_record() {
    let named = format!(r#"{{"isSuccess":false,"errors":[{{"id":"{A}"}}],"sendedGuids":["{B}"]}}"#);
    let table = [
        (403, Trouble::FeedParked),
        (406, Trouble::FeedParked),
        (408, Trouble::TimedOut),
        (405, Trouble::UnitBlocked),
        (413, Trouble::TooLarge),
        (500, AGAIN),
        (503, Trouble::Maintenance { retry_after: None }),
        (504, Trouble::TimedOut),
        (302, Trouble::FeedParked),
    ];
    for (status, trouble) in table {
        assert_eq!(upsert(status, &named), Err(trouble), "{status}");
        let inside = format!(r#"{{"isSuccess":false,"statusCode":{status}}}"#);
        assert_eq!(upsert(200, &inside), Err(trouble), "200 with {status} inside");
    }
    assert!(reply(200, r#"{"statusCode":401,"isSuccess":false}"#).is_unauthorized());
}

#[test]
fn a_refused_record_carries_its_code_its_masked_text_and_the_holder() {
    let text = format!("Слот [{A}] с ресурсом [resource_id] пациента «Иванов» дублирует слот [{B}].");
    let body =
        format!(r#"{{"isSuccess":false,"errors":[{{"id":"{A}","errorMessage":"{text}","errorCode":"R-330"}}]}}"#);
    let Delivery::Judged(verdicts) = judge(&batch(), &reply(422, body)) else { panic!("not judged") };
    let text = format!("Слот [{A}] с ресурсом [resource_id] пациента «…» дублирует слот [{B}].");
    assert_eq!(
        verdicts[0],
        Verdict::Rejected { code: "R-330".into(), text, cure: Cure::Time, holder: Some(Key::parse(B)) }
    );
}

#[test]
fn a_code_that_is_no_code_is_not_shown() {
    for (given, kept) in [("R-330", "R-330"), ("", "UNCODED"), ("Иванов Иван", "UNCODED"), ("a b", "UNCODED")]
    {
        assert_eq!(code(given), kept);
    }
}

#[test]
fn a_removal_is_done_when_the_gateway_itself_says_so() {
    let refused = r#"{"isSuccess":false,"error":{"errorCode":"R-1","errorMessage":"нельзя"}}"#;
    let table = [
        (200, r#"{"isSuccess":true,"statusCode":200}"#, Ok("A")),
        (204, "", Ok("A")),
        (404, r#"{"isSuccess":false,"error":{"errorCode":"R-404"},"statusCode":404}"#, Ok("A")),
        (200, r#"{"isSuccess":false,"statusCode":404}"#, Ok("A")),
        (404, "", Err(Trouble::FeedParked)),
        (404, "<html>404</html>", Err(Trouble::FeedParked)),
        (404, r#"{"title":"Not Found","status":404}"#, Err(Trouble::FeedParked)),
        (404, r#"{"statusCode":404,"message":"Cannot DELETE","error":"Not Found"}"#, Err(Trouble::FeedParked)),
        (422, refused, Ok("R")),
        (400, refused, Ok("R")),
        (200, refused, Ok("R")),
        (400, "", Err(FOREIGN)),
        (422, "<html>", Err(FOREIGN)),
        (405, "<html>405 Not Allowed</html>", Err(FOREIGN)),
        (200, r#"{"isSuccess":false}"#, Err(Trouble::Unattributed)),
        (405, refused, Err(Trouble::UnitBlocked)),
        (500, refused, Err(AGAIN)),
    ];
    for (status, body, expected) in table {
        assert_eq!(removal(status, body), expected.map(str::to_owned), "{status} {body}");
    }
}

#[test]
fn records_are_read_from_every_shape_of_a_result() {
    let count = |status, body: &str| reply(status, body).records().map(|records| records.len()).map_err(|f| f.trouble);
    let table = [
        (r#"{"result":[{"id":"1"},{"id":"2"}],"isSuccess":true}"#, Ok(2)),
        (r#"{"Result":{"id":"1"},"IsSuccess":true}"#, Ok(1)),
        (r#"{"result":null,"isSuccess":true}"#, Ok(0)),
        (r#"{"isSuccess":true}"#, Ok(0)),
        (r#"[{"id":"1"}]"#, Ok(1)),
        (r#"{"id":"1"}"#, Ok(1)),
        ("[]", Ok(0)),
        ("<html>", Err(AGAIN)),
        ("", Err(AGAIN)),
        (r#"{"result":[1]}"#, Err(AGAIN)),
        (r#"{"result":null,"isSuccess":false}"#, Err(Trouble::Unattributed)),
    ];
    for (body, expected) in table {
        assert_eq!(count(200, body), expected, "{body}");
    }
    assert_eq!(count(500, r#"{"result":[]}"#), Err(AGAIN));
}

#[test]
fn failure_texts_are_redacted() {
    let body =
        r#"{"isSuccess":false,"error":{"errorMessage":"Пациент «Иванов», СНИЛС 11223344595","errorCode":"R-9"}}"#;
    for status in [400, 405, 500] {
        let Delivery::Failed(failure) = judge(&batch(), &reply(status, body)) else { panic!("judged") };
        assert!(failure.text.contains("R-9 Пациент «…», СНИЛС #"), "{}", failure.text);
    }
}

#[test]
fn what_the_gateway_repeats_of_a_record_is_masked() {
    let body =
        format!(r#"{{"id":"{A}","type":"SPECIALIST","last_name":"Иванов","first_name":"Hans","snils":"11223344595"}}"#);
    let mut batch = Batch::default();
    batch.push(Key::parse(A), Fingerprint::of(body.as_bytes()), None, false, body.as_bytes());
    let text = format!("у (11223344595) hans иванов c типом SPECIALIST дублирует [{B}]: ИВАНОВ");
    let kept = format!("у (***) *** *** c типом SPECIALIST дублирует [{B}]: ***");
    let complaint = format!(r#"{{"id":"{A}","errorMessage":"{text}","errorCode":"R-330"}}"#);
    let named = reply(422, format!(r#"{{"isSuccess":false,"errors":[{complaint}]}}"#));
    let Delivery::Judged(verdicts) = judge(&batch, &named) else { panic!("not judged") };
    assert!(matches!(&verdicts[0], Verdict::Rejected { text, .. } if *text == kept), "{verdicts:?}");
    for status in [422, 500] {
        let unnamed = reply(status, format!(r#"{{"isSuccess":false,"error":{{"errorMessage":"{text}"}}}}"#));
        let Delivery::Failed(failure) = judge(&batch, &unnamed) else { panic!("judged") };
        assert!(failure.text.ends_with(&kept), "{}", failure.text);
    }
}
