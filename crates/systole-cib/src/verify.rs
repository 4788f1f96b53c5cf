//! What `crm_verify` says about a configuration, as far as that does not depend on the state of the cluster.
//!
//! Errors are what makes the cluster leave something out, or use a default in its place; warnings are what an
//! administrator should know, deprecated names and settings among it. Source: behaviour of Pacemaker 2.1.5 and 3.0.2.

mod circles;
mod deprecated;
mod resources;

use crate::{
    diagnostic::{Diagnostic, Severity},
    model,
    options::{self, Kind},
    read, spelling, upgrade,
    validate::{self, Declared},
    xml::{Document, Element},
};
use std::collections::BTreeSet;
use systole_types::{FEATURE_SET, parse_duration};

/// Everything there is to say about the configuration of a CIB (and about records in its status that cannot be read).
pub fn verify(document: &Document) -> Vec<Diagnostic> {
    let root = document.root();
    if !root.is("cib") {
        return model::read(document).1;
    }
    let (cib, diagnostics) = model::read(document);
    let mut verifier = Verifier { found: Vec::new() };
    let upgraded = verifier.language(document, diagnostics);
    let current = upgraded.as_ref().unwrap_or(document);
    if let Some(configuration) = root.child("configuration") {
        verifier.options(configuration);
        verifier.resources(configuration, is_fencing_enabled(&cib));
        verifier.names(configuration);
        verifier.orders(configuration);
        verifier.rules(configuration);
        verifier.fencing(configuration, &cib);
        verifier.without_fencing(configuration, &cib);
        verifier.circles(configuration, &cib);
    }
    if let Some(configuration) = current.root().child("configuration") {
        verifier.deprecated(configuration, &cib);
    }
    verifier.feature_set(root);
    verifier.status(root);
    verifier.found
}

struct Verifier {
    found: Vec<Diagnostic>,
}

impl Verifier {
    /// What the schema says, then what else cannot be understood. The document as the newest schema has it, if it has to be
    /// brought there.
    fn language(&mut self, document: &Document, diagnostics: Vec<Diagnostic>) -> Option<Document> {
        let root = document.root();
        let mut upgraded = None;
        let is_checked = match validate::declared(document) {
            Declared::Unchecked => {
                self.warning(
                    root,
                    "schema validation of the configuration is disabled: set validate-with to a schema",
                );
                false
            }
            Declared::Missing => {
                self.error(
                    root,
                    "validate-with is missing: the configuration cannot be held against a schema",
                );
                false
            }
            Declared::Unknown => {
                let name = root.attr("validate-with").unwrap_or_default();
                self.error(root, format!("validate-with: {name:?} is not a schema that is known here"));
                true
            }
            Declared::Known(_) => true,
        };
        if is_checked {
            let faults = validate::configuration(document);
            if faults.is_empty() {
                upgraded = self.upgrade(document);
            }
            self.found.extend(faults);
            // An operation with an interval that cannot be read is there all the same, as one that does not recur.
            let mut unread = read::errors_of_configuration(document);
            let operations = unread.iter_mut().filter(|unread| unread.element.name == "op");
            operations.for_each(|unread| unread.severity = Severity::Advice);
            self.add(unread);
        }
        self.add(diagnostics);
        self.add(validate::references(document));
        upgraded
    }

    /// The cluster reads an older configuration as one of the newest schema, which may lose something.
    fn upgrade(&mut self, document: &Document) -> Option<Document> {
        let root = document.root();
        match upgrade::for_reading(document) {
            Ok(None) => None,
            Ok(Some(upgraded)) => {
                upgraded.notes.iter().for_each(|note| self.warning(root, note.as_str()));
                Some(upgraded.document)
            }
            Err(error) => {
                self.error(root, error.to_string());
                None
            }
        }
    }

