//! The mock gateway answers what the document prints and refuses what the document forbids.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use vitrina::demo::fer::{GatewaySettings, Subsystem};

use crate::support::mart::{
    BOOK, DOCTOR, Mart, ROOM, SLOT, UNIT, absence, book, doctor, profile, referral, room, send, service, slot, unit,
    with,
};

const OTHER_SLOT: &str = "aaaaaaa2-5eff-49b8-9d07-ff2486162b3f";

async fn mart() -> Mart {
    Mart::with_schedule(GatewaySettings::default()).await
}

mod printed {
    //! The samples of sections 5.1, 5.4 and of `/auth.svc`. Requests deviate from the print where the print breaks its own
    //! tables: `create_ts` there has a blank or dots, the unit lacks `tag_age`, its FIAS, OKATO and phone are "string".

    use super::*;

    #[tokio::test]
    async fn a_unit_with_the_name_of_another_is_refused_as_printed() {
        let mart = Mart::start(GatewaySettings::default()).await;
        let holder = "6b0aaec1-38ba-4bf2-a82c-39f90b925a78";
        let id = "1b0aaec1-38ba-4bf2-a82c-39f90b925a78";
        mart.accepts("mo", &[with(unit(), json!({"id": holder, "name": "Тестовая МО"}))]).await;
        let (status, answer) = mart.post("mo", &[with(unit(), json!({"id": id, "name": "Тестовая МО"}))]).await;
        assert_eq!(status, 422);
        let text = format!(
            "Структурное подразделение с идентификатором [{id}] дублирует ранее загруженное в витрину структурное \
             подразделение с таким наименованием [name] и с другим идентификатором [{holder}]."
        );
        let printed = json!({
            "isSuccess": false,
            "error": {"errorMessage": format!("{text} [{id}]."), "errorCode": "R-310"},
            "errors": [{"id": id, "errorMessage": text, "errorCode": "R-330"}],
            "sendedGuids": [],
            "sendedGuidsToContactCenter": null,
            "statusCode": 422
        });
        assert_eq!(answer, printed);
    }

    #[tokio::test]
    async fn a_doubled_id_is_stored_once_and_reported_as_printed() {
        let mart = Mart::start(GatewaySettings::default()).await;
        mart.accepts("mo", &[unit()]).await;
        mart.accepts("resource", &[doctor(), room()]).await;
        let first = with(slot(), json!({"duration": "20"}));
        let second = with(slot(), json!({"resource_id": ROOM, "visit_time": "2024-03-29T05:00:00", "duration": "20"}));
        let (status, answer) = mart.post("slot", &[first.clone(), second]).await;
        assert_eq!(status, 422);
        let text = format!(
            "В слоте с идентификатором '{SLOT}': Уникальный идентификатор слота [id] имеет дубликат внутри запроса"
        );
        let printed = json!({
            "isSuccess": false,
            "error": {"errorMessage": text, "errorCode": "R-310"},
            "errors": [{"id": SLOT, "errorMessage": text, "errorCode": "R-310"}],
            "sendedGuids": [SLOT],
            "sendedGuidsToContactCenter": [SLOT],
            "statusCode": 422
        });
        assert_eq!(answer, printed);
        assert_eq!(Value::Object(mart.running.gateway().snapshot(Subsystem::Slot)[SLOT].clone()), first);
    }

    #[tokio::test]
    async fn a_second_slot_at_one_time_is_refused_as_printed() {
        let mart = mart().await;
        let (status, answer) = mart.post("slot", &[with(slot(), json!({"id": OTHER_SLOT}))]).await;
        assert_eq!(status, 422);
        let text = format!(
            "Слот с идентификатором [{OTHER_SLOT}] и указанным в нем ресурсом [resource_id] и временем визита \
             [visit_time] дублирует ранее загруженный в витрину слот с другим идентификатором [{SLOT}]."
        );
        let printed = json!({
            "isSuccess": false,
            "error": {"errorMessage": format!("{text} [{OTHER_SLOT}]."), "errorCode": "R-310"},
            "errors": [{"id": OTHER_SLOT, "errorMessage": text, "errorCode": "R-330"}],
            "sendedGuids": [],
            "sendedGuidsToContactCenter": [],
            "statusCode": 422
        });
        assert_eq!(answer, printed);
    }

