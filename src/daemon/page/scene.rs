//! The scene: everything that the page shows, taken at one moment from the running process and its ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;

use super::history::Piece;
use crate::daemon::{Shared, Status};
use crate::ledger::{Ledger, LedgerError, NoteKind};
use crate::portal::Kind;
use crate::sync::Tripped;
use crate::sync::audit::AuditProgress;

/// What is shown.
pub(in crate::daemon) struct Scene {
    pub(super) now: i64,
    pub(super) status: Status,
    /// Why nothing is open yet.
    pub(super) waiting: Option<String>,
    pub(super) portals: BTreeMap<String, PortalScene>,
    pub(super) running: Vec<Running>,
    pub(super) history: BTreeMap<(String, String), Vec<Piece>>,
}

/// What belongs to one portal.
#[derive(Default)]
pub(super) struct PortalScene {
    pub kind: &'static str,
    /// When its token ends.
    pub token: Option<i64>,
    /// Requests in the last minute.
    pub per_minute: Option<u64>,
    /// Fuses that have tripped and that an operator has let go already, by feed.
    pub let_go: Vec<String>,
    pub audit: Option<AuditProgress>,
}

/// A feed that a worker runs.
pub(super) struct Running {
    pub portal: String,
    pub feed: String,
    pub since: i64,
    /// How long what is pending will take, in seconds, at the pace of the last cycles.
    pub drain: Option<f64>,
}

impl Scene {
    /// A process in which nothing is open yet.
    pub fn waiting(status: Status, why: String) -> Self {
        let portals = BTreeMap::new();
        let (running, history) = (Vec::new(), BTreeMap::new());
        Scene { now: Utc::now().timestamp(), status, waiting: Some(why), portals, running, history }
    }

    /// A running process. What the ledger does not tell at the moment is left out: the page must not fail with it.
    pub async fn of(shared: &Arc<Shared>) -> Self {
        let (now, status) = (Utc::now().timestamp(), shared.current());
        let mut portals = BTreeMap::new();
        for line in &shared.lines {
            let name = line.name.as_str();
            let scene = PortalScene {
                kind: line.portal().kind().name,
                token: line.portal().token_outlook().and_then(|outlook| outlook.expires),
                per_minute: shared.history.per_minute(name),
                let_go: let_go(shared, name).await.unwrap_or_default(),
                audit: AuditProgress::load(&*shared.ledger, name).await.ok().flatten(),
            };
            portals.insert(name.to_owned(), scene);
        }
        let place = |portal: &str, feed: &str| (portal.to_owned(), feed.to_owned());
        let past = status
            .feeds
            .iter()
            .map(|feed| (place(&feed.portal, &feed.feed), shared.history.of(&feed.portal, &feed.feed, now)));
        let history = past.collect();
        Scene { now, status, waiting: None, portals, running: running(shared), history }
    }
}

fn running(shared: &Shared) -> Vec<Running> {
    let feeds = shared.pool.running().into_iter().filter_map(|(job, since)| Some((shared.feeds.get(job)?, since)));
    let shown = feeds.map(|(feed, since)| Running {
        portal: feed.line.name.clone(),
        feed: feed.name.to_owned(),
        since,
        drain: shared.metrics.drain_of(&feed.line.name, feed.name),
    });
    shown.collect()
}

async fn let_go(shared: &Shared, portal: &str) -> Result<Vec<String>, LedgerError> {
    let notes = shared.ledger.notes(portal).await?.into_iter().filter(|note| note.place.kind == NoteKind::Fuse);
    let is_let_go = |body: &str| serde_json::from_str::<Tripped>(body).is_ok_and(|fuse| fuse.accepted);
    Ok(notes.filter(|note| is_let_go(&note.body)).map(|note| note.place.feed).collect())
}

impl Shared {
    /// What kind of portal a name stands for, if it is served.
    pub(super) fn kind_of(&self, portal: &str) -> Option<&'static Kind> {
        self.lines.iter().find(|line| line.name == portal).map(|line| line.portal().kind())
    }
}
