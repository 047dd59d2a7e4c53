//! Recording of exchanges with portals.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::shape::{Key, Scalar, Shape};

const MIB: i64 = 1 << 20;

/// What is recorded, and how much of it is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordConfig {
    /// The folder of the files.
    pub dir: PathBuf,
    /// Most bytes of all files.
    pub max_bytes: u64,
    /// No exchange is kept longer.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
}

/// Keys of recording.
pub(super) const KEYS: &[Key] = &[
    Key::must("dir", Shape::text(dir)),
    Key::or("max_bytes", "268435456", Scalar::Integer { min: MIB, max: 1024 * 1024 * MIB }),
    Key::or("max_age", "7d", Scalar::seconds(60, 366 * 24 * 3600)),
];

/// The folder is made where it is not there, so that it must say where, wherever the process is started.
fn dir(text: &str) -> Result<(), String> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err("must be an absolute path, as /var/lib/vitrina/exchanges".into());
    }
    if path.exists() && !path.is_dir() {
        return Err("is a file; name a folder".into());
    }
    if path.parent().is_none() {
        return Err("must not be the root of the file system".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_says_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(dir(folder.path().to_str().unwrap()), Ok(()));
        assert_eq!(dir("/nowhere/yet"), Ok(()));
        for bad in ["exchanges", "./exchanges", "/", "", file.to_str().unwrap()] {
            assert!(dir(bad).is_err(), "{bad}");
        }
    }
}
