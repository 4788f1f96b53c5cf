//! Forgetting failures and history, so that resources are probed afresh.

use super::{Counted, Replica};
use std::collections::BTreeSet;
use systole_cib::{
    model::{Cib, CloneChild, Resource},
    xml::{Document, Element},
};

/// What is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Cleanup<'a> {
    /// Of which resource; of all if `None`.
    pub resource: Option<&'a str>,
    /// On which node; everywhere if `None`.
    pub node: Option<&'a str>,
    /// Only where something failed.
    pub only_failed: bool,
    /// With that, only where this operation failed: name and interval in milliseconds.
    pub operation: Option<(&'a str, u64)>,
}

impl<'a> Cleanup<'a> {
    /// As it is said.
    pub fn of(
        resource: &'a Option<String>,
        node: &'a Option<String>,
        only_failed: bool,
        operation: &'a Option<(String, u64)>,
    ) -> Self {
        let operation = operation.as_ref().map(|(name, interval_ms)| (name.as_str(), *interval_ms));
        Self { resource: resource.as_deref(), node: node.as_deref(), only_failed, operation }
    }

    /// How attributes and entries of the operation end.
    fn suffix(&self) -> Option<String> {
        self.operation.map(|(name, interval_ms)| format!("{name}_{interval_ms}"))
    }
}

impl Replica {
    /// Forgets history and failcounts. How many histories that were, or that there is no such resource or node.
    pub fn clean_up(&mut self, what: &Cleanup<'_>) -> Result<usize, String> {
        let suffix = what.suffix();
        if let Some(node) = what.node.filter(|node| self.node_state(node).is_none()) {
            return Err(format!("there is no node {node}"));
        }
        // What ran on a lost node may still run, and so may what a node leaves with: that is not forgotten before it is released.
        let may_go = |history: &History<'_>| {
            history.state.attr("in_ccm") == Some("true")
                && self.is_within_reach(history.node)
                && !self.keeps_history(history.node)
        };
        let chosen = choose(&self.cib, what, may_go)?;
        let chosen: Vec<(String, String)> = chosen
            .into_iter()
            .map(|history| (history.node.to_owned(), history.resource.to_owned()))
            .collect();
        for (node, resource) in &chosen {
            // Without its connection, what runs on a remote node would seem not to run: only the failure is forgotten.
            // Without that, a connection that was lost would seem to stand.
            let host = self.id_of(node);
            if host.is_some_and(|id| self.holds(id, resource)) {
                self.status().erase_last_failure(node, resource, None);
            } else if !host.is_some_and(|id| self.has_lost(id, resource)) {
                self.status().erase_resource(node, resource);
            }
            let is_meant = |name: &str| {
                let operation = name.rsplit_once('#').map(|(_, operation)| operation);
                is_failure_of(name, resource) && (suffix.is_none() || operation == suffix.as_deref())
            };
            self.status().remove_attributes(node, is_meant);
        }
        self.count(Counted::Status);
        Ok(chosen.len())
    }

    /// The failcount and the time of the last failure of an operation (of all, if `None`) are forgotten on a node, with
    /// the failure itself.
    pub fn clear_failure(&mut self, node: &str, resource: &str, operation: Option<(&str, &str)>) {
        self.status().remove_attributes(node, failures_cleared(resource, operation));
        let key = operation.map(|(name, interval)| format!("{resource}_{name}_{interval}"));
        // Without its failure, a connection that was lost would seem to stand.
        if !self.id_of(node).is_some_and(|id| self.has_lost(id, resource)) {
            self.status().erase_last_failure(node, resource, key.as_deref());
        }
        self.count(Counted::Status);
    }

    /// Which transient attributes of a node a cleanup means, whether they are there or not.
    pub fn failures_meant(&self, what: &Cleanup<'_>, node: &str) -> impl Fn(&str) -> bool + use<> {
        let is_meant = what.node.is_none_or(|meant| meant == node);
        let members = what.resource.map(|name| Members::of(&systole_cib::upgrade::read(&self.cib).0, name));
        let suffix = what.suffix();
        move |attribute| {
            let operation = attribute.rsplit_once('#').map(|(_, operation)| operation);
            let of_resource = |name| members.as_ref().is_none_or(|members| members.contain(name));
            is_meant
                && failed_resource(attribute).is_some_and(of_resource)
                && (suffix.is_none() || operation == suffix.as_deref())
        }
    }

    /// Whether a probe could find out what runs on a node: on a remote one, only over a connection that a member holds.
    fn is_within_reach(&self, node: &str) -> bool {
        match self.remote_node(node) {
            None => true,
            Some(false) => false,
            Some(true) => {
                let host = self.ledger.connections.get(node).and_then(|entry| self.name_of(entry.host));
                let state = host.and_then(|host| self.node_state(host));
                state.is_some_and(|state| state.attr("in_ccm") == Some("true"))
                    && !host.is_some_and(|host| self.keeps_history(host))
            }
        }
    }
}

fn histories(cib: &Document) -> impl Iterator<Item = History<'_>> {
    let states =
        cib.root().child("status").into_iter().flat_map(|status| status.children_named("node_state"));
    states.flat_map(|state| {
        let resources = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
        let entries = resources.into_iter().flat_map(|resources| resources.children_named("lrm_resource"));
        entries.filter_map(move |entry| {
            Some(History { node: state.attr("uname")?, resource: entry.id()?, state, entry })
        })
    })
}

