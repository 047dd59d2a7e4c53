//! The front: what the listener shows from the first second on, also while nothing is open yet because a database does not answer.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::page::{Page, Scene, router};
use super::tasks::Tasks;
use super::{PortalStatus, Shared, Status};
use crate::serve::{Listener, Shown};
use crate::telemetry::Metrics;

/// How long a request that is under way at the end may take.
const GRACE: Duration = Duration::from_secs(2);

/// What the listener shows: the running process, or why there is none yet.
pub struct Front {
    metrics: Metrics,
    portals: Vec<String>,
    state: RwLock<State>,
    pub(super) page: Page,
}

#[derive(Clone)]
enum State {
    /// Nothing is open yet, for this reason.
    Waiting(String),
    Running(Arc<Shared>),
}

/// A listener that answers, and what it shows.
pub struct Door {
    front: Arc<Front>,
    tasks: Tasks,
    stop: CancellationToken,
}

impl Door {
    /// Begins to answer for a process that will serve these portals.
    pub fn open(listener: Listener, metrics: Metrics, portals: Vec<String>) -> Self {
        let state = RwLock::new(State::Waiting("starting".to_owned()));
        let (mut tasks, stop) = (Tasks::default(), CancellationToken::new());
        let front = Arc::new(Front { metrics, portals, state, page: Page::new(stop.clone()) });
        let pages = router(Arc::clone(&front));
        tasks.spawn("listener", listener.run_with(Arc::clone(&front), pages, stop.clone()));
        Door { front, tasks, stop }
    }

    /// Lets who shows this token act from the page.
    pub fn admit(&self, token: SecretString) {
        self.front.page.admit(token);
    }

    /// Says what the process waits for, as `source mis`.
    pub fn wait_for(&self, what: &str) {
        self.front.set(State::Waiting(format!("waiting for {what}")));
    }

    /// Shows the running process from now on.
    pub(super) fn lead_to(self, shared: &Arc<Shared>) -> (Arc<Front>, Tasks, CancellationToken) {
        self.front.show(shared);
        (self.front, self.tasks, self.stop)
    }

    /// Closes before there was a process.
    pub async fn close(mut self) {
        self.stop.cancel();
        self.tasks.finish(GRACE).await;
    }
}

impl Front {
    /// Shows this process from now on.
    pub(super) fn show(&self, shared: &Arc<Shared>) {
        self.set(State::Running(Arc::clone(shared)));
    }

    /// The running process; else why there is none yet.
    pub(super) fn shared(&self) -> Result<Arc<Shared>, String> {
        match self.state() {
            State::Waiting(why) => Err(why),
            State::Running(shared) => Ok(shared),
        }
    }

    /// What the page shows.
    pub(super) async fn scene(&self) -> Scene {
        match self.shared() {
            Ok(shared) => Scene::of(&shared).await,
            Err(why) => Scene::waiting(self.waiting(&why), why),
        }
    }

    fn waiting(&self, why: &str) -> Status {
        let portals = self.portals.iter().map(|portal| PortalStatus::waiting(portal, why)).collect();
        Status { portals, ..Status::default() }
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shown for Front {
    fn metrics(&self) -> Result<String, String> {
        match self.state() {
            State::Waiting(_) => {
                self.metrics.show_health(true, false);
                self.metrics.text().map_err(|error| error.to_string())
            }
            State::Running(shared) => shared.metrics(),
        }
    }

    /// A process that waits is well: an end would not bring the database back.
    fn sick(&self) -> Option<String> {
        match self.state() {
            State::Waiting(_) => None,
            State::Running(shared) => shared.sick(),
        }
    }

    fn not_ready(&self) -> Option<String> {
        match self.state() {
            State::Waiting(why) => Some(why),
            State::Running(shared) => shared.not_ready(),
        }
    }

    fn status(&self) -> impl Serialize + Send {
        match self.state() {
            State::Waiting(why) => self.waiting(&why),
            State::Running(shared) => shared.current(),
        }
    }
}
