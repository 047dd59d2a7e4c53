//! A mock of POS, public voting: activities with ids of its own, a rotating pair of tokens, the checks of tables 5, 7 and 9.
//!
//! It does what makes POS delicate: a repeated POST is a second activity, a refresh ends the pair that was used for it. How POS words its
//! refusals is not documented; the mock answers 400 with `success` false.

mod check;
mod tokens;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fault::{Fault, Faults};
use super::host::Host;
use tokens::Tokens;
pub use tokens::{Ends, PosAccount};

/// Where the mock's addresses begin, as in production.
pub const BASE: &str = "/og/rgis/analytics";
/// Most bytes of a request.
const BODY_BYTES: usize = 1 << 20;

/// What is kept of one kind of activity: by POS's own id, the record as it was last sent.
pub type Activities = BTreeMap<u64, Map<String, Value>>;

/// What the mock was asked since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PosCounts {
    /// Creations that were done.
    pub created: u64,
    /// Changes that were done.
    pub changed: u64,
    /// Records that were refused.
    pub refused: u64,
    /// Refreshes that were done.
    pub refreshed: u64,
    /// Refreshes that were refused.
    pub refreshes_refused: u64,
    /// Requests without a good token.
    pub unauthorized: u64,
    /// Objects that came before the voting that they name.
    pub orphans: u64,
}

/// The mock: cheap to clone, all clones share one state.
#[derive(Clone)]
pub struct PosMock {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<Store>,
    faults: Faults,
    token_faults: Faults,
}

struct Store {
    tokens: Tokens,
    kinds: BTreeMap<Kind, Activities>,
    counts: PosCounts,
    next_id: u64,
}

/// A kind of activity, by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `/polls`
    Polls,
    /// `/voting`
    Voting,
    /// `/votingObjects`
    VotingObjects,
}

impl Kind {
    fn of(path: &str) -> Option<Kind> {
        match path {
            "polls" => Some(Kind::Polls),
            "voting" => Some(Kind::Voting),
            "votingObjects" => Some(Kind::VotingObjects),
            _ => None,
        }
    }
}

impl PosMock {
    /// A mock that holds nothing and knows one pair of tokens.
    pub fn new(account: PosAccount) -> Self {
        let store =
            Store { tokens: Tokens::new(account), kinds: BTreeMap::new(), counts: PosCounts::default(), next_id: 1 };
        let shared = Shared { state: Mutex::new(store), faults: Faults::default(), token_faults: Faults::default() };
        PosMock { shared: Arc::new(shared) }
    }

    /// Its routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route(&format!("{BASE}/refresh-token"), get(refresh))
            .route(&format!("{BASE}/{{kind}}"), post(receive).put(receive))
            .with_state(Arc::clone(&self.shared))
    }

    /// Listens on an address; port 0 picks a free one. Serving it again keeps what it holds.
    pub async fn serve(&self, listen: SocketAddr) -> io::Result<Host> {
        Host::start(listen, self.router()).await
    }

    /// What a portal's `url` names.
    pub fn url(host: &Host) -> String {
        format!("http://{}{BASE}", host.addr)
    }

    /// All activities of a kind.
    pub fn activities(&self, kind: Kind) -> Activities {
        self.shared.store().kinds.get(&kind).cloned().unwrap_or_default()
    }

    /// What it was asked.
    pub fn counts(&self) -> PosCounts {
        self.shared.store().counts
    }

    /// Has one more request with a record fail.
    pub fn plan(&self, fault: Fault) {
        self.shared.faults.plan(fault);
    }

    /// Has one more refresh fail.
    pub fn plan_refresh(&self, fault: Fault) {
        self.shared.token_faults.plan(fault);
    }

    /// Ends the access token; the refresh token stays good.
    pub fn revoke_access(&self) {
        self.shared.store().tokens.revoke_access();
    }

    /// Ends the whole pair, as an operator of the portal can.
    pub fn revoke_pair(&self) {
        self.shared.store().tokens.revoke_pair();
    }

    /// The pair that is good now: access token and refresh token.
    pub fn pair(&self) -> (String, String) {
        self.shared.store().tokens.pair()
    }

    /// Holds an activity that a person has made in the personal account, and gives its id.
    pub fn hold(&self, kind: Kind, record: Map<String, Value>) -> u64 {
        let mut store = self.shared.store();
        let id = store.next_id;
        store.next_id += 1;
        store.kinds.entry(kind).or_default().insert(id, record);
        id
    }

    /// Forgets an activity, as a person in the personal account can.
    pub fn delete(&self, kind: Kind, id: u64) -> bool {
        self.shared.store().kinds.get_mut(&kind).is_some_and(|kept| kept.remove(&id).is_some())
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: Option<String>,
    name: Option<String>,
}

