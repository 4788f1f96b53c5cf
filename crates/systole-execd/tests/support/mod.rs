//! What tests of the executor's binary share.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for what has to come.
#[allow(dead_code, reason = "not every test file waits by itself")]
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What `look` finds, once it does.
///
/// # Panics
/// If it finds nothing for 20 seconds.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
