//! The recorder: takes exchanges from portals' clients and writes them on a thread of its own. Who sends never waits for it: where the queue
//! is full, an exchange is dropped and counted.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::folder::{Folder, NotKept};
use super::{Credentials, Limits, Scrubber, StandIns};
use crate::portal::Kind;
use crate::telemetry::{Metrics, Recorded};
use crate::transport::{Tape, Taped};

/// Most exchanges that wait to be written, and most bytes of them.
const MOST_WAITING: usize = 1000;
const MOST_WAITING_BYTES: usize = 64 << 20;
/// How often files that have grown too old are looked for where nothing is written.
const LOOK: Duration = Duration::from_secs(60);
/// How long a stopping process waits for what is still to be written.
const LAST: Duration = Duration::from_secs(5);

/// Records exchanges until it is dropped; then writes what it took before.
pub struct Recorder {
    jobs: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    metrics: Metrics,
    stand_ins: StandIns,
    ended: Mutex<Receiver<()>>,
}

enum Job {
    /// A portal whose exchanges follow under this number.
    Portal(usize, Box<Scrubber>),
    /// An exchange of it.
    Exchange(usize, Box<Taped>, DateTime<Utc>),
    End,
}

impl Recorder {
    /// Opens the folder and starts the thread. `key` makes the stand-ins; it must lie elsewhere.
    pub fn start(limits: Limits, key: &[u8], metrics: Metrics) -> io::Result<Self> {
        let folder = Folder::open(limits)?;
        let (jobs, queue) = sync_channel(MOST_WAITING);
        let (ends, ended) = sync_channel(1);
        let waiting = Arc::new(AtomicUsize::new(0));
        let desk = Desk {
            folder,
            waiting: Arc::clone(&waiting),
            metrics: metrics.clone(),
            scrubbers: BTreeMap::new(),
            warned: None,
        };
        thread::Builder::new().name("recorder".into()).spawn(move || {
            desk.work(&queue);
            // The recorder may not wait any more.
            let _ = ends.send(());
        })?;
        Ok(Recorder { jobs, waiting, metrics, stand_ins: StandIns::new(key), ended: Mutex::new(ended) })
    }

    /// A tape for a portal's client.
    pub fn tape(&self, portal: &str, kind: &'static Kind, credentials: Credentials) -> Arc<dyn Tape> {
        static NUMBERS: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let scrubber = Box::new(Scrubber::new(portal, kind, credentials, self.stand_ins.clone()));
        // A thread that is gone records nothing.
        let _ = self.jobs.send(Job::Portal(number, scrubber));
        Arc::new(PortalTape {
            number,
            jobs: self.jobs.clone(),
            waiting: Arc::clone(&self.waiting),
            metrics: self.metrics.clone(),
        })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if self.jobs.send(Job::End).is_ok() {
            // A disk that hangs must not keep the process.
            let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
            let _ = ended.recv_timeout(LAST);
        }
    }
}

struct PortalTape {
    number: usize,
    jobs: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    metrics: Metrics,
}

impl Tape for PortalTape {
    fn take(&self, taped: Taped) {
        let weight = taped.weight();
        let fits = self.waiting.fetch_add(weight, Ordering::Relaxed) + weight <= MOST_WAITING_BYTES;
        if !fits || self.jobs.try_send(Job::Exchange(self.number, Box::new(taped), Utc::now())).is_err() {
            self.waiting.fetch_sub(weight, Ordering::Relaxed);
            self.metrics.recorded(Recorded::QueueFull);
        }
    }
}

/// The thread's own.
struct Desk {
    folder: Folder,
    waiting: Arc<AtomicUsize>,
    metrics: Metrics,
    scrubbers: BTreeMap<usize, Box<Scrubber>>,
    warned: Option<Instant>,
}

impl Desk {
    fn work(mut self, queue: &Receiver<Job>) {
        loop {
            match queue.recv_timeout(LOOK) {
                Ok(Job::Portal(number, scrubber)) => drop(self.scrubbers.insert(number, scrubber)),
                Ok(Job::Exchange(number, taped, at)) => {
                    self.waiting.fetch_sub(taped.weight(), Ordering::Relaxed);
                    self.record(number, &taped, at);
                }
                Ok(Job::End) | Err(RecvTimeoutError::Disconnected) => return,
                // What cannot be deleted now is tried again with the next exchange.
                Err(RecvTimeoutError::Timeout) => drop(self.folder.prune(0)),
            }
        }
    }

    fn record(&mut self, number: usize, taped: &Taped, at: DateTime<Utc>) {
        let Some(scrubber) = self.scrubbers.get_mut(&number) else { return };
        let cassette = scrubber.scrub(taped, at);
        match self.folder.write(&cassette) {
            Ok(()) => self.metrics.recorded(Recorded::Written),
            Err(error) => {
                let disk = matches!(error, NotKept::Disk(_));
                self.metrics.recorded(if disk { Recorded::Disk } else { Recorded::TooLarge });
                if self.warned.is_none_or(|warned| warned.elapsed() > LOOK) {
                    self.warned = Some(Instant::now());
                    tracing::warn!("record.dir: an exchange is not recorded: {error}");
                }
            }
        }
    }
}
