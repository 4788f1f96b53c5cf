//! `/etc/pacemaker/pcmk-init.env`: settings of a container that its bundle does not know, because they differ from host
//! to host.

use std::{collections::BTreeMap, fs, path::Path};

/// Longer files are not read to their end.
const MAX_BYTES: usize = 1 << 20;

/// The variables in the file at `path`, and what is wrong with its lines. A file that is not there has none.
pub fn load(path: &Path) -> (BTreeMap<String, String>, Vec<String>) {
    match fs::read(path) {
        Ok(bytes) => parse(&String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_BYTES)])),
        Err(_) => (BTreeMap::new(), Vec::new()),
    }
}

/// Lines are `NAME=VALUE` with quotes, backslashes and comments as in a shell; nothing is expanded, and no line goes on
/// in the next. The first of several values counts.
fn parse(text: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut variables, mut complaints) = (BTreeMap::new(), Vec::new());
    for line in text.lines() {
        match words(line).as_deref() {
            Some([]) => {}
            Some([word]) => {
                match word.split_once('=').filter(|(name, _)| is_name(name) && is_plain(line, name)) {
                    Some((name, value)) => {
                        variables.entry(name.to_owned()).or_insert_with(|| value.to_owned());
                    }
                    None => complaints.push(format!("no NAME=VALUE: {line}")),
                }
            }
            Some(_) => complaints.push(format!("more than one word: {line}")),
            None => complaints.push(format!("a quote is not closed: {line}")),
        }
    }
    (variables, complaints)
}

fn is_name(name: &str) -> bool {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.chars().next().is_some_and(is_start) && name.chars().all(|c| is_start(c) || c.is_ascii_digit())
}

/// Whether the name stands in the line without quotes.
fn is_plain(line: &str, name: &str) -> bool {
    line.trim_start().starts_with(name)
}

/// The words of a line as a shell sees them; `None` if a quote is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '#' if word.is_none() => break,
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => quoted(&mut chars, word.get_or_insert_default())?,
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

fn quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            '\'' => return Some(()),
            c => word.push(c),
        }
    }
}

fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '\\' => match chars.next()? {
                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_a_shell_would() {
        for (line, expected) in [
            ("A=b", Some(("A", "b"))),
            ("  A=b  # why", Some(("A", "b"))),
            ("A=", Some(("A", ""))),
            ("A='b c'\"$d\\\"\"e\\ f", Some(("A", "b c$d\"e f"))),
            ("A=b#c", Some(("A", "b#c"))),
            ("_a1=x=y", Some(("_a1", "x=y"))),
        ] {
            let (variables, complaints) = parse(line);
            let found = variables.iter().next().map(|(name, value)| (name.as_str(), value.as_str()));
            assert_eq!((found, complaints.len()), (expected, 0), "{line}");
        }
        for line in ["# A=b", "", "   "] {
            assert_eq!(parse(line), (BTreeMap::new(), vec![]));
        }
        for line in ["A", "A b", "A=b c", "1A=b", "'A'=b", "A='b", "export A=b", "A=\\"] {
            let (variables, complaints) = parse(line);
            assert_eq!((variables.len(), complaints.len()), (0, 1), "{line}");
        }
    }

    #[test]
    fn the_first_value_counts() {
        assert_eq!(parse("A=1\nA=2").0["A"], "1");
    }
}
