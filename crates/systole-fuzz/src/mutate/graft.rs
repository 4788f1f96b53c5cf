//! Alterations that bring in what another case has: most of what goes wrong does so where two features meet.

use super::{Patient, configuration::is_resource};
use std::collections::BTreeMap;
use systole_cib::xml::{Document, Element, Key};

/// Attributes by which constraints name resources.
const NAMING: [&str; 4] = ["rsc", "with-rsc", "first", "then"];

/// A resource of another case, and what its names become here.
struct Graft<'d> {
    donor: &'d Document,
    /// Goes before all ids that come along.
    prefix: String,
    /// The resource, and templates that it is made by.
    roots: Vec<Element<'d>>,
    /// Names of nodes there, and of those that take their place, as far as there are as many.
    nodes: BTreeMap<String, String>,
}

fn section<'d>(document: &'d Document, path: &[&str]) -> Option<Element<'d>> {
    path.iter().try_fold(document.root(), |element, name| element.child(name))
}

/// Names of cluster nodes, as configured or else as the status section has them.
fn node_names(document: &Document) -> Vec<String> {
    let names = |parent: Option<Element<'_>>| -> Vec<String> {
        let children = parent.into_iter().flat_map(Element::children);
        children.filter_map(|child| child.attr("uname").map(str::to_owned)).collect()
    };
    let configured = names(section(document, &["configuration", "nodes"]));
    if configured.is_empty() { names(section(document, &["status"])) } else { configured }
}

