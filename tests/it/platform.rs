//! The platform that portals of medical education call, over real HTTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use vitrina::portal::nmo::{Evaluation, PlanStatus};
use vitrina::record::Key;
use vitrina::serve::platform::{
    Evaluated, Granted, PlatformSettings, Question, Reply, Reviewer, Taken, Target, router,
};

use crate::support::traces::Traces;

const SECRET: &str = "portal-secret-never-shown";
const HANDOVER: &str = "handover-secret-never-shown";
const TOKEN: &str = "api-token-never-shown";
const SNILS: &str = "11223344595";

/// Remembers what it was told; knows module `A` alone.
#[derive(Default)]
struct Told(Mutex<Vec<(String, String, Evaluation)>>);

impl Evaluated for Told {
    async fn evaluated(&self, portal: &str, module: &Key, evaluation: Evaluation) -> Taken {
        match module.to_string().as_str() {
            "A" => {
                self.0.lock().unwrap().push((portal.to_owned(), module.to_string(), evaluation));
                Taken::Applied
            }
            "later" => Taken::Later,
            "entered by hand" => Taken::Stray,
            _ => Taken::Unknown,
        }
    }

    async fn ask(&self, portal: &str, question: Question) -> Reply {
        match question {
            Question::Plan { module, snils, pin } => {
                assert_eq!((portal, snils.as_str()), ("nmo_vo", SNILS));
                match (module.as_str(), pin.as_deref()) {
                    ("slow", _) => std::future::pending().await,
                    ("down", _) => Reply::Failed,
                    ("rests", _) => Reply::Paused(90),
                    (_, Some("wrong")) => Reply::Plan(PlanStatus { included: false, status: "incorrect_pin" }),
                    _ => Reply::Plan(PlanStatus { included: true, status: "started" }),
                }
            }
            Question::Evaluation { module } if module == "A" => {
                Reply::Evaluation(Some(Evaluation::NotApproved { reason: "слайд 12".into() }))
            }
            Question::Evaluation { module } if module == "B" => Reply::Evaluation(Some(Evaluation::Approved)),
            Question::Evaluation { .. } => Reply::Evaluation(None),
        }
    }
}

struct Platform {
    url: String,
    told: Arc<Told>,
    client: Client,
}

fn portal(name: &str, id: &str, secret: &str) -> PlatformSettings {
    PlatformSettings {
        portal: name.into(),
        portal_id: id.into(),
        portal_secret: secret.into(),
        reviewer: Some(Reviewer { snils: "087-654-303 00".into(), test_pin: "T1".into(), full_pin: "F1".into() }),
        handover_secret: Some(HANDOVER.into()),
        api_token: Some(format!("{TOKEN}-{name}").into()),
        target: Target::parse(&format!(
            "https://edu.hospital.ru/{name}/{{module_id}}?u={{snils}}&p={{pin}}&r={{reviewer}}"
        ))
        .unwrap(),
        granted: Granted::default(),
    }
}

/// Two portals side by side: higher and secondary education.
async fn platform() -> Platform {
    serve(vec![portal("nmo_vo", "EduPortal", SECRET), portal("nmo_spo", "SpoPortal", "another-secret")]).await
}

