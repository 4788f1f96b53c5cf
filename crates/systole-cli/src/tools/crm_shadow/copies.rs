//! Shadow copies: files beside each other, and the cluster they are copies of.

use crate::{
    Cluster, Exit, Failed, Session,
    cluster::{shadow_path, write_atomically},
    report::Report,
    tools::cibadmin::empty_cib,
};
use std::{ffi::OsStr, fs, io, path::PathBuf};
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    patch::{self, Versions},
    schema::Schema,
    xml::{Document, Style},
};
use systole_output::{patchset::patchset_text, tree::Tree};

/// A shadow copy.
pub struct Copy {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

/// What a copy is made from.
pub enum Source {
    /// The cluster.
    Cluster,
    /// Nothing, in this schema.
    Empty(String),
}

impl Source {
    /// An empty configuration in the schema asked for.
    pub fn empty(schema: Option<&str>) -> anyhow::Result<Self> {
        let schema = schema.unwrap_or("pacemaker-4.0");
        if schema != "none" && Schema::named(schema).is_none() {
            return Err(Failed::usage(format!("{schema:?} is no schema: try pacemaker-4.0")));
        }
        Ok(Self::Empty(schema.to_owned()))
    }

    /// What is said before anything else.
    pub fn announcement(&self) -> String {
        match self {
            Self::Cluster => String::new(),
            Self::Empty(schema) => format!("Created new {schema} configuration\n"),
        }
    }

    fn text(&self, session: &mut Session<'_>) -> anyhow::Result<String> {
        match self {
            Self::Cluster => live(session)?.cib_text(),
            Self::Empty(schema) => {
                let mut document = Document::parse(empty_cib(schema)).expect("the empty CIB is XML");
                let root = document.root_key();
                document.set_attr(root, "epoch", "0");
                Ok(document.to_text())
            }
        }
    }
}

/// The cluster, whatever shadow copy is active.
fn live(session: &mut Session<'_>) -> anyhow::Result<Cluster> {
    let active = session.env.remove(OsStr::new("CIB_shadow"));
    let cluster = Cluster::open(session);
    if let Some(active) = active {
        session.env.insert("CIB_shadow".into(), active);
    }
    cluster
}

impl Copy {
    /// The copy of that name, whether it exists or not.
    pub fn named(session: &Session<'_>, name: &str) -> Self {
        Self { name: name.to_owned(), path: shadow_path(session, name) }
    }

    /// The copy that `CIB_shadow` names.
    pub fn active(session: &Session<'_>) -> anyhow::Result<Self> {
        let name = session.var("CIB_shadow");
        let name = name.ok_or_else(|| Failed::no_such("No active shadow configuration defined"))?;
        Ok(Self::named(session, &name))
    }

    /// The copy, if its file is there.
    pub fn existing(self) -> anyhow::Result<Self> {
        if self.path.exists() {
            return Ok(self);
        }
        Err(self.missing())
    }

    fn missing(&self) -> anyhow::Error {
        Failed::no_such(format!(
            "Could not access shadow instance '{}': No such file or directory",
            self.name
        ))
    }

    /// For programs.
    pub fn tree(&self) -> Tree {
        Tree::new("shadow").attr("instance", self.name.as_str())
    }

    /// Writes the copy.
    pub fn make(
        &self,
        session: &mut Session<'_>,
        source: &Source,
        may_overwrite: bool,
    ) -> anyhow::Result<()> {
        if !may_overwrite && self.path.exists() {
            let message = format!(
                "A shadow instance '{}' already exists.\nTo prevent accidental destruction of the shadow file, the \
                 --force flag is required in order to proceed.",
                self.name
            );
            return Err(Failed::new(Exit::CannotCreate, message).into());
        }
        let text = source.text(session)?;
        write_atomically(&self.path, text.as_bytes())
    }

    /// The copy as it stands.
    pub fn text(&self) -> anyhow::Result<String> {
        Ok(self.document()?.to_text())
    }

    fn document(&self) -> anyhow::Result<Document> {
        let text = fs::read_to_string(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.missing(),
            _ => Failed::no_such(format!("Could not access shadow instance '{}': {error}", self.name)),
        })?;
        let name = self.path.display().to_string();
        let document = Document::parse(text);
        Ok(document.map_err(|error| Failed::new(Exit::Data, format!("{name}: {error}")))?.from_file(&name))
    }

    /// What is different from the cluster.
    pub fn difference(&self, session: &mut Session<'_>) -> anyhow::Result<Report> {
        let copy = self.document()?;
        let original = live(session)?.cib()?;
        Ok(match patch::diff(&original, &copy, Versions::Checked) {
            None => Report::new("", self.tree()),
            Some(mut patch) => {
                // A digest says what applying it must lead to. This one is only looked at.
                let root = patch.root_key();
                patch.remove_attr(root, "digest");
                let tree = self.tree().child(Tree::with_cdata("xml-patchset", patch.to_text()));
                Report::new(patchset_text(&patch), tree).ending(Exit::Error)
            }
        })
    }

    /// Puts the copy into the cluster: the configuration, or everything.
    pub fn commit(&self, session: &mut Session<'_>, all: bool) -> anyhow::Result<Report> {
        let copy = self.document()?;
        let (scope, xml) = if all {
            (Scope::All, Some(copy.to_text()))
        } else {
            let configuration = copy.root().child("configuration");
            let xml = configuration.map(|configuration| configuration.write(Style::Indented));
            (Scope::Section("configuration".to_owned()), xml)
        };
        if xml.is_none() {
            let message = format!("the shadow copy {} has no <configuration>", self.name);
            return Err(Failed::new(Exit::Config, message).into());
        }
        let call = CibCall { action: CibAction::Replace, scope, xml, options: CibOptions::default() };
        live(session)?.apply(call, false)?;
        Ok(Report::silent())
    }

    /// Removes the copy; one that is not there is fine.
    pub fn delete(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let message = format!("cannot delete {}: {error}", self.path.display());
                Err(Failed::new(Exit::Io, message).into())
            }
            _ => Ok(()),
        }
    }
}
