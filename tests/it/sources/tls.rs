//! Databases over TLS whose certificate does not do: what is wrong with it is said, and what helps.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use vitrina::source::{AnySource, Source, SourceSettings};

use crate::support::database::ZONE;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls").join(name)
}

/// What MySQL greets with: protocol 10, a version, and among its abilities TLS.
const MYSQL_GREETING: &[u8] =
    b"\x4a\0\0\0\x0a8.0.36\0\x01\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0\
                                ijklmnopqrst\0mysql_native_password\0";

/// A server that is a database up to the TLS handshake, in which it shows this certificate. Gives its address.
async fn database_with(mysql: bool, certificate: &str) -> String {
    let chain = vec![CertificateDer::from_pem_file(file(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("database.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if ask_for_tls(&mut stream, mysql).await.is_ok() {
                let _refused_by_the_client = acceptor.accept(stream).await;
            }
        }
    });
    address
}

async fn ask_for_tls(stream: &mut TcpStream, mysql: bool) -> std::io::Result<()> {
    if mysql {
        stream.write_all(MYSQL_GREETING).await?;
        return stream.read_exact(&mut [0; 36]).await.map(|_| ());
    }
    stream.read_exact(&mut [0; 8]).await?;
    stream.write_all(b"S").await
}

/// What is said of a database that shows this certificate, to one who knows the CA or does not.
async fn told(mysql: bool, certificate: &str, knows_the_ca: bool) -> String {
    let address = database_with(mysql, certificate).await;
    let (scheme, mode, ca) = match mysql {
        true => ("mysql", "ssl-mode=VERIFY_IDENTITY", "ssl-ca"),
        false => ("postgres", "sslmode=verify-full", "sslrootcert"),
    };
    let ca = if knows_the_ca { format!("&{ca}={}", file("database_root.pem").display()) } else { String::new() };
    let url = format!("{scheme}://reader@{address}/mis?{mode}{ca}");
    AnySource::open(SourceSettings::new("mis", url, ZONE)).unwrap().now().await.unwrap_err().to_string()
}

#[tokio::test]
async fn each_fault_of_a_certificate_has_its_sentence() {
    for mysql in [false, true] {
        for (certificate, knows_the_ca, words) in [
            ("database_sound.pem", false, "signed by a CA that is not known; name the CA's certificate in the url"),
            ("database_other_name.pem", true, "is for another name than the url's host"),
            ("database_no_name.pem", true, "has no subjectAltName"),
            ("database_root.pem", true, "a CA's own"),
        ] {
            let told = told(mysql, certificate, knows_the_ca).await;
            assert!(told.contains("cannot connect: TLS: ") && told.contains(words), "{certificate} {mysql}: {told}");
        }
        let sound = told(mysql, "database_sound.pem", true).await;
        assert!(!sound.contains("TLS"), "{sound}");
    }
}

#[tokio::test]
async fn a_server_without_tls_and_a_ca_file_that_is_none_are_told() {
    let db = crate::support::database::postgres().await;
    for (parameters, words) in [
        ("sslmode=require", "TLS: the server has none; switch it on there"),
        ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "TLS: the server has none"),
    ] {
        let url = format!("{}?{parameters}", db.url);
        let error = AnySource::open(SourceSettings::new("mis", url, ZONE)).unwrap().now().await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
