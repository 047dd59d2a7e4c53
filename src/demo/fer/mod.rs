//! The mock FER gateway: the eight subsystems of the data mart over HTTP, with state, behaving as the document says.
//!
//! A request passes `wire` (paths, token, gzip), `intake` (the checks of appendix 1, one record at a time), `mart`
//! (parents, places, cascades) and leaves as an `answer` in the printed shape. `journal` counts what went by. The other way round, a
//! `citizen` books and cancels at the hospital whose address `callback` keeps, and `reply` judges what it answers.

mod answer;
mod auth;
mod callback;
mod check;
mod citizen;
mod form;
mod intake;
mod journal;
mod mart;
mod reply;
mod rules;
mod settings;
mod subsystem;
mod wire;

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use citizen::{BookRequest, CancelRequest, ForwardError, Forwarded, PatientData};
pub use journal::{Counters, LogEntry, Totals};
pub use settings::{GatewaySettings, NamedBy};
pub use subsystem::Subsystem;

use auth::Tokens;
use callback::Callbacks;
use journal::Journal;
use mart::Mart;

/// How long a stopping gateway waits for requests that are being answered.
const DRAIN: Duration = Duration::from_secs(5);

/// Records of one subsystem as the wire carries them, by id.
pub type Records = BTreeMap<String, Map<String, Value>>;

/// The gateway: cheap to clone, all clones share one state.
#[derive(Clone)]
pub struct FerGateway {
    shared: Arc<Shared>,
}

/// State behind every handler. Locks are held for one batch or one look-up, never across an await.
struct Shared {
    settings: GatewaySettings,
    mart: Mutex<Mart>,
    tokens: Mutex<Tokens>,
    journal: Mutex<Journal>,
    callbacks: Mutex<Callbacks>,
    http: Option<reqwest::Client>,
}

impl Shared {
    fn mart(&self) -> MutexGuard<'_, Mart> {
        self.mart.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn callbacks(&self) -> MutexGuard<'_, Callbacks> {
        self.callbacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a gateway does not start or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is taken or not ours.
    #[error("the mock gateway cannot listen on {listen}; choose another --listen address")]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The server ended with an error.
    #[error("the mock gateway stopped with an error")]
    Serve(#[source] std::io::Error),
}

impl FerGateway {
    /// A gateway with an empty mart, listening nowhere yet.
    pub fn new(settings: GatewaySettings) -> Self {
        let journal = Journal::new(settings.log_requests, settings.log_ids);
        let shared = Shared {
            mart: Mutex::new(Mart::new(settings.canceled_slot_holds_place, settings.block_unit_after)),
            tokens: Mutex::new(Tokens::new(settings.token_life)),
            journal: Mutex::new(journal),
            callbacks: Mutex::default(),
            http: callback::client(),
            settings,
        };
        FerGateway { shared: Arc::new(shared) }
    }

    /// Its routes, to be mounted on a server of the caller's.
    pub fn router(&self) -> Router {
        wire::router(Arc::clone(&self.shared))
    }

    /// Starts a gateway on an address (port 0 picks a free one) inside this process.
    pub async fn start(listen: SocketAddr, settings: GatewaySettings) -> Result<Running, GatewayError> {
        FerGateway::new(settings).serve(listen).await
    }

    /// Starts this gateway on an address. Serving it again after a shutdown keeps what its mart holds.
    pub async fn serve(&self, listen: SocketAddr) -> Result<Running, GatewayError> {
        let refused = |source| GatewayError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        let stop = CancellationToken::new();
        let server =
            axum::serve(listener, self.router()).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future();
        Ok(Running { addr, gateway: self.clone(), stop, server: tokio::spawn(server) })
    }

    /// Everything one subsystem holds now.
    pub fn snapshot(&self, subsystem: Subsystem) -> Records {
        self.shared.mart().snapshot(subsystem)
    }

    /// How many records one subsystem holds now.
    pub fn len(&self, subsystem: Subsystem) -> usize {
        self.shared.mart().len(subsystem)
    }

    /// True when no subsystem holds a record.
    pub fn is_empty(&self) -> bool {
        Subsystem::ALL.into_iter().all(|subsystem| self.len(subsystem) == 0)
    }

    /// What one subsystem was asked since the start.
    pub fn counters(&self, subsystem: Subsystem) -> Counters {
        self.shared.journal().counters(subsystem)
    }

    /// What the gateway as a whole was asked since the start.
    pub fn totals(&self) -> Totals {
        self.shared.journal().totals()
    }

    /// The last requests, oldest first; how many are kept is a setting.
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.journal().entries().cloned().collect()
    }

    /// The registered webhooks, by the department's OID; none stands for the whole organisation.
    pub fn webhooks(&self) -> BTreeMap<Option<String>, String> {
        self.shared.callbacks().all()
    }

    /// Makes every token issued so far worthless, as a restart of the authorization server does.
    pub fn revoke_tokens(&self) {
        self.shared.tokens().revoke_all();
    }

    /// Units whose updates are blocked after too many errors (405), by id.
    pub fn blocked_units(&self) -> Vec<String> {
        self.shared.mart().blocked_units()
    }

    /// Lifts the block of a unit, as the portal's support does; the unit itself stays closed until its record is sent. False when it was
    /// not blocked.
    pub fn unblock_unit(&self, id: &str) -> bool {
        form::guid(id).is_some_and(|key| self.shared.mart().unblock(key))
    }
}

/// A gateway that is listening.
pub struct Running {
    /// The address it listens on, with the port that was picked.
    pub addr: SocketAddr,
    gateway: FerGateway,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// The gateway behind the address.
    pub fn gateway(&self) -> &FerGateway {
        &self.gateway
    }

    /// The base that a portal's `url` names.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops listening, lets requests that are being answered finish (at most five seconds), then ends.
    pub async fn shutdown(mut self) -> Result<(), GatewayError> {
        self.stop.cancel();
        match tokio::time::timeout(DRAIN, &mut self.server).await {
            Ok(Ok(served)) => served.map_err(GatewayError::Serve),
            Ok(Err(ended)) => Err(GatewayError::Serve(std::io::Error::other(ended))),
            Err(_) => {
                self.server.abort();
                Ok(())
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
