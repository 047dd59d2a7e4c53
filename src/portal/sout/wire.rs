//! The portal's three addresses: sets are pushed, records are read back, programmes are listed. The key stands in the body of each request
//! that needs it; there is no token.

use std::io;
use std::sync::Arc;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, Event};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};

use super::set::element;
use crate::transport::{Answer, Body, Failure, HttpClient, Mishap, Rate};

/// Most bytes of a page: one of 5,000 records has some ten million, and names may be longer than usual.
const PAGE_LIMIT: usize = 64 << 20;

/// What is asked of the register: every filter of its document. Dates are `YYYY-MM-DD`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Number in the register.
    pub no: Option<String>,
    /// Last name of the worker.
    pub last_name: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Patronymic.
    pub middle_name: Option<String>,
    /// Id that another system gave to the record.
    pub outer_id: Option<String>,
    /// SNILS, `XXX-XXX-XXX XX`.
    pub snils: Option<String>,
    /// Number of the set.
    pub set_id: Option<String>,
    /// Position.
    pub position: Option<String>,
    /// First day of the record's creation.
    pub created_from: Option<String>,
    /// Last day of it.
    pub created_before: Option<String>,
    /// First day of the test.
    pub tested_from: Option<String>,
    /// Last day of it.
    pub tested_before: Option<String>,
    /// Number of the programme.
    pub programme: Option<String>,
    /// Number of the protocol.
    pub protocol: Option<String>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It names people.
        f.debug_struct("Filter").finish_non_exhaustive()
    }
}

/// The way to the portal.
pub(super) struct Wire {
    client: HttpClient,
    rate: Arc<Rate>,
    key: SecretString,
}

impl Wire {
    pub fn new(client: HttpClient, rate: Arc<Rate>, key: SecretString) -> Self {
        Wire { client, rate, key }
    }

    pub fn client(&self) -> &HttpClient {
        &self.client
    }

    /// The key, which no text may show.
    pub fn key(&self) -> &str {
        self.key.expose_secret()
    }

    /// Pushes a set; the portal is asked to send it on exactly when it is signed.
    pub async fn push(&self, olot: Vec<u8>, signed: bool) -> Result<Answer, Failure> {
        let request = request(self.key(), signed).map_err(|_| unsendable())?;
        let form = Form::new()
            .part("xml", part(request, "Request.xml", "text/xml")?)
            .part("olot", part(olot, "data.olot", "application/octet-stream")?);
        self.send(self.client.request(Method::POST, &["api", "set", "push"]).multipart(form), "application/xml").await
    }

    /// One page of the register's records, the first of which is 1.
    pub async fn read_back(&self, filter: &Filter, page: u64, size: u32) -> Result<Answer, Mishap> {
        let filter = question(self.key(), filter, page, size).map_err(|_| unfit())?;
        let part = Part::bytes(filter).file_name("request.xml").mime_str("text/xml").map_err(|_| unfit())?;
        let request = self.client.request(Method::POST, &["api", "GetEducatedPersonXML"]);
        let request = request.multipart(Form::new().part("file", part)).headers(accepting("application/xml"));
        self.rate.turn().await;
        self.client.send_within(request, Body::AsBuilt, PAGE_LIMIT).await
    }

    /// The programmes that are in force. Needs no key, and gets none.
    pub async fn programs(&self) -> Result<Answer, Failure> {
        let request = self.client.request(Method::GET, &["api", "Reference", "GetLearnProgram"]);
        self.send(request.query(&[("IsActive", "true")]), "application/json").await
    }

    async fn send(&self, request: RequestBuilder, accepted: &'static str) -> Result<Answer, Failure> {
        self.rate.turn().await;
        self.client.send(request.headers(accepting(accepted)), Body::AsBuilt).await
    }
}

fn accepting(media: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(media))])
}

fn unfit() -> Mishap {
    Mishap::Unsendable { reason: "a value does not fit into XML".into() }
}

fn unsendable() -> Failure {
    unfit().into()
}

fn part(bytes: Vec<u8>, file: &'static str, media: &str) -> Result<Part, Failure> {
    Part::bytes(bytes).file_name(file).mime_str(media).map_err(|_| unsendable())
}

/// `Request.xml`.
fn request(key: &str, signed: bool) -> io::Result<Vec<u8>> {
    document("Request", |request| {
        element(request, "ApiKey", key)?;
        if signed { element(request, "NeedSend", "true") } else { Ok(()) }
    })
}

/// `request.xml` of a read-back; the elements stand in the document's order.
fn question(key: &str, filter: &Filter, page: u64, size: u32) -> io::Result<Vec<u8>> {
    document("EducatedPersonFilter", |question| {
        element(question, "ApiKey", key)?;
        let (page, size) = (Some(page.to_string()), Some(size.to_string()));
        let parts = [
            ("No", &filter.no),
            ("PageNo", &page),
            ("PageSize", &size),
            ("LastName", &filter.last_name),
            ("FirstName", &filter.first_name),
            ("MiddleName", &filter.middle_name),
            ("OuterId", &filter.outer_id),
            ("Snils", &filter.snils),
            ("SetId", &filter.set_id),
            ("Position", &filter.position),
            ("DateCreatedFrom", &filter.created_from),
            ("DateCreatedBefore", &filter.created_before),
            ("TestDateFrom", &filter.tested_from),
            ("TestDateBefore", &filter.tested_before),
            ("LearnProgramId", &filter.programme),
            ("ProtocolNumber", &filter.protocol),
        ];
        parts.into_iter().try_for_each(|(name, value)| value.as_deref().map_or(Ok(()), |v| element(question, name, v)))
    })
}

fn document(root: &str, inside: impl FnOnce(&mut Writer<Vec<u8>>) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new());
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    writer.create_element(root).write_inner_content(inside)?;
    Ok(writer.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

    fn text(xml: io::Result<Vec<u8>>) -> String {
        String::from_utf8(xml.unwrap()).unwrap()
    }

    #[test]
    fn a_set_is_to_be_sent_on_only_when_it_is_signed() {
        assert_eq!(text(request("k", false)), format!("{HEAD}<Request><ApiKey>k</ApiKey></Request>"));
        assert_eq!(
            text(request("k", true)),
            format!("{HEAD}<Request><ApiKey>k</ApiKey><NeedSend>true</NeedSend></Request>")
        );
    }

    #[test]
    fn a_question_names_what_it_asks_for() {
        let filter =
            Filter { set_id: Some("7&8".into()), created_from: Some("2026-10-02".into()), ..Filter::default() };
        assert_eq!(
            text(question("k", &filter, 2, 1000)),
            format!(
                "{HEAD}<EducatedPersonFilter><ApiKey>k</ApiKey><PageNo>2</PageNo><PageSize>1000</PageSize>\
                 <SetId>7&amp;8</SetId><DateCreatedFrom>2026-10-02</DateCreatedFrom></EducatedPersonFilter>"
            )
        );
    }
}
