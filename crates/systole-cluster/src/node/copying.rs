//! How the replica that won gets to the members that do not have it: whole, but in parts, since a message is one line and cluster layers
//! take no longer ones than 64 MiB. Each part is said when its sender hears the one before, so that no queue holds more than a few.

use super::NodeMachine;
use crate::{
    Level,
    message::{Copy, LEVEL_OF_PARTS, Message},
};
use std::collections::VecDeque;

/// How much of a CIB goes into one message. Quotes take four bytes there.
const MAX_PART: usize = 4 << 20;

/// From so many parts on, people are told.
const MANY_PARTS: usize = 8;

/// A replica on its way.
#[derive(Debug, Default)]
pub(super) struct Copying {
    /// What this node has still to say.
    unsaid: VecDeque<Message>,
    /// What came of the CIB so far.
    heard: String,
}

impl Copying {
    /// The rest has come: the copy, with all of the CIB.
    pub fn complete(&mut self, rest: &Copy) -> Copy {
        let xml = std::mem::take(&mut self.heard) + &rest.xml;
        Copy { xml, ..rest.clone() }
    }
}

impl NodeMachine {
    /// This node has the replica that won: all get it, this node too, in a form for members of which the lowest level is `level`.
    pub(super) fn begin_copy(&mut self, level: u16) {
        let mut copy = self.replica.to_copy(level);
        if level < LEVEL_OF_PARTS {
            return self.cast(Message::Copy(Box::new(copy)));
        }
        let xml = std::mem::take(&mut copy.xml);
        let mut parts = parts(&xml, MAX_PART);
        let n_parts = parts.len();
        if n_parts >= MANY_PARTS {
            let text = format!(
                "the CIB takes {} MiB, which every node that joins has to be sent and to read: most of that is histories, as a rule, \
                 of many resources on many nodes",
                xml.len() >> 20
            );
            self.log(Level::Warning, text);
        }
        let rest = parts.pop().unwrap_or_default().to_owned();
        let first = parts.into_iter().map(|xml| Message::CopyPart { xml: xml.to_owned() });
        let last = Message::Copy(Box::new(Copy { xml: rest, ..copy }));
        self.copying.unsaid = first.chain([last]).collect();
        self.say_next_part();
    }

    fn say_next_part(&mut self) {
        if let Some(message) = self.copying.unsaid.pop_front() {
            self.cast(message);
        }
    }

    /// A part of the copy that is waited for has come.
    pub(super) fn copied_in_part(&mut self, from: u32, xml: &str) {
        if self.group.awaits_copy() {
            self.copying.heard.push_str(xml);
            if from == self.group.own_id() {
                self.say_next_part();
            }
        }
    }
}

/// A text in parts of at most so many bytes (of a few less, lest a character be cut).
fn parts(text: &str, max: usize) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while rest.len() > max {
        let end = (0..=max).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (part, further) = rest.split_at(end);
        parts.push(part);
        rest = further;
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_put_together_again() {
        for (text, max, cut) in [
            ("", 4, vec![""]),
            ("abcd", 4, vec!["abcd"]),
            ("abcdef", 4, vec!["abcd", "ef"]),
            ("abcäöü", 4, vec!["abc", "äö", "ü"]),
        ] {
            assert_eq!(parts(text, max), cut);
        }
    }
}
