//! What is kept of an agent's output.

use std::collections::VecDeque;

/// What agents put before the reason of a failure, on standard error; they learn it from `OCF_EXIT_REASON_PREFIX`.
pub(crate) const EXIT_REASON_PREFIX: &str = "ocf-exit-reason:";

/// The beginning or the end of a stream, up to a limit.
pub(crate) struct Capture {
    kept: VecDeque<u8>,
    limit: usize,
    keep: Keep,
}

/// Which end of a stream matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    First,
    Last,
}

impl Capture {
    pub(crate) fn new(keep: Keep, limit: usize) -> Self {
        Self { kept: VecDeque::new(), limit, keep }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self.keep {
            Keep::First => {
                let room = self.limit - self.kept.len();
                self.kept.extend(&bytes[..bytes.len().min(room)]);
            }
            Keep::Last => {
                self.kept.extend(bytes);
                let excess = self.kept.len().saturating_sub(self.limit);
                self.kept.drain(..excess);
            }
        }
    }

    pub(crate) fn into_text(self) -> String {
        String::from_utf8_lossy(&Vec::from(self.kept)).into_owned()
    }
}

/// The last reason given in `stderr`, to the end of its line.
pub(crate) fn exit_reason(stderr: &str) -> String {
    stderr
        .rsplit_once(EXIT_REASON_PREFIX)
        .and_then(|(_, rest)| rest.lines().next())
        .map(|reason| reason.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_kept_up_to_its_limit() {
        for (keep, kept) in [(Keep::First, "abcd"), (Keep::Last, "efgh")] {
            let mut capture = Capture::new(keep, 4);
            capture.push(b"abc");
            capture.push(b"defgh");
            assert_eq!(capture.into_text(), kept);
        }
    }

    #[test]
    fn the_last_exit_reason_counts() {
        for (stderr, reason) in [
            ("", ""),
            ("noise\n", ""),
            ("ocf-exit-reason:no such image\n", "no such image"),
            ("ocf-exit-reason:first\nmore\nocf-exit-reason: second \nmore\n", "second"),
        ] {
            assert_eq!(exit_reason(stderr), reason);
        }
    }
}