    #[tokio::test]
    async fn a_login_is_answered_in_capitals() {
        let mart = Mart::start(GatewaySettings::default()).await;
        let (status, mut answer) = mart.login("demo").await;
        let valid_to = answer["Result"]["ValidTo"].take();
        assert!(chrono::DateTime::parse_from_rfc3339(valid_to.as_str().unwrap()).is_ok(), "{valid_to}");
        let value = answer["Result"]["Value"].take();
        assert!(!value.as_str().unwrap().is_empty());
        let rest = json!({
            "Result": {"ValidTo": null, "Value": null}, "IsSuccess": true, "ErrorMessage": "", "StatusCode": 200
        });
        assert_eq!((status.as_u16(), answer), (200, rest));
    }

    #[tokio::test]
    async fn stored_records_are_answered_with_their_ids() {
        let mart = mart().await;
        let (status, answer) = mart.post("service", &[service()]).await;
        let printed = json!({
            "result": null, "isSuccess": true, "error": null, "errors": null, "sendedGuids": [service()["id"]],
            "sendedGuidsToContactCenter": null, "statusCode": 200
        });
        assert_eq!((status.as_u16(), answer), (200, printed));
    }
}

mod tokens {
    use super::*;

    #[tokio::test]
    async fn a_wrong_password_gets_no_token() {
        let mart = Mart::start(GatewaySettings::default()).await;
        let (status, answer) = mart.login("guess").await;
        assert_eq!((status.as_u16(), &answer["Result"], &answer["IsSuccess"]), (401, &Value::Null, &json!(false)));
        assert_eq!(mart.running.gateway().totals().logins_refused, 1);
    }

    #[tokio::test]
    async fn without_a_known_token_nothing_is_read_or_stored() {
        let mart = Mart::start(GatewaySettings::default()).await;
        for given in [None, Some("bearer unknown"), Some("Basic ZGVtbw==")] {
            let mut request = mart.request(Method::POST, "/api/mo").json(&json!({"data": [unit()]}));
            if let Some(given) = given {
                request = request.header("Authorization", given);
            }
            let (status, answer) = send(request).await;
            assert_eq!((status.as_u16(), &answer["statusCode"]), (401, &json!(401)));
        }
        assert!(mart.running.gateway().is_empty());
        assert_eq!(mart.running.gateway().totals().unauthorized, 3);
    }

    #[tokio::test]
    async fn a_token_ends_with_its_life() {
        let mart = Mart::start(GatewaySettings { token_life: Duration::ZERO, ..GatewaySettings::default() }).await;
        assert_eq!(mart.get("/api/mo?id=x").await.0, 401);
    }

    #[tokio::test]
    async fn revoked_tokens_are_worthless() {
        let mart = Mart::start(GatewaySettings::default()).await;
        assert_eq!(mart.get("/api/mo?id=x").await.0, 404);
        mart.running.gateway().revoke_tokens();
        assert_eq!(mart.get("/api/mo?id=x").await.0, 401);
    }
}

mod bodies {
    use super::*;

    #[tokio::test]
    async fn gzip_and_plain_bodies_are_taken_and_counted() {
        let mart = Mart::start(GatewaySettings::default()).await;
        let body = json!({"data": [unit()]}).to_string();
        assert_eq!(mart.post_gzip("mo", body.as_bytes()).await.0, 200);
        mart.accepts("mo", &[unit()]).await;
        let counters = mart.running.gateway().counters(Subsystem::Mo);
        assert_eq!((counters.requests, counters.received, counters.accepted, counters.refused), (2, 2, 2, 0));
        assert_eq!(counters.raw_bytes, 2 * body.len() as u64);
        assert!((1..body.len() as u64).contains(&counters.gzip_bytes));
    }

