//! A store of rotating secrets in memory: outlives a portal's client, may refuse to keep, counts what it kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use vitrina::transport::{SecretStore, SecretStoreError};

#[derive(Default)]
struct Inside {
    secrets: BTreeMap<&'static str, String>,
    refuses: bool,
    /// So many more are kept, then none.
    keeps: Option<u32>,
}

/// The store. Clones share what they hold.
#[derive(Clone, Default)]
pub struct MemorySecrets(Arc<Mutex<Inside>>);

impl MemorySecrets {
    /// All that is kept, as one text.
    pub fn text(&self) -> String {
        self.0.lock().unwrap().secrets.values().cloned().collect()
    }

    /// From now on nothing can be kept, or it can again.
    pub fn refuse(&self, refuses: bool) {
        let mut inside = self.0.lock().unwrap();
        (inside.refuses, inside.keeps) = (refuses, None);
    }

    /// Keeps so many more secrets, and then no other.
    pub fn refuse_after(&self, keeps: u32) {
        self.0.lock().unwrap().keeps = Some(keeps);
    }
}

impl SecretStore for MemorySecrets {
    fn read(&self, name: &'static str) -> BoxFuture<'_, Result<Option<SecretString>, SecretStoreError>> {
        let secret = self.0.lock().unwrap().secrets.get(name).cloned();
        Box::pin(async move { Ok(secret.map(Into::into)) })
    }

    fn keep(&self, name: &'static str, secret: SecretString) -> BoxFuture<'_, Result<(), SecretStoreError>> {
        let mut inside = self.0.lock().unwrap();
        let is_full = inside.keeps == Some(0);
        inside.keeps = inside.keeps.map(|keeps| keeps.saturating_sub(1));
        let kept = match inside.refuses || is_full {
            true => Err(SecretStoreError { reason: "the disk is full".into() }),
            false => {
                inside.secrets.insert(name, secret.expose_secret().to_owned());
                Ok(())
            }
        };
        Box::pin(async move { kept })
    }
}
