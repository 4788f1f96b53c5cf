//! Framing: one JSON object a line.

use serde::{Serialize, de::DeserializeOwned};

/// The longest line accepted. A whole CIB travels as one line.
pub const MAX_FRAME_BYTES: usize = 256 << 20;

/// A line that is not the message it should be.
#[derive(Debug, thiserror::Error)]
#[error("cannot read a {expected} message")]
pub struct FrameError {
    /// The type that was expected.
    pub expected: &'static str,
    /// What is wrong with the line.
    #[source]
    pub source: serde_json::Error,
}

/// `message` as a line, its end included.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("messages are maps with text keys");
    line.push(b'\n');
    line
}

/// The message on `line`.
///
/// # Errors
/// If the line is not JSON, or not of this type.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(line).map_err(|source| FrameError {
        expected: std::any::type_name::<T>().rsplit("::").next().unwrap_or("?"),
        source,
    })
}
