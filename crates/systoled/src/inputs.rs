//! Scheduler inputs, kept for those who want to know later why something was done: `pe-input-N.bz2` and its kin.

use bzip2::{Compression, write::BzEncoder};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread,
};
use systole_cluster::{InputKind, Level};

/// How many inputs may wait for the disk; more are not kept.
const MAX_WAITING: usize = 4;

/// How many files each series may have; then numbers start over. Source: the defaults of `pe-input-series-max` and
/// `pe-warn-series-max`. Errors have no limit there; here they have.
fn series_max(kind: InputKind) -> u64 {
    match kind {
        InputKind::Input => 4000,
        InputKind::Warning | InputKind::Error => 5000,
    }
}

/// Keeps scheduler inputs in the background; whether that works is of no consequence for the cluster.
pub(crate) struct Inputs(SyncSender<(InputKind, u64, String)>);

impl Inputs {
    pub(crate) fn start(dir: PathBuf) -> io::Result<Self> {
        let (sender, receiver) = sync_channel::<(InputKind, u64, String)>(MAX_WAITING);
        thread::Builder::new().name("inputs".to_owned()).spawn(move || {
            while let Ok((kind, transition, xml)) = receiver.recv() {
                let (level, message) = match keep(&dir, kind, &xml) {
                    Ok(path) => (
                        Level::Notice,
                        format!("transition {transition}: its input is in {}", path.display()),
                    ),
                    Err(error) => (
                        Level::Warning,
                        format!("transition {transition}: its input cannot be kept: {error}"),
                    ),
                };
                systole_link::log_line("systoled", level, &message);
            }
        })?;
        Ok(Self(sender))
    }

    pub(crate) fn keep(&self, kind: InputKind, transition: u64, xml: String) {
        if let Err(TrySendError::Full(_)) = self.0.try_send((kind, transition, xml)) {
            let message = format!("transition {transition}: its input is not kept, the disk is too slow");
            systole_link::log_line("systoled", Level::Warning, &message);
        }
    }
}

/// Writes `xml` under the series' next number, as Pacemaker does: `SERIES.last` holds the number to use.
fn keep(dir: &Path, kind: InputKind, xml: &str) -> io::Result<PathBuf> {
    let series = kind.series();
    let last = dir.join(format!("{series}.last"));
    let number = read_number(&last) % series_max(kind);
    let path = dir.join(format!("{series}-{number}.bz2"));
    let temporary = dir.join(format!(".{series}.new"));
    let mut encoder = BzEncoder::new(fs::File::create(&temporary)?, Compression::best());
    encoder.write_all(xml.as_bytes())?;
    encoder.finish()?;
    fs::rename(&temporary, &path)?;
    fs::write(&last, ((number + 1) % series_max(kind)).to_string())?;
    Ok(path)
}

/// The number in a `.last` file; 0 if there is none.
pub(crate) fn read_number(path: &Path) -> u64 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn inputs_are_numbered_and_can_be_read_again() {
        let dir = std::env::temp_dir().join(format!("systole-inputs-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("directory");
        assert_eq!(keep(&dir, InputKind::Input, "<cib/>").expect("kept"), dir.join("pe-input-0.bz2"));
        assert_eq!(keep(&dir, InputKind::Input, "<cib a='1'/>").expect("kept"), dir.join("pe-input-1.bz2"));
        assert_eq!(keep(&dir, InputKind::Error, "<cib/>").expect("kept"), dir.join("pe-error-0.bz2"));
        let mut text = String::new();
        let file = fs::File::open(dir.join("pe-input-1.bz2")).expect("file");
        bzip2::read::BzDecoder::new(file).read_to_string(&mut text).expect("bzip2");
        assert_eq!(text, "<cib a='1'/>");
        fs::write(dir.join("pe-input.last"), "3999").expect("last");
        keep(&dir, InputKind::Input, "<cib/>").expect("kept");
        assert_eq!(keep(&dir, InputKind::Input, "<cib/>").expect("kept"), dir.join("pe-input-0.bz2"));
        fs::remove_dir_all(&dir).expect("remove");
    }
}
