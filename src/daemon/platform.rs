//! The platform side of medical education: which portals may call it, and where what they tell goes.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::Utc;

use super::{AnyLine, AssemblyError};
use crate::config::{Config, Own, PlatformConfig};
use crate::portal::AnyPortal;
use crate::portal::nmo::{Evaluation, MODULE_FEED};
use crate::record::{Key, Receipt};
use crate::serve::platform::{Evaluated, PlatformSettings, Question, Reply, Reviewer, Taken, Target};
use crate::sync::Heard;
use crate::transport::Health;

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
    })
}

/// Takes what portals tell of modules to the lines that sent them.
pub(super) struct Evaluations(pub Arc<RwLock<Vec<Arc<AnyLine>>>>);

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
