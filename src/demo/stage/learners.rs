//! The specialists and reviewers of a demo: the mock portal of medical education sends them to their modules, by redirect and by address, and
//! tells how modules fared. Where they are sent is held against the document and the learning system's own check of the signature.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_lc_rs::hmac;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::demo::nmo::{Evaluation, NmoMock, Platform, Visit};

/// How often somebody comes.
const PACE: Duration = Duration::from_millis(700);
/// The account that the platform gave the portal, and the secret that it shares with the learning system.
pub(super) const PORTAL_ID: &str = "EduPortal";
pub(super) const PORTAL_SECRET: &str = "demo-portal-secret";
pub(super) const HANDOVER_SECRET: &str = "demo-handover-secret";
/// Where the learning system is.
pub(super) const TEMPLATE: &str = "https://edu.example.org/course/{module_id}?user={snils}&pin={pin}&reviewer={reviewer}&expires={expires}&signature={signature}";
/// A specialist without a name.
const SNILS: &str = "11223344595";

/// Comes, learns and evaluates until it is stopped. Counts who arrived; ends at once with what the platform did wrong.
pub(super) async fn live(
    portal: NmoMock,
    platform: Platform,
    arrived: &AtomicU64,
    stop: CancellationToken,
) -> Result<()> {
    let mut clock = tokio::time::interval(PACE);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in 0_usize.. {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = clock.tick() => {}
        }
        let current = portal.modules().into_iter().filter(|(_, module)| module.actual);
        let modules: Vec<(String, Evaluation)> = current.map(|(id, module)| (id, module.evaluation)).collect();
        let Some((module_id, _)) = modules.get(turn % modules.len().max(1)) else { continue };
        let visit = Visit { module_id: module_id.clone(), snils: SNILS.to_owned(), pin: format!("PIN{turn}") };
        let address = match turn % 3 {
            0 => platform.redirect(&visit).await?,
            1 => platform.url_by_query(&visit).await?,
            _ => platform.url_by_body(&visit).await?,
        };
        check(&address, &visit)?;
        arrived.fetch_add(1, Ordering::Relaxed);
        if let Some((waiting, _)) = modules.iter().find(|(_, evaluation)| *evaluation == Evaluation::InProgress)
            && platform.tell(waiting, "approved", None).await?
        {
            portal.evaluate(waiting, Evaluation::Approved);
        }
    }
    Ok(())
}

/// What the learning system does with an address.
fn check(address: &str, visit: &Visit) -> Result<()> {
    let address: Url = address.parse().context("a specialist was sent to no address")?;
    let value =
        |name: &str| address.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    let module = format!("/course/{}", visit.module_id);
    let right = address.host_str() == Some("edu.example.org") && address.path() == module;
    ensure!(right, "a specialist was sent to another place than the module's");
    ensure!(
        value("user").as_ref() == Some(&visit.snils) && value("pin").as_ref() == Some(&visit.pin),
        "another specialist arrived"
    );
    let [reviewer, expires, signature] =
        ["reviewer", "expires", "signature"].map(|name| value(name).unwrap_or_default());
    let signed = format!("{}\n{}\n{reviewer}\n{expires}", visit.module_id, visit.snils);
    let key = hmac::Key::new(hmac::HMAC_SHA256, HANDOVER_SECRET.as_bytes());
    let expected: String =
        hmac::sign(&key, signed.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(signature == expected, "the address of a specialist is not signed as agreed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_the_agreed_signature_lets_nobody_in() {
        let visit = Visit { module_id: "VT-001".into(), snils: SNILS.into(), pin: "P".into() };
        let key = hmac::Key::new(hmac::HMAC_SHA256, HANDOVER_SECRET.as_bytes());
        let tag = hmac::sign(&key, format!("VT-001\n{SNILS}\n\n99").as_bytes());
        let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let address = format!(
            "https://edu.example.org/course/VT-001?user={SNILS}&pin=P&reviewer=&expires=99&signature={signature}"
        );
        check(&address, &visit).unwrap();
        for forged in
            [address.replace("=99", "=98"), address.replace("VT-001", "VT-002"), address.replace("pin=P", "pin=Q")]
        {
            check(&forged, &visit).unwrap_err();
        }
    }
}
