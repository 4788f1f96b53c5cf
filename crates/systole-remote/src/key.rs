//! The key all nodes of a cluster and its remote daemons share.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};
use systole_tls::{Key, MAX_KEY_BYTES, TlsError};

/// Where the key is, unless `PCMK_authkey_location` says otherwise.
const KEY_PATH: &str = "/etc/pacemaker/authkey";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the key {path}")]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It holds no key.
    #[error("{path} holds no key")]
    Content {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: TlsError,
    },
}

/// Where this program's key is.
pub fn key_path() -> PathBuf {
    env::var_os("PCMK_authkey_location")
        .filter(|path| !path.is_empty())
        .map_or(KEY_PATH.into(), PathBuf::from)
}

/// The key in the file at `path`: all of its bytes.
///
/// # Errors
/// If the file cannot be read, or is too short or too long.
pub fn read_key(path: &Path) -> Result<Key, KeyError> {
    let read = || -> io::Result<Vec<u8>> {
        use io::Read;
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MAX_KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
    Key::new(bytes).map_err(|source| KeyError::Content { path: path.to_owned(), source })
}
