//! The page: what people see of the daemon, at `/` of `[serve] listen`, in Russian and English, and what they can have done from there.
//!
//! Pages are made here and work without a script; where there is one, it takes what has changed from `/events`. Nothing comes from elsewhere,
//! and nothing names a person: keys, codes, numbers and times only.

mod actions;
mod below;
mod guard;
mod history;
mod layout;
mod lists;
mod live;
mod names;
mod now;
mod plot;
mod portals;
mod reader;
mod record;
mod scene;
mod session;
mod sign;
mod visit;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub(in crate::daemon) use history::History;
pub(in crate::daemon) use scene::Scene;

use super::Shared;
use super::front::Front;
use crate::ledger::LedgerError;
use crate::serve::Peer;
use actions::Action;
use lists::Sought;
use reader::Reader;
use session::Sessions;
use visit::Visit;

/// Pages that read much of the ledger at one time, and how long another waits for its turn.
const READERS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(10);
/// Pages that are kept live at one time.
const STREAMS: usize = 32;
/// What a browser may load, run and send: what is this page's own.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What the page keeps while the process runs.
#[derive(Debug)]
pub(in crate::daemon) struct Page {
    admin: OnceLock<SecretString>,
    sessions: Sessions,
    readers: Semaphore,
    streams: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Page {
    /// A page that is live until `stop` comes.
    pub fn new(stop: CancellationToken) -> Self {
        Page {
            admin: OnceLock::new(),
            sessions: Sessions::default(),
            readers: Semaphore::new(READERS),
            streams: Arc::new(Semaphore::new(STREAMS)),
            stop,
        }
    }

    /// Lets who shows this token act. Set once; an empty token opens nothing.
    pub fn admit(&self, token: SecretString) {
        if !secrecy::ExposeSecret::expose_secret(&token).is_empty() {
            let _set_once = self.admin.set(token);
        }
    }
}

/// The routes.
pub(in crate::daemon) fn router(front: Arc<Front>) -> Router {
    let router = Router::new()
        .route("/", get(overview))
        .route("/rejects", get(rejects))
        .route("/record", get(record))
        .route("/register", get(register))
        .route("/fuse", get(fuse))
        .route("/events", get(live::events))
        .route("/signin", get(sign::form).post(sign::sign_in))
        .route("/signout", post(sign::sign_out));
    let actions = [Action::AcceptFuse, Action::Retry, Action::Resume, Action::Wake, Action::Audit];
    let router = actions.into_iter().fold(router, |router, action| {
        let handler = move |State(front): State<Arc<Front>>,
                            Extension(peer): Extension<Peer>,
                            headers: HeaderMap,
                            body| { sign::act(front, action, peer, headers, body) };
        router.route(&format!("/api/{}", action.name()), post(handler))
    });
    let asset = |kind: &'static str, text: &'static str| {
        get(move || std::future::ready(([(header::CONTENT_TYPE, kind)], text)))
    };
    router
        .route("/page.css", asset("text/css; charset=utf-8", include_str!("page.css")))
        .route("/page.js", asset("text/javascript; charset=utf-8", include_str!("page.js")))
        .route("/icon.svg", asset("image/svg+xml", include_str!("icon.svg")))
        .layer(map_response(secured))
        .with_state(front)
}

async fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policies = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in policies {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn overview(State(front): State<Arc<Front>>, uri: Uri, headers: HeaderMap) -> Response {
    let visit = Visit::of(&front, &uri, &headers);
    let scene = front.scene().await;
    let content = html! {
        (live::live(&scene, &visit.reader))
        section aria-label=(visit.reader.t("Search", "Поиск")) { (below::search(&visit.reader, "")) }
        p #voice.hidden role="status" {}
    };
    visit.page(&front, StatusCode::OK, visit.reader.t("State", "Состояние"), &content)
}

async fn rejects(State(front): State<Arc<Front>>, uri: Uri, headers: HeaderMap) -> Response {
    let visit = Visit::of(&front, &uri, &headers);
    let read = async |shared: Arc<Shared>| {
        let key = visit.asked("q").unwrap_or_default();
        let sought =
            Sought { portal: visit.asked("portal"), feed: visit.asked("feed"), code: visit.asked("code"), key };
        lists::rejects(&shared, &visit.reader, &sought).await.map(|content| (StatusCode::OK, content))
    };
    let read = visit.read(&front, read).await;
    visit.answer(&front, visit.reader.t("Records that do not go", "Записи, которые не проходят"), read)
}

async fn record(State(front): State<Arc<Front>>, uri: Uri, headers: HeaderMap) -> Response {
    let visit = Visit::of(&front, &uri, &headers);
    let key = visit.asked("key").unwrap_or_default();
    let read =
        visit.read(&front, async |shared| record::record(&shared, &visit.reader, visit.place(), key).await).await;
    visit.answer(&front, visit.reader.t("Record", "Запись"), read)
}

async fn register(State(front): State<Arc<Front>>, uri: Uri, headers: HeaderMap) -> Response {
    let visit = Visit::of(&front, &uri, &headers);
    let after = visit.asked("after");
    let read =
        visit.read(&front, async |shared| lists::register(&shared, &visit.reader, visit.place(), after).await).await;
    visit.answer(&front, visit.reader.t("Register of exchange", "Журнал обмена"), read)
}

async fn fuse(State(front): State<Arc<Front>>, uri: Uri, headers: HeaderMap) -> Response {
    let visit = Visit::of(&front, &uri, &headers);
    let read = visit.read(&front, async |shared| record::fuse(&shared, &visit.reader, visit.place()).await).await;
    visit.answer(&front, visit.reader.t("Fuse", "Предохранитель"), read)
}

/// What is said of a feed that is not there.
fn unknown(reader: &Reader) -> Markup {
    html! {
        h1 { (reader.t("There is no such feed", "Такого потока нет")) }
        p { a href="/" { (reader.t("Back", "Назад")) } }
    }
}

/// A feed as people call it, with its portal.
fn named(portal: &str, feed: &str, reader: &Reader) -> String {
    let name = names::feed(feed).map_or(feed, |name| name.said_in(reader.language));
    format!("{name} ({portal})")
}

/// A text in which commands stand between backticks.
fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A link with a query.
fn link(path: &str, fields: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A content with its status, or why the ledger did not tell it.
type Read = Result<(StatusCode, Markup), LedgerError>;
