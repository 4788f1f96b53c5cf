//! The CIBs that command lines are run on, and ids in them.

use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use systole_cib::xml::Document;

/// Ids of each kind that are put into command lines for one CIB: more say little new.
const MOST_IDS: usize = 4;

/// CIBs by the words of a table: `none` (no CIB at all), `cli` (inputs of recorded command lines), `scheduler` (inputs of the scheduler's
/// cases), `examples`, or the path of a file in the repository. `/N` after a folder's name takes every N-th of those that contain `with`.
/// `None` stands for no CIB.
///
/// # Errors
/// If a folder or file cannot be read.
pub fn find(words: &[String], with: &str) -> Result<Vec<Option<PathBuf>>> {
    let mut found = Vec::new();
    for word in words {
        let (name, every) = word.split_once('/').unwrap_or((word, "1"));
        let folder = match name {
            "none" => {
                found.push(None);
                continue;
            }
            "cli" => systole_reference::folder("corpus/cli").map(|folder| folder.join("inputs")),
            "scheduler" => systole_reference::folder("corpus/scheduler").map(|folder| folder.join("xml")),
            "examples" => Some(crate::shell::root().join("examples")),
            _ => {
                found.push(Some(crate::shell::root().join(word)));
                continue;
            }
        };
        let every: usize = every.parse().with_context(|| format!("how many of {word}?"))?;
        ensure!(every > 0, "every 0th of {word}?");
        let files = folder.map(|folder| systole_reference::xml_files(&folder)).unwrap_or_default();
        found.extend(files.into_iter().filter(|file| is_cib(file, with)).step_by(every).map(Some));
    }
    Ok(found)
}

fn is_cib(file: &Path, with: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains("<cib") && text.contains(with))
}

/// Ids in a CIB by kind, as tables name it.
#[derive(Debug, Default)]
pub struct Ids(pub BTreeMap<&'static str, Vec<String>>);

/// Kinds of ids: name, elements, attribute.
const KINDS: &[(&str, &[&str], &str)] = &[
    ("resource", &["primitive", "group", "clone", "master", "bundle"], "id"),
    ("primitive", &["primitive"], "id"),
    ("node", &["node"], "uname"),
    ("rule", &["rule"], "id"),
    ("constraint", &["rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket"], "id"),
    ("ticket", &["ticket_state", "rsc_ticket"], "id"),
    ("set", &["instance_attributes", "meta_attributes", "utilization", "cluster_property_set"], "id"),
    ("user", &["acl_target", "acl_user"], "id"),
];

impl Ids {
    /// Those of a file. Spread over the document, so that they are of several kinds.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        let Ok(document) = Document::parse(&text) else { return Ok(Self::default()) };
        let all = |elements: &[&str], attribute: &str| {
            let mut ids: Vec<String> = Vec::new();
            let found = document.root().descendants().filter(|element| elements.contains(&element.name()));
            for id in found.filter_map(|element| element.attr(attribute)) {
                if !ids.iter().any(|known| known == id) && !id.contains(char::is_whitespace) {
                    ids.push(id.to_owned());
                }
            }
            let step = ids.len().div_ceil(MOST_IDS).max(1);
            ids.into_iter().step_by(step).collect::<Vec<_>>()
        };
        Ok(Self(KINDS.iter().map(|(kind, elements, attribute)| (*kind, all(elements, attribute))).collect()))
    }
}
