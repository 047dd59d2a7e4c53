//! The mock portal of continuous medical education: OAuth with locks, modules and their evaluation, plans and results, with state.
//!
//! A request passes `wire` (token, faults that a test asked for), `modules` or `results` (the checks and reasons of the document) and is
//! counted. Nothing here uses the daemon's schemas.

mod modules;
mod oauth;
mod platform;
mod results;
mod settings;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use modules::{Evaluation, Module};
pub use oauth::Logins;
pub use platform::{Platform, PlatformFault, Visit};
pub use results::News;
pub use settings::NmoMockSettings;

use modules::Modules;
use oauth::Tokens;
use results::Results;

/// How long a stopping mock waits for requests that are being answered.
const DRAIN: Duration = Duration::from_secs(5);
/// Most requests that are remembered.
const MOST_CALLS: usize = 10_000;

/// The mock: cheap to clone, all clones share one state.
#[derive(Clone)]
pub struct NmoMock {
    shared: Arc<Shared>,
}

/// What goes wrong with the next request to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and the connection is cut instead of an answer.
    LoseAnswer,
    /// 503; nothing is done.
    Maintenance,
    /// 500 in the framework's own words; nothing is done.
    Fail,
    /// A page of HTML under 200; nothing is done.
    Page,
    /// 401 for a token that is good: the node has not heard of it. The token is repeated.
    Lag,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `iom/create`
    pub service: String,
    /// Its body.
    pub body: Value,
}

struct Shared {
    settings: NmoMockSettings,
    state: Mutex<State>,
}

struct State {
    tokens: Tokens,
    modules: Modules,
    results: Results,
    faults: BTreeMap<String, VecDeque<Fault>>,
    calls: VecDeque<Call>,
    unauthorized: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mock cannot listen where it should, or ended with an error.
#[derive(Debug, thiserror::Error)]
#[error("the mock portal of medical education cannot serve {listen}")]
pub struct NmoMockError {
    listen: SocketAddr,
    #[source]
    source: std::io::Error,
}

impl NmoMock {
    /// A mock that knows nothing yet and listens nowhere.
    pub fn new(settings: NmoMockSettings) -> Self {
        let state = State {
            tokens: Tokens::new(&settings),
            modules: Modules::new(&settings),
            results: Results::new(settings.plan_everything),
            faults: BTreeMap::new(),
            calls: VecDeque::new(),
            unauthorized: 0,
        };
        NmoMock { shared: Arc::new(Shared { settings, state: Mutex::new(state) }) }
    }

    /// Its routes, to be mounted on a server of the caller's.
    pub fn router(&self) -> Router {
        wire::router(Arc::clone(&self.shared))
    }

    /// Starts a mock on an address (port 0 picks a free one) inside this process.
    pub async fn start(listen: SocketAddr, settings: NmoMockSettings) -> Result<RunningNmo, NmoMockError> {
        let refused = |source| NmoMockError { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        let (mock, stop) = (NmoMock::new(settings), CancellationToken::new());
        let server = axum::serve(listener, mock.router()).with_graceful_shutdown(stop.clone().cancelled_owned());
        Ok(RunningNmo { addr, mock, stop, server: tokio::spawn(server.into_future()) })
    }

    /// What it is set to.
    pub fn settings(&self) -> &NmoMockSettings {
        &self.shared.settings
    }

    /// The modules it has, by their ids.
    pub fn modules(&self) -> BTreeMap<String, Module> {
        self.shared.state().modules.all().clone()
    }

    /// What it was told of results and took, oldest first.
    pub fn results(&self) -> Vec<News> {
        self.shared.state().results.news().to_vec()
    }

    /// Where every specialist stands with a module, as it was told last: by module and SNILS, the fields that were sent.
    pub fn standings(&self) -> BTreeMap<(String, String), Map<String, Value>> {
        self.shared.state().results.last().clone()
    }

    /// The people who look at modules come to a conclusion. False when there is no such module.
    pub fn evaluate(&self, module_id: &str, evaluation: Evaluation) -> bool {
        self.shared.state().modules.evaluate(module_id, evaluation)
    }

    /// A specialist adds a module to the plan and gets this pin.
    pub fn plan(&self, module_id: &str, snils: &str, pin: &str) {
        self.shared.state().results.plan(module_id, snils, pin);
    }

    /// What became of requests for tokens.
    pub fn logins(&self) -> Logins {
        self.shared.state().tokens.logins()
    }

    /// All tokens that are good now, those that refresh among them.
    pub fn tokens(&self) -> Vec<String> {
        self.shared.state().tokens.all()
    }

    /// Makes every access token worthless; refresh tokens live on.
    pub fn revoke_access(&self) {
        self.shared.state().tokens.revoke_access();
    }

    /// Forgets all tokens, as a restart of a server that keeps them in memory does.
    pub fn forget_tokens(&self) {
        self.shared.state().tokens.forget();
    }

    /// Gives the account another password.
    pub fn change_password(&self, password: &str) {
        self.shared.state().tokens.change_password(password);
    }

    /// The next request to a service (`iom/create`, `oauth`) goes wrong so. Several stand in a queue.
    pub fn fault(&self, service: &str, fault: Fault) {
        self.shared.state().faults.entry(service.to_owned()).or_default().push_back(fault);
    }

    /// The last requests with a good token, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.iter().cloned().collect()
    }

    /// How often a service was called with a good token.
    pub fn count(&self, service: &str) -> usize {
        self.shared.state().calls.iter().filter(|call| call.service == service).count()
    }

    /// How many requests came without a good token.
    pub fn unauthorized(&self) -> u64 {
        self.shared.state().unauthorized
    }
}

/// A mock that is listening.
pub struct RunningNmo {
    /// The address it listens on, with the port that was picked.
    pub addr: SocketAddr,
    mock: NmoMock,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl RunningNmo {
    /// The mock behind the address.
    pub fn mock(&self) -> &NmoMock {
        &self.mock
    }

    /// The base that a portal's `url` names.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops listening, lets requests that are being answered finish (at most five seconds), then ends.
    pub async fn shutdown(mut self) -> Result<(), NmoMockError> {
        self.stop.cancel();
        let failed = |source| NmoMockError { listen: self.addr, source };
        match tokio::time::timeout(DRAIN, &mut self.server).await {
            Ok(Ok(served)) => served.map_err(failed),
            Ok(Err(ended)) => Err(failed(std::io::Error::other(ended))),
            Err(_) => {
                self.server.abort();
                Ok(())
            }
        }
    }
}

impl Drop for RunningNmo {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
