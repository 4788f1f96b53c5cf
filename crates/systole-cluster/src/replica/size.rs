//! Whether a configuration can be sent: a message between nodes is one line, and cluster layers take no longer ones than 64 MiB.

use systole_cib::{
    ops::{Failure, OpError},
    xml::{Document, Element},
};

/// How much a configuration may take in a message. What the cluster adds by itself (histories, the ledger) has the rest.
const MAX_SENT: usize = 32 << 20;

/// Refuses a configuration that could not be sent to a node which joins. One that was too large before may become smaller.
pub(super) fn check(old: &Document, new: &Document) -> Result<(), OpError> {
    check_within(MAX_SENT, old, new)
}

fn check_within(max: usize, old: &Document, new: &Document) -> Result<(), OpError> {
    let n_bytes = |cib: &Document| {
        let configuration = cib.root().child("configuration").map(Element::to_text);
        configuration.map_or(0, |text| sent(&text))
    };
    let size = n_bytes(new);
    if size <= max || size <= n_bytes(old) { Ok(()) } else { Err(too_large(size)) }
}

/// Refuses the XML of a call that could not be sent itself.
pub(super) fn check_call(xml: &str) -> Result<(), OpError> {
    Some(sent(xml)).filter(|size| *size > MAX_SENT).map_or(Ok(()), |size| Err(too_large(size)))
}

/// How many bytes a text takes in a message, which the cluster layer gets as a text within a text.
fn sent(text: &str) -> usize {
    let cost = |byte| match byte {
        b'"' | b'\\' => 4,
        b'\n' | b'\r' | b'\t' => 3,
        _ => 1,
    };
    text.bytes().map(cost).sum()
}

fn too_large(size: usize) -> OpError {
    let message = format!(
        "the configuration would take {} MiB in a message between nodes, more than the {} MiB that all of them can be sent: make it smaller",
        size.div_ceil(1 << 20),
        MAX_SENT >> 20
    );
    OpError { failure: Failure::Invalid, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_what_it_takes_in_a_text_within_a_text() {
        for text in ["", "<cib a=\"1\">\n\t</cib>\n", "ä\\\"", "plain"] {
            let once = serde_json::to_string(text).expect("a text");
            let twice = serde_json::to_string(&once).expect("a text");
            // Less the quotes around the inner text, escaped, and around the outer one.
            assert_eq!(sent(text), twice.len() - 6, "{text:?}");
        }
    }

    #[test]
    fn a_configuration_may_not_grow_beyond_what_can_be_sent() {
        let cib = |n_bytes: usize| {
            let text = format!("<cib><configuration><!--{}--></configuration></cib>", "x".repeat(n_bytes));
            Document::parse(text).expect("it is XML")
        };
        let (small, large, larger) = (cib(1000), cib(2000), cib(3000));
        for (old, new, is_taken) in [
            (&small, &small, true),
            (&small, &large, false),
            (&larger, &large, true),
            (&large, &large, true),
            (&larger, &small, true),
        ] {
            assert_eq!(check_within(1500, old, new).is_ok(), is_taken);
        }
        assert!(check(&small, &larger).is_ok());
        let refused = too_large(MAX_SENT + 1).message;
        assert!(refused.contains("33 MiB") && refused.contains("32 MiB"), "{refused}");
    }
}
