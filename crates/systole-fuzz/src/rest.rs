//! Plans that leave out what is at rest, compared with plans of everything: they must be the same.

use crate::NOW;
use systole_cib::{
    read,
    xml::{Document, Key},
};
use systole_graph::write_graph;
use systole_scheduler::{
    Status,
    placement::{Detail, assign},
    plan::{self, Origin, Plan, summary_lines},
};
use systole_whatif::{Moment, settle};

/// What came of comparing two plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are the same.
    Same {
        /// How many top-level resources were left out.
        n_left_out: usize,
        /// Of how many.
        n_roots: usize,
    },
    /// They are not: the first line that differs, in either.
    Different(String),
}

/// Plans twice, and compares graphs and summaries.
pub fn judge(document: &Document) -> Verdict {
    let (cib, _) = read(document);
    let origin = Origin::Cluster;
    // Each with a status of its own: rules that were looked at leave behind when to look again.
    let (status, other) = (Status::unpack(&cib, NOW), Status::unpack(&cib, NOW));
    let part = plan::plan(&status, &assign(&status), origin, Detail::Result);
    let all = plan::plan_everything(&other, &assign(&other), origin, Detail::Result);
    let n_left_out = plan::left_out(&status, &assign(&status)).len();
    let differs = part.graph != all.graph || part.changes != all.changes;
    match differs {
        false => Verdict::Same { n_left_out, n_roots: status.roots.len() },
        true => Verdict::Different(first_difference(&part, &all, &status)),
    }
}

/// Shows a cluster to `watch`: as it is, at rest, and then with one result after the other changed, each for itself.
pub fn disturb(mut document: Document, n_changes: u32, watch: &mut dyn FnMut(&Document)) {
    watch(&document);
    let moment = Moment { now: NOW.into(), origin: Origin::Cluster };
    settle(&mut document, moment, Detail::Result, &mut |_| {});
    watch(&document);
    let results = document.root().descendants().filter(|element| element.is("lrm_rsc_op"));
    let results: Vec<(Key, String)> =
        results.filter_map(|element| Some((element.key(), element.attr("rc-code")?.to_owned()))).collect();
    for n in 0..n_changes as usize {
        let Some((result, was)) = results.get(n * 7919 % results.len().max(1)) else { return };
        document.set_attr(*result, "rc-code", if was == "1" { "0" } else { "1" });
        watch(&document);
        document.set_attr(*result, "rc-code", was);
    }
}

fn first_difference(part: &Plan, all: &Plan, status: &Status<'_>) -> String {
    let lines = |plan: &Plan| -> Vec<String> {
        let changes = summary_lines(&plan.changes, status).into_iter();
        changes.chain(write_graph(&plan.graph).lines().map(str::to_owned)).collect()
    };
    let (part, all) = (lines(part), lines(all));
    let at = part.iter().zip(&all).position(|(a, b)| a != b).unwrap_or(part.len().min(all.len()));
    let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "(nothing)".to_owned());
    format!("{}\n    with everything: {}", line(&part), line(&all))
}
