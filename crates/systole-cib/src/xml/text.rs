//! The text that all values of a document are stretches of.

use super::document::{Span, to_u32};
use std::sync::Arc;

/// What was read, which copies of a document share, and behind it what was added since.
#[derive(Clone, Default)]
pub(super) struct Text {
    read: Arc<String>,
    added: String,
}

impl Text {
    pub fn new(read: String) -> Self {
        Self { read: Arc::new(read), added: String::new() }
    }

    pub fn len(&self) -> usize {
        self.read.len() + self.added.len()
    }

    pub fn read(&self) -> &str {
        &self.read
    }

    pub fn slice(&self, span: Span) -> &str {
        let (start, len) = (span.start as usize, span.len as usize);
        match start.checked_sub(self.read.len()) {
            // A value of no length may stand at the very end of what was read.
            Some(start) => &self.added[start..start + len],
            None => &self.read[start..start + len],
        }
    }

    pub fn push(&mut self, text: &str) -> Span {
        let start = to_u32(self.len());
        self.added.push_str(text);
        to_u32(self.len());
        Span { start, len: to_u32(text.len()) }
    }
}