    #[tokio::test]
    async fn a_body_beyond_its_caps_is_refused_before_it_is_read() {
        let settings =
            GatewaySettings { max_body_bytes: 1000, max_inflated_bytes: 2000, max_records: 1, ..Default::default() };
        let mart = Mart::start(settings).await;
        let long = json!({"data": [with(unit(), json!({"name": "я".repeat(2000)}))]}).to_string();
        assert_eq!(mart.post_gzip("mo", long.as_bytes()).await.0, 413);
        let (status, _) = send(mart.authorized(Method::POST, "/api/mo").body(long)).await;
        assert_eq!(status, 413);
        let two = json!({"data": [{}, {}]}).to_string();
        assert_eq!(mart.post_gzip("mo", two.as_bytes()).await.0, 413);
    }

    #[tokio::test]
    async fn what_is_no_request_is_answered_400() {
        let mart = Mart::start(GatewaySettings::default()).await;
        for body in ["", "{}", "[]", "{\"data\": []}", "{\"data\": [1]}", "{\"data\": [{}"] {
            let (status, answer) = send(mart.authorized(Method::POST, "/api/mo").body(body)).await;
            assert_eq!((status.as_u16(), &answer["isSuccess"]), (400, &json!(false)), "{body}");
        }
        let broken = mart.authorized(Method::POST, "/api/mo").header("Content-Encoding", "gzip").body("no gzip");
        assert_eq!(send(broken).await.0, 400);
    }
}

mod checks {
    use super::*;

