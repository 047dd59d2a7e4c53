//! The five mock portals together: what `vitrina demo` and `vitrina mock` run.

mod held;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::ekdo::{EkdoAccount, EkdoMock};
use super::fer::{FerGateway, GatewayError, GatewaySettings, Running as RunningGateway};
use super::host::Host;
use super::nmo::{NmoMock, NmoMockError, NmoMockSettings, RunningNmo};
use super::pos::{PosAccount, PosMock};
use crate::recording::stand_in_for;

use super::sout::{MockError, RegisterSettings, Running as RunningRegister, SoutMock};

/// How many there are, and how many ports they take.
const PORTALS: u16 = 5;
/// The key of the mock register's account.
const API_KEY: &str = "demo";
/// How often a record of the mock register is read back before it has its number.
const READS_BEFORE_NUMBER: u32 = 2;
/// After how long somebody at the mock register signs and sends what came without a signature.
const DRAFTS_SENT_AFTER: Duration = Duration::from_secs(30);

/// Where a mock is, and who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The kind of portal, as configurations name it.
    pub kind: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// What a portal's `url` names.
    pub url: String,
    /// The credentials, by their keys in a configuration. They open a mock and nothing else.
    pub credentials: Vec<(&'static str, String)>,
}

/// Why the mocks do not start or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum MocksError {
    /// There are too few ports behind the one that was asked for.
    #[error(
        "--listen {listen}: the five mock portals take this port and the four behind it; choose one up to 65531, or 0 for free ones"
    )]
    Ports {
        /// The address asked for.
        listen: SocketAddr,
    },
    /// The gateway's.
    #[error(transparent)]
    Fer(#[from] GatewayError),
    /// The register's.
    #[error(transparent)]
    Sout(#[from] MockError),
    /// The education portal's.
    #[error(transparent)]
    Nmo(#[from] NmoMockError),
    /// The address is taken or not ours.
    #[error("the mock of {portal} cannot listen on {listen}; choose another --listen address")]
    Listen {
        /// The portal.
        portal: &'static str,
        /// The address.
        listen: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The server ended with an error.
    #[error("the mock of {portal} stopped with an error")]
    Serve {
        /// The portal.
        portal: &'static str,
        /// The server's reason.
        #[source]
        source: io::Error,
    },
}

/// Who may use the mocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// Accounts of their own.
    Own,
    /// Accounts whose credentials are the stand-ins of a recording, which can then be played without any account.
    Recorded,
}

/// The mocks, listening.
pub struct Mocks {
    given: Given,
    fer: RunningGateway,
    sout: RunningRegister,
    nmo: RunningNmo,
    pos: PosMock,
    pos_host: Host,
    ekdo: EkdoMock,
    ekdo_host: Host,
}

impl Mocks {
    /// Starts all five: the FER gateway at the address, then SOUT, NMO, POS and EKDO on the ports behind it. Port 0 takes free ones.
    pub async fn start(listen: SocketAddr, accounts: Accounts) -> Result<Self, MocksError> {
        let [fer, sout, nmo, pos, ekdo] = addresses(listen)?;
        let refused = |portal, listen| move |source| MocksError::Listen { portal, listen, source };
        let given = Given::of(accounts);
        let (pos_mock, ekdo_mock) = (PosMock::new(given.pos.clone()), EkdoMock::new(given.ekdo.clone()));
        Ok(Mocks {
            fer: FerGateway::start(fer, given.fer.clone()).await?,
            sout: SoutMock::start(sout, given.sout.clone()).await?,
            nmo: NmoMock::start(nmo, given.nmo.clone()).await?,
            given,
            pos_host: pos_mock.serve(pos).await.map_err(refused("POS", pos))?,
            pos: pos_mock,
            ekdo_host: ekdo_mock.serve(ekdo).await.map_err(refused("EKDO", ekdo))?,
            ekdo: ekdo_mock,
        })
    }

    /// The gateway.
    pub fn fer(&self) -> &FerGateway {
        self.fer.gateway()
    }

    /// The portal of medical education.
    pub fn nmo(&self) -> &NmoMock {
        self.nmo.mock()
    }

    /// Where each is and who may use it.
    pub fn accounts(&self) -> [Account; PORTALS as usize] {
        let Given { fer, sout, nmo, pos, ekdo } = self.given.clone();
        let account = |kind, title, url, credentials| Account { kind, title, url, credentials };
        [
            account("fer", "FER gateway", self.fer.url(), vec![("username", fer.username), ("password", fer.password)]),
            account("sout", "SOUT register", self.sout.url(), vec![("api_key", sout.api_key)]),
            account(
                "nmo",
                "NMO portal",
                self.nmo.url(),
                vec![
                    ("client_id", nmo.client_id),
                    ("client_secret", nmo.client_secret),
                    ("username", nmo.username),
                    ("password", nmo.password),
                ],
            ),
            account(
                "pos",
                "POS",
                PosMock::url(&self.pos_host),
                vec![("access_token", pos.access_token), ("refresh_token", pos.refresh_token), ("name", pos.name)],
            ),
            account(
                "ekdo",
                "EKDO",
                EkdoMock::url(&self.ekdo_host),
                vec![("username", ekdo.username), ("password", ekdo.password), ("user_id", ekdo.user_id)],
            ),
        ]
    }

    /// Stops all of them.
    pub async fn shutdown(self) -> Result<(), MocksError> {
        let failed = |portal| move |source| MocksError::Serve { portal, source };
        self.fer.shutdown().await?;
        self.sout.shutdown().await?;
        self.nmo.shutdown().await?;
        self.pos_host.shutdown().await.map_err(failed("POS"))?;
        self.ekdo_host.shutdown().await.map_err(failed("EKDO"))
    }
}

/// What each mock is set to.
#[derive(Clone)]
struct Given {
    fer: GatewaySettings,
    sout: RegisterSettings,
    nmo: NmoMockSettings,
    pos: PosAccount,
    ekdo: EkdoAccount,
}

impl Given {
    fn of(accounts: Accounts) -> Self {
        let mut given = Given {
            fer: GatewaySettings::default(),
            sout: register(),
            nmo: education(),
            pos: PosAccount::default(),
            ekdo: personnel(),
        };
        if accounts == Accounts::Recorded {
            let Given { fer, sout, nmo, pos, ekdo } = &mut given;
            [fer.username, fer.password] = ["username", "password"].map(stand_in_for);
            sout.api_key = stand_in_for("api_key");
            [nmo.client_id, nmo.client_secret] = ["client_id", "client_secret"].map(stand_in_for);
            [nmo.username, nmo.password] = ["username", "password"].map(stand_in_for);
            [pos.access_token, pos.refresh_token] = ["access_token", "refresh_token"].map(stand_in_for);
            pos.name = stand_in_for("name");
            [ekdo.username, ekdo.password] = ["username", "password"].map(stand_in_for);
            ekdo.user_id = stand_in_for("user_id");
        }
        given
    }
}

/// A register that gives its numbers not at once, and where somebody sees to drafts.
fn register() -> RegisterSettings {
    RegisterSettings {
        reads_before_number: READS_BEFORE_NUMBER,
        drafts_sent_after: Some(DRAFTS_SENT_AFTER),
        ..RegisterSettings::new(API_KEY)
    }
}

/// A portal where whoever learns has planned to, and modules pass their evaluation at the second look.
fn education() -> NmoMockSettings {
    NmoMockSettings { plan_everything: true, ..NmoMockSettings::default() }
}

/// An account with all three of its credentials.
fn personnel() -> EkdoAccount {
    EkdoAccount { user_id: "1".to_owned(), ..EkdoAccount::default() }
}

/// One address for each portal.
fn addresses(listen: SocketAddr) -> Result<[SocketAddr; PORTALS as usize], MocksError> {
    let mut addresses = [listen; PORTALS as usize];
    if listen.port() == 0 {
        return Ok(addresses);
    }
    for (behind, address) in (0..PORTALS).zip(&mut addresses) {
        address.set_port(listen.port().checked_add(behind).ok_or(MocksError::Ports { listen })?);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(listen: &str) -> Option<[u16; 5]> {
        addresses(listen.parse().unwrap()).ok().map(|addresses| addresses.map(|address| address.port()))
    }

    #[test]
    fn the_portals_stand_on_ports_that_follow_each_other() {
        assert_eq!(ports("127.0.0.1:2100"), Some([2100, 2101, 2102, 2103, 2104]));
        assert_eq!(ports("[::1]:65531"), Some([65531, 65532, 65533, 65534, 65535]));
        assert_eq!(ports("127.0.0.1:65532"), None);
        assert_eq!(ports("127.0.0.1:0"), Some([0; 5]));
    }
}
