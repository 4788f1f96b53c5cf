//! Which parts of the language the CIBs of a run had: what never occurs is not tested.

use std::collections::{BTreeMap, BTreeSet};
use systole_cib::xml::{Document, Element};

/// Features, by what shows them: an element (`group`), its attribute (`op@on-fail`), with a value (`op@on-fail=fence`), a pair
/// (`:shutdown-lock`), with a value (`:multiple-active=block`; of the value, what stands before a star counts).
const FEATURES: &[&str] = &[
    "validate-with=pacemaker-1*",
    "validate-with=pacemaker-2*",
    "validate-with=pacemaker-3*",
    "validate-with=pacemaker-4*",
    "have-quorum=false",
    "no-quorum-panic",
    "master",
    "lifetime",
    "template",
    "primitive@class=lsb",
    "primitive@class=service",
    "primitive@class=systemd",
    "primitive@class=stonith",
    "tag",
    "group",
    "clone",
    "bundle",
    "podman",
    "docker",
    "podman@replicas-per-host",
    "docker@promoted-max",
    "podman@network=host",
    "network@add-host",
    "network@control-port",
    "network@ip-range-start",
    "port-mapping@range",
    "storage-mapping@source-dir-root",
    ":container-attribute-target",
    "fencing-level@target",
    "fencing-level@target-pattern",
    "fencing-level@target-attribute",
    ":provides=unfencing",
    ":requires=unfencing",
    ":#node-unfenced",
    ":#digests-all",
    ":priority-fencing-delay",
    ":have-watchdog=true",
    ":no-quorum-policy=stop",
    ":no-quorum-policy=freeze",
    ":no-quorum-policy=ignore",
    ":no-quorum-policy=demote",
    ":no-quorum-policy=fence",
    ":no-quorum-policy=suicide",
    ":symmetric-cluster=false",
    ":placement-strategy=utilization",
    ":placement-strategy=minimal",
    ":placement-strategy=balanced",
    ":shutdown-lock=true",
    "lrm_resource@shutdown-lock",
    ":node-health-strategy=migrate-on-red",
    ":node-health-strategy=only-green",
    ":node-health-strategy=progressive",
    ":node-health-strategy=custom",
    ":#health-*=red",
    ":stop-removed-resources=false",
    ":cancel-removed-actions=false",
    ":stonith-enabled",
    ":maintenance=true",
    ":maintenance-mode=true",
    ":standby",
    ":terminate",
    ":shutdown",
    ":#feature-set",
    ":multiple-active=block",
    ":multiple-active=stop_only",
    ":multiple-active=stop_start",
    ":multiple-active=stop_unexpected",
    ":allow-migrate=true",
    ":remote-node",
    ":remote-allow-migrate",
    ":reconnect_interval",
    ":clone-min",
    ":promotable=true",
    ":notify=true",
    ":globally-unique=true",
    "op@on-fail=ignore",
    "op@on-fail=block",
    "op@on-fail=stop",
    "op@on-fail=restart",
    "op@on-fail=fence",
    "op@on-fail=standby",
    "op@on-fail=demote",
    "op@on-fail=restart-container",
    "op@role=Stopped",
    "op@start-delay",
    "op@interval-origin",
    ":interval-origin",
    "op@enabled",
    "op@record-pending",
    "rsc_location@rsc-pattern",
    "rsc_location@resource-discovery=exclusive",
    "rsc_location@resource-discovery=never",
    "rsc_colocation@node-attribute",
    "rsc_colocation@influence",
    "rsc_order@kind=Serialize",
    "rsc_order@kind=Optional",
    "rsc_order@symmetrical=false",
    "rsc_order@require-all=false",
    "resource_set@require-all=false",
    "resource_set@sequential=false",
    "resource_set@role",
    "resource_set@action",
    "rsc_ticket@loss-policy=stop",
    "rsc_ticket@loss-policy=demote",
    "rsc_ticket@loss-policy=fence",
    "rsc_ticket@loss-policy=freeze",
    "ticket_state@granted=false",
    "ticket_state@standby=true",
    "date_expression",
    "date_spec",
    "duration",
    "rsc_expression",
    "op_expression",
    "rule@score-attribute",
    "rule@boolean-op=or",
    "expression@value-source",
    "operations@id-ref",
    "nvpair@id-ref",
    "meta_attributes@id-ref",
    "rule@id-ref",
    "node@score",
    "node_state@in_ccm=false",
    "node_state@join=pending",
    "node_state@remote_node",
    "node_state@node_fenced",
    "lrm_rsc_op@op-status=-1",
    "lrm_rsc_op@rc-code=5",
    "lrm_rsc_op@op-force-restart",
    "lrm_rsc_op@op-secure-digest",
    "lrm_rsc_op@op-status=1",
    "lrm_rsc_op@operation=migrate_to",
    "lrm_rsc_op@operation=migrate_from",
    "lrm_rsc_op@operation=promote",
];

