//! What processes of the group say to each other: a state, or a piece of a payload.

use crate::agreement::State;

/// The longest piece of a payload. Corosync takes a megabyte; pieces this small let others have their turn.
pub const MAX_PIECE: usize = 64 << 10;

/// The longest payload that is put together again: as much as the hub takes in one message.
const MAX_PAYLOAD: usize = systole_hub::LIMITS.line;

const STATE: u8 = b'S';
const PIECE: u8 = b'P';
const LAST: u8 = b'L';

/// One message of the group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame<'a> {
    State(State),
    Piece { starts: bool, ends: bool, bytes: &'a [u8] },
}

impl<'a> Frame<'a> {
    /// The frame in `bytes`; `None` if it is of a kind or form that is not known here, as newer members may send.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        match bytes {
            [STATE, json @ ..] => serde_json::from_slice(json).ok().map(Frame::State),
            [kind @ (PIECE | LAST), starts @ (0 | 1), bytes @ ..] => {
                Some(Frame::Piece { starts: *starts == 1, ends: *kind == LAST, bytes })
            }
            _ => None,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        match self {
            Frame::State(state) => {
                let mut bytes = vec![STATE];
                serde_json::to_writer(&mut bytes, state).expect("a state is a map with text keys");
                bytes
            }
            Frame::Piece { starts, ends, bytes } => {
                let mut frame = Vec::with_capacity(bytes.len() + 2);
                frame.extend([if *ends { LAST } else { PIECE }, u8::from(*starts)]);
                frame.extend_from_slice(bytes);
                frame
            }
        }
    }
}

/// The piece of `payload` that begins at `offset`.
pub(crate) fn piece(payload: &[u8], offset: usize) -> Frame<'_> {
    let end = payload.len().min(offset + MAX_PIECE);
    Frame::Piece { starts: offset == 0, ends: end == payload.len(), bytes: &payload[offset..end] }
}

/// A payload that is being put together.
#[derive(Debug, Default)]
pub(crate) struct Assembly(Option<Vec<u8>>);

impl Assembly {
    /// Takes a piece; returns the payload if it was the last. Pieces without a beginning are passed over.
    pub fn take(&mut self, starts: bool, ends: bool, bytes: &[u8]) -> Option<Vec<u8>> {
        if starts {
            self.0 = Some(Vec::new());
        }
        let payload = self.0.as_mut()?;
        if payload.len() + bytes.len() > MAX_PAYLOAD {
            self.0 = None;
            return None;
        }
        payload.extend_from_slice(bytes);
        if ends { self.0.take() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(payload: &[u8]) -> Vec<Vec<u8>> {
        let offsets = (0..payload.len().max(1)).step_by(MAX_PIECE);
        offsets.map(|offset| piece(payload, offset).encode()).collect()
    }

    fn put_together(frames: &[Vec<u8>]) -> Option<Vec<u8>> {
        let mut assembly = Assembly::default();
        frames.iter().fold(None, |_, bytes| match Frame::decode(bytes) {
            Some(Frame::Piece { starts, ends, bytes }) => assembly.take(starts, ends, bytes),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_payload_of_any_length_comes_out_as_it_went_in() {
        for length in [0, 1, MAX_PIECE - 1, MAX_PIECE, MAX_PIECE + 1, 5 * MAX_PIECE + 7] {
            let payload: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let frames = pieces(&payload);
            assert!(frames.iter().all(|frame| frame.len() <= MAX_PIECE + 2));
            assert_eq!(put_together(&frames), Some(payload), "{length} bytes");
        }
    }

    #[test]
    fn a_payload_whose_beginning_was_missed_is_passed_over() {
        let frames = pieces(&vec![7; 3 * MAX_PIECE]);
        assert_eq!(put_together(&frames[1..]), None);
    }

    #[test]
    fn frames_that_make_no_sense_are_passed_over() {
        for bytes in [&b""[..], b"X", b"P", b"P\x02abc", b"S{", b"S[]"] {
            assert_eq!(Frame::decode(bytes), None, "{bytes:?}");
        }
    }
}
