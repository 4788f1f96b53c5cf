//! `systole constraint`.

use crate::{Cluster, Session, edit, names, report::Report};
use clap::Subcommand;
use systole_cib::ops::{CibAction, CibCall, CibOptions, Scope};
use systole_output::tree::Tree;

/// Constraints between resources, nodes and tickets.
#[derive(Subcommand)]
pub(super) enum Verb {
    /// List all constraints, one a line
    List,
    /// Remove constraints
    Delete {
        /// Their ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// Carries the verb out.
pub(super) fn perform(session: &mut Session<'_>, verb: Verb) -> anyhow::Result<Report> {
    match verb {
        Verb::List => list(session),
        Verb::Delete { ids } => delete(session, &ids),
    }
}

fn list(session: &mut Session<'_>) -> anyhow::Result<Report> {
    let document = Cluster::open(session)?.cib()?;
    let mut report = Report::silent();
    for constraint in
        edit::section(&document, "constraints").into_iter().flat_map(|section| section.children())
    {
        let kind = constraint.name().trim_start_matches("rsc_");
        let terms: Vec<String> = constraint
            .attrs()
            .filter(|(name, _)| *name != "id")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        report.text.push_str(&format!("{}: {kind} {}\n", constraint.id().unwrap_or(""), terms.join(" ")));
        report.trees.push(Tree::from_element(constraint));
    }
    Ok(report)
}

fn delete(session: &mut Session<'_>, ids: &[String]) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let document = cluster.cib()?;
    let section = edit::section(&document, "constraints");
    let known = || section.into_iter().flat_map(|section| section.children());
    // All ids are looked up before anything is changed.
    let found = ids
        .iter()
        .map(|id| {
            known()
                .find(|constraint| constraint.id() == Some(id))
                .ok_or_else(|| names::unknown("constraint", id, known().filter_map(|one| one.id())))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut report = Report::silent();
    for constraint in found {
        let id = constraint.id().unwrap_or("");
        cluster.apply(
            CibCall {
                action: CibAction::Delete,
                scope: Scope::Section("constraints".to_owned()),
                xml: Some(Tree::new(constraint.name()).attr("id", id).to_xml()),
                options: CibOptions::default(),
            },
            false,
        )?;
        report.text.push_str(&format!("{id} removed\n"));
        report.trees.push(Tree::new("change").attr("constraint", id).attr("removed", true));
    }
    Ok(report)
}
