//! Telling how it goes: a line that changes on a terminal, plain lines in a pipe.

use std::{
    cell::RefCell,
    io::{self, IsTerminal, Write},
    time::Instant,
};

/// Progress of something that takes a while.
pub struct Progress {
    since: Instant,
    on_terminal: bool,
    shown: RefCell<String>,
}

impl Progress {
    /// Starts to count the time.
    pub fn new() -> Self {
        Progress { since: Instant::now(), on_terminal: io::stdout().is_terminal(), shown: RefCell::default() }
    }

    /// Something happened: a line that stays.
    pub fn say(&self, text: &str) {
        let clear = if self.on_terminal { "\r\x1b[K" } else { "" };
        println!("{clear}{:7.1} s  {text}", self.since.elapsed().as_secs_f64());
        self.shown.borrow_mut().clear();
    }

    /// How it stands: on a terminal in place of what stood there before, not shown at all in a pipe.
    pub fn show(&self, text: &str) {
        if !self.on_terminal || *self.shown.borrow() == text {
            return;
        }
        print!("\r\x1b[K{:7.1} s  {text}", self.since.elapsed().as_secs_f64());
        let _ = io::stdout().flush();
        text.clone_into(&mut self.shown.borrow_mut());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.shown.borrow().is_empty() {
            println!();
        }
    }
}
