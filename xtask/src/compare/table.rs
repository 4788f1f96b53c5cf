//! Tables of command lines.
//!
//! A line is a command line for the shell. `{a|b|c}` stands for each of its parts in turn, so that a line with several is
//! their whole matrix; `{$name}` for those of `let name = a|b|c`, and `{x|$name}` for these and `x`. `@resource`, `@node`... stand for ids in the CIB.
//! `deviates CODE/CODE PATTERN` says of command lines that fit the pattern that they may differ if they end with the first code at the incumbent
//! and with the second here (patterns too): a difference that `docs/deviations.md` has. `deviates CODE/CODE cib PATTERN` says that
//! the CIBs may differ as well, and `deviates CODE/CODE about "WORDS" PATTERN` that they may only if whatever the incumbent complains of fits `WORDS`.
//! `words PATTERN` says of lines of the output that fit the pattern that they have words of our own: where they are is compared, not what they say.
//! `on CIBS [with TEXT] [via file|shadow|stdin]` says which CIBs the lines after it are run on; see [`super::cibs`].

use super::{cibs::Ids, run::Via};
use anyhow::{Context, Result, bail};
use regex_lite::Regex;
use std::collections::BTreeMap;

/// What a file says.
#[derive(Debug, Default)]
pub struct Table {
    /// Command lines.
    pub blocks: Vec<Block>,
    /// Differences that are known and documented.
    pub deviations: Vec<Deviation>,
    /// Lines of the output whose words are our own.
    pub words: Vec<Regex>,
}

/// A difference that is known and documented.
#[derive(Debug)]
pub struct Deviation {
    /// What the exit codes look like: the incumbent's, a slash, and ours.
    pub codes: Regex,
    /// The CIBs may differ as well.
    pub in_cib: bool,
    /// What each of the incumbent's complaints has to look like.
    pub about: Option<Regex>,
    /// What the command line looks like.
    pub line: Regex,
}

/// Command lines and the CIBs they are run on.
#[derive(Debug, PartialEq)]
pub struct Block {
    /// What comes after `on`.
    pub cibs: Vec<String>,
    /// Text that the CIBs have to have.
    pub with: String,
    /// How the tools are told of the CIB.
    pub via: Via,
    /// With braces.
    pub lines: Vec<String>,
}

/// Reads a table.
///
/// # Errors
/// If a line makes no sense.
pub fn read(text: &str) -> Result<Table> {
    let mut lists: BTreeMap<String, String> = BTreeMap::new();
    let mut blocks: Vec<Block> = Vec::new();
    let (mut deviations, mut words) = (Vec::new(), Vec::new());
    let text = text.replace("\\\n", "");
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(rest) = line.strip_prefix("let ") {
            let (name, parts) = rest.split_once('=').with_context(|| format!("no `=`: {line}"))?;
            lists.insert(name.trim().to_owned(), parts.trim().to_owned());
        } else if let Some(rest) = line.strip_prefix("deviates ") {
            deviations.push(deviation(rest).with_context(|| line.to_owned())?);
        } else if let Some(rest) = line.strip_prefix("words ") {
            words.push(Regex::new(rest.trim()).with_context(|| line.to_owned())?);
        } else if let Some(rest) = line.strip_prefix("on ") {
            let (cibs, via) = rest.split_once(" via ").unwrap_or((rest, "file"));
            let via = match via.trim() {
                "file" => Via::File,
                "shadow" => Via::Shadow,
                "stdin" => Via::Input,
                other => bail!("via {other}?"),
            };
            let (cibs, with) = cibs.split_once(" with ").unwrap_or((cibs, ""));
            let cibs = cibs.split_whitespace().map(str::to_owned).collect();
            blocks.push(Block { cibs, with: with.trim().to_owned(), via, lines: Vec::new() });
        } else {
            let mut line = line.to_owned();
            for (name, parts) in &lists {
                let list = if parts.contains('|') { format!("{{{parts}}}") } else { parts.clone() };
                line = line
                    .replace(&format!("{{${name}}}"), &list)
                    .replace(&format!("|${name}}}"), &format!("|{parts}}}"));
            }
            blocks.last_mut().with_context(|| format!("no `on` before {line}"))?.lines.push(line);
        }
    }
    Ok(Table { blocks, deviations, words })
}

fn deviation(text: &str) -> Result<Deviation> {
    let (codes, rest) = text.split_once(' ').context("no pattern")?;
    let (in_cib, rest) = rest.strip_prefix("cib ").map_or((false, rest), |rest| (true, rest));
    let (about, rest) = match rest.strip_prefix("about \"") {
        Some(rest) => {
            let (words, rest) = rest.split_once('"').context("no end of what it is about")?;
            (Some(Regex::new(words)?), rest)
        }
        None => (None, rest),
    };
    let codes = Regex::new(&format!("^({codes})$"))?;
    Ok(Deviation { codes, in_cib, about, line: Regex::new(rest.trim())? })
}

/// All command lines that a line stands for.
pub fn expand(line: &str, ids: &Ids) -> Vec<String> {
    if let Some((before, parts, after)) = braces(line) {
        return parts.split('|').flat_map(|part| expand(&format!("{before}{part}{after}"), ids)).collect();
    }
    for (kind, found) in &ids.0 {
        let name = format!("@{kind}");
        if line.contains(&name) {
            return found.iter().flat_map(|id| expand(&line.replace(&name, id), ids)).collect();
        }
    }
    vec![line.to_owned()]
}

/// The first `{...}` with a `|` in it, and what is around it.
fn braces(line: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = line[from..].find('{') {
        let open = from + open;
        let close = open + line[open..].find('}')?;
        let inner = &line[open + 1..close];
        if inner.contains('|') {
            return Some((&line[..open], inner, &line[close + 1..]));
        }
        from = open + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_for_the_matrix_of_its_parts() {
        let table = "let form = |--output-as=xml\non none\niso8601 -d {a|b c} {$form}\n";
        let blocks = read(table).expect("a table").blocks;
        let lines: Vec<_> = blocks[0].lines.iter().flat_map(|line| expand(line, &Ids::default())).collect();
        assert_eq!(
            lines,
            [
                "iso8601 -d a ",
                "iso8601 -d a --output-as=xml",
                "iso8601 -d b c ",
                "iso8601 -d b c --output-as=xml"
            ]
        );
    }

    #[test]
    fn a_known_deviation_is_known_by_its_codes_and_its_command_line() {
        let table = read("deviates 0/(78|105) ^crm_mon .*-x\non none\ncrm_mon\n").expect("a table");
        let known = &table.deviations[0];
        assert!(known.codes.is_match("0/78") && !known.codes.is_match("10/78"));
        assert!(known.line.is_match("crm_mon -1 -x f") && !known.line.is_match("crm_mon -1"));
    }

    #[test]
    fn ids_of_the_cib_are_put_in() {
        let ids = Ids([("node", vec!["n1".to_owned(), "n2".to_owned()])].into_iter().collect());
        assert_eq!(expand("crm_mon -N @node ${x}", &ids), ["crm_mon -N n1 ${x}", "crm_mon -N n2 ${x}"]);
        assert_eq!(expand("crm_mon", &ids), ["crm_mon"]);
    }
}
