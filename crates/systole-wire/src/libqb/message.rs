//! The messages that follow: libqb's header with Pacemaker's behind it, then text closed by a zero byte.
//!
//! Pacemaker's header has two forms. Until 3.0.0 a message that is too long is compressed; since 3.0.1 it comes in parts. A
//! tool is answered in the form it speaks itself.

use super::{i32_at, put, u32_at};
use std::io::{Read, Write};

/// The longest text of a message, in bytes. What is longer would not go through the connection to the cluster either.
pub const MAX_TEXT: usize = 16 << 20;

/// The length of both headers together, in either form.
const HEADER_BYTES: usize = 40;

/// The longest datagram tools are ready for that take messages in parts; they ask for no other.
const PART_BYTES: usize = 128 << 10;

/// How many times shorter text may become when it is compressed; where that would not do, the time it takes is saved.
const MOST_COMPRESSED: usize = 100;

/// The newest version of Pacemaker's header.
const VERSION: u8 = 1;

/// The message number with which a tool says goodbye.
const DISCONNECT: i32 = -3;

/// Flags in Pacemaker's header.
mod flag {
    pub const COMPRESSED: u32 = 1;
    pub const EVENT: u32 = 1 << 16;
    pub const PART: u32 = 1 << 19;
    pub const LAST_PART: u32 = 1 << 20;
}

/// The form of Pacemaker's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Lengths with and without compression, flags, version.
    Compressing,
    /// Length, flags, version, number of the part.
    Parts,
}

/// What a tool asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The request's number.
    pub id: i32,
    /// Its flags, as [`crate::remote::proxy::WANTS_RESPONSE`].
    pub flags: u32,
    /// An XML element, as far as is known.
    pub text: String,
}

/// Bytes that are no message. The connection is of no more use then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The tool has said goodbye.
    #[error("the tool has disconnected")]
    Goodbye,
    /// A datagram's header and its length contradict each other.
    #[error("a message's header contradicts its length")]
    Lengths,
    /// The header is of a version nobody knows.
    #[error("a message's header is of a version that is not known here")]
    Version,
    /// Parts that do not belong together.
    #[error("a part of a message does not follow the last one")]
    Order,
    /// The message is longer than [`MAX_TEXT`].
    #[error("a message is longer than {MAX_TEXT} bytes")]
    TooLong,
    /// The text does not decompress to what the header says.
    #[error("a compressed message cannot be read")]
    Compression,
    /// Not text closed by a zero byte.
    #[error("a message is not text")]
    Text,
    /// Not even compressed does the text go into a datagram.
    #[error("an answer of {0} bytes is too long for the tool")]
    AnswerTooLong(usize),
}

/// What a tool is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// The answer to the request with this number.
    Response(i32),
    /// Something else; such messages are counted.
    Event(i32),
}

/// What comes from one tool: datagrams are put together to messages, of which one is held at most.
#[derive(Debug, Default)]
pub struct Inbox {
    form: Option<Form>,
    parts: Option<Parts>,
}

#[derive(Debug)]
struct Parts {
    id: i32,
    flags: u32,
    next: u16,
    text: Vec<u8>,
}

/// What both headers of a datagram say.
struct Header {
    form: Form,
    id: i32,
    flags: u32,
    /// Bytes after the headers.
    length: usize,
    /// Bytes these become, if they are compressed.
    uncompressed: Option<usize>,
    part: u16,
}