impl Graft<'_> {
    fn all(&self) -> impl Iterator<Item = Element<'_>> {
        self.roots.iter().flat_map(|root| root.descendants())
    }

    /// Whether a name is of the resource, of something in it, of an instance, or of what a bundle makes.
    fn has(&self, name: &str) -> bool {
        let base = name.split(':').next().unwrap_or_default();
        self.all().filter(|element| is_resource(*element) || element.is("template")).any(|element| {
            let id = element.id().unwrap_or_default();
            let is_made = || base.strip_prefix(id).is_some_and(|rest| rest.starts_with('-'));
            base == id || (element.is("bundle") && is_made())
        })
    }

    fn renamed(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl<'s> Patient<'s> {
    fn any_case(&mut self) -> &'s (String, Document) {
        self.random.pick(&self.stock.cases)
    }

    /// Brings in a resource of another case, with its constraints and what nodes know of it.
    pub(super) fn graft_resource(&mut self) -> Option<String> {
        let (case, donor) = self.any_case();
        let all: Vec<Element<'_>> =
            section(donor, &["configuration", "resources"])?.children().filter(|e| is_resource(*e)).collect();
        let root = *(!all.is_empty()).then(|| self.random.pick(&all))?;
        // What is large would take all the time.
        if root.descendants().count() > 300 {
            return None;
        }
        let used = root.descendants().filter_map(|element| element.attr("template"));
        let templates = used.filter_map(|id| donor.find_id(id));
        let ours = node_names(self.document);
        let nodes = node_names(donor).into_iter().zip(ours).collect();
        let prefix = format!("g{}-", self.random.between(0, 99));
        let graft = Graft { donor, prefix, roots: templates.chain([root]).collect(), nodes };
        self.graft_configuration(&graft)?;
        self.graft_constraints(&graft);
        self.graft_states(&graft);
        Some(format!("with {} of {case}", root.id()?))
    }

    fn graft_configuration(&mut self, graft: &Graft<'_>) -> Option<()> {
        let resources = section(self.document, &["configuration", "resources"])?.key();
        let inner: Vec<&str> = graft.all().filter_map(Element::id).collect();
        let is_foreign = |element: Element<'_>| element.attr("id-ref").is_some_and(|id| !inner.contains(&id));
        if graft.all().any(is_foreign)
            || self.document.find_id(&graft.renamed(graft.roots[0].id()?)).is_some()
        {
            return None;
        }
        for root in &graft.roots {
            let new = self.document.import(resources, None, *root);
            for key in self.within(new) {
                self.rename_all(key, graft, &["id", "id-ref", "template"]);
            }
        }
        Some(())
    }

    fn graft_constraints(&mut self, graft: &Graft<'_>) {
        let Some(constraints) = section(self.document, &["configuration", "constraints"]).map(Element::key)
        else {
            return;
        };
        let ours: Vec<String> = self
            .document
            .root()
            .descendants()
            .filter(|element| is_resource(*element))
            .filter_map(|element| element.id().map(str::to_owned))
            .collect();
        let names = |element: Element<'_>| {
            let own = NAMING.into_iter().filter_map(move |name| element.attr(name));
            let member = element.id().filter(|_| element.is("resource_ref"));
            own.chain(member).any(|name| graft.has(name))
        };
        let theirs = section(graft.donor, &["configuration", "constraints"]);
        for constraint in theirs.into_iter().flat_map(Element::children) {
            if !constraint.descendants().any(names) {
                continue;
            }
            let new = self.document.import(constraints, None, constraint);
            for key in self.within(new) {
                let is_member = self.document.element(key).is("resource_ref");
                for name in NAMING.into_iter().chain(is_member.then_some("id")) {
                    let Some(old) = self.document.element(key).attr(name).map(str::to_owned) else {
                        continue;
                    };
                    let known = graft.has(&old);
                    let new = if known { graft.renamed(&old) } else { self.random.pick(&ours).clone() };
                    self.document.set_attr(key, name, &new);
                }
                for name in ["node", "value"] {
                    self.rename_node(key, graft, name);
                }
                if !is_member {
                    self.rename_all(key, graft, &["id"]);
                }
            }
        }
    }

    /// What nodes know of the resource; the state of nodes that it makes.
    fn graft_states(&mut self, graft: &Graft<'_>) {
        let Some(status) = section(self.document, &["status"]).map(Element::key) else { return };
        let theirs = section(graft.donor, &["status"]);
        for state in theirs.into_iter().flat_map(|status| status.children_named("node_state")) {
            let name = state.attr("uname").or(state.id()).unwrap_or_default();
            if graft.has(name) {
                let new = self.document.import(status, None, state);
                for key in self.within(new) {
                    self.rename_all(key, graft, &["id", "uname"]);
                }
                continue;
            }
            let Some(ours) = graft.nodes.get(name) else { continue };
            let here = self.document.element(status).children();
            let Some(here) = here.filter(|here| here.attr("uname") == Some(&**ours)).map(Element::key).next()
            else {
                continue;
            };
            self.graft_histories(state, here, graft);
            self.graft_attributes(state, here, graft);
        }
    }

    fn graft_histories(&mut self, state: Element<'_>, here: Key, graft: &Graft<'_>) {
        let lrm = self.document.element(here).child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
        let Some(histories) = lrm.map(Element::key) else { return };
        let theirs = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
        for history in theirs.into_iter().flat_map(Element::children) {
            if !graft.has(history.id().unwrap_or_default()) {
                continue;
            }
            let new = self.document.import(histories, None, history);
            for key in self.within(new) {
                self.rename_all(key, graft, &["id", "operation_key"]);
                for name in ["on_node", "migrate_source", "migrate_target"] {
                    self.rename_node(key, graft, name);
                }
            }
        }
    }

    /// Promotion scores and fail counts.
    fn graft_attributes(&mut self, state: Element<'_>, here: Key, graft: &Graft<'_>) {
        let pairs = state.child("transient_attributes").into_iter().flat_map(Element::descendants);
        for pair in pairs.filter(|element| element.is("nvpair")) {
            let (Some(name), Some(value)) = (pair.attr("name"), pair.attr("value")) else { continue };
            for start in ["master-", "promoted-", "fail-count-", "last-failure-"] {
                let of = name.strip_prefix(start).filter(|of| {
                    let rsc = of.split('#').next().unwrap_or_default();
                    graft.has(rsc)
                });
                if let Some(of) = of {
                    self.set_transient_to(here, &format!("{start}{}", graft.renamed(of)), value);
                }
            }
        }
    }

    fn within(&self, key: Key) -> Vec<Key> {
        let element = self.document.element(key);
        element.descendants().map(Element::key).collect()
    }

    fn rename_all(&mut self, key: Key, graft: &Graft<'_>, attributes: &[&str]) {
        for name in attributes {
            if let Some(old) = self.document.element(key).attr(name).map(str::to_owned) {
                self.document.set_attr(key, name, &graft.renamed(&old));
            }
        }
    }

    fn rename_node(&mut self, key: Key, graft: &Graft<'_>, attribute: &str) {
        let new = self.document.element(key).attr(attribute).and_then(|old| graft.nodes.get(old));
        if let Some(new) = new {
            self.document.set_attr(key, attribute, new);
        }
    }

    /// Takes over cluster options, defaults or the fencing topology of another case.
    pub(super) fn graft_section(&mut self) -> Option<String> {
        let (case, donor) = self.any_case();
        let name =
            *self.random.pick(&["crm_config", "rsc_defaults", "op_defaults", "fencing-topology", "tags"]);
        let theirs = section(donor, &["configuration", name])?;
        theirs.children().next()?;
        let configuration = section(self.document, &["configuration"])?.key();
        let ours = self.document.element(configuration).child(name).map(Element::key);
        match ours {
            Some(ours) => {
                self.document.replace(ours, theirs);
            }
            None => {
                self.document.import(configuration, None, theirs);
            }
        }
        Some(format!("{name} of {case}"))
    }
}
