//! The first message in either direction, over the stream socket.

use super::{i32_at, put, u32_at};

/// The length of a greeting.
pub const GREETING_BYTES: usize = 24;

/// The length of the answer to one.
pub const ANSWER_BYTES: usize = 40 + 3 * PATH_BYTES;

/// The room for each of the three paths in an answer.
const PATH_BYTES: usize = 4096;

/// The message number of both.
const AUTHENTICATE: i32 = -1;

/// The transport an accepting answer names.
const SOCKETS: i32 = 0;

/// What a tool says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// How long messages may be that the tool is ready for, in bytes.
    pub max_message: u32,
}

/// Bytes that are no greeting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GreetingError {
    /// Too few or too many of them, or they say so themselves.
    #[error("a greeting has {GREETING_BYTES} bytes")]
    Length,
    /// Another message.
    #[error("message {0} is no greeting")]
    Other(i32),
}

impl Greeting {
    /// Reads a greeting.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, GreetingError> {
        let field = |at: usize| i32_at(bytes, at).ok_or(GreetingError::Length);
        if bytes.len() != GREETING_BYTES {
            return Err(GreetingError::Length);
        }
        match (field(0)?, usize::try_from(field(8)?)) {
            (AUTHENTICATE, Ok(GREETING_BYTES)) => {}
            (AUTHENTICATE, _) => return Err(GreetingError::Length),
            (other, _) => return Err(GreetingError::Other(other)),
        }
        let max_message = u32_at(bytes, 16).ok_or(GreetingError::Length)?;
        Ok(Self { max_message })
    }
}

/// The answer that lets a tool in: `control` is a file of [`CONTROL_BYTES`] zeros that it may write to, `sockets` what the
/// names of all four datagram sockets begin with.
pub fn accepted(control: &str, sockets: &str, max_message: u32) -> Vec<u8> {
    let mut answer = refused(0);
    put(&mut answer, 24, &SOCKETS.to_ne_bytes());
    put(&mut answer, 28, &max_message.to_ne_bytes());
    // A number of the server's own, which a tool does nothing with.
    put(&mut answer, 32, &1u64.to_ne_bytes());
    for (idx, path) in [control, sockets].into_iter().enumerate() {
        let path = &path.as_bytes()[..path.len().min(PATH_BYTES - 1)];
        put(&mut answer, 40 + idx * PATH_BYTES, path);
    }
    answer
}

/// How large the file is that [`accepted`] names: counters by which tools know how much waits in a queue. Nobody has to
/// count, and what a server reads there a tool may have written.
pub const CONTROL_BYTES: usize = 24;

/// The answer that turns a tool away, for the reason `errno`.
pub fn refused(errno: i32) -> Vec<u8> {
    let mut answer = vec![0; ANSWER_BYTES];
    put(&mut answer, 0, &AUTHENTICATE.to_ne_bytes());
    put(&mut answer, 8, &u32::try_from(ANSWER_BYTES).unwrap_or(u32::MAX).to_ne_bytes());
    put(&mut answer, 16, &(-errno).to_ne_bytes());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(id: i32, size: i32, max_message: u32) -> Vec<u8> {
        let mut bytes = vec![0; GREETING_BYTES];
        put(&mut bytes, 0, &id.to_ne_bytes());
        put(&mut bytes, 8, &size.to_ne_bytes());
        put(&mut bytes, 16, &max_message.to_ne_bytes());
        bytes
    }

    #[test]
    fn only_a_greeting_is_one() {
        assert_eq!(Greeting::read(&greeting(-1, 24, 131_072)), Ok(Greeting { max_message: 131_072 }));
        assert_eq!(Greeting::read(&greeting(1, 24, 1)), Err(GreetingError::Other(1)));
        for size in [-24, 0, 23, 25] {
            assert_eq!(Greeting::read(&greeting(-1, size, 1)), Err(GreetingError::Length), "{size}");
        }
        for length in [0, 23, 25, 48] {
            let mut bytes = greeting(-1, 24, 1);
            bytes.resize(length, 0);
            assert_eq!(Greeting::read(&bytes), Err(GreetingError::Length), "{length}");
        }
    }

    #[test]
    fn answers_have_their_fields_where_libqb_looks() {
        let answer = accepted("/dev/shm/a/control", "/b", 77);
        let number = |at: usize| i32_at(&answer, at);
        assert_eq!(answer.len(), 12_328);
        assert_eq!((number(0), number(8), number(16)), (Some(-1), Some(12_328), Some(0)));
        assert_eq!((number(24), number(28)), (Some(0), Some(77)));
        assert_eq!(&answer[40..59], b"/dev/shm/a/control\0");
        assert_eq!(&answer[4136..4139], b"/b\0");
        assert_eq!(i32_at(&refused(121), 16), Some(-121));
    }

    #[test]
    fn a_path_without_end_leaves_room_for_its_zero() {
        let answer = accepted(&"x".repeat(5000), "/b", 1);
        assert_eq!((answer[40 + 4094], answer[40 + 4095]), (b'x', 0));
    }
}
