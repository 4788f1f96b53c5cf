//! Checks of a configuration, with the lines that are wrong.

use crate::report::Report;
use systole_cib::{
    Diagnostic, Severity, date_condition, read,
    verify::verify,
    xml::{Document, Element},
};
use systole_output::{diagnose, tree::Tree};
use systole_scheduler::{
    Status,
    placement::Detail,
    rules::date_defect,
    status::{Node, NodeKind},
};
use systole_whatif::{Moment, why::IgnoredOrder};

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

/// Orders that are not kept, since one of the two is in the guest that the other is. Which these are is seen by scheduling.
fn ignored_orders(document: &Document, moment: Moment) -> Vec<Diagnostic> {
    let (cib, _) = read(document);
    let is_guest = |node: &Node<'_>| matches!(node.kind, NodeKind::Guest { .. });
    if !Status::unpack(&cib, moment.now).nodes.iter().any(is_guest) {
        return Vec::new();
    }
    let ignored = IgnoredOrder::all(&moment.schedule(&cib, Detail::Scores));
    let diagnostic = |ignored: IgnoredOrder| {
        let IgnoredOrder { first, then, orders } = ignored;
        let constraint = orders.iter().find_map(|id| document.find_id(id.as_str()));
        let element = constraint.or_else(|| document.root().child("configuration"))?;
        let message = format!("{then} does not wait for {first}, which runs in the guest that {then} is");
        Some(Diagnostic::about(Severity::Warning, element, message))
    };
    ignored.into_iter().filter_map(diagnostic).collect()
}

impl Findings {
    /// Checks a CIB.
    pub fn of(document: &Document, moment: Moment) -> Self {
        let mut diagnostics = verify(document);
        diagnostics.extend(dates(document));
        // What is not understood is not planned either.
        if !diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            diagnostics.extend(ignored_orders(document, moment));
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

    /// Whether anything but advice was found in the configuration, rather than in what is recorded of the cluster's state.
    pub fn is_about_configuration(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| {
            !diagnostic.element.name.starts_with("lrm") && diagnostic.severity > Severity::Advice
        })
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
            counted(self.count(Severity::Warning) + self.count(Severity::Advice), "warning")
        )
    }

    /// A report that ends with exit code 78 if there are errors.
    pub fn report(&self, name: &str, source: &str) -> Report {
        let text = format!("{}{name}: {}\n", self.text(source), self.summary());
        let report = Report::new(text, self.tree());
        if self.has_errors() { report.ending(crate::Exit::Config) } else { report }
    }
}
