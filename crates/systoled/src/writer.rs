//! The thread that puts the CIB on disk, so that a slow disk does not stop the cluster.

use crate::store::{CibStore, describe};
use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use systole_cluster::{Event, Snapshot, Token};
use systole_link::Waker;

/// Holds at most one snapshot that waits (the newest: it makes the older ones needless) and the results since last asked.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Option<(Token, Snapshot)>,
    results: Vec<Event>,
    busy: bool,
}

impl Writer {
    /// Starts the thread; `waker` tells the loop that there is a result.
    pub(crate) fn start(mut store: CibStore, waker: Waker) -> io::Result<Self> {
        let writer = Self(Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() }));
        let shared = writer.clone();
        thread::Builder::new().name("cib-writer".to_owned()).spawn(move || {
            loop {
                let (token, snapshot) = shared.next();
                let event = match store.write(&snapshot) {
                    Ok(()) => Event::Durable(token),
                    Err(error) => Event::DiskFailed { token, error: describe(&error) },
                };
                let mut state = shared.lock();
                state.results.push(event);
                state.busy = false;
                drop(state);
                shared.0.changed.notify_all();
                waker.wake();
            }
        })?;
        Ok(writer)
    }

    pub(crate) fn write(&self, token: Token, snapshot: Snapshot) {
        self.lock().waiting = Some((token, snapshot));
        self.0.changed.notify_all();
    }

    /// What became of writes since the last call.
    pub(crate) fn results(&self) -> Vec<Event> {
        std::mem::take(&mut self.lock().results)
    }

    /// Waits until everything is on disk or has failed, `patience` at most. Whether it came to that.
    pub(crate) fn finish(&self, patience: Duration) -> bool {
        let is_at_work = |state: &mut State| state.busy || state.waiting.is_some();
        let waited = self.0.changed.wait_timeout_while(self.lock(), patience, is_at_work);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn next(&self) -> (Token, Snapshot) {
        let mut state = self.lock();
        loop {
            if let Some(waiting) = state.waiting.take() {
                state.busy = true;
                return waiting;
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
