//! A visit: one request for a page, with what was asked for and who reads.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::reader::{LANGUAGE, Reader};
use super::{PATIENCE, Read, layout, link};
use crate::daemon::Shared;
use crate::daemon::front::Front;

/// Longest text that is taken from a query.
const LONGEST: usize = 500;

/// One request for a page.
pub(super) struct Visit {
    pub reader: Reader,
    path: String,
    fields: Vec<(String, String)>,
}

impl Visit {
    pub fn of(front: &Front, uri: &Uri, headers: &HeaderMap) -> Self {
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let fields: Vec<(String, String)> = pairs
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .filter(|(_, value)| value.len() <= LONGEST)
            .collect();
        let wanted = fields.iter().find(|(name, _)| name == "lang").map(|(_, value)| value.as_str());
        let reader = Reader::of(headers, wanted, &front.page.sessions, front.page.admin.get().is_some());
        Visit { reader, path: uri.path().to_owned(), fields }
    }

    /// What stands under a name of the query, if anything does.
    pub fn asked(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty())
    }

    /// The feed that was asked for.
    pub fn place(&self) -> (&str, &str) {
        (self.asked("portal").unwrap_or_default(), self.asked("feed").unwrap_or_default())
    }

    /// Reads the ledger for a page; few do so at one time. What the ledger does not tell is a sentence on the page.
    pub async fn read(&self, front: &Front, read: impl AsyncFnOnce(Arc<Shared>) -> Read) -> (StatusCode, Markup) {
        let shared = match front.shared() {
            Ok(shared) => shared,
            Err(why) => return self.not_now(&why),
        };
        let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, front.page.readers.acquire()).await else {
            return self.not_now(self.reader.t("others read at the moment", "сейчас читают другие"));
        };
        match read(shared).await {
            Ok(content) => content,
            Err(error) => self.not_now(&error.to_string()),
        }
    }

    fn not_now(&self, why: &str) -> (StatusCode, Markup) {
        let head = self.reader.t("Not now", "Сейчас не получилось");
        (StatusCode::SERVICE_UNAVAILABLE, html! { h1 { (head) } p.why { (why) } })
    }

    /// The answer of a page that was read.
    pub fn answer(&self, front: &Front, title: &str, (status, content): (StatusCode, Markup)) -> Response {
        let content = html! { p { a href="/" { "← " (self.reader.t("All portals", "Все порталы")) } } (content) };
        self.page(front, status, title, &content)
    }

    /// The answer with this content. A language that was chosen is remembered.
    pub fn page(&self, front: &Front, status: StatusCode, title: &str, content: &Markup) -> Response {
        let told = self.reader.session.as_ref().and_then(|session| front.page.sessions.told(session));
        let here: Vec<(&str, &str)> =
            self.fields.iter().filter(|(name, _)| name != "lang").map(|(name, value)| (&**name, &**value)).collect();
        let page = layout::page(&self.reader, &link(&self.path, &here), title, told.as_deref(), content);
        let mut response = (status, Html(page.into_string())).into_response();
        if self.asked("lang").is_some() {
            let cookie = format!("{LANGUAGE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", self.reader.code());
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        response
    }
}
