//! `<cib>` and the sections of `<configuration>`.

use super::{context::Reader, sets::Kind};
use crate::{
    model::{Cib, FencingLevel, FencingTarget, LastChange, NodeEntry, NodeEntryKind, Tag},
    spelling,
    xml::Element,
};
use std::collections::BTreeSet;
use systole_types::{CibVersion, ElementId, NodeId, NodeUuid, ResourceId, Timestamp};

impl<'d> Reader<'d> {
    pub fn cib(&mut self, root: Element<'d>) -> Cib {
        if !root.is("cib") {
            self.error(root, "this is not a CIB: the root element must be <cib>");
            return Cib::default();
        }
        let mut cib = self.header(root);
        for section in root.children() {
            match section.name() {
                "configuration" => self.configuration(section, &mut cib),
                "status" => self.status(section, &mut cib),
                _ => self.unknown(section, "<cib>"),
            }
        }
        if root.child("configuration").is_none() {
            self.error(root, "<configuration> is missing");
        }
        cib
    }

    /// What the attributes of `<cib>` say, and nothing else.
    pub fn header(&mut self, root: Element<'d>) -> Cib {
        Cib {
            version: version(root),
            feature_set: self.text(root, "crm_feature_set"),
            validate_with: self.text(root, "validate-with"),
            have_quorum: self.boolean(root, "have-quorum").unwrap_or(false),
            no_quorum_panic: self.number::<i64>(root, "no-quorum-panic").is_some_and(|number| number != 0),
            dc_uuid: root.attr("dc-uuid").map(NodeUuid::new),
            last_change: LastChange {
                at: self.text(root, "cib-last-written"),
                origin: self.text(root, "update-origin"),
                client: self.text(root, "update-client"),
                user: self.text(root, "update-user"),
            },
            execution_date: self.number(root, "execution-date").map(Timestamp),
            ..Cib::default()
        }
    }

    pub fn configuration(&mut self, configuration: Element<'d>, cib: &mut Cib) {
        for section in configuration.children() {
            cib.mentions_unfencing |= mentions_unfencing(section);
            match section.name() {
                "crm_config" => self.cluster_options(section, cib),
                "nodes" => self.nodes(section, cib),
                "resources" => self.resources(section, cib),
                "constraints" => self.constraints(section, cib),
                "rsc_defaults" => cib.resource_defaults.extend(self.meta(section)),
                "op_defaults" => cib.operation_defaults.extend(self.meta(section)),
                "fencing-topology" => self.fencing_topology(section, cib),
                "tags" => self.tags(section, cib),
                // Read by those who carry them out.
                "acls" | "alerts" => {}
                _ => self.unknown(section, "<configuration>"),
            }
        }
    }

    /// Where an option stands under its older and under today's name, today's counts.
    fn cluster_options(&mut self, section: Element<'d>, cib: &mut Cib) {
        for child in section.children().filter(|child| !child.is("cluster_property_set")) {
            self.unknown(child, "<crm_config>");
        }
        let mut sets = self.sets(section, "cluster_property_set", Kind::Cluster);
        let pairs = || section.descendants().filter(|e| e.is("nvpair"));
        let names: BTreeSet<&str> = pairs().filter_map(|pair| pair.attr("name")).collect();
        let older: BTreeSet<&str> = pairs()
            .filter(|pair| pair.attr("name").is_some_and(|name| is_doubled(&names, name)))
            .filter_map(|pair| pair.id())
            .collect();
        for set in &mut sets {
            set.pairs.retain(|pair| pair.id.as_ref().is_none_or(|id| !older.contains(id.as_str())));
        }
        cib.cluster_options.extend(sets);
    }

    fn nodes(&mut self, section: Element<'d>, cib: &mut Cib) {
        for element in section.children() {
            if !element.is("node") {
                self.unknown(element, "<nodes>");
                continue;
            }
            let (Some(uuid), Some(name)) = (self.required(element, "id"), self.required(element, "uname"))
            else {
                continue;
            };
            cib.nodes.push(NodeEntry {
                uuid: NodeUuid::new(uuid),
                name: NodeId::new(name),
                kind: self.node_kind(element),
                attributes: self.parameters(element),
                utilization: self.utilization(element),
                score: self.score(element, "score"),
                description: self.text(element, "description"),
            });
        }
    }