    /// The only error of a record that is refused, without its beginning, which names the record.
    async fn fault(mart: &Mart, subsystem: &str, record: Value) -> String {
        let errors = mart.refuses(subsystem, record).await;
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0].split_once("': ").expect("text names the record").1.to_owned()
    }

    #[tokio::test]
    async fn every_kind_of_field_is_held_to_its_table() {
        let mart = mart().await;
        let cases = [
            ("mo", with(unit(), json!({"tag_age": null})), "Поле [tag_age] обязательно"),
            ("mo", with(unit(), json!({"name": "  "})), "Поле [name] обязательно"),
            (
                "mo",
                with(unit(), json!({"phone": "7".repeat(46)})),
                "Поле [phone] должно быть строкой не длиннее 45 символов",
            ),
            (
                "mo",
                with(unit(), json!({"parent_id": "86.8916.x"})),
                "Поле [parent_id] должно быть OID не длиннее 45 символов",
            ),
            ("mo", with(unit(), json!({"enabled": "all"})), "Поле [enabled] содержит недопустимое значение"),
            (
                "mo",
                with(unit(), json!({"create_ts": "20.10.2023 08:00:00"})),
                "Поле [create_ts] должно иметь формат YYYY-MM-DDTHH:MI:SS",
            ),
            (
                "resource",
                with(doctor(), json!({"snils": "11223344594"})),
                "Поле [snils] должно содержать 11 цифр СНИЛС с верной контрольной суммой",
            ),
            ("resource", with(doctor(), json!({"post_id": null})), "Поле [post_id] обязательно"),
            ("resource", with(doctor(), json!({"post_name": "терапевт"})), "Поле [post_name] больше не передается"),
            (
                "resource",
                with(room(), json!({"snils": "11223344595"})),
                "Поле [snils] не указывается при type != SPECIALIST",
            ),
            (
                "resource",
                with(doctor(), json!({"machine_name": "УЗИ"})),
                "Поле [machine_name] не указывается при type != MACHINE",
            ),
            ("service", with(service(), json!({"price": "250"})), "Поле [price] должно быть неотрицательным числом"),
            (
                "slot",
                with(slot(), json!({"tag_type": "EPGU,PHONE"})),
                "Поле [tag_type] содержит недопустимое значение в списке через запятую",
            ),
            ("slot", with(slot(), json!({"duration": 12.5})), "Поле [duration] должно быть целым числом больше нуля"),
            (
                "slot",
                with(slot(), json!({"visit_time": "2024-02-30T05:00:00"})),
                "Поле [visit_time] должно иметь формат YYYY-MM-DDTHH:MI:SS",
            ),
            ("book", with(book(), json!({"status_code": "5000"})), "Поле [status_code] содержит недопустимое значение"),
            (
                "book",
                with(book(), json!({"slot_id": "slot-17"})),
                "Поле [slot_id] должно быть GUID в нижнем регистре, через дефис",
            ),
            ("referral", with(referral(), json!({"speciality_id": null})), "Поле [speciality_id] обязательно"),
            ("referral", with(referral(), json!({"type": "RESEARCH"})), "Поле [to_service_id] обязательно"),
            (
                "unaccessable_period",
                with(absence(), json!({"update_ts": "2024-04-01T00:00:00"})),
                "Поле [update_ts] больше не передается",
            ),
            ("profilecode_resource", with(profile(), json!({"code": "1"})), "Поле [code] не описано"),
        ];
        for (subsystem, record, expected) in cases {
            assert_eq!(fault(&mart, subsystem, record).await, expected);
        }
    }

    #[tokio::test]
    async fn an_id_in_upper_case_is_named_and_not_stored() {
        let mart = mart().await;
        let id = UNIT.to_uppercase();
        let (_, answer) = mart.post("mo", &[with(unit(), json!({"id": id, "name": "Другая"}))]).await;
        assert_eq!(answer["errors"][0]["id"], json!(id));
        assert_eq!(mart.running.gateway().len(Subsystem::Mo), 1);
    }

    #[tokio::test]
    async fn a_batch_is_stored_but_for_its_bad_records() {
        let mart = mart().await;
        let bad = with(slot(), json!({"id": OTHER_SLOT, "visit_time": "2024-03-28T06:00:00", "status": "FREE"}));
        let good = with(slot(), json!({"status": "BLOCKED"}));
        let (status, answer) = mart.post("slot", &[bad, good]).await;
        assert_eq!((status.as_u16(), &answer["sendedGuids"]), (422, &json!([SLOT])));
        assert_eq!(answer["errors"][0]["id"], json!(OTHER_SLOT));
        let held = mart.running.gateway().snapshot(Subsystem::Slot);
        assert_eq!((held.len(), &held[SLOT]["status"]), (1, &json!("BLOCKED")));
    }

    #[tokio::test]
    async fn records_without_their_parents_are_refused() {
        let mart = Mart::start(GatewaySettings::default()).await;
        let cases = [
            ("resource", doctor(), "mo_id"),
            ("slot", slot(), "mo_id"),
            ("book", book(), "slot_id"),
            ("service", service(), "resource_id"),
            ("profilecode_resource", profile(), "resource_id"),
            ("unaccessable_period", absence(), "resource_id"),
        ];
        for (subsystem, record, field) in cases {
            let text = fault(&mart, subsystem, record).await;
            assert!(text.starts_with("Не найдена запись") && text.ends_with(&format!("[{field}]")), "{text}");
        }
        mart.accepts("referral", &[referral()]).await;
        mart.accepts("mo", &[unit()]).await;
        assert!(fault(&mart, "slot", slot()).await.ends_with("[resource_id]"));
    }

    #[tokio::test]
    async fn a_book_needs_its_slot_recorded_unless_it_gives_it_up() {
        let mart = mart().await;
        for code in [5000, 5020, 5030] {
            let text = fault(&mart, "book", with(book(), json!({"status_code": code}))).await;
            assert_eq!(text, "Слот, указанный в поле [slot_id], не находится в статусе RECORDED");
        }
        for code in [5010, 5040] {
            mart.accepts("book", &[with(book(), json!({"status_code": code}))]).await;
        }
        mart.accepts("slot", &[with(slot(), json!({"status": "RECORDED"}))]).await;
        mart.accepts("book", &[book()]).await;
    }

    #[tokio::test]
    async fn settings_tighten_what_the_document_leaves_open() {
        let settings = GatewaySettings {
            book_needs_referral: true,
            format_errors_as_400: true,
            canceled_slot_holds_place: true,
            ..GatewaySettings::default()
        };
        let mart = Mart::with_schedule(settings).await;
        let (status, answer) = mart.post("book", &[book()]).await;
        assert_eq!((status.as_u16(), &answer["errors"][0]["id"]), (400, &json!(BOOK)));
        mart.accepts("slot", &[with(slot(), json!({"status": "CANCELED"}))]).await;
        let (status, answer) = mart.post("slot", &[with(slot(), json!({"id": OTHER_SLOT}))]).await;
        assert_eq!((status.as_u16(), &answer["errors"][0]["errorCode"]), (422, &json!("R-330")));
    }

    #[tokio::test]
    async fn a_record_sent_again_replaces_the_whole_of_the_old_one() {
        let mart = mart().await;
        mart.accepts("resource", &[with(doctor(), json!({"middle_name": "Иванович"}))]).await;
        mart.accepts("resource", &[doctor()]).await;
        let held = mart.running.gateway().snapshot(Subsystem::Resource);
        assert_eq!(Value::Object(held[DOCTOR].clone()), doctor());
    }
}

