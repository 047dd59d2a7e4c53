//! A faulty receiver: stands on loopback in front of the mock gateway, breaks what a plan tells it to break, and keeps its own record of
//! everything that came, from which [`Journal::violations`] proves what may never happen.

mod act;
mod fault;
mod journal;
mod proof;
mod pulse;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use vitrina::demo::fer::{FerGateway, GatewaySettings, Records, Running, Subsystem};

pub use fault::{Asked, CutAt, Fault, On, Plan};
pub use journal::{Journal, Kill};
pub use proof::Limits;

use pulse::Pulse;

/// A second revocation of tokens so soon after the first would be a lasting 401 for a request that met both.
const BETWEEN_REVOCATIONS: Duration = Duration::from_secs(5);

/// The receiver and the gateway behind it.
pub struct Receiver {
    /// What a portal's `url` names.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    gateway: Running,
    http: reqwest::Client,
    plan: Mutex<Plan>,
    weather: Mutex<Weather>,
    journal: Mutex<Journal>,
    /// The client's time-out.
    timeout: Duration,
}

/// What lasts longer than one request.
#[derive(Default)]
struct Weather {
    maintenance: Option<Instant>,
    narrow: Option<Instant>,
    revoked: Option<Instant>,
}

impl Receiver {
    /// A receiver in peace, for a client of this time-out.
    pub async fn start(timeout: Duration) -> Self {
        let gateway = FerGateway::start("127.0.0.1:0".parse().unwrap(), GatewaySettings::default()).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let journal = Mutex::new(Journal::new(Pulse::start()));
        let (plan, weather) = (Mutex::new(Plan::Calm), Mutex::default());
        let shared = Arc::new(Shared { gateway, http, plan, weather, journal, timeout });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Receiver { url, shared }
    }

    /// From now on requests meet what this plan says.
    pub fn follow(&self, plan: Plan) {
        *lock(&self.shared.plan) = plan;
    }

    /// Ends all faults, lasting ones included.
    pub fn calm(&self) {
        self.follow(Plan::Calm);
        *lock(&self.shared.weather) = Weather::default();
    }

    /// True once a single fault was met.
    pub fn is_calm(&self) -> bool {
        matches!(*lock(&self.shared.plan), Plan::Calm)
    }

    /// What came so far.
    pub fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.shared.journal)
    }

    /// What the gateway holds of a feed.
    pub fn held(&self, feed: &str) -> Records {
        self.shared.gateway.gateway().snapshot(Subsystem::parse(feed).unwrap())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(act::serve(Arc::clone(&shared), wire::Connection::new(stream)));
    }
}

impl Weather {
    fn maintenance(&self) -> bool {
        self.maintenance.is_some_and(|until| until > Instant::now())
    }

    fn narrow(&self) -> bool {
        self.narrow.is_some_and(|until| until > Instant::now())
    }

    /// True when tokens may be revoked again, which is then noted.
    fn may_revoke(&mut self) -> bool {
        let may = self.revoked.is_none_or(|last| last.elapsed() > BETWEEN_REVOCATIONS);
        if may {
            self.revoked = Some(Instant::now());
        }
        may
    }
}
