//! Reading rejected and held records out of the ledger: without its lock, so also beside a running daemon.

use super::filter::Filter;
use crate::cli::CliError;
use crate::config::Config;
use crate::ledger::{AnyLedger, Ledger, Refusal};
use crate::portal::{self, Kind};

/// What stands against one feed.
pub struct FeedRejects {
    /// The portal's name in the configuration.
    pub portal: String,
    /// The feed's name.
    pub feed: String,
    /// What the portal is; none when the configuration does not name it any more.
    pub kind: Option<&'static Kind>,
    /// Its records, by key, those without a key last.
    pub refusals: Vec<Refusal>,
}

/// What kind of portal a name of the configuration stands for.
pub fn kind_of(config: &Config, portal: &str) -> Option<&'static Kind> {
    portal::kind(config.portals.get(portal)?.kind().name())
}

/// Reads what a filter lets pass, feed by feed, parents first. Feeds without any are left out.
pub async fn gather(config: &Config, ledger: &AnyLedger, filter: &Filter) -> Result<Vec<FeedRejects>, CliError> {
    filter.check(config)?;
    let mut gathered = Vec::new();
    for known in ledger.feeds().await.map_err(anyhow::Error::from)? {
        if !filter.covers(&known.portal, &known.feed) {
            continue;
        }
        let mut refusals = ledger.refusals(known.id).await.map_err(anyhow::Error::from)?;
        refusals.retain(|refusal| filter.admits(refusal));
        if !refusals.is_empty() {
            let kind = kind_of(config, &known.portal);
            gathered.push(FeedRejects { portal: known.portal, feed: known.feed, kind, refusals });
        }
    }
    Ok(gathered)
}