async fn refresh(State(shared): State<Arc<Shared>>, headers: HeaderMap, Query(asked): Query<Refresh>) -> Response {
    let work = || {
        let mut store = shared.store();
        let name = asked.name.unwrap_or_default();
        match store.tokens.refresh(bearer(&headers), &asked.refresh_token.unwrap_or_default(), &name) {
            Some(pair) => {
                store.counts.refreshed += 1;
                Json(pair).into_response()
            }
            None => {
                store.counts.refreshes_refused += 1;
                (StatusCode::UNAUTHORIZED, Json(json!({"success": false, "message": "Unauthorized"}))).into_response()
            }
        }
    };
    shared.token_faults.answer(work).await
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    method: Method,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(kind) = Kind::of(&kind) else { return refused(StatusCode::NOT_FOUND, "Not Found") };
    let body = to_bytes(body, BODY_BYTES).await;
    shared.faults.answer(|| shared.store().receive(kind, &method, &headers, body.ok().as_deref())).await
}

impl Store {
    fn receive(&mut self, kind: Kind, method: &Method, headers: &HeaderMap, body: Option<&[u8]>) -> Response {
        if !self.tokens.is_good(bearer(headers)) {
            self.counts.unauthorized += 1;
            return refused(StatusCode::UNAUTHORIZED, "Unauthorized");
        }
        let Some(Ok(mut record)) = body.map(serde_json::from_slice::<Map<String, Value>>) else {
            self.counts.refused += 1;
            return refused(StatusCode::BAD_REQUEST, "Некорректный запрос");
        };
        let id = record.shift_remove("id");
        if let Some(fault) = check::fault(kind, &record) {
            self.counts.refused += 1;
            return refused(StatusCode::BAD_REQUEST, &fault);
        }
        match (method == Method::PUT, id) {
            (false, None) => self.create(kind, record),
            (false, Some(_)) => refused(StatusCode::BAD_REQUEST, "Поле id не указывается при создании"),
            (true, id) => self.change(kind, id.and_then(|id| id.as_u64()), record),
        }
    }

    fn create(&mut self, kind: Kind, record: Map<String, Value>) -> Response {
        let voting = record.get("external_voting_id").and_then(Value::as_str);
        let known = |id: &str| {
            let votings = self.kinds.get(&Kind::Voting).into_iter().flat_map(BTreeMap::values);
            votings.into_iter().any(|voting| voting.get("external_id").and_then(Value::as_str) == Some(id))
        };
        self.counts.orphans += u64::from(voting.is_some_and(|id| !known(id)));
        let id = self.next_id;
        self.next_id += 1;
        self.counts.created += 1;
        self.kinds.entry(kind).or_default().insert(id, record);
        Json(json!({"success": true, "data": {"id": id}})).into_response()
    }

    fn change(&mut self, kind: Kind, id: Option<u64>, record: Map<String, Value>) -> Response {
        let kept = id.and_then(|id| self.kinds.get_mut(&kind)?.get_mut(&id));
        let Some(kept) = kept else {
            self.counts.refused += 1;
            return refused(StatusCode::NOT_FOUND, "Not Found");
        };
        *kept = record;
        self.counts.changed += 1;
        Json(json!({"success": true, "data": true})).into_response()
    }
}

fn bearer(headers: &HeaderMap) -> &str {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map_or("", |(_, token)| token)
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"success": false, "message": message}))).into_response()
}