mod removal {
    use super::*;

    async fn full() -> Mart {
        let mart = mart().await;
        mart.accepts("slot", &[with(slot(), json!({"status": "RECORDED"}))]).await;
        mart.accepts("book", &[book()]).await;
        mart.accepts("service", &[service()]).await;
        mart.accepts("profilecode_resource", &[profile()]).await;
        mart.accepts("unaccessable_period", &[absence()]).await;
        mart.accepts("referral", &[referral()]).await;
        mart
    }

    fn left(mart: &Mart) -> Vec<&'static str> {
        Subsystem::ALL.into_iter().filter(|s| mart.running.gateway().len(*s) > 0).map(Subsystem::name).collect()
    }

    #[tokio::test]
    async fn a_unit_takes_its_resources_slots_books_and_services() {
        let mart = full().await;
        let (status, answer) = mart.delete("mo", UNIT).await;
        assert_eq!((status.as_u16(), &answer["sendedGuids"]), (200, &json!([UNIT])));
        assert_eq!(left(&mart), ["profilecode_resource", "unaccessable_period", "referral"]);
        let counters = mart.running.gateway().counters(Subsystem::Mo);
        assert_eq!((counters.deletes, counters.removed), (1, 6));
    }

    #[tokio::test]
    async fn a_resource_takes_its_slots_books_and_services() {
        let mart = full().await;
        assert_eq!(mart.delete("resource", DOCTOR).await.0, 200);
        assert_eq!(left(&mart), ["mo", "resource", "profilecode_resource", "unaccessable_period", "referral"]);
    }

    #[tokio::test]
    async fn a_slot_takes_its_books() {
        let mart = full().await;
        assert_eq!(mart.delete("slot", SLOT).await.0, 200);
        assert_eq!(
            (mart.running.gateway().len(Subsystem::Book), mart.running.gateway().len(Subsystem::Service)),
            (0, 1)
        );
    }

    #[tokio::test]
    async fn an_absence_is_removed_by_id_though_its_field_is_period_id() {
        let mart = full().await;
        assert_eq!(mart.delete("unaccessable_period", absence()["period_id"].as_str().unwrap()).await.0, 200);
        assert_eq!(mart.running.gateway().len(Subsystem::UnaccessablePeriod), 0);
    }

    #[tokio::test]
    async fn what_is_not_there_is_404_in_the_envelope_and_what_is_no_subsystem_without_it() {
        let mart = full().await;
        let (status, answer) = mart.delete("slot", OTHER_SLOT).await;
        assert_eq!((status.as_u16(), &answer["statusCode"], &answer["isSuccess"]), (404, &json!(404), &json!(false)));
        assert_eq!(mart.delete("patient", OTHER_SLOT).await, (reqwest::StatusCode::NOT_FOUND, Value::Null));
    }
}

