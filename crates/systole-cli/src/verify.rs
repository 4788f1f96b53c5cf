//! Checks of a configuration, with the lines that are wrong.

mod planned;

use crate::report::Report;
use systole_cib::{
    Diagnostic, Severity, date_condition, validate,
    verify::verify,
    xml::{Document, Element},
};
use systole_output::{diagnose, tree::Tree};
use systole_scheduler::rules::date_defect;
use systole_whatif::Moment;

/// What is wrong with a CIB.
pub struct Findings {
    /// Everything that was found, worst first.
    pub diagnostics: Vec<Diagnostic>,
}

/// Rules whose dates cannot be read: they are never fulfilled, whatever they are to bring about or to prevent.
fn dates(document: &Document) -> Vec<Diagnostic> {
    let configuration = document.root().child("configuration");
    let elements = configuration.into_iter().flat_map(Element::descendants);
    let dates = elements.filter(|element| element.is("date_expression") && element.attr("id-ref").is_none());
    let defects = dates.filter_map(|element| {
        let defect = date_defect(&date_condition(element)?)?;
        Some(Diagnostic::about(Severity::Error, element, format!("{defect}: it is never fulfilled")))
    });
    defects.collect()
}

impl Findings {
    /// Checks a CIB.
    pub fn of(document: &Document, moment: Moment) -> Self {
        let mut diagnostics = verify(document);
        diagnostics.extend(dates(document));
        // What is not valid is not planned either.
        if document.root().is("cib") && validate::configuration(document).is_empty() {
            let planned = planned::findings(document, moment);
            let is_looked_at = |found: &Diagnostic| {
                found.element.id.as_ref().is_some_and(|id| planned.operations.contains(id))
            };
            for known in diagnostics.iter_mut().filter(|known| known.element.name == "op") {
                if known.severity == Severity::Error && !is_looked_at(known) {
                    known.severity = Severity::Advice;
                }
            }
            let errors = diagnostics.iter().filter(|known| known.severity == Severity::Error);
            let known: Vec<_> = errors.map(|known| known.element.clone()).collect();
            let is_new =
                |found: &Diagnostic| found.severity < Severity::Error || !known.contains(&found.element);
            diagnostics.extend(planned.diagnostics.into_iter().filter(is_new));
        }
        diagnostics.sort_by_key(|diagnostic| (std::cmp::Reverse(diagnostic.severity), diagnostic.position));
        Self { diagnostics }
    }

    /// How many of that kind there are.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Whether a part of the configuration is left out of account.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Whether something worse was found in the configuration, rather than in what is recorded of the cluster's state.
    pub fn is_more_than(&self, severity: Severity) -> bool {
        self.diagnostics
            .iter()
            .any(|found| !found.element.name.starts_with("lrm") && found.severity > severity)
    }

    /// All findings for people, with their lines of `source`.
    pub fn text(&self, source: &str) -> String {
        self.diagnostics.iter().map(|diagnostic| diagnose::diagnostic(diagnostic, source)).collect()
    }

    /// All findings for programs.
    pub fn tree(&self) -> Tree {
        Tree::new("diagnostics").children(self.diagnostics.iter().map(|diagnostic| {
            Tree::with_text("diagnostic", diagnostic.message.as_str())
                .attr("severity", diagnostic.severity.to_string())
                .attr("element", diagnostic.element.name.as_str())
                .maybe("id", diagnostic.element.id.as_deref())
                .maybe("line", diagnostic.position.map(|position| position.line))
                .maybe("column", diagnostic.position.map(|position| position.column))
        }))
    }

    /// `2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        let counted =
            |count: usize, thing: &str| format!("{count} {thing}{}", if count == 1 { "" } else { "s" });
        format!(
            "{}, {}",
            counted(self.count(Severity::Error), "error"),
            counted(self.diagnostics.len() - self.count(Severity::Error), "warning")
        )
    }

    /// A report that ends with exit code 78 if there are errors.
    pub fn report(&self, name: &str, source: &str) -> Report {
        let text = format!("{}{name}: {}\n", self.text(source), self.summary());
        let report = Report::new(text, self.tree());
        if self.has_errors() { report.ending(crate::Exit::Config) } else { report }
    }
}