/// The histories in a CIB of another cluster's that are to be forgotten, or that there is no such resource or node.
pub(crate) fn to_forget<'c>(cib: &'c Document, what: &Cleanup<'_>) -> Result<Vec<History<'c>>, String> {
    choose(cib, what, |_| true)
}

/// The histories that are meant and may go, or that there is no such resource.
fn choose<'c>(
    cib: &'c Document,
    what: &Cleanup<'_>,
    may_go: impl Fn(&History<'_>) -> bool,
) -> Result<Vec<History<'c>>, String> {
    let suffix = what.suffix();
    let (read, _) = systole_cib::upgrade::read(cib);
    let members = what.resource.map(|name| Members::of(&read, name));
    let is_meant = |history: &History<'_>| {
        what.node.is_none_or(|node| history.node == node)
            && members.as_ref().is_none_or(|members| members.contain(history.resource))
            && (!what.only_failed || history.has_failed(suffix.as_deref()))
    };
    let chosen: Vec<History<'c>> = histories(cib).filter(|it| may_go(it) && is_meant(it)).collect();
    match (what.resource, &members) {
        (Some(name), Some(members)) if chosen.is_empty() && !members.is_known => {
            Err(format!("there is no resource {name}"))
        }
        _ => Ok(chosen),
    }
}

/// What was done to one resource on one node.
pub(crate) struct History<'a> {
    pub node: &'a str,
    pub resource: &'a str,
    /// The node's `<node_state>`.
    pub state: Element<'a>,
    /// Its `<lrm_resource>`.
    pub entry: Element<'a>,
}

impl History<'_> {
    /// Whether an operation (with this name and interval, if given) failed.
    fn has_failed(&self, operation: Option<&str>) -> bool {
        let sets = self.state.child("transient_attributes").into_iter();
        let mut pairs = sets
            .flat_map(|attributes| attributes.children_named("instance_attributes"))
            .flat_map(|set| set.children_named("nvpair"));
        let is_failed_entry = |entry: Element<'_>| {
            let key = entry.attr("operation_key").unwrap_or_default();
            let is_meant =
                |operation: &str| key.strip_suffix(operation).is_some_and(|key| key.ends_with('_'));
            entry.id().is_some_and(|id| id.ends_with("_last_failure_0")) && operation.is_none_or(is_meant)
        };
        let is_failure = |name: &str| {
            let failed = name.rsplit_once('#').map(|(_, failed)| failed);
            is_failure_of(name, self.resource) && (operation.is_none() || operation == failed)
        };
        self.entry.children_named("lrm_rsc_op").any(is_failed_entry)
            || pairs.any(|pair| pair.attr("name").is_some_and(is_failure))
    }
}

/// Whose failures a transient attribute is about: `fail-count-RSC#OP_INTERVAL` and `last-failure-...`.
pub(crate) fn failed_resource(attribute: &str) -> Option<&str> {
    let rest = attribute.strip_prefix("fail-count-").or_else(|| attribute.strip_prefix("last-failure-"))?;
    Some(rest.split_once('#').map_or(rest, |(name, _)| name))
}

fn is_failure_of(attribute: &str, resource: &str) -> bool {
    failed_resource(attribute).is_some_and(|name| base(name) == base(resource))
}

/// Which transient attributes go with the failure of an operation (of all, if `None`).
pub(crate) fn failures_cleared(resource: &str, operation: Option<(&str, &str)>) -> impl Fn(&str) -> bool {
    let suffix = operation.map(|(name, interval)| format!("#{name}_{interval}"));
    move |attribute| {
        is_failure_of(attribute, resource)
            && suffix.as_ref().is_none_or(|suffix| attribute.ends_with(suffix.as_str()))
    }
}

/// An instance's name without its number.
fn base(instance: &str) -> &str {
    match instance.rsplit_once(':') {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            name
        }
        _ => instance,
    }
}

/// What a name stands for in histories.
struct Members {
    names: BTreeSet<String>,
    /// Bundles whose containers, addresses and connections belong to it.
    bundles: Vec<String>,
    is_known: bool,
}

impl Members {
    fn of(cib: &Cib, name: &str) -> Self {
        let mut members =
            Self { names: BTreeSet::from([base(name).to_owned()]), bundles: Vec::new(), is_known: false };
        for resource in &cib.resources {
            members.collect(resource, name);
        }
        members
    }

    fn collect(&mut self, resource: &Resource, name: &str) {
        let is_it = resource.id().as_str() == base(name);
        let primitives: Vec<&str> = match resource {
            Resource::Primitive(_) => Vec::new(),
            Resource::Group(group) => group.members.iter().map(|member| member.id.as_str()).collect(),
            Resource::Clone(clone) => match &clone.child {
                CloneChild::Primitive(primitive) => vec![primitive.id.as_str()],
                CloneChild::Group(group) => group.members.iter().map(|member| member.id.as_str()).collect(),
            },
            Resource::Bundle(bundle) => {
                bundle.primitive.iter().map(|primitive| primitive.id.as_str()).collect()
            }
        };
        if is_it {
            self.names.extend(primitives.iter().map(|primitive| (*primitive).to_owned()));
            if let Resource::Bundle(bundle) = resource {
                self.bundles.push(bundle.id.to_string());
            }
        }
        self.is_known |= is_it || primitives.contains(&base(name));
    }

    fn contain(&self, history: &str) -> bool {
        let of_bundle =
            |bundle: &String| history.strip_prefix(bundle.as_str()).is_some_and(|rest| rest.starts_with('-'));
        self.names.contains(base(history)) || self.bundles.iter().any(of_bundle)
    }
}
