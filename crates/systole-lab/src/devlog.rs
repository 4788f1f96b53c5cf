//! `/dev/log`: what agents and services on a node say to syslog, kept in `/var/log/syslog`.

use anyhow::{Context, Result};
use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    thread,
};

const SOCKET: &str = "/dev/log";
const LOG: &str = "/var/log/syslog";

/// A full log is renamed to `syslog.1`, over the one before.
const MAX_LOG_BYTES: u64 = 16 << 20;

/// The longest message kept whole.
const MAX_MESSAGE_BYTES: usize = 8 << 10;

/// Opens `/dev/log` and starts to write down what comes.
///
/// # Errors
/// If the socket or the log cannot be made.
pub fn start() -> Result<()> {
    let socket = UnixDatagram::bind(SOCKET).context("cannot open /dev/log")?;
    fs::set_permissions(SOCKET, Permissions::from_mode(0o666)).context("cannot open /dev/log to all")?;
    let mut log = open()?;
    thread::spawn(move || {
        let mut buffer = vec![0; MAX_MESSAGE_BYTES];
        while let Ok(length) = socket.recv(&mut buffer) {
            let _ = log.write_all(without_priority(&buffer[..length]).trim_ascii_end());
            let _ = log.write_all(b"\n");
            if log.metadata().is_ok_and(|meta| meta.len() > MAX_LOG_BYTES) {
                let _ = fs::rename(LOG, format!("{LOG}.1"));
                let Ok(fresh) = open() else { return };
                log = fresh;
            }
        }
    });
    Ok(())
}

fn open() -> Result<File> {
    File::options().create(true).append(true).open(LOG).with_context(|| format!("cannot open {LOG}"))
}

/// `<30>Nov 22 ...` less `<30>`.
fn without_priority(message: &[u8]) -> &[u8] {
    match message.iter().position(|byte| *byte == b'>') {
        Some(end) if message.first() == Some(&b'<') && message[1..end].iter().all(u8::is_ascii_digit) => {
            &message[end + 1..]
        }
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_taken_off() {
        for (message, text) in [("<30>Nov 1 x", "Nov 1 x"), ("x > y", "x > y"), ("<x>y", "<x>y"), ("", "")] {
            assert_eq!(without_priority(message.as_bytes()), text.as_bytes());
        }
    }
}