    /// Adds what is about elements that nothing was said about yet.
    fn add(&mut self, diagnostics: Vec<Diagnostic>) {
        let place = |d: &Diagnostic| (d.position, d.element.clone());
        let told: BTreeSet<_> = self.found.iter().map(place).collect();
        self.found.extend(diagnostics.into_iter().filter(|d| !told.contains(&place(d))));
    }

    fn error(&mut self, element: Element<'_>, message: impl Into<String>) {
        self.found.push(Diagnostic::about(Severity::Error, element, message));
    }

    fn warning(&mut self, element: Element<'_>, message: impl Into<String>) {
        self.found.push(Diagnostic::about(Severity::Warning, element, message));
    }

    fn advice(&mut self, element: Element<'_>, message: impl Into<String>) {
        self.found.push(Diagnostic::about(Severity::Advice, element, message));
    }

    /// Values of cluster options.
    fn options(&mut self, configuration: Element<'_>) {
        let options = configuration.child("crm_config").into_iter().flat_map(Element::descendants);
        for pair in options.filter(|e| e.is("nvpair")) {
            let (Some(name), Some(value)) = (pair.attr("name"), pair.attr("value")) else { continue };
            let kind = options::kind(spelling::cluster_option(name)).filter(|_| value != "#default");
            // Configurations that say `poweroff` are older than the option's present name, and it is made `off` under the old one only.
            let is_too_old = (name, value) == ("fencing-action", "poweroff");
            if is_too_old || kind.is_some_and(|kind| !is_valid(kind, value)) {
                self.error(
                    pair,
                    format!("using default value for cluster option '{name}' because '{value}' is invalid"),
                );
            }
        }
    }

    /// Orders that only keep two things apart have no other way round.
    fn orders(&mut self, configuration: Element<'_>) {
        let serial = |e: &Element<'_>| e.is("rsc_order") && e.attr("kind") == Some("Serialize");
        for order in configuration.descendants().filter(serial) {
            if order.attr("symmetrical").and_then(read::parse_bool) == Some(true) {
                self.warning(order, "ignoring 'symmetrical', which does not go with kind=Serialize");
            }
        }
    }

    /// Nodes are told apart by their names; tags and templates stand for resources one at a time.
    fn names(&mut self, configuration: Element<'_>) {
        let mut nodes = BTreeSet::new();
        for node in configuration.children_named("nodes").flat_map(|nodes| nodes.children_named("node")) {
            if let Some(name) = node.attr("uname").filter(|name| !nodes.insert(*name)) {
                self.warning(node, format!("another node is named {name:?}, too"));
            }
        }
        let several = configuration.descendants().filter(|e| e.is("tag") || e.is("template"));
        let several: BTreeSet<&str> = several.filter_map(Element::id).collect();
        for constraint in configuration.descendants().filter(|e| e.is("rsc_colocation")) {
            let is_of_several = |name| constraint.attr(name).is_some_and(|id| several.contains(id));
            if is_of_several("rsc") && is_of_several("with-rsc") {
                self.error(
                    constraint,
                    "ignoring the constraint because two templates or tags cannot be colocated",
                );
            }
        }
    }

    /// Rules of location constraints have a score; every rule has conditions.
    fn rules(&mut self, configuration: Element<'_>) {
        for rule in configuration.descendants().filter(|e| e.is("rule") && e.attr("id-ref").is_none()) {
            if rule.children().next().is_none() {
                self.error(rule, "rules must contain at least one expression");
            }
            let is_location = rule.parent().is_some_and(|parent| parent.is("rsc_location"));
            if is_location && rule.attr("score").is_none() && rule.attr("score-attribute").is_none() {
                self.error(rule, "no score specified: 0 is assumed");
            }
        }
    }

    /// Nodes' states are those of nodes.
    fn status(&mut self, root: Element<'_>) {
        let states = root.children_named("status").flat_map(|status| status.children_named("node_state"));
        for state in states.filter(|state| state.id().is_none()) {
            self.error(state, "ignoring the state of a node without an id");
        }
    }