mod reading {
    use super::*;

    #[tokio::test]
    async fn one_record_is_read_by_query_and_by_path() {
        let mart = mart().await;
        for path in [format!("/api/slot?id={SLOT}"), format!("/api/slot/{SLOT}")] {
            let (status, answer) = mart.get(&path).await;
            assert_eq!((status.as_u16(), &answer["result"]), (200, &json!([slot()])), "{path}");
        }
        assert_eq!(mart.get(&format!("/api/mo/{UNIT}")).await.1["result"], json!([unit()]));
        let (status, answer) = mart.get(&format!("/api/slot?id={OTHER_SLOT}")).await;
        assert_eq!((status.as_u16(), &answer["isSuccess"]), (404, &json!(false)));
    }

    #[tokio::test]
    async fn units_are_read_by_the_oid_of_their_organization_on_both_printed_paths() {
        let mart = mart().await;
        for path in ["/api/mo/oid/1.2.643.5.1.13.13.12.2.86.8916", "/api/oid/1.2.643.5.1.13.13.12.2.86.8916"] {
            assert_eq!(mart.get(path).await.1["result"], json!([unit()]), "{path}");
        }
        assert_eq!(mart.get("/api/oid/1.2.3").await.0, 404);
    }

    #[tokio::test]
    async fn children_are_read_through_their_parents() {
        let mart = mart().await;
        mart.accepts("slot", &[with(slot(), json!({"status": "RECORDED"}))]).await;
        mart.accepts("book", &[book()]).await;
        let resources = mart.get(&format!("/api/mo/{UNIT}/resource")).await.1;
        assert_eq!(resources["result"], json!([doctor(), room()]));
        assert_eq!(mart.get(&format!("/api/slot/{SLOT}/books")).await.1["result"], json!([book()]));
        assert_eq!(mart.get(&format!("/api/slot/{OTHER_SLOT}/books")).await.0, 404);
    }

    #[tokio::test]
    async fn slots_of_a_resource_are_read_by_days_both_included() {
        let mart = mart().await;
        let next_day = with(slot(), json!({"id": OTHER_SLOT, "visit_time": "2024-03-29T23:40:00"}));
        mart.accepts("slot", std::slice::from_ref(&next_day)).await;
        let path = |from, to| format!("/api/resourse/{DOCTOR}/slots?startDate={from}&endDate={to}");
        assert_eq!(mart.get(&path("2024-03-28", "2024-03-28")).await.1["result"], json!([slot()]));
        assert_eq!(mart.get(&path("2024-03-28", "2024-03-29")).await.1["result"], json!([slot(), next_day]));
        assert_eq!(mart.get(&path("2024-04-01", "2024-04-02")).await.1["result"], json!([]));
        assert_eq!(mart.get(&path("28.03.2024", "2024-03-29")).await.0, 400);
    }