impl Header {
    fn read(datagram: &[u8]) -> Result<Self, MessageError> {
        let number = |at: usize| u32_at(datagram, at).ok_or(MessageError::Lengths);
        let size = |at: usize| number(at).map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let id = i32_at(datagram, 0).ok_or(MessageError::Lengths)?;
        if id == DISCONNECT {
            return Err(MessageError::Goodbye);
        }
        if datagram.len() < HEADER_BYTES || size(8)? != datagram.len() {
            return Err(MessageError::Lengths);
        }
        // The newer form is padded with zeros where the older one has its version, which is not 0.
        let header = match (datagram[36], datagram[32]) {
            (VERSION, _) => {
                let compressed = size(28)?;
                let (length, uncompressed) =
                    if compressed == 0 { (size(24)?, None) } else { (compressed, Some(size(24)?)) };
                Self { form: Form::Compressing, id, flags: number(32)?, length, uncompressed, part: 0 }
            }
            (0, VERSION) => {
                let part = u16::from_ne_bytes([datagram[34], datagram[35]]);
                let (length, flags) = (size(24)?, number(28)?);
                Self { form: Form::Parts, id, flags, length, uncompressed: None, part }
            }
            _ => return Err(MessageError::Version),
        };
        let is_whole = header.length > 0 && datagram.len() - HEADER_BYTES == header.length;
        if is_whole { Ok(header) } else { Err(MessageError::Lengths) }
    }
}

impl Inbox {
    /// Takes a datagram; a message if it was the last one of it.
    ///
    /// # Errors
    /// If the datagram is no message or part of one; nothing after it can be trusted.
    pub fn take(&mut self, datagram: &[u8]) -> Result<Option<Message>, MessageError> {
        let header = Header::read(datagram)?;
        let bytes = &datagram[HEADER_BYTES..];
        self.form = Some(header.form);
        if header.form == Form::Parts && header.flags & flag::PART != 0 {
            return self.take_part(&header, bytes);
        }
        if self.parts.is_some() {
            return Err(MessageError::Order);
        }
        let text = match header.uncompressed {
            None => bytes.to_vec(),
            Some(length) => decompress(bytes, length)?,
        };
        Ok(Some(Message { id: header.id, flags: header.flags & !flag::COMPRESSED, text: closed(text)? }))
    }

    fn take_part(&mut self, header: &Header, bytes: &[u8]) -> Result<Option<Message>, MessageError> {
        let first = Parts { id: header.id, flags: header.flags, next: 0, text: Vec::new() };
        let mut parts = self.parts.take().unwrap_or(first);
        if header.id != parts.id || header.part != parts.next {
            return Err(MessageError::Order);
        }
        // Each part is closed by a zero byte, which counts in the last one only.
        let (Some(0), text) = (bytes.last(), &bytes[..bytes.len() - 1]) else {
            return Err(MessageError::Text);
        };
        if parts.text.len() + text.len() > MAX_TEXT {
            return Err(MessageError::TooLong);
        }
        parts.text.extend_from_slice(text);
        if header.flags & flag::LAST_PART == 0 {
            parts.next = parts.next.checked_add(1).ok_or(MessageError::TooLong)?;
            self.parts = Some(parts);
            return Ok(None);
        }
        let flags = parts.flags & !(flag::PART | flag::LAST_PART);
        let text = String::from_utf8(parts.text).map_err(|_| MessageError::Text)?;
        Ok(Some(Message { id: parts.id, flags, text }))
    }

    /// The datagrams that tell the tool `text`, none longer than `max_datagram`.
    ///
    /// # Errors
    /// If the text is too long for this tool.
    pub fn write(
        &self,
        outgoing: Outgoing,
        text: &str,
        max_datagram: usize,
    ) -> Result<Vec<Vec<u8>>, MessageError> {
        let (id, flags) = match outgoing {
            Outgoing::Response(id) => (id, 0),
            Outgoing::Event(id) => (id, flag::EVENT),
        };
        // A tool is not told anything before it has spoken; what asks for no form is of the older kind.
        match self.form.unwrap_or(Form::Compressing) {
            Form::Compressing => Ok(vec![whole(id, flags, text, max_datagram)?]),
            Form::Parts => in_parts(id, flags, text, max_datagram.min(PART_BYTES)),
        }
    }
}

