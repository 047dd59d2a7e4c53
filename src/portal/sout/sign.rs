//! Signing. Vitrina has no cryptography of its own: a program of the site's (CryptoPro and the like) gets the path of the set and leaves the
//! detached signature beside it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::set::DATA;
use crate::transport::Mishap;

/// Most bytes of a signature; a detached one with its certificates has a few thousand.
const SIGNATURE_LIMIT: u64 = 1 << 20;
/// The first byte of every DER structure of this kind.
const SEQUENCE: u8 = 0x30;

/// How the signature stands in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SigEncoding {
    /// As text; the document speaks of a text file.
    #[default]
    Base64,
    /// As bytes.
    Der,
}

/// The site's program.
#[derive(Clone)]
pub struct SignSettings {
    /// Program and arguments; the path of the set is appended.
    pub command: Vec<String>,
    /// How the signature stands in the archive, whichever way the program leaves it.
    pub encoding: SigEncoding,
    /// Longest run of the program.
    pub timeout: Duration,
}

impl std::fmt::Debug for SignSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Arguments may hold a PIN.
        f.debug_struct("SignSettings").field("encoding", &self.encoding).finish_non_exhaustive()
    }
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
enum SignError {
    #[error("sign_command is empty")]
    Empty,
    #[error("no private folder for the set can be made")]
    Folder(#[source] io::Error),
    #[error("the program of sign_command cannot be run: {0}")]
    Run(#[source] io::Error),
    #[error("the program of sign_command did not end in {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the program of sign_command failed ({0})")]
    Failed(ExitStatus),
    #[error("the program of sign_command left no signature in <path>.sig")]
    Missing,
    #[error("what the program of sign_command left in <path>.sig is no signature, neither DER nor base64")]
    Senseless,
}

/// Signs a set.
pub(super) async fn sign(settings: &SignSettings, data: &[u8]) -> Result<Vec<u8>, Mishap> {
    signature(settings, data).await.map_err(|error| Mishap::Unsigned { reason: error.to_string() })
}

async fn signature(settings: &SignSettings, data: &[u8]) -> Result<Vec<u8>, SignError> {
    let folder = private_folder().map_err(SignError::Folder)?;
    let path = folder.path().join(DATA);
    write(&path, data).await.map_err(SignError::Folder)?;
    match tokio::time::timeout(settings.timeout, run(settings, folder.path(), &path)).await {
        Ok(ran) => ran?,
        Err(_) => return Err(SignError::TimedOut(settings.timeout)),
    }
    let left = read(&with_sig(&path)).await.ok_or(SignError::Missing)?;
    let der = der(&left).ok_or(SignError::Senseless)?;
    Ok(match settings.encoding {
        SigEncoding::Der => der,
        SigEncoding::Base64 => STANDARD.encode(der).into_bytes(),
    })
}

/// A folder that only this user can look into, gone when it is dropped.
fn private_folder() -> io::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new().prefix("vitrina-sign-").permissions(std::fs::Permissions::from_mode(0o700)).tempdir()
}

async fn write(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut file = tokio::fs::File::create(path).await?;
    file.write_all(data).await?;
    file.flush().await
}

async fn run(settings: &SignSettings, folder: &Path, path: &Path) -> Result<(), SignError> {
    let (program, arguments) = settings.command.split_first().ok_or(SignError::Empty)?;
    let mut command = Command::new(program);
    command.args(arguments).arg(path).current_dir(folder);
    // What it says may name the certificate's owner and hold a PIN: nobody listens. Who runs it by hand hears it.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    // Secrets of ours are none of that program's business.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    // The program is often a script: what it calls must end with it.
    command.process_group(0);
    let mut child = command.spawn().map_err(SignError::Run)?;
    let group = Group::of(&child);
    let status = child.wait().await.map_err(SignError::Run)?;
    group.has_ended();
    if status.success() { Ok(()) } else { Err(SignError::Failed(status)) }
}

/// The program and all that it has started, which end when this is dropped before the program has ended by itself.
struct Group(Option<Pid>);

impl Group {
    /// The group that a child leads which was started as the first of its own.
    fn of(child: &Child) -> Self {
        Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// The program is gone and its number free for others: nobody is ended any more.
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // There may be nobody left.
            let _gone = kill_process_group(leader, Signal::KILL);
        }
    }
}

fn is_ours(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("VITRINA__") || name == "CREDENTIALS_DIRECTORY"
}

