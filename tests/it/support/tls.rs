//! A TLS server on loopback whose certificate no public root vouches for, and servers that answer with raw bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Two roots in one file; the second signed the server's certificate.
pub fn roots() -> PathBuf {
    directory().join("roots.pem")
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls")
}

/// The certificate of this name.
pub fn certificate(name: &str) -> PathBuf {
    directory().join(format!("{name}.pem"))
}

/// Answers every connection with these bytes over TLS. Returns its address.
pub async fn over_tls(answer: Vec<u8>) -> String {
    over_tls_as("server", answer).await
}

/// The same, under the certificate of this name.
pub async fn over_tls_as(name: &str, answer: Vec<u8>) -> String {
    let chain = vec![CertificateDer::from_pem_file(certificate(name)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(directory().join(format!("{name}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, &answer).await;
            }
        }
    });
    format!("https://{address}")
}

/// Answers every connection with these bytes and closes it. Returns its address.
pub async fn over_tcp(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, &answer).await;
        }
    });
    format!("http://{address}")
}

/// Answers every connection with these bytes, then stays silent until the client leaves. Returns its address.
pub async fn stalling(answer: Vec<u8>) -> String {
    accepting(move |mut stream| {
        let answer = answer.clone();
        async move {
            if !read_head(&mut stream).await {
                return;
            }
            let _client_may_be_gone = stream.write_all(&answer).await;
            let _until_the_client_leaves = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    })
    .await
}

/// Accepts connections and never reads a byte. Returns its address.
pub async fn deaf() -> String {
    accepting(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

/// Hangs up on every connection after so many bytes of the request. Returns its address.
pub async fn hanging_up_after(bytes: usize) -> String {
    accepting(move |mut stream| async move {
        let mut request = vec![0; bytes];
        let _client_may_be_gone = stream.read_exact(&mut request).await;
    })
    .await
}

async fn accepting<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    format!("http://{address}")
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) {
    if !read_head(&mut stream).await {
        return;
    }
    let _client_may_be_gone = stream.write_all(answer).await;
    let _client_may_be_gone = stream.shutdown().await;
}

/// Reads a request up to the end of its headers; false when the client is gone before.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut request = vec![0; 4096];
    let mut got = 0;
    while got < request.len() && !request[..got].windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut request[got..]).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => got += count,
        }
    }
    true
}
