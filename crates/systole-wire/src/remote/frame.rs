//! The envelope of a message: a header of fixed length, then the text, closed by a zero byte, perhaps compressed.
//!
//! Numbers are in the sender's byte order; a mark at the beginning tells which. A header and its payload go into TLS
//! records of their own: a stock peer would wait for more if it found both in one.

use std::io::Read;

/// The length of a header.
pub const HEADER_BYTES: usize = 40;

/// The longest message accepted, header included, compressed or not. The same as Pacemaker 3.0's limit.
pub const MAX_MESSAGE_BYTES: usize = 20 << 20;

/// The first four bytes of a header.
const ENDIAN_MARK: u32 = 0xBADA_DBBD;

/// The version in the headers that are written here.
const HEADER_VERSION: u32 = 1;

/// A message ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// For one TLS record.
    pub header: [u8; HEADER_BYTES],
    /// For others.
    pub payload: Vec<u8>,
}

/// Bytes that are no message. The connection is of no more use then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header's mark is missing.
    #[error("a message begins with {0:#010x} instead of the mark of Pacemaker Remote")]
    Mark(u32),
    /// The header's lengths contradict each other.
    #[error("a message's header contradicts itself")]
    Lengths,
    /// The message is longer than [`MAX_MESSAGE_BYTES`].
    #[error("a message of {0} bytes is longer than {MAX_MESSAGE_BYTES} bytes")]
    TooLong(u64),
    /// The payload does not decompress to what the header says.
    #[error("a compressed message cannot be read")]
    Compression,
    /// The payload is not text closed by a zero byte.
    #[error("a message is not text")]
    Text,
}

impl Frame {
    /// Wraps up `text`; `id` counts the messages of a connection.
    pub fn new(id: u64, text: &str) -> Self {
        let mut payload = Vec::with_capacity(text.len() + 1);
        payload.extend_from_slice(text.as_bytes());
        payload.push(0);
        let mut header = [0; HEADER_BYTES];
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &ENDIAN_MARK.to_le_bytes());
        put(4, &HEADER_VERSION.to_le_bytes());
        put(8, &id.to_le_bytes());
        put(24, &(length.saturating_add(HEADER_BYTES as u32)).to_le_bytes());
        put(28, &(HEADER_BYTES as u32).to_le_bytes());
        put(36, &length.to_le_bytes());
        Self { header, payload }
    }

    /// Whether a peer would take a message with this text.
    pub fn fits(text: &str) -> bool {
        text.len() + 1 + HEADER_BYTES <= MAX_MESSAGE_BYTES
    }
}

/// What a header says, in our byte order.
struct Header {
    total: usize,
    compressed: usize,
    uncompressed: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let raw = |at: usize| <[u8; 4]>::try_from(&bytes[at..at + 4]).expect("a header has 40 bytes");
        let mark = u32::from_le_bytes(raw(0));
        let is_little = match mark {
            ENDIAN_MARK => true,
            mark if mark == ENDIAN_MARK.swap_bytes() => false,
            other => return Err(FrameError::Mark(other)),
        };
        let number = |at: usize| {
            let number = if is_little { u32::from_le_bytes(raw(at)) } else { u32::from_be_bytes(raw(at)) };
            u64::from(number)
        };
        let (total, offset, compressed, uncompressed) = (number(24), number(28), number(32), number(36));
        let payload = if compressed == 0 { uncompressed } else { compressed };
        if offset != HEADER_BYTES as u64 || total != offset + payload || uncompressed == 0 {
            return Err(FrameError::Lengths);
        }
        let longest = total.max(offset + uncompressed);
        if longest > MAX_MESSAGE_BYTES as u64 {
            return Err(FrameError::TooLong(longest));
        }
        let size = |number: u64| usize::try_from(number).map_err(|_| FrameError::Lengths);
        Ok(Self { total: size(total)?, compressed: size(compressed)?, uncompressed: size(uncompressed)? })
    }

    /// The text of the payload `bytes`.
    fn text(&self, bytes: &[u8]) -> Result<String, FrameError> {
        let mut payload = if self.compressed == 0 { bytes.to_vec() } else { self.decompress(bytes)? };
        if payload.pop() != Some(0) {
            return Err(FrameError::Text);
        }
        String::from_utf8(payload).map_err(|_| FrameError::Text)
    }

    /// Never more than the header promised is written down, whatever the compressed bytes would become.
    fn decompress(&self, bytes: &[u8]) -> Result<Vec<u8>, FrameError> {
        let mut payload = Vec::new();
        bzip2::read::BzDecoder::new(bytes)
            .take(self.uncompressed as u64 + 1)
            .read_to_end(&mut payload)
            .map_err(|_| FrameError::Compression)?;
        if payload.len() == self.uncompressed { Ok(payload) } else { Err(FrameError::Compression) }
    }
}

/// Cuts a stream of bytes into messages. It never holds more than one message and what came with it.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Where the next message begins.
    start: usize,
}

impl Decoder {
    /// Takes what has come in. Call [`Self::next`] until it has nothing more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The text of the next message, if it is there in full.
    ///
    /// # Errors
    /// If what came is no message; nothing after it can be trusted.
    #[expect(clippy::should_implement_trait, reason = "an iterator would not be at its end after None")]
    pub fn next(&mut self) -> Result<Option<String>, FrameError> {
        let bytes = &self.bytes[self.start..];
        if bytes.len() < HEADER_BYTES {
            return Ok(None);
        }
        let header = Header::read(bytes)?;
        let Some(payload) = bytes.get(HEADER_BYTES..header.total) else { return Ok(None) };
        let text = header.text(payload)?;
        self.start += header.total;
        Ok(Some(text))
    }

    /// Whether a message has begun and not ended: a peer that goes away now was cut off.
    pub fn is_inside_message(&self) -> bool {
        self.start < self.bytes.len()
    }
}
