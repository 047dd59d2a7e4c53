//! Why no connection could be made: network, TLS, the way in which an account signs in. Each reason says what to do, and holds no credentials.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::judge;

/// The reason of a driver's error.
pub(in crate::source) fn connecting(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let (code, hint, _) = judge(error.as_ref());
            format!("{code}{hint}")
        }
        sqlx::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => tls_reason(tls).to_owned(),
            None => io_reason(error).to_owned(),
        },
        sqlx::Error::Tls(error) => other_tls_reason(error.as_ref()).to_owned(),
        sqlx::Error::Protocol(text) => sign_in_reason(text),
        sqlx::Error::Configuration(_) => "the url or a file it names cannot be used".to_owned(),
        _ => NO_DATABASE.to_owned(),
    }
}

const NO_DATABASE: &str = "the server's answer cannot be read; is it the right kind of database?";
const TLS: &str = "the TLS handshake failed; check sslmode and the certificate of the CA";

/// No file handle is left: of this process, of the machine.
const TOO_MANY_FILES: [i32; 2] = [24, 23];

/// True when an error says that there are too many open files.
pub(in crate::source) fn no_handle_left(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

/// What is said of it.
pub(in crate::source) const NO_HANDLE_LEFT: &str =
    "this process has too many files and connections open; raise its limit (LimitNOFILE= in the unit, ulimit -n)";

fn io_reason(error: &io::Error) -> &'static str {
    if no_handle_left(error) {
        return NO_HANDLE_LEFT;
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused; is the database running, are host and port right?",
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => "the server closed the connection",
        io::ErrorKind::TimedOut => "no answer from the host",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "the host cannot be reached",
        io::ErrorKind::NotFound => "the socket or a file that the url names is not there",
        io::ErrorKind::PermissionDenied => "access to the socket or a file that the url names is denied",
        _ => "network error; does the host's name resolve?",
    }
}

fn tls_reason(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(fault) => certificate_reason(fault),
        rustls::Error::AlertReceived(_) => {
            "TLS: the server turned us away; does it want a certificate of ours (sslcert, sslkey; MySQL: ssl-cert, ssl-key)?"
        }
        rustls::Error::PeerIncompatible(_) => {
            "TLS: the server has no version or cipher that is safe; it needs TLS 1.2 or newer"
        }
        rustls::Error::InvalidMessage(_) => "TLS: what answers there does not speak TLS; are host and port right?",
        _ => TLS,
    }
}

fn certificate_reason(fault: &CertificateError) -> &'static str {
    match fault {
        CertificateError::UnknownIssuer => {
            "TLS: the server's certificate is signed by a CA that is not known; name the CA's certificate in the url, \
             sslrootcert=/path (MySQL, MariaDB: ssl-ca=/path)"
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "TLS: the server's certificate names no host: it has no subjectAltName, and its common name does not count; have it \
             issued with one, or verify the CA alone, sslmode=verify-ca (MySQL, MariaDB: ssl-mode=VERIFY_CA)"
        }
        CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName => {
            "TLS: the server's certificate is for another name than the url's host; write the name that stands in it into the \
             url, or verify the CA alone, sslmode=verify-ca (MySQL, MariaDB: ssl-mode=VERIFY_CA)"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "TLS: the server's certificate, or its CA's, has expired; renew it (or is this machine's clock wrong?)"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "TLS: the server's certificate is not valid yet; is this machine's clock wrong?"
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "TLS: the server shows a certificate that is a CA's own; have a certificate of its own issued for it"
        }
        _ => "TLS: the server's certificate cannot be used; it must be of X.509 version 3 and its signature sound",
    }
}

/// What the driver itself says of TLS.
fn other_tls_reason(error: &(dyn Error + Send + Sync + 'static)) -> &'static str {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return tls_reason(tls);
    }
    let text = error.to_string();
    if text.contains("does not support TLS") {
        return "TLS: the server has none; switch it on there, or do not ask for it in the url (sslmode=prefer)";
    }
    if text.starts_with("Invalid certificate") {
        return "TLS: the CA's certificate that the url names cannot be read; it must be PEM (-----BEGIN CERTIFICATE-----)";
    }
    TLS
}

/// Ways to sign in that the drivers do not know: the words with which they say so, and what each way is called.
const POSTGRES_METHODS: &[(&str, &str)] = &[("2", "krb5"), ("6", "scm"), ("7", "gss"), ("8", "gss"), ("9", "sspi")];

fn sign_in_reason(text: &str) -> String {
    // Behind the word the driver names its own line of code.
    let word_after = |words: &str| {
        let (_, after) = text.split_once(words)?;
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        after.get(..end)
    };
    if let Some(number) = word_after("unknown authentication method: ") {
        let method =
            POSTGRES_METHODS.iter().find(|(known, _)| *known == number).map_or("another method", |(_, name)| name);
        return format!(
            "pg_hba.conf wants this account to sign in by {method}, which is not supported; let it ask for scram-sha-256 from this \
             machine"
        );
    }
    if let Some(plugin) = word_after("unknown authentication plugin: ") {
        return format!(
            "the account signs in by {plugin}, which is not supported; let it use mysql_native_password or caching_sha2_password: \
             ALTER USER … IDENTIFIED VIA mysql_native_password USING PASSWORD('…')"
        );
    }
    if text.contains("mysql_cleartext") {
        let reason = "the account signs in by a password in clear (PAM, LDAP), which is not supported; let it use \
                      mysql_native_password or caching_sha2_password";
        return reason.to_owned();
    }
    NO_DATABASE.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_to_sign_in_that_is_not_supported_is_named_with_the_way_out() {
        let of = |text: &str| connecting(&sqlx::Error::Protocol(text.to_owned()));
        let gss = of("unknown authentication method: 7 (driver::auth:84)");
        assert!(gss.contains("sign in by gss,") && gss.contains("scram-sha-256"), "{gss}");
        let ed25519 = of("unknown authentication plugin: client_ed25519 (driver::auth:36)");
        assert!(ed25519.contains("by client_ed25519,") && ed25519.contains("mysql_native_password"), "{ed25519}");
        assert_eq!(of("unexpected response from SSLRequest: 0x48"), NO_DATABASE);
    }

    #[test]
    fn a_process_without_a_file_handle_is_told_its_limit() {
        for code in TOO_MANY_FILES {
            let reason = connecting(&sqlx::Error::Io(io::Error::from_raw_os_error(code)));
            assert!(reason.contains("LimitNOFILE"), "{reason}");
        }
    }

    #[test]
    fn faults_of_certificates_that_are_no_matter_of_name_or_issuer_have_their_sentences() {
        let of = |fault| connecting(&sqlx::Error::Io(io::Error::other(rustls::Error::InvalidCertificate(fault))));
        assert!(of(CertificateError::Expired).contains("has expired"));
        assert!(of(CertificateError::NotValidYet).contains("not valid yet"));
        assert!(of(CertificateError::BadSignature).contains("cannot be used"));
    }
}
