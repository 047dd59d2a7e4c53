//! No value that a schema does not disclose, and no secret, is found in what is kept of an exchange, whatever form it came in.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use vitrina::portal::kind;
use vitrina::record::{Field, Kind, Schema};
use vitrina::recording::{Body, Cassette, Scrubber, StandIns};
use vitrina::transport::{Level, Packed, Taped, TapedAnswer};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const KINDS: [&str; 5] = ["fer", "sout", "nmo", "pos", "ekdo"];
const PASSWORD: &str = "Hunter-and-Co-2026";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJNTyJ9.TQD86ZL4oUvJWEGF1SJW";

fn scrubber(of: &str) -> Scrubber {
    let credentials = vec![("username", "login-of-ours".to_owned().into()), ("password", PASSWORD.to_owned().into())];
    Scrubber::new(of, kind(of).unwrap(), credentials, StandIns::new(b"a key of the test"))
}

fn headers(given: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    given.iter().map(header).collect()
}

fn taped(media: &str, body: Vec<u8>, answer: Vec<u8>) -> Taped {
    let bearer = format!("Bearer {TOKEN}");
    Taped {
        method: "POST".into(),
        path: format!("/api/x?token={TOKEN}&who={PASSWORD}"),
        headers: headers(&[
            ("content-type", media),
            ("authorization", &bearer),
            ("cookie", "session=Hunter"),
            ("x-auth-token", TOKEN),
        ]),
        body: Some(body),
        answer: Some(TapedAnswer {
            status: 422,
            headers: headers(&[
                ("content-type", "application/json"),
                ("set-cookie", TOKEN),
                ("date", "Tue, 08 Oct 2019 18:12:19 GMT"),
            ]),
            body: answer,
        }),
    }
}

/// A value that a hidden field may have: words that nothing else is made of.
fn secret_value(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Snils | Kind::PrintedSnils => "[2-9][0-9]{10}".boxed(),
        Kind::Guid => "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}".boxed(),
        Kind::Inn | Kind::Digits(_) => "[1-9][0-9]{11}".boxed(),
        _ => "[А-Я][а-я]{7,12}( [A-Z][a-z]{7,12}){0,2}".boxed(),
    }
}

fn fields(schema: &'static Schema) -> impl Iterator<Item = &'static Field> {
    schema.fields.iter().filter(|field| !schema.discloses(field))
}

/// A record of a schema, by name, with the values that must not be seen.
fn records() -> impl Strategy<Value = (&'static str, Vec<(&'static str, String)>)> {
    let all: Vec<(&'static str, &'static Schema)> =
        KINDS.iter().flat_map(|of| kind(of).unwrap().schemas.iter().map(move |schema| (*of, *schema))).collect();
    prop::sample::select(all).prop_flat_map(|(of, schema)| {
        let values: Vec<_> = fields(schema).map(|field| (Just(field.name), secret_value(field.kind))).collect();
        (Just(of), values)
    })
}

