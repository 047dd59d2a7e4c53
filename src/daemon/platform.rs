//! The platform side of medical education: which portals may call it, and where what they tell goes.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use super::tasks::Tasks;
use super::{AnyLine, AssemblyError};
use crate::config::{Config, Own, PlatformConfig};
use crate::portal::AnyPortal;
use crate::portal::nmo::{Evaluation, MODULE_FEED};
use crate::record::{Key, Receipt};
use crate::serve::platform::{Evaluated, Granted, PlatformSettings, Question, Reply, Reviewer, Taken, Target, router};
use crate::serve::{BindError, Held, Listener};
use crate::sync::Heard;
use crate::transport::Health;

/// The platform as it is served: who may call, and the listener.
#[derive(Default)]
pub(super) struct Served {
    pub tasks: Tasks,
    pub stop: CancellationToken,
    portals: Vec<PlatformSettings>,
    held: Option<Held>,
}

/// A platform that is about to be served.
pub struct Platform {
    listener: Listener,
    portals: Vec<PlatformSettings>,
}

/// Why the platform cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The listener.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A portal's section.
    #[error(transparent)]
    Settings(#[from] AssemblyError),
}

/// Binds the listener that portals of medical education call; none where no portal has a platform section.
pub async fn open_platform(config: &Config) -> Result<Option<Platform>, PlatformError> {
    prepare(config, &Served::default()).await
}

/// As [`open_platform`], in the place of what is served now.
pub(super) async fn prepare(config: &Config, before: &Served) -> Result<Option<Platform>, PlatformError> {
    let portals = platforms(config)?;
    let Some(address) = config.serve.platform_listen.filter(|_| !portals.is_empty()) else { return Ok(None) };
    let listener = Listener::take_over("serve.platform_listen", &address.to_string(), before.held.as_ref()).await?;
    let portals = portals.into_iter().map(|portal| portal.after(&before.portals)).collect();
    Ok(Some(Platform { listener, portals }))
}

impl Platform {
    /// Who may call at a listener that is bound already.
    pub fn new(listener: Listener, portals: Vec<PlatformSettings>) -> Self {
        Platform { listener, portals }
    }

    /// Answers from now on.
    pub(super) fn begin(self, lines: Arc<RwLock<Vec<Arc<AnyLine>>>>) -> Served {
        let (held, portals, stop) = (Some(self.listener.held()), self.portals, CancellationToken::new());
        let mut tasks = Tasks::default();
        let routes = router(portals.clone(), Arc::new(Evaluations(lines)));
        tasks.spawn("platform", self.listener.serve(routes, stop.clone()));
        Served { tasks, stop, portals, held }
    }
}

/// The portals of a configuration that may call the platform.
pub fn platforms(config: &Config) -> Result<Vec<PlatformSettings>, AssemblyError> {
    let own = config.portals.iter().filter_map(|(name, portal)| match &portal.own {
        Own::Nmo(own) => own.platform.as_ref().map(|platform| (name, platform)),
        Own::Fer(_) | Own::Sout(_) | Own::Pos(_) | Own::Ekdo(_) => None,
    });
    own.map(|(name, platform)| settings(name, platform)).collect()
}

fn settings(portal: &str, platform: &PlatformConfig) -> Result<PlatformSettings, AssemblyError> {
    let wrong = |source| AssemblyError::Template { portal: portal.to_owned(), source };
    let reviewer = match (&platform.reviewer_snils, &platform.reviewer_test_pin, &platform.reviewer_full_pin) {
        (Some(snils), Some(test_pin), Some(full_pin)) => {
            Some(Reviewer { snils: snils.clone(), test_pin: test_pin.clone(), full_pin: full_pin.clone() })
        }
        _ => None,
    };
    Ok(PlatformSettings {
        portal: portal.to_owned(),
        portal_id: platform.portal_id.clone(),
        portal_secret: platform.portal_secret.clone(),
        reviewer,
        handover_secret: platform.handover_secret.clone(),
        api_token: platform.api_token.clone(),
        target: Target::parse(&platform.redirect_template).map_err(wrong)?,
        granted: Granted::default(),
    })
}

/// Takes what portals tell of modules to the lines that sent them.
struct Evaluations(Arc<RwLock<Vec<Arc<AnyLine>>>>);

impl Evaluations {
    /// The line of a portal, as the configuration in force has it.
    fn line(&self, portal: &str) -> Option<Arc<AnyLine>> {
        let lines = self.0.read().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find(|line| line.name == portal).cloned()
    }
}

impl Evaluated for Evaluations {
    async fn evaluated(&self, portal: &str, module: &Key, evaluation: Evaluation) -> Taken {
        let Some(line) = self.line(portal) else { return Taken::Unknown };
        let status = evaluation.word();
        match line.told(MODULE_FEED, module, evaluation.receipt(Receipt::default())).await {
            Ok(Heard::Taken) => Taken::Applied,
            Ok(Heard::Kept) => {
                tracing::warn!(
                    portal,
                    module = %module,
                    status,
                    "the portal told of a module that was never sent to it from here; `vitrina log` shows it as NOT_FED"
                );
                Taken::Stray
            }
            Ok(Heard::Later) => Taken::Later,
            Ok(Heard::Unknown) => Taken::Unknown,
            Err(error) => {
                tracing::error!(
                    portal,
                    "what the portal told of a module could not be kept; it will be asked: {error}"
                );
                Taken::Later
            }
        }
    }

    async fn ask(&self, portal: &str, question: Question) -> Reply {
        let line = self.line(portal);
        let Some((line, AnyPortal::Nmo(wire))) = line.as_ref().map(|line| (line, line.portal())) else {
            return Reply::Failed;
        };
        let now = Utc::now().timestamp();
        let health = line.breaker().health(now);
        if let Health::Paused { until, .. } | Health::Parked { until, .. } = health {
            return Reply::Paused(u64::try_from(until.saturating_sub(now)).unwrap_or_default());
        }
        let answered = match question {
            Question::Plan { module, snils, pin } => {
                wire.plan_status(&module, &snils, pin.as_deref()).await.map(Reply::Plan)
            }
            Question::Evaluation { module } => wire.evaluation_of(&module).await.map(Reply::Evaluation),
        };
        answered.unwrap_or_else(|failure| {
            tracing::warn!(portal, "the portal did not answer what the learning system asked: {}", failure.text);
            Reply::Failed
        })
    }
}
