//! Bytes from a remote daemon or a cluster node, inside TLS: envelopes, or (by the first byte) the text in one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_wire::remote::{Decoder, FromRemote, ToRemote, frame::HEADER_BYTES};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    if choice % 2 == 0 {
        if let Ok(text) = std::str::from_utf8(bytes) {
            read(text);
        }
        return;
    }
    let whole = messages(bytes, bytes.len().max(1));
    let pieces = messages(bytes, usize::from(choice / 2) + 1);
    assert_eq!(whole, pieces, "what comes does not depend on how it comes");
    whole.iter().for_each(|text| read(text));
});

/// The messages in `bytes`, taken in by so many at a time.
fn messages(bytes: &[u8], at_once: usize) -> Vec<String> {
    let mut decoder = Decoder::default();
    let mut texts = Vec::new();
    for piece in bytes.chunks(at_once) {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(text)) => texts.push(text),
                Ok(None) => break,
                Err(_) => return texts,
            }
        }
    }
    assert!(texts.len() <= bytes.len() / HEADER_BYTES);
    texts
}

/// What was understood is understood the same once it is written down.
fn read(text: &str) {
    if let Ok(call) = ToRemote::parse(text) {
        let again = ToRemote::parse(&call.to_text()).expect("a call that was written is read");
        assert_eq!(again, ToRemote::parse(&again.to_text()).expect("again"));
    }
    if let Ok(message) = FromRemote::parse(text) {
        let again = FromRemote::parse(&message.to_text()).expect("a message that was written is read");
        assert_eq!(again, FromRemote::parse(&again.to_text()).expect("again"));
    }
}