    /// What a newer release has written may have a meaning that is not known here.
    fn feature_set(&mut self, root: Element<'_>) {
        let parts =
            |version: &str| -> Vec<u64> { version.split('.').map_while(|p| p.parse().ok()).collect() };
        if let Some(newer) = root.attr("crm_feature_set").filter(|set| parts(set) > parts(FEATURE_SET)) {
            self.error(
                root,
                format!("its feature set {newer} is newer than what is known here: {FEATURE_SET}"),
            );
        }
    }

    /// What is to be fenced is stopped where fencing is off.
    fn without_fencing(&mut self, configuration: Element<'_>, cib: &model::Cib) {
        if is_fencing_enabled(cib) {
            return;
        }
        for element in configuration.descendants() {
            let is = |name, value| element.attr(name) == Some(value);
            if element.is("rsc_ticket") && is("loss-policy", "fence") {
                self.error(element, "taking 'loss-policy' for 'stop' because fencing is disabled");
            }
            let fences = is("value", "suicide") || is("value", "fence");
            if element.is("nvpair") && is("name", "no-quorum-policy") && fences {
                self.error(element, "taking 'no-quorum-policy' for 'stop' because fencing is disabled");
            }
        }
    }

    /// Where fencing is on there must be a device.
    fn fencing(&mut self, configuration: Element<'_>, cib: &model::Cib) {
        let option = |name| read::value_of(&cib.cluster_options, name);
        let is_yes = |value: &str| read::parse_bool(value) == Some(true);
        let is_enabled = is_fencing_enabled(cib);
        let watchdog = option("fencing-watchdog-timeout").unwrap_or("0");
        let is_watched = option("have-watchdog").is_some_and(is_yes)
            && parse_duration(watchdog).map_or(true, |t| !t.is_zero());
        let mut agents = configuration.descendants().filter(|e| e.is("primitive") || e.is("template"));
        let has_device = agents.any(|e| e.attr("class") == Some("stonith"));
        if is_enabled && !is_watched && !has_device {
            let at = configuration.child("resources").unwrap_or(configuration);
            self.error(
                at,
                "resource start-up is disabled since no fencing resources have been defined: either configure some or \
                 disable fencing with the fencing-enabled option (clusters with shared data need fencing to ensure \
                 data integrity)",
            );
        }
    }
}

/// Fencing is on unless it is turned off.
fn is_fencing_enabled(cib: &model::Cib) -> bool {
    let value = read::value_of(&cib.cluster_options, "fencing-enabled");
    value.is_none_or(|value| read::parse_bool(value) != Some(false))
}

/// Whether a cluster option may have the value; options nobody knows may have any.
///
/// # Errors
/// What the option takes instead.
pub fn check_option(name: &str, value: &str) -> Result<(), String> {
    match options::kind(spelling::cluster_option(name)) {
        Some(kind) if value != "#default" && !is_valid(kind, value) => Err(kind.describe()),
        _ => Ok(()),
    }
}

fn is_valid(kind: Kind, value: &str) -> bool {
    let is_number = |text: &str| text.parse::<i64>().is_ok();
    match kind {
        Kind::Text => true,
        Kind::Boolean => read::parse_bool(value).is_some(),
        Kind::Duration | Kind::Timeout => parse_duration(value).is_ok(),
        Kind::Port => value.parse::<u16>().is_ok(),
        Kind::WatchdogTimeout => is_number(value) || parse_duration(value).is_ok(),
        Kind::Integer => is_number(value) || value.trim_start_matches(['-', '+']) == "INFINITY",
        Kind::Score => {
            value.parse::<systole_types::Score>().is_ok() || matches!(value, "red" | "yellow" | "green")
        }
        Kind::Percentage => value.strip_suffix('%').is_some_and(|number| number.parse::<u32>().is_ok()),
        Kind::OneOf(words) => words.contains(&value),
    }
}
