//! A client that writes again and again, and notes what was acknowledged.

use anyhow::{Result, ensure};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a write may take before it counts as failed.
pub const WRITE_WITHIN: Duration = Duration::from_secs(2);

/// Something that can be written to.
pub trait Store: Send + 'static {
    /// Writes `number`; when this returns, it was acknowledged.
    ///
    /// # Errors
    /// If it was not.
    fn write(&mut self, number: u64) -> Result<Promise>;
}

/// What an acknowledgement is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The write outlives any one fault.
    Kept,
    /// It does if the copy that took it does.
    Hoped,
}

/// A client at work.
pub struct Writer {
    stop: Arc<AtomicBool>,
    written: Arc<Mutex<Written>>,
    thread: Option<JoinHandle<()>>,
}

/// What a client got written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The numbers that were acknowledged for good.
    pub promised: BTreeSet<u64>,
    /// Those that were acknowledged by a copy that may take them along.
    pub hoped: BTreeSet<u64>,
    /// How many writes failed.
    pub n_failures: usize,
    /// The longest time between two acknowledged writes.
    pub longest_gap: Duration,
    last: Instant,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} writes acknowledged, {} failed, none for {:.1} s at most",
            self.n_acknowledged(),
            self.n_failures,
            self.longest_gap.as_secs_f64()
        )
    }
}

impl Writer {
    /// Starts to write 1, 2, 3, ... to `store`.
    pub fn start(mut store: impl Store) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(Mutex::new(Written {
            promised: BTreeSet::new(),
            hoped: BTreeSet::new(),
            n_failures: 0,
            longest_gap: Duration::ZERO,
            last: Instant::now(),
        }));
        let (stopped, noted) = (Arc::clone(&stop), Arc::clone(&written));
        let thread = thread::spawn(move || {
            for number in 1.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let outcome = store.write(number).ok();
                noted.lock().expect("no thread panics with the lock held").note(number, outcome);
                thread::sleep(PAUSE);
            }
        });
        Writer { stop, written, thread: Some(thread) }
    }

    /// Waits until another write is acknowledged.
    ///
    /// # Errors
    /// If none is in time.
    pub fn wait_for_more(&self, patience: Duration) -> Result<()> {
        let before = self.so_far().n_acknowledged();
        crate::lab::wait_until("a write is acknowledged", patience, || {
            ensure!(self.so_far().n_acknowledged() > before, "none was");
            Ok(())
        })
        .map(drop)
    }

    fn so_far(&self) -> Written {
        self.written.lock().expect("no thread panics with the lock held").clone()
    }

    /// Ends the client and returns what it got written.
    pub fn stop(mut self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.so_far()
    }
}

impl Written {
    /// How many writes were acknowledged.
    pub fn n_acknowledged(&self) -> usize {
        self.promised.len() + self.hoped.len()
    }

    fn note(&mut self, number: u64, outcome: Option<Promise>) {
        match outcome {
            Some(Promise::Kept) => self.promised.insert(number),
            Some(Promise::Hoped) => self.hoped.insert(number),
            None => {
                self.n_failures += 1;
                return;
            }
        };
        self.longest_gap = self.longest_gap.max(self.last.elapsed());
        self.last = Instant::now();
    }
}
