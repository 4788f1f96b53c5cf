//! Patterns of location constraints (`rsc-pattern`): extended regular expressions as `regcomp(3)` reads them, put into the
//! words of the regular expressions that we have.
//!
//! Back references (`\1`) are not there. Of alternatives that match, the first counts, not the longest, which can only show in
//! what `%1` stands for.

use regex_lite::Regex;
use std::{iter::Peekable, str::Chars};

/// The pattern, or `None` if it is none.
pub(crate) fn compile(pattern: &str) -> Option<Regex> {
    Regex::new(&translate(pattern)?).ok()
}

fn translate(pattern: &str) -> Option<String> {
    let mut translation = Translation::default();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => translation.escape(rest.next()?)?,
            '[' => {
                let class = bracket(&mut rest)?;
                translation.atom(&class);
            }
            '(' => translation.open(),
            ')' => translation.close(),
            '|' => translation.operator('|'),
            '^' | '$' => translation.operator(c),
            '*' | '+' | '?' => translation.repeat(&c.to_string())?,
            '{' => translation.repeat(&interval(&mut rest)?)?,
            _ => translation.literal(c),
        }
    }
    Some(translation.text)
}

#[derive(Default)]
struct Translation {
    text: String,
    /// Where what a repetition would be of begins.
    atom: Option<usize>,
    is_repeated: bool,
    /// Where the open groups begin.
    groups: Vec<usize>,
}

impl Translation {
    fn atom(&mut self, text: &str) {
        self.atom = Some(self.text.len());
        self.is_repeated = false;
        self.text.push_str(text);
    }

    /// What no repetition may follow.
    fn operator(&mut self, c: char) {
        self.atom = None;
        self.text.push(c);
    }

    fn literal(&mut self, c: char) {
        let escape = if c.is_ascii_punctuation() { "\\" } else { "" };
        if c == '.' { self.atom(".") } else { self.atom(&format!("{escape}{c}")) }
    }

    /// GNU's classes and anchors; every other character stands for itself.
    fn escape(&mut self, c: char) -> Option<()> {
        match c {
            'w' | 'W' | 's' | 'S' => self.atom(&format!("\\{c}")),
            'b' | 'B' | '<' | '>' | '`' | '\'' => {
                self.atom = None;
                self.text.push_str(match c {
                    'b' => r"\b",
                    'B' => r"\B",
                    '<' => r"\b{start}",
                    '>' => r"\b{end}",
                    '`' => r"\A",
                    _ => r"\z",
                });
            }
            '1'..='9' => return None,
            '.' => self.atom(r"\."),
            _ => self.literal(c),
        }
        Some(())
    }

    fn open(&mut self) {
        self.groups.push(self.text.len());
        self.operator('(');
    }

    /// One that closes nothing stands for itself.
    fn close(&mut self) {
        match self.groups.pop() {
            Some(start) => {
                self.operator(')');
                (self.atom, self.is_repeated) = (Some(start), false);
            }
            None => self.literal(')'),
        }
    }

    /// A repetition of what is repeated is one of the whole, where it would mean something else here.
    fn repeat(&mut self, times: &str) -> Option<()> {
        let start = self.atom?;
        if self.is_repeated {
            self.text.insert_str(start, "(?:");
            self.text.push(')');
        }
        self.text.push_str(times);
        self.is_repeated = true;
        Some(())
    }
}

/// What follows `{`: `n}`, `n,}`, `,m}` or `n,m}`.
fn interval(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let text: String = rest.by_ref().take_while(|c| *c != '}').collect();
    let is_count = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once(',') {
        Some(("", max)) if is_count(max) => Some(format!("{{0,{max}}}")),
        Some((min, max)) if is_count(min) && is_count(max) => Some(format!("{{{min},{max}}}")),
        None if !text.is_empty() && is_count(&text) => Some(format!("{{{text}}}")),
        _ => None,
    }
}

/// What follows `[`. A backslash stands for itself there.
fn bracket(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut class = String::from("[");
    if rest.next_if_eq(&'^').is_some() {
        class.push('^');
    }
    let mut is_first = true;
    loop {
        let c = rest.next()?;
        match (c, rest.peek()) {
            (']', _) if !is_first => break,
            ('[', Some(kind @ (':' | '.' | '='))) => {
                let kind = *kind;
                rest.next();
                let name: String = rest.by_ref().take_while(|c| *c != kind).collect();
                rest.next_if_eq(&']')?;
                if kind == ':' {
                    class.push_str(&format!("[:{name}:]"))
                } else {
                    class.push_str(&escaped(&name))
                }
            }
            ('-', next) if !is_first && next != Some(&']') => class.push('-'),
            _ => class.push_str(&escaped(c.encode_utf8(&mut [0; 4]))),
        }
        is_first = false;
    }
    class.push(']');
    Some(class)
}

fn escaped(text: &str) -> String {
    let escape = |c: char| if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_regcomp() {
        for (pattern, same, other) in [
            (r"^db\d$", "dbd", "db1"),
            (r"^db[0-9]+$", "db12", "dbx"),
            (r"^a[\d]$", r"a\", "a1"),
            ("^[]a-]+$", "]-a", "b"),
            ("^[^]a]$", "b", "]"),
            ("^[[:alpha:]_]+$", "a_b", "a1"),
            ("^a[[.-.]]b$", "a-b", "a.b"),
            (r"\<web\>", "a web", "webs"),
            ("^a*?b$", "aab", "ac"),
            ("^a{2}{2}$", "aaaa", "aa"),
            ("^a{,2}$", "aa", "aaa"),
            ("^a)$", "a)", "a"),
            (r"^a\.b\-c$", "a.b-c", "axb-c"),
            ("^(a|b)+x?$", "abx", "cx"),
        ] {
            let regex = compile(pattern).unwrap_or_else(|| panic!("{pattern} is a pattern"));
            assert!(regex.is_match(same) && !regex.is_match(other), "{pattern}: {}", regex.as_str());
        }
    }

    #[test]
    fn what_is_no_pattern_to_regcomp_is_none() {
        for pattern in ["[", "(", "*a", "(?:a)", "a|*", "^*", "a{", "a{x}", "a{2,1}", r"a\", "[[:nope:]]"] {
            assert!(compile(pattern).is_none(), "{pattern}");
        }
    }
}