fn with_sig(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

async fn read(path: &Path) -> Option<Vec<u8>> {
    let file = tokio::fs::File::open(path).await.ok()?;
    let mut bytes = Vec::new();
    file.take(SIGNATURE_LIMIT + 1).read_to_end(&mut bytes).await.ok()?;
    (!bytes.is_empty() && bytes.len() as u64 <= SIGNATURE_LIMIT).then_some(bytes)
}

/// The signature's bytes, from DER, base64 or PEM.
fn der(left: &[u8]) -> Option<Vec<u8>> {
    if left.first() == Some(&SEQUENCE) && left.iter().any(|byte| !byte.is_ascii()) {
        return Some(left.to_vec());
    }
    let text = std::str::from_utf8(left).ok()?;
    let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.starts_with("-----"));
    let digits: String = lines.flat_map(str::chars).filter(|sign| !sign.is_whitespace()).collect();
    STANDARD.decode(digits).ok().filter(|der| der.first() == Some(&SEQUENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DER: &[u8] = &[SEQUENCE, 0x82, 0x01, 0xff, 0x00];

    fn settings(script: &str, encoding: SigEncoding) -> SignSettings {
        // The script gets the path as its first argument.
        let command = ["sh", "-c", script, "sign"].map(str::to_owned).to_vec();
        SignSettings { command, encoding, timeout: Duration::from_secs(20) }
    }

    async fn signed(script: &str, encoding: SigEncoding) -> Result<Vec<u8>, String> {
        sign(&settings(script, encoding), b"<RegistrySet/>").await.map_err(|mishap| mishap.to_string())
    }

    #[tokio::test]
    async fn the_signature_is_left_in_either_form_and_taken_in_the_one_that_is_wanted() {
        let text = STANDARD.encode(DER);
        let leaves_text = format!("grep -q RegistrySet \"$1\" && printf '{text}\\n' > \"$1.sig\"");
        let leaves_pem = format!("printf -- '-----BEGIN PKCS7-----\\n{text}\\n-----END PKCS7-----\\n' > \"$1.sig\"");
        let leaves_bytes = "printf '\\060\\202\\001\\377\\000' > \"$1.sig\"";
        for script in [leaves_text.as_str(), leaves_pem.as_str(), leaves_bytes] {
            assert_eq!(signed(script, SigEncoding::Der).await.unwrap(), DER, "{script}");
            assert_eq!(signed(script, SigEncoding::Base64).await.unwrap(), text.as_bytes(), "{script}");
        }
    }

    #[tokio::test]
    async fn the_set_lies_where_nobody_else_looks_and_is_gone_afterwards() {
        let seen = tempfile::NamedTempFile::new().unwrap();
        let note = seen.path().display();
        let script = format!("stat -c '%a %n' \"$(dirname \"$1\")\" > {note}; exit 1");
        signed(&script, SigEncoding::Der).await.unwrap_err();
        let noted = std::fs::read_to_string(seen.path()).unwrap();
        let (mode, folder) = noted.trim().split_once(' ').unwrap();
        assert_eq!(mode, "700");
        assert!(!Path::new(folder).exists());
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_without_the_programs_own_words() {
        let table = [
            ("exit 0", "left no signature"),
            ("printf 'not a signature' > \"$1.sig\"", "is no signature"),
            ("echo 'PIN 12345678 of «Иванов И. И.» is wrong' >&2; exit 3", "failed (exit status: 3);"),
        ];
        for (script, says) in table {
            let text = signed(script, SigEncoding::Der).await.unwrap_err();
            assert!(text.contains(says) && text.contains("check sign_command"), "{text}");
            assert!(!text.contains("Иванов") && !text.contains("1234"), "{text}");
        }
        let missing = SignSettings { command: vec!["/no/such/program".into()], ..settings("", SigEncoding::Der) };
        assert!(sign(&missing, b"").await.unwrap_err().to_string().contains("cannot be run"));
        let empty = SignSettings { command: Vec::new(), ..missing };
        assert!(sign(&empty, b"").await.unwrap_err().to_string().contains("sign_command is empty"));
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended() {
        let hanging = SignSettings { timeout: Duration::from_millis(300), ..settings("sleep 60", SigEncoding::Der) };
        let mishap = sign(&hanging, b"x").await.unwrap_err();
        assert!(mishap.to_string().contains("did not end"), "{mishap}");
    }

    /// True while a process of this number runs.
    fn runs(process: i32) -> bool {
        // One that was ended and that nobody has asked about yet stays in the table as a zombie.
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    }

    #[tokio::test]
    async fn what_a_program_that_hangs_has_started_is_ended_with_it() {
        let seen = tempfile::NamedTempFile::new().unwrap();
        let script = format!("sleep 600 & echo $! > {}; wait", seen.path().display());
        let hanging = SignSettings { timeout: Duration::from_secs(3), ..settings(&script, SigEncoding::Der) };
        sign(&hanging, b"x").await.unwrap_err();
        let grandchild: i32 = std::fs::read_to_string(seen.path()).unwrap().trim().parse().unwrap();
        let give_up = std::time::Instant::now() + Duration::from_secs(20);
        while runs(grandchild) {
            assert!(std::time::Instant::now() < give_up, "it runs on");
            tokio::task::yield_now().await;
        }
    }
}