/// How many CIBs had each feature.
#[derive(Default)]
pub struct Census {
    counts: BTreeMap<&'static str, u64>,
}

impl Census {
    /// Takes a CIB into account.
    pub fn count(&mut self, document: &Document) {
        let signs = signs(document);
        let has = |feature: &str| match feature.strip_suffix('*') {
            Some(start) => signs.range(start.to_owned()..).next().is_some_and(|sign| sign.starts_with(start)),
            None => signs.contains(feature),
        };
        for feature in FEATURES.iter().filter(|feature| has(feature)) {
            *self.counts.entry(feature).or_default() += 1;
        }
    }

    /// The count of every feature, in lines of a moderate length.
    pub fn table(&self) -> String {
        let counts: Vec<String> =
            FEATURES.iter().map(|feature| format!("{feature} {}", self.of(feature))).collect();
        counts.chunks(5).map(|row| format!("  {}\n", row.join(" | "))).collect()
    }

    /// The features that no CIB had.
    pub fn missing(&self) -> Vec<&'static str> {
        FEATURES.iter().copied().filter(|feature| self.of(feature) == 0).collect()
    }

    fn of(&self, feature: &str) -> u64 {
        self.counts.get(feature).copied().unwrap_or(0)
    }
}

/// All that the features are told by.
fn signs(document: &Document) -> BTreeSet<String> {
    let mut signs = BTreeSet::new();
    for (name, value) in document.root().attrs() {
        signs.insert(name.to_owned());
        signs.insert(format!("{name}={value}"));
    }
    for element in document.root().descendants() {
        if element.is("nvpair") {
            sign_pair(element, &mut signs);
        }
        signs.insert(element.name().to_owned());
        for (name, value) in element.attrs() {
            signs.insert(format!("{}@{name}", element.name()));
            if !matches!(name, "id" | "value") {
                signs.insert(format!("{}@{name}={value}", element.name()));
            }
        }
    }
    signs
}

fn sign_pair(pair: Element<'_>, signs: &mut BTreeSet<String>) {
    let Some(name) = pair.attr("name") else { return };
    let value = pair.attr("value").unwrap_or_default();
    signs.insert(format!(":{name}"));
    signs.insert(format!(":{name}={value}"));
    if name.starts_with("#health-") {
        signs.insert(format!(":#health-*={value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_told_by_elements_attributes_values_and_pairs() {
        let cib = Document::parse(
            r##"<cib validate-with="pacemaker-3.7"><group id="g"/><op on-fail="fence"/>
            <nvpair id="n" name="#health-disk" value="red"/></cib>"##,
        );
        let mut census = Census::default();
        census.count(&cib.expect("well formed"));
        for feature in ["validate-with=pacemaker-3*", "group", "op@on-fail=fence", ":#health-*=red"] {
            assert_eq!(census.of(feature), 1, "{feature}");
        }
        assert_eq!(census.of("op@on-fail=block"), 0);
        assert_eq!(census.missing().len(), FEATURES.len() - 4);
    }
}