    fn node_kind(&mut self, element: Element<'d>) -> NodeEntryKind {
        match element.attr("type") {
            None | Some("member" | "normal") => NodeEntryKind::Member,
            Some("remote") => NodeEntryKind::Remote,
            Some("ping") => NodeEntryKind::Ping,
            Some(other) => {
                self.warning(element, format!("type: {other:?} is none of member, remote: taken for member"));
                NodeEntryKind::Member
            }
        }
    }

    fn tags(&mut self, section: Element<'d>, cib: &mut Cib) {
        for element in section.children() {
            if !element.is("tag") {
                self.unknown(element, "<tags>");
                continue;
            }
            let Some(id) = self.required(element, "id") else { continue };
            let references = element.children_named("obj_ref");
            let members = references.filter_map(|r| self.required(r, "id").map(ElementId::new)).collect();
            cib.tags.push(Tag { id: ElementId::new(id), members });
        }
    }

    fn fencing_topology(&mut self, section: Element<'d>, cib: &mut Cib) {
        for element in section.children() {
            if !element.is("fencing-level") {
                self.unknown(element, "<fencing-topology>");
                continue;
            }
            if let Some(level) = self.resolve(element).and_then(|element| self.fencing_level(element)) {
                cib.fencing_levels.push(level);
            }
        }
    }

    fn fencing_level(&mut self, element: Element<'d>) -> Option<FencingLevel> {
        let attr = |name| element.attr(name);
        let target =
            match (attr("target"), attr("target-pattern"), attr("target-attribute"), attr("target-value")) {
                (Some(node), ..) => FencingTarget::Node(NodeId::new(node)),
                (_, Some(pattern), ..) => FencingTarget::Pattern(self.shared(pattern)),
                (.., Some(name), Some(value)) => {
                    FencingTarget::Attribute { name: self.shared(name), value: self.shared(value) }
                }
                _ => {
                    self.error(
                        element,
                        "needs target, target-pattern, or target-attribute with target-value",
                    );
                    return None;
                }
            };
        let index = self.number::<u8>(element, "index").filter(|index| (1..=9).contains(index));
        let Some(index) = index else {
            self.error(element, "index must be a number from 1 to 9: the level is ignored");
            return None;
        };
        let devices = self.required(element, "devices")?.split(',').map(str::trim).filter(|d| !d.is_empty());
        let devices = devices.map(ResourceId::new).collect();
        Some(FencingLevel { id: self.element_id(element), target, index, devices })
    }
}

/// Whether this is an option's older name, and today's is given too.
fn is_doubled(names: &BTreeSet<&str>, name: &str) -> bool {
    let today = spelling::cluster_option(name);
    today != name && names.contains(today)
}

/// The version a `<cib>` carries; parts that are missing or not numbers count as 0.
pub(crate) fn version(root: Element<'_>) -> CibVersion {
    let number = |name| root.attr(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    CibVersion {
        admin_epoch: number("admin_epoch"),
        epoch: number("epoch"),
        num_updates: number("num_updates"),
    }
}
/// Whether meta attributes in a section say `requires` or `provides` unfencing: anywhere among resources, unused templates
/// included, and in the sets of the defaults. The whole cluster plans otherwise then.
fn mentions_unfencing(section: Element<'_>) -> bool {
    let asks = |pair: Element<'_>| {
        pair.is("nvpair")
            && matches!(pair.attr("name"), Some("requires" | "provides"))
            && pair.attr("value") == Some("unfencing")
    };
    let is_set = |element: &Element<'_>| element.is("meta_attributes");
    let any = |set: Element<'_>| set.children().any(asks);
    match section.name() {
        "resources" => section.descendants().filter(is_set).any(any),
        "rsc_defaults" => section.children().filter(is_set).any(any),
        _ => false,
    }
}