fn whole(id: i32, flags: u32, text: &str, max_datagram: usize) -> Result<Vec<u8>, MessageError> {
    let length = text.len() + 1;
    let mut bytes = [text.as_bytes(), &[0]].concat();
    let mut compressed = 0;
    // Strictly shorter: a tool whose buffer is just full takes the message for a cut one.
    if HEADER_BYTES + length >= max_datagram {
        if length / MOST_COMPRESSED > max_datagram {
            return Err(MessageError::AnswerTooLong(text.len()));
        }
        bytes = compress(&bytes);
        compressed = bytes.len();
        if HEADER_BYTES + compressed >= max_datagram {
            return Err(MessageError::AnswerTooLong(text.len()));
        }
    }
    let flags = if compressed > 0 { flags | flag::COMPRESSED } else { flags };
    let mut datagram = header(id, bytes.len());
    put(&mut datagram, 24, &to_u32(length).to_ne_bytes());
    put(&mut datagram, 28, &to_u32(compressed).to_ne_bytes());
    put(&mut datagram, 32, &flags.to_ne_bytes());
    datagram[36] = VERSION;
    datagram.extend_from_slice(&bytes);
    Ok(datagram)
}

fn in_parts(id: i32, flags: u32, text: &str, max_datagram: usize) -> Result<Vec<Vec<u8>>, MessageError> {
    let room = max_datagram.saturating_sub(HEADER_BYTES + 1).max(1);
    // One that just fits would be taken for a first part that has more to come.
    let is_whole = text.len() < room;
    let mut chunks: Vec<&[u8]> = text.as_bytes().chunks(room).collect();
    if is_whole || text.len().is_multiple_of(room) {
        // The last part is never full, and an empty text is a message, too.
        chunks.truncate(if is_whole { 1 } else { chunks.len() });
        if chunks.is_empty() || !is_whole {
            chunks.push(&[]);
        }
    }
    let n_chunks = chunks.len();
    let mut datagrams = Vec::with_capacity(n_chunks);
    for (idx, chunk) in chunks.into_iter().enumerate() {
        let part = u16::try_from(idx).map_err(|_| MessageError::AnswerTooLong(text.len()))?;
        let flags = match (is_whole, idx + 1 == n_chunks) {
            (true, _) => flags,
            (false, false) => flags | flag::PART,
            (false, true) => flags | flag::PART | flag::LAST_PART,
        };
        let mut datagram = header(id, chunk.len() + 1);
        put(&mut datagram, 24, &to_u32(chunk.len() + 1).to_ne_bytes());
        put(&mut datagram, 28, &flags.to_ne_bytes());
        datagram[32] = VERSION;
        put(&mut datagram, 34, &part.to_ne_bytes());
        datagram.extend_from_slice(chunk);
        datagram.push(0);
        datagrams.push(datagram);
    }
    Ok(datagrams)
}

/// Both headers, with libqb's filled in, for `length` bytes after them.
fn header(id: i32, length: usize) -> Vec<u8> {
    let mut datagram = vec![0; HEADER_BYTES];
    put(&mut datagram, 0, &id.to_ne_bytes());
    put(&mut datagram, 8, &to_u32(HEADER_BYTES + length).to_ne_bytes());
    datagram
}

fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The text without the zero byte that closes it.
fn closed(mut bytes: Vec<u8>) -> Result<String, MessageError> {
    if bytes.pop() != Some(0) {
        return Err(MessageError::Text);
    }
    String::from_utf8(bytes).map_err(|_| MessageError::Text)
}

/// Never more than the header promised is written down, whatever the bytes would become.
fn decompress(bytes: &[u8], length: usize) -> Result<Vec<u8>, MessageError> {
    if length > MAX_TEXT {
        return Err(MessageError::TooLong);
    }
    let mut text = Vec::new();
    bzip2::read::BzDecoder::new(bytes)
        .take(length as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|_| MessageError::Compression)?;
    if text.len() == length { Ok(text) } else { Err(MessageError::Compression) }
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    // Writing into memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests;
