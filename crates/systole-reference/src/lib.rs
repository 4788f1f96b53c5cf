//! The reference data that tests compare with: it lies beside the repository (`../shared`), never in it.
//!
//! `SYSTOLE_CORPUS` names another corpus of Pacemaker's suites. Where data is missing, the test says so, loudly, and passes.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

/// The folder `name` of the reference data, such as `openstack` or `corpus/cli`; `None`, said loudly, where it is missing.
pub fn folder(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    let elsewhere = name.strip_prefix("corpus/").zip(env::var_os("SYSTOLE_CORPUS"));
    let path = elsewhere.map_or_else(beside, |(part, corpus)| PathBuf::from(corpus).join(part));
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: no {name} at {} (SYSTOLE_CORPUS names the corpus)", path.display());
    None
}

/// A case of the scheduler corpus: a CIB and what Pacemaker made of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Its name, by which its files are called.
    pub name: String,
    /// The moment at which it is to be scheduled, in ISO 8601, where its CIB does not say.
    pub moment: Option<String>,
    root: PathBuf,
}

impl Case {
    /// Its file of one kind: `xml` (the CIB), `exp` (the graph), `scores`, `summary`.
    pub fn file(&self, kind: &str) -> PathBuf {
        self.root.join(kind).join(format!("{}.{kind}", self.name))
    }

    /// What is in its file of one kind.
    ///
    /// # Panics
    /// If the file cannot be read: the corpus is broken.
    pub fn text(&self, kind: &str) -> String {
        let file = self.file(kind);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }
}

/// All cases of the scheduler corpus, by name, or the [`chosen`] one; none, said loudly, where the corpus is missing.
///
/// # Panics
/// If the corpus is there and cannot be read, or has no case of the [`chosen`] name.
pub fn scheduler_cases() -> Vec<Case> {
    let Some(root) = folder("corpus/scheduler") else { return Vec::new() };
    let manifest = root.join("manifest.json");
    let manifest =
        fs::read_to_string(&manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    let mut moments = moments(&manifest);
    let chosen = chosen().filter(|chosen| chosen != "all");
    let mut cases: Vec<Case> = xml_files(&root.join("xml"))
        .into_iter()
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .filter(|name| chosen.as_ref().is_none_or(|chosen| chosen == name))
        .map(|name| Case { moment: moments.remove(&name), root: root.clone(), name })
        .collect();
    assert!(chosen.is_none() || !cases.is_empty(), "there is no case {chosen:?} (SYSTOLE_CASE)");
    cases.sort();
    cases
}

/// The moments that the manifest gives some cases: `-t` among the options of a line that begins with the name.
fn moments(manifest: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in manifest.lines().filter(|line| line.contains("\"-t\"")) {
        let words: Vec<&str> = line.split('"').collect();
        if let (Some(case), Some(at)) = (words.get(1), words.iter().position(|word| *word == "-t")) {
            found.insert((*case).to_owned(), words[at + 2].to_owned());
        }
    }
    found
}

/// The one case that is to be looked at in detail: `SYSTOLE_CASE=NAME`. For tests that else take a selection, `all` is
/// every case.
pub fn chosen() -> Option<String> {
    env::var("SYSTOLE_CASE").ok()
}

/// The XML files of a folder, sorted by name.
///
/// # Panics
/// If the folder cannot be read.
pub fn xml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    files
}
