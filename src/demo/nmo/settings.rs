//! What can be set about the mock portal: its account, and the points that the document leaves open.

use std::fmt;
use std::time::Duration;

/// Settings of the mock portal.
#[derive(Clone)]
pub struct NmoMockSettings {
    /// The client's login.
    pub client_id: String,
    /// Its password.
    pub client_secret: String,
    /// The platform's user.
    pub username: String,
    /// Its password.
    pub password: String,
    /// How long an access token is good for.
    pub token_life: Duration,
    /// Wrong passwords in a row after which the user is blocked for good.
    pub lock_after: u32,
    /// After how many questions for its status a module is approved. None: only by [`super::NmoMock::evaluate`].
    pub approved_after: Option<u32>,
    /// Whoever is reported to learn has the module in the plan, with the pin that is reported.
    pub plan_everything: bool,
    /// The front under which modules are shown.
    pub front_url: String,
}

impl Default for NmoMockSettings {
    fn default() -> Self {
        NmoMockSettings {
            client_id: "client".to_owned(),
            client_secret: "secret".to_owned(),
            username: "smith".to_owned(),
            password: "qwerty123".to_owned(),
            token_life: Duration::from_secs(43_198),
            lock_after: 5,
            approved_after: Some(1),
            plan_everything: false,
            front_url: "https://nmfo.example.org".to_owned(),
        }
    }
}

impl fmt::Debug for NmoMockSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NmoMockSettings")
            .field("username", &self.username)
            .field("token_life", &self.token_life)
            .field("lock_after", &self.lock_after)
            .finish_non_exhaustive()
    }
}