async fn serve(portals: Vec<PlatformSettings>) -> Platform {
    let told = Arc::new(Told::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = router(portals, Arc::clone(&told));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
    Platform { url, told, client }
}

fn signed(query: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    format!("{query}&signature={}", URL_SAFE.encode(hmac::sign(&key, query.as_bytes())))
}

fn query(snils: &str, module: &str, pin: &str, portal: &str) -> String {
    format!("snils={snils}&moduleId={module}&pin={pin}&portalId={portal}")
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

impl Platform {
    async fn redirect(&self, query: &str) -> Response {
        self.client.get(format!("{}/redirect?{query}", self.url)).send().await.unwrap()
    }

    async fn ask(&self, path: &str, authorization: &str) -> (StatusCode, Value) {
        let request = self.client.get(format!("{}{path}", self.url)).header("authorization", authorization);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["cache-control"], "no-store");
        let status = response.status();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    async fn post(&self, path: &str, authorization: &str, body: Option<Value>) -> Response {
        let request = self.client.post(format!("{}{path}", self.url)).header("authorization", authorization);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        request.send().await.unwrap()
    }
}

fn bearer(portal: &str) -> String {
    format!("Bearer {TOKEN}-{portal}")
}

fn location(response: &Response) -> &str {
    assert_eq!(response.status(), StatusCode::FOUND);
    response.headers()["location"].to_str().unwrap()
}

#[tokio::test]
async fn a_signed_redirect_leads_to_the_sites_address() {
    let platform = platform().await;
    let response = platform.redirect(&signed(&query(SNILS, "A%2F1", "DASJ23", "EduPortal"), SECRET)).await;
    assert_eq!(location(&response), format!("https://edu.hospital.ru/nmo_vo/A%2F1?u={SNILS}&p=DASJ23&r="));
    assert_eq!(
        (&response.headers()["cache-control"], &response.headers()["referrer-policy"]),
        (&"no-store".parse().unwrap(), &"no-referrer".parse().unwrap())
    );
    let other = platform.redirect(&signed(&query(SNILS, "B", "P", "SpoPortal"), "another-secret")).await;
    assert_eq!(location(&other), format!("https://edu.hospital.ru/nmo_spo/B?u={SNILS}&p=P&r="));
}

#[tokio::test]
async fn a_redirect_is_also_genuine_from_the_snils_on_and_over_decoded_values() {
    let platform = platform().await;
    let own = format!("course=7&{}", signed(&query(SNILS, "A", "P", "EduPortal"), SECRET));
    let expected = format!("https://edu.hospital.ru/nmo_vo/A?u={SNILS}&p=P&r=");
    assert_eq!(location(&platform.redirect(&own).await), expected);
    let plain = signed(&query(SNILS, "A/1", "P", "EduPortal"), SECRET);
    let encoded = plain.replace("A/1", "A%2F1");
    let expected = format!("https://edu.hospital.ru/nmo_vo/A%2F1?u={SNILS}&p=P&r=");
    assert_eq!(location(&platform.redirect(&encoded).await), expected);
    // What stands before the signed part decides nothing.
    let smuggled = format!("moduleId=B&{}", signed(&query(SNILS, "A", "P", "EduPortal"), SECRET));
    assert!(location(&platform.redirect(&smuggled).await).contains("/nmo_vo/A?"));
    for forged in [own.replace("moduleId=A", "moduleId=B"), plain.replace("A/1&pin=", "A/1%26pin=")] {
        assert_eq!(platform.redirect(&forged).await.status(), StatusCode::UNAUTHORIZED, "{forged}");
    }
}

#[tokio::test]
async fn a_redirect_that_nobody_or_another_portal_signed_leads_nowhere() {
    let platform = platform().await;
    let good = query(SNILS, "A", "P", "EduPortal");
    let changed = signed(&good, SECRET).replace(SNILS, "08765430300");
    let doubled = signed(&format!("{good}&pin=Q"), SECRET);
    let wrong = [
        good.clone(),
        changed,
        doubled,
        signed(&good, "another-secret"),
        signed(&query(SNILS, "A", "P", "Nobody"), SECRET),
        signed("moduleId=A&pin=P&portalId=EduPortal", SECRET),
        format!("{good}&signature="),
        format!("{}&signature=x", signed(&good, SECRET)),
        "x".repeat(5000),
        String::new(),
    ];
    let mut answers = Vec::new();
    for query in wrong {
        let response = platform.redirect(&query).await;
        assert_eq!(
            (response.status(), response.headers().get("location")),
            (StatusCode::UNAUTHORIZED, None),
            "{query}"
        );
        answers.push(response.text().await.unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "every refusal reads the same: {answers:?}");
}

#[tokio::test]
async fn the_reviewer_is_told_apart_by_the_pin() {
    let platform = platform().await;
    for (pin, role) in [("T1", "test"), ("F1", "full")] {
        let response = platform.redirect(&signed(&query("08765430300", "A", pin, "EduPortal"), SECRET)).await;
        assert!(location(&response).ends_with(&format!("r={role}")));
    }
    let response = platform.redirect(&signed(&query("08765430300", "A", "guess", "EduPortal"), SECRET)).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_address_is_given_for_a_query_and_for_a_body() {
    let platform = platform().await;
    let expected = format!("https://edu.hospital.ru/nmo_vo/ABC123?u={SNILS}&p=DASJ23&r=");
    let authorization = basic("EduPortal", SECRET);
    let by_query = format!("/getUrl?snils={SNILS}&moduleId=ABC123&pin=DASJ23");
    let response = platform.post(&by_query, &authorization, None).await;
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.text().await.unwrap(), expected);
    let body = json!({"module_id": "ABC123", "snils": SNILS, "pin": "DASJ23"});
    assert_eq!(platform.post("/getUrl", &authorization, Some(body)).await.text().await.unwrap(), expected);
    let incomplete = platform.post("/getUrl", &authorization, Some(json!({"module_id": "ABC123"}))).await;
    assert_eq!(incomplete.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_token_stands_for_its_portal() {
    let platform = platform().await;
    let path = format!("/getToken?snils={SNILS}&portalId=EduPortal");
    let granted: Value =
        serde_json::from_str(&platform.post(&path, &basic("EduPortal", SECRET), None).await.text().await.unwrap())
            .unwrap();
    assert_eq!((&granted["token_type"], &granted["expires_in"]), (&json!("bearer"), &json!(600)));
    let bearer = format!("Bearer {}", granted["access_token"].as_str().unwrap());
    let url = platform.post(&format!("/getUrl?snils={SNILS}&moduleId=A&pin=P"), &bearer, None).await;
    assert!(url.text().await.unwrap().starts_with("https://edu.hospital.ru/nmo_vo/"));
    let told = platform.post("/statusUpdate", &bearer, Some(json!({"module_id": "A", "status": "approved"}))).await;
    assert_eq!(told.status(), StatusCode::OK);
    // A token opens no second one, and no portal asks for another.
    assert_eq!(platform.post(&path, &bearer, None).await.status(), StatusCode::UNAUTHORIZED);
    let foreign = platform.post(&path, &basic("SpoPortal", "another-secret"), None).await;
    assert_eq!(foreign.status(), StatusCode::UNAUTHORIZED);
    let plain = platform.client.post(format!("{}/getToken", platform.url)).header("accept", "text/plain");
    let plain = plain.header("authorization", basic("EduPortal", SECRET)).send().await.unwrap().text().await.unwrap();
    assert_eq!(plain.len(), 43, "32 bytes in base64, and nothing around them");
}

#[tokio::test]
async fn news_of_an_evaluation_reach_the_register() {
    let platform = platform().await;
    let authorization = basic("SpoPortal", "another-secret");
    let reason = "требуется дополнительная информация";
    let body = json!({"module_id": "A", "status": "not_approved", "status_reason": reason});
    let answer = platform.post("/statusUpdate", &authorization, Some(body)).await;
    assert_eq!(serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap(), json!({"success": true}));
    let told = platform.told.0.lock().unwrap().clone();
    assert_eq!(told, [("nmo_spo".to_owned(), "A".to_owned(), Evaluation::NotApproved { reason: reason.into() })]);
    let status = |body: Value| {
        let (platform, authorization) = (&platform, &authorization);
        async move {
            let answer = platform.post("/statusUpdate", authorization, Some(body)).await;
            (answer.status(), serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap_or_default())
        }
    };
    let unknown = status(json!({"module_id": "X", "status": "approved"})).await;
    assert_eq!(unknown, (StatusCode::OK, json!({"success": false, "reason": "unknown_module"})));
    let stray = status(json!({"module_id": "entered by hand", "status": "approved"})).await;
    assert_eq!(stray, (StatusCode::OK, json!({"success": true})));
    assert_eq!(status(json!({"module_id": "later", "status": "approved"})).await.0, StatusCode::SERVICE_UNAVAILABLE);
    for incomplete in [json!({"module_id": "A"}), json!({"module_id": "A", "status": "fine"}), json!([])] {
        assert_eq!(status(incomplete).await.0, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn who_is_not_let_in_learns_nothing() {
    let platform = platform().await;
    let strangers = [
        String::new(),
        basic("EduPortal", "wrong"),
        basic("EduPortal", ""),
        basic("Nobody", SECRET),
        basic("SpoPortal", SECRET),
        "Bearer guess".to_owned(),
        format!("Bearer {}", "x".repeat(5000)),
        "Basic %%%".to_owned(),
        "Digest x".to_owned(),
    ];
    for authorization in strangers {
        for path in ["/getUrl", "/getToken", "/statusUpdate"] {
            let body = json!({"module_id": "A", "snils": SNILS, "pin": "P", "status": "approved"});
            let response = platform.post(path, &authorization, Some(body)).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {authorization}");
            assert_eq!(response.text().await.unwrap(), "");
        }
    }
    assert!(platform.told.0.lock().unwrap().is_empty());
    for path in ["/", "/metrics", "/api/status"] {
        assert_eq!(platform.post(path, "", None).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_long_reason_is_taken_whole_and_a_body_without_end_is_refused() {
    let platform = platform().await;
    let reason = format!("{}слайд 12, пункт 3.4", "Нет ссылки на источник. ".repeat(1400));
    let body = |reason: &str| json!({"module_id": "A", "status": "not_approved", "status_reason": reason});
    assert!(body(&reason).to_string().len() > 60_000);
    let authorization = basic("EduPortal", SECRET);
    let response = platform.post("/statusUpdate", &authorization, Some(body(&reason))).await;
    assert_eq!(response.status(), StatusCode::OK);
    let told = platform.told.0.lock().unwrap().pop().unwrap().2;
    assert_eq!(told, Evaluation::NotApproved { reason });
    let response = platform.post("/statusUpdate", &authorization, Some(body(&"x".repeat(70_000)))).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_caller_who_dawdles_is_let_go() {
    let platform = platform().await;
    let endless = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = platform
        .client
        .post(format!("{}/getUrl", platform.url))
        .header("authorization", basic("EduPortal", SECRET))
        .body(reqwest::Body::wrap_stream(endless))
        .timeout(Duration::from_secs(30));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn no_trace_holds_a_secret_or_a_person() {
    let (traces, _guard) = Traces::capture();
    let platform = platform().await;
    location(&platform.redirect(&signed(&query(SNILS, "A", "DASJ23", "EduPortal"), SECRET)).await);
    platform.redirect(&query(SNILS, "A", "DASJ23", "EduPortal")).await;
    let body = json!({"module_id": "A", "snils": SNILS, "pin": "DASJ23"});
    platform.post("/getUrl", &basic("EduPortal", SECRET), Some(body)).await;
    let settings = format!("{:?}", portal("nmo_vo", "EduPortal", SECRET));
    for path in ["plan-status", "evaluation"] {
        platform.ask(&format!("/nmo/nmo_vo/{path}?snils={SNILS}&module_id=A&pin=DASJ23"), &bearer("nmo_vo")).await;
    }
    for secret in [SECRET, HANDOVER, TOKEN, SNILS, "DASJ23", "087-654-303", "T1\"", "F1\""] {
        assert!(!traces.text().contains(secret) && !settings.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_learning_system_asks_about_plans_and_evaluations() {
    let platform = platform().await;
    let ask = async |path: &str| platform.ask(&format!("/nmo/nmo_vo/{path}"), &bearer("nmo_vo")).await;
    let plan = |more: &str| format!("plan-status?snils=112-233-445+95{more}");
    let ok = |body: Value| (StatusCode::OK, body);
    assert_eq!(ask(&plan("&module_id=A%2F1")).await, ok(json!({"included": true, "status": "started"})));
    assert_eq!(ask(&plan("&module_id=A&pin=wrong")).await, ok(json!({"included": false, "status": "incorrect_pin"})));
    assert_eq!(ask("evaluation?module_id=A").await, ok(json!({"status": "not_approved", "status_reason": "слайд 12"})));
    assert_eq!(ask("evaluation?module_id=B").await, ok(json!({"status": "approved"})));
    assert_eq!(ask("evaluation?module_id=C").await, ok(json!({"status": "unknown_module"})));
    // The portal is not asked about the reviewer: the answer of the platform here would fail the test.
    let reviewer = ask("plan-status?snils=08765430300&module_id=A").await;
    assert_eq!(reviewer, ok(json!({"included": true, "status": "planned"})));
    assert_eq!(ask(&plan("&module_id=down")).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(ask(&plan("&module_id=rests")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let long = "m".repeat(256);
    for bad in [
        "plan-status?module_id=A".to_owned(),
        "plan-status?snils=1122&module_id=A".to_owned(),
        plan("&module_id="),
        plan("&module_id=A&module_id=B"),
        format!("evaluation?module_id={long}"),
        "evaluation".to_owned(),
    ] {
        assert_eq!(ask(&bad).await, (StatusCode::BAD_REQUEST, json!({"success": false, "reason": "incomplete_data"})));
    }
}

#[tokio::test]
async fn only_the_token_of_the_portals_own_section_may_ask() {
    let platform = platform().await;
    let path = format!("/nmo/nmo_vo/plan-status?snils={SNILS}&module_id=A");
    let elsewhere = path.replace("nmo_vo", "nmo_xx");
    let tokens = [
        String::new(),
        bearer("nmo_spo"),
        bearer(""),
        "Bearer ".to_owned(),
        basic("EduPortal", SECRET),
        format!("Bearer {SECRET}"),
        format!("Bearer {}", "x".repeat(5000)),
    ];
    for authorization in &tokens {
        assert_eq!(
            platform.ask(&path, authorization).await,
            (StatusCode::UNAUTHORIZED, Value::Null),
            "{authorization}"
        );
    }
    assert_eq!(platform.ask(&elsewhere, &bearer("nmo_vo")).await.0, StatusCode::UNAUTHORIZED);
    // Nor does the learning system speak for the portal.
    assert_eq!(platform.post("/getToken", &bearer("nmo_vo"), None).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_learning_system_that_asks_too_much_at_once_is_told_to_wait() {
    let platform = platform().await;
    let ask = |module: &'static str| {
        let url = format!("{}/nmo/nmo_vo/plan-status?snils={SNILS}&module_id={module}", platform.url);
        let request = platform.client.get(url).header("authorization", bearer("nmo_vo"));
        async move { request.send().await.unwrap() }
    };
    let mut slow: Vec<_> = (0..4).map(|_| tokio::spawn(ask("slow"))).collect();
    loop {
        let answer = ask("A").await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.headers()["retry-after"], "1");
            break;
        }
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert_eq!(slow.remove(0).await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
}

/// The example of this language in the documentation, and a program around it that says whether it lets a specialist in.
async fn lets_in(language: &str, doc: &str, secret: &str, query: &[(String, String)], module: &str) -> bool {
    let fence = format!("```{language}\n");
    let example = doc.split(&fence).nth(1).unwrap().split("```").next().unwrap();
    let fields: serde_json::Map<String, Value> =
        query.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let (input, program, arguments, code) = (
        json!([secret, fields, module]).to_string(),
        match language {
            "python" => "python3",
            "javascript" => "node",
            other => other,
        },
        if language == "php" {
            "-r"
        } else if language == "python" {
            "-c"
        } else {
            "-e"
        },
        match language {
            "python" => format!("{example}\nimport json, sys\nprint(is_from_vitrina(*json.loads(sys.argv[1])))"),
            "javascript" => format!("{example}\nconsole.log(isFromVitrina(...JSON.parse(process.argv[1])))"),
            _ => format!("{example}\nvar_export(is_from_vitrina(...json_decode($argv[1], true)));"),
        },
    );
    let mut command = tokio::process::Command::new(program);
    command.args([arguments, &code]);
    if language == "php" {
        command.arg("--");
    }
    let output = command.arg(input).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_lowercase();
    assert!(said == "true" || said == "false", "{language}: {said} {}", String::from_utf8_lossy(&output.stderr));
    said == "true"
}

#[tokio::test]
async fn the_documentations_examples_let_in_whom_the_platform_sends_and_nobody_else() {
    let mut settings = portal("nmo_vo", "EduPortal", SECRET);
    let template = "https://edu.hospital.ru/course/{module_id}?user={snils}&pin={pin}&reviewer={reviewer}&expires={expires}&signature={signature}";
    settings.target = Target::parse(template).unwrap();
    let platform = serve(vec![settings]).await;
    for (snils, pin) in [(SNILS, "DASJ23"), ("08765430300", "F1")] {
        let sent = platform.redirect(&signed(&query(snils, "%D0%9A%201%2F2", pin, "EduPortal"), SECRET)).await;
        let address: url::Url = location(&sent).parse().unwrap();
        let module = "К 1/2";
        let genuine: Vec<(String, String)> = address.query_pairs().into_owned().collect();
        let with = |name: &str, value: &str| -> Vec<(String, String)> {
            let change = |(known, old): &(String, String)| {
                (known.clone(), if known == name { value.to_owned() } else { old.clone() })
            };
            genuine.iter().map(change).collect()
        };
        for doc in [include_str!("../../docs/portals/nmo.md"), include_str!("../../docs/ru/portals/nmo.md")] {
            for language in ["php", "python", "javascript"] {
                assert!(lets_in(language, doc, HANDOVER, &genuine, module).await, "{language}");
                for forged in [
                    with("user", "11223344594"),
                    with("reviewer", "test"),
                    with("expires", "99999999999"),
                    with("expires", "1"),
                    with("signature", ""),
                    genuine[..3].to_vec(),
                ] {
                    assert!(!lets_in(language, doc, HANDOVER, &forged, module).await, "{language}: {forged:?}");
                }
                assert!(!lets_in(language, doc, "another", &genuine, module).await);
                assert!(!lets_in(language, doc, HANDOVER, &genuine, "К 1").await);
            }
        }
    }
}
