//! Resources, their meta attributes and operations.

use super::Verifier;
use crate::{read, xml::Element};
use std::{collections::BTreeMap, time::Duration};
use systole_types::{Role, Score, parse_duration};

impl Verifier {
    pub fn resources(&mut self, configuration: Element<'_>, is_fencing_enabled: bool) {
        for element in configuration.descendants() {
            match element.name() {
                "primitive" | "template" => self.operations(element, is_fencing_enabled),
                "bundle" => self.bundle(element),
                "nvpair" if element.parent().is_some_and(|set| set.is("meta_attributes")) => {
                    self.meta(element)
                }
                _ => {}
            }
        }
    }

    fn operations(&mut self, resource: Element<'_>, is_fencing_enabled: bool) {
        let mut seen: BTreeMap<(&str, Duration), &str> = BTreeMap::new();
        let operations = resource.children_named("operations").flat_map(|list| list.children_named("op"));
        for op in operations {
            let (name, id) = (op.attr("name").unwrap_or_default(), op.id().unwrap_or_default());
            let interval = op.attr("interval").and_then(|text| parse_duration(text).ok()).unwrap_or_default();
            if interval > Duration::ZERO && matches!(name, "start" | "stop" | "promote" | "demote") {
                self.error(op, format!("ignoring the interval because a {name} action cannot be recurring"));
            }
            match seen.get(&(name, interval)) {
                // Of operations that do not recur, the first counts without a word.
                Some(_) if interval.is_zero() => {}
                Some(first) => self.error(
                    op,
                    format!(
                        "the operation is a duplicate of {first} (do not use the same name and interval combination more \
                         than once per resource)"
                    ),
                ),
                None => {
                    seen.insert((name, interval), id);
                }
            }
            if let Some(role) = op.attr("role").filter(|role| role.parse::<Role>().is_err()) {
                self.error(op, format!("ignoring the operation because {role} is not a valid role"));
            }
            if let Some(policy) = op.attr("on-fail") {
                self.failure(op, policy, !interval.is_zero(), is_fencing_enabled);
            }
        }
    }

    /// What is to come of an operation's failure. A policy that its operation cannot have does not count.
    fn failure(&mut self, op: Element<'_>, policy: &str, recurs: bool, is_fencing_enabled: bool) {
        let name = op.attr("name").unwrap_or_default();
        let is_promoted = || op.attr("role").and_then(|role| role.parse().ok()) == Some(Role::Promoted);
        let may_demote = || name == "promote" || (name == "monitor" && recurs && is_promoted());
        match policy {
            _ if !ON_FAIL.contains(&policy) => {
                self.error(op, format!("unknown failure type ({policy}): use one of {}", ON_FAIL.join(", ")));
            }
            "standby" | "demote" | "stop" if name == "stop" => {
                self.error(op, format!("ignoring 'on-fail' because '{policy}' is not allowed for stop"));
            }
            "demote" if !may_demote() => {
                self.error(op, format!("ignoring 'on-fail' because 'demote' is not allowed for this {name}"));
            }
            // Pacemaker complains once it plans such an operation. Until then a configuration with it is taken.
            "fence" if !is_fencing_enabled => {
                self.advice(op, "on-fail=fence is taken as 'stop' while fencing is disabled");
            }
            _ => {}
        }
    }

    fn bundle(&mut self, bundle: Element<'_>) {
        if bundle.child("primitive").is_none() {
            return;
        }
        let network = |name| bundle.child("network").and_then(|network| network.attr(name));
        let (address, port) = (network("ip-range-start"), network("control-port"));
        if address.is_none() && port.is_none() {
            self.error(bundle, "cannot control the primitive inside without either ip-range-start or control-port: the bundle is ignored");
        }
        let container = bundle.child("podman").or_else(|| bundle.child("docker"));
        let per_host =
            container.and_then(|c| c.attr("replicas-per-host")).and_then(|text| text.parse::<u32>().ok());
        if address.is_none() && port.is_some() && per_host.is_some_and(|n| n > 1) {
            self.error(
                bundle,
                "specifying the control-port without ip-range-start requires replicas-per-host=1",
            );
        }
    }

    /// Meta attributes that take certain words only.
    fn meta(&mut self, pair: Element<'_>) {
        let (Some(name), Some(value)) = (pair.attr("name"), pair.attr("value")) else { return };
        match name {
            _ if value == "#default" => {}
            "target-role" => match value.parse::<Role>() {
                Err(_) => self.error(pair, format!("ignoring 'target-role' because '{value}' is not valid")),
                Ok(Role::Promoted | Role::Unpromoted) if !may_be_promoted(pair) => {
                    let message = format!(
                        "ignoring 'target-role' because '{value}' only makes sense for promotable clones"
                    );
                    self.error(pair, message);
                }
                Ok(_) => {}
            },
            "remote-node" if value.is_empty() => {
                self.error(pair, "ignoring 'remote-node' because it is empty: there is no guest node");
            }
            "priority" | "resource-stickiness" | "migration-threshold" if Score::read(value).is_none() => {
                self.warning(pair, format!("using default for '{name}' because '{value}' is not a score"));
            }
            "migration-threshold" if Score::read(value).is_some_and(|score| score < Score::ZERO) => {
                self.warning(pair, format!("using INFINITY for '{name}' because '{value}' is below zero"));
            }
            "requires" if !REQUIRES.contains(&value) => {
                self.error(
                    pair,
                    format!("ignoring 'requires' because '{value}' is not one of {}", REQUIRES.join(", ")),
                );
            }
            "multiple-active" if !MULTIPLE_ACTIVE.contains(&value) => {
                let allowed = MULTIPLE_ACTIVE.join(", ");
                self.warning(
                    pair,
                    format!("ignoring 'multiple-active' because '{value}' is not one of {allowed}"),
                );
            }
            _ => {}
        }
    }
}

const ON_FAIL: [&str; 9] =
    ["ignore", "block", "stop", "demote", "restart", "fence", "standby", "restart-container", "nothing"];
const REQUIRES: [&str; 4] = ["nothing", "quorum", "fencing", "unfencing"];
const MULTIPLE_ACTIVE: [&str; 5] = ["block", "stop_only", "stop_start", "stop_unexpected", "unexpected"];

/// Whether a meta attribute stands in, or around, a resource that can be promoted, or where that cannot be known.
fn may_be_promoted(pair: Element<'_>) -> bool {
    let owner = pair.parent().and_then(Element::parent);
    let above = std::iter::successors(owner, |element| element.parent());
    let mut resources =
        above.filter(|e| !matches!(e.name(), "group" | "primitive" | "resources" | "configuration" | "cib"));
    resources.any(|element| match element.name() {
        "clone" => {
            let pairs = element.children_named("meta_attributes").flat_map(Element::children);
            let mut promotable = pairs.filter(|pair| pair.attr("name") == Some("promotable"));
            promotable.any(|pair| pair.attr("value").and_then(read::parse_bool) == Some(true))
        }
        "bundle" => {
            let container = element.child("podman").or_else(|| element.child("docker"));
            container.is_some_and(|c| c.attr("promoted-max").or(c.attr("masters")).is_some_and(|n| n != "0"))
        }
        // Templates, defaults, and `<master>`.
        _ => true,
    })
}
