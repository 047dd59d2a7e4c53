//! The listener that the gateway calls: TLS where the site has a certificate for it, and connections for those who may call. Strangers have a few connections of their own, so that they cannot take the gateway's.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::Callers;
use crate::serve::{Held, Socket, connections};

/// Connections of callers that may not call.
const STRANGERS: usize = 16;
/// The certificate of the listener, PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, the listener's own certificate first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A bound listener.
pub struct BookingListener {
    socket: Socket,
    tls: Option<TlsAcceptor>,
    /// Where it listens, with the port that was chosen if 0 was asked for.
    pub address: SocketAddr,
}

/// Why the gateway cannot call.
#[derive(Debug, thiserror::Error)]
pub enum BookingBindError {
    /// The address.
    #[error("booking.listen: cannot listen on {address}: {reason}")]
    Address {
        /// Which.
        address: SocketAddr,
        /// The system's reason.
        reason: String,
    },
    /// A file of the certificate.
    #[error("booking.{key}: {path}: {reason}")]
    File {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl BookingListener {
    /// Reads the certificate, if there is one, and binds the address.
    pub async fn bind(address: SocketAddr, tls: Option<&TlsFiles>) -> Result<Self, BookingBindError> {
        BookingListener::take_over(address, tls, None).await
    }

    /// As [`Self::bind`]; where another one holds the same address, both listen at it until that one ends.
    pub async fn take_over(
        address: SocketAddr,
        tls: Option<&TlsFiles>,
        before: Option<&Held>,
    ) -> Result<Self, BookingBindError> {
        let tls = tls.map(acceptor).transpose()?;
        let failed = |error: std::io::Error| BookingBindError::Address { address, reason: error.to_string() };
        let socket = Socket::bind(&address.to_string(), before).await.map_err(failed)?;
        Ok(BookingListener { address: socket.address, socket, tls })
    }

    /// What the next listener at this address takes over.
    pub fn held(&self) -> Held {
        self.socket.held()
    }

    /// Answers by these routes until `stop` comes, then finishes what is under way.
    pub async fn serve(self, router: Router, callers: Callers, connections: usize, stop: CancellationToken) {
        let (known, strangers) = (Arc::new(Semaphore::new(connections)), Arc::new(Semaphore::new(STRANGERS)));
        let room = |ip| {
            let room = if callers.may_connect(ip) { &known } else { &strangers };
            Arc::clone(room).try_acquire_owned().ok()
        };
        connections::serve(self.socket.listener, self.tls, router, room, stop).await;
    }
}

impl TlsFiles {
    /// Reads both files as a listener would.
    pub fn check(&self) -> Result<(), BookingBindError> {
        acceptor(self).map(drop)
    }
}

impl fmt::Debug for BookingListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BookingListener").field("address", &self.address).finish_non_exhaustive()
    }
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, BookingBindError> {
    let wrong = |key: &'static str, path: &Path, reason: String| BookingBindError::File {
        key,
        path: path.display().to_string(),
        reason,
    };
    let unreadable = |error: rustls::pki_types::pem::Error| format!("cannot be read as PEM: {error}");
    let chain = CertificateDer::pem_file_iter(&files.cert).and_then(|chain| chain.collect::<Result<Vec<_>, _>>());
    let chain = chain.map_err(|error| wrong("tls_cert_file", &files.cert, unreadable(error)))?;
    if chain.is_empty() {
        return Err(wrong("tls_cert_file", &files.cert, "holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key);
    // Nothing of a private key's file is repeated, not even by the parser.
    let key = key.map_err(|_| wrong("tls_key_file", &files.key, "holds no private key in PEM".to_owned()))?;
    let unfit =
        |error: rustls::Error| wrong("tls_key_file", &files.key, format!("does not fit the certificate: {error}"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(unfit)?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