    #[tokio::test]
    async fn what_is_inside_shows_over_http_without_a_token() {
        let mart = mart().await;
        let stats = send(mart.request(Method::GET, "/mock/stats")).await.1;
        let resource = &stats["subsystems"]["resource"];
        assert_eq!((&resource["records"], &resource["counters"]["accepted"]), (&json!(2), &json!(2)));
        assert_eq!(stats["totals"]["tokens_issued"], json!(1));
        let first = send(mart.request(Method::GET, "/mock/records/resource?limit=1")).await.1;
        assert_eq!((&first["count"], &first["records"][DOCTOR]), (&json!(2), &doctor()));
        let rest = format!("/mock/records/resource?after={}", first["next"].as_str().unwrap());
        let rest = send(mart.request(Method::GET, &rest)).await.1;
        assert_eq!((&rest["records"], &rest["next"]), (&json!({ROOM: room()}), &Value::Null));
    }

    #[tokio::test]
    async fn the_log_tells_who_was_sent_in_which_request() {
        let mart = mart().await;
        mart.delete("slot", SLOT).await;
        let log = mart.running.gateway().log();
        let last: Vec<_> =
            log.iter().map(|entry| (entry.method, entry.subsystem, entry.ids.join(" "), entry.status)).collect();
        let expected = [
            ("POST", Subsystem::Mo, UNIT.to_owned(), 200),
            ("POST", Subsystem::Resource, format!("{DOCTOR} {ROOM}"), 200),
            ("POST", Subsystem::Slot, SLOT.to_owned(), 200),
            ("DELETE", Subsystem::Slot, SLOT.to_owned(), 200),
        ];
        assert_eq!(last, expected);
        let shown = send(mart.request(Method::GET, "/mock/log?last=1")).await.1;
        assert_eq!(shown["requests"][0]["path"], json!(format!("/api/slot?id={SLOT}")));
    }
}

#[tokio::test]
async fn a_referral_may_name_its_service() {
    let mart = Mart::with_schedule(GatewaySettings::default()).await;
    mart.accepts("referral", &[with(referral(), json!({"to_service_name": "Общий анализ крови"}))]).await;
}

mod units {
    use super::*;

    const SECOND: &str = "cc7cbc4b-2e68-40d2-881b-6f957b044818";

    #[tokio::test]
    async fn a_unit_with_too_many_errors_is_blocked_alone_until_support_lifts_it() {
        let mart =
            Mart::with_schedule(GatewaySettings { block_unit_after: Some(2), ..GatewaySettings::default() }).await;
        let second = with(unit(), json!({"id": SECOND, "name": "Вторая"}));
        mart.accepts("mo", std::slice::from_ref(&second)).await;
        for _ in 0..2 {
            mart.refuses("slot", with(slot(), json!({"status": "FREE"}))).await;
        }
        assert_eq!(mart.running.gateway().blocked_units(), [UNIT]);
        let (status, answer) = mart.post("slot", &[slot()]).await;
        assert_eq!((status.as_u16(), &answer["errors"], &answer["sendedGuids"]), (405, &Value::Null, &Value::Null));
        assert!(!answer["error"]["errorMessage"].as_str().unwrap().contains(UNIT));
        assert_eq!(mart.post("mo", &[unit(), second.clone()]).await.0, 405);
        mart.accepts("mo", &[second]).await;
        assert_eq!(mart.running.gateway().snapshot(Subsystem::Mo)[UNIT]["enabled"], json!("NONE"));
        assert!(mart.running.gateway().unblock_unit(UNIT));
        mart.accepts("slot", &[slot()]).await;
        assert_eq!(mart.running.gateway().snapshot(Subsystem::Mo)[UNIT]["enabled"], json!("NONE"), "nothing opens it");
        mart.accepts("mo", &[unit()]).await;
        assert_eq!(mart.running.gateway().snapshot(Subsystem::Mo)[UNIT]["enabled"], json!("ALL"));
    }
}

#[tokio::test]
async fn a_stopped_gateway_keeps_its_mart_for_the_next_start() {
    let mart = mart().await;
    let gateway = mart.running.gateway().clone();
    let addr = mart.running.addr;
    mart.running.shutdown().await.unwrap();
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
    let again = gateway.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    assert_eq!(again.gateway().len(Subsystem::Slot), 1);
}