fn assert_clean(cassette: &Cassette, values: &[(&'static str, String)]) -> Result<(), TestCaseError> {
    let text = serde_json::to_string(cassette).unwrap();
    let lower = text.to_lowercase();
    for (name, value) in values {
        let words = value.split(' ').filter(|word| word.chars().count() > 4);
        for word in words.chain([value.as_str()]) {
            prop_assert!(!lower.contains(&word.to_lowercase()), "{name} {word}: {text}");
            prop_assert!(!text.contains(&STANDARD.encode(word)), "{name} {word} in base64: {text}");
        }
    }
    for secret in [PASSWORD, TOKEN, "login-of-ours", "Hunter"] {
        prop_assert!(!text.contains(secret), "{secret}: {text}");
    }
    Ok(())
}

fn pascal(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

fn zipped(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(name, SimpleFileOptions::default()).unwrap();
    archive.write_all(content).unwrap();
    archive.finish().unwrap().into_inner()
}

proptest! {
    #[test]
    fn json_packed_or_not_says_nothing((of, values) in records(), packs: bool) {
        let record: Map<String, Value> = values.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        let first = values.first().map_or("Иванов Иван", |(_, value)| value.as_str());
        let body = json!({"data": [record.clone()], "unheard": {"of": first}, first: 1}).to_string();
        let answer = json!({
            "errors": [{"errorMessage": format!("Пациент {first} (или «{first}») не найден, {PASSWORD}"), "errorCode": "R-330"}],
            "message": first, "result": [record], "echo": body, "access_token": TOKEN,
        });
        let body = if packs { Packed::of(body.as_bytes(), Level::default()).bytes } else { body.into_bytes() };
        let cassette = scrubber(of).scrub(&taped("application/json", body, answer.to_string().into_bytes()), Utc::now());
        assert_clean(&cassette, &values)?;
        let Body::Json(kept) = &cassette.answer.as_ref().unwrap().body else { panic!("{cassette:?}") };
        prop_assert_eq!(&kept["result"][0], &match &cassette.request.body { Body::Json(sent) => sent["data"][0].clone(), _ => Value::Null });
    }

    #[test]
    fn xml_in_archives_in_forms_says_nothing((of, values) in records()) {
        let elements: String = values.iter().map(|(name, value)| format!("<{0}>{value}</{0}>", pascal(name))).collect();
        let attributes: String = values.iter().map(|(name, value)| format!(" {name}='{value}'")).collect();
        let xml = format!("<?xml version=\"1.0\"?><Set{attributes}><!-- {elements} --><Worker>{elements}</Worker></Set>");
        let mut form = Vec::new();
        for (name, file, content) in [("xml", "Request.xml", xml.clone().into_bytes()), ("olot", "data.olot", zipped("Data.xml", xml.as_bytes()))] {
            form.extend_from_slice(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\r\n").as_bytes());
            form.extend_from_slice(&content);
            form.extend_from_slice(b"\r\n");
        }
        form.extend_from_slice(b"--b--\r\n");
        let cassette = scrubber(of).scrub(&taped("multipart/form-data; boundary=b", form, xml.into_bytes()), Utc::now());
        assert_clean(&cassette, &values)?;
        prop_assert!(matches!(&cassette.request.body, Body::Parts(parts) if matches!(parts[1].body, Body::Archive(_))));
    }

    #[test]
    fn files_and_fields_of_forms_say_nothing((of, values) in records()) {
        let said: String = values.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ");
        let pdf = format!("%PDF-1.4 {said} and so on, to be longer than a word: {said} {said}");
        let inside = json!({"file": STANDARD.encode(&pdf), "file_name": format!("{said}.pdf")});
        let cassette = scrubber(of).scrub(&taped("application/json", inside.to_string().into_bytes(), pdf.clone().into_bytes()), Utc::now());
        assert_clean(&cassette, &values)?;
        let form = format!(
            "--b\r\nContent-Disposition: form-data; name=\"number\"\r\n\r\n{said}\r\n--b\r\nContent-Disposition: form-data; \
             name=\"file\"; filename=\"{said}.pdf\"\r\nContent-Type: application/pdf\r\n\r\n{pdf}\r\n--b--\r\n"
        );
        let page = format!("<html><body>{said}</body></html>");
        let cassette = scrubber(of).scrub(&taped("multipart/form-data; boundary=b", form.into_bytes(), page.into_bytes()), Utc::now());
        assert_clean(&cassette, &values)?;
        let fields = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(values.iter().map(|(name, value)| (*name, value.as_str())))
            .append_pair("password", PASSWORD)
            .finish();
        let media = "application/x-www-form-urlencoded";
        let cassette = scrubber(of).scrub(&taped(media, fields.into_bytes(), said.into_bytes()), Utc::now());
        assert_clean(&cassette, &values)?;
    }

    #[test]
    fn whatever_bytes_come_are_kept_out_or_read(body: Vec<u8>, answer: Vec<u8>) {
        let cassette = scrubber("fer").scrub(&taped("application/json", body, answer), Utc::now());
        let text = serde_json::to_string(&cassette).unwrap();
        prop_assert_eq!(Cassette::read_all(text.as_bytes()).unwrap(), vec![cassette]);
    }
}

#[test]
fn a_duplicate_stays_a_duplicate_in_every_exchange_of_a_recording() {
    let mut scrubber = scrubber("fer");
    let mut sent = |names: [&str; 2]| {
        let body = json!({"data": [{"id": "1", "name": names[0]}, {"id": "2", "name": names[1]}]}).to_string();
        let cassette = scrubber.scrub(&taped("application/json", body.into_bytes(), Vec::new()), Utc::now());
        let Body::Json(json) = cassette.request.body else { panic!("no JSON") };
        [json["data"][0]["name"].clone(), json["data"][1]["name"].clone()]
    };
    let [first, second] = sent(["Поликлиника", "Поликлиника"]);
    assert_eq!(first, second);
    let [again, other] = sent(["Поликлиника", "Стационар"]);
    assert_eq!(again, first);
    assert_ne!(other, first);
}

#[test]
fn headers_that_mean_nothing_are_left_out_and_tokens_are_told_apart_alone() {
    let cassette = scrubber("fer").scrub(&taped("application/json", b"{}".to_vec(), b"{}".to_vec()), Utc::now());
    let names: Vec<&str> = cassette.request.headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["authorization", "content-type", "x-auth-token"]);
    let token = cassette.request.headers["authorization"].strip_prefix("Bearer ").unwrap();
    assert!(token.starts_with("stand-in-token-"), "{token}");
    assert_eq!(cassette.request.headers["x-auth-token"], token);
    let answer = cassette.answer.unwrap();
    assert_eq!(answer.headers.keys().map(String::as_str).collect::<Vec<_>>(), ["content-type", "date"]);
    let basic = format!("Basic {}", STANDARD.encode(format!("login-of-ours:{PASSWORD}")));
    let mut login = taped("application/json", Vec::new(), Vec::new());
    login.headers.insert("authorization", basic.parse().unwrap());
    let kept = scrubber("fer").scrub(&login, Utc::now()).request.headers["authorization"].clone();
    assert_eq!(kept, format!("Basic {}", STANDARD.encode("stand-in-username:stand-in-password")));
}
