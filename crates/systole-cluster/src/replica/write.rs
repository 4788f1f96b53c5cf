//! Changes of the configuration: a tool's, and those the DC makes by itself.

use super::{Replica, size};
use crate::message::{LEVEL_OF_MEANINGS, LEVEL_OF_REFUSALS, MembershipUpdate, Write};
use systole_cib::{
    acl::Acl,
    history,
    ops::{self, Applied, Changed, CibAction, CibCall, CibOptions, Failure, OpError, Rules, Scope},
    xml::{Document, Element, Key},
};
use systole_types::CibVersion;

/// The options the cluster itself writes: what it runs, and on which cluster layer.
const OWN_PROPERTIES: [&str; 2] = ["dc-version", "cluster-infrastructure"];

/// What came of a tool's write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written {
    /// The CIB's version now.
    pub version: CibVersion,
    /// What the call returns, as XML.
    pub output: Option<String>,
    /// Whether the configuration changed, which has to be on disk before the tool is answered.
    pub is_configuration: bool,
}

impl Replica {
    /// Makes a tool's change, or says why it cannot be made and leaves everything as it was. What the list hides is not found.
    pub fn write(&mut self, write: &Write, acl: Option<&Acl>) -> Result<Written, OpError> {
        let stamp = ops::Stamp {
            now_text: asctime(write.stamp.at),
            origin: write.stamp.origin.clone(),
            client: write.stamp.client.clone(),
            user: write.stamp.user.clone().unwrap_or_default(),
        };
        let mut new = self.cib.clone();
        let applied = if self.level >= LEVEL_OF_REFUSALS {
            ops::apply_as(&mut new, &write.change, &stamp, acl)?
        } else {
            // Members of an older version find what is hidden, and do as the call says.
            ops::apply_by(Rules::AnySections, &mut new, &write.change, &stamp, None)?
        };
        if self.level >= LEVEL_OF_REFUSALS {
            size::check(&self.cib, &new)?;
        }
        let before = std::mem::replace(&mut self.cib, new);
        if let Err(error) = self.see_to_status(&before, &write.change, &applied) {
            self.cib = before;
            return Err(error);
        }
        self.ledger.changes += u64::from(applied.changed != Changed::Nothing);
        let is_configuration = applied.changed == Changed::Configuration;
        Ok(Written { version: applied.version, output: applied.output, is_configuration })
    }

    /// Whether a change could be made by today's rules.
    pub fn try_write(&self, call: &CibCall) -> Result<(), OpError> {
        let mut copy = self.clone();
        copy.level = LEVEL_OF_REFUSALS;
        let applied = ops::apply(&mut copy.cib, call, &ops::Stamp::default())?;
        size::check(&self.cib, &copy.cib)?;
        copy.see_to_status(&self.cib, call, &applied)
    }

    /// Whether a change can be said to the members at all.
    pub fn can_be_said(call: &CibCall) -> Result<(), OpError> {
        call.xml.as_deref().map_or(Ok(()), size::check_call)
    }

    /// What the nodes do is what their executors and this replica know, whatever a CIB says that takes the place of all, or a
    /// patchset: from an old one, a resource would seem not to run that does, and a lost node to be out of the way that is not. A
    /// replacement of the status alone, of which nothing would be left, is refused.
    fn see_to_status(&mut self, before: &Document, call: &CibCall, applied: &Applied) -> Result<(), OpError> {
        let is_another = applied.is_another && self.level >= LEVEL_OF_MEANINGS;
        let brings_another = matches!(call.action, CibAction::Replace | CibAction::Patch)
            && self.level >= LEVEL_OF_REFUSALS
            && what_nodes_do(before) != what_nodes_do(&self.cib);
        match (is_another, brings_another) {
            (false, false) => return Ok(()),
            (false, true) if call.action == CibAction::Replace => {
                let message = "the status section says what the nodes do, and is not replaced in a running cluster: crm_resource \
                     --refresh has resources looked at again, crm_attribute changes attributes, stonith_admin --confirm takes a lost \
                     node for off";
                return Err(OpError { failure: Failure::Invalid, message: message.to_owned() });
            }
            _ => {}
        }
        let root = self.cib.root_key();
        let status = self.child_or_new(root, "status");
        if let Some(kept) = before.root().child("status") {
            self.cib.replace(status, kept);
        }
        Ok(())
    }

    /// Answers a query, as far as an access control list allows it.
    pub fn query(&self, call: &CibCall, acl: Option<&Acl>) -> Result<Option<String>, OpError> {
        let applied = ops::apply_as(&mut self.cib.clone(), call, &ops::Stamp::default(), acl)?;
        Ok(applied.output)
    }

    /// Whether an access control list allows a tool's change. One that cannot be made at all is not what it is about.
    pub fn allows_write(&self, acl: &Acl, call: &CibCall) -> bool {
        let (mut new, stamp) = (self.cib.clone(), ops::Stamp::default());
        let tried = ops::apply_as(&mut new, call, &stamp, Some(acl));
        if self.level < LEVEL_OF_REFUSALS {
            let mut everywhere = self.cib.clone();
            if tried.is_ok() && (ops::apply(&mut everywhere, call, &stamp).is_err() || everywhere != new) {
                return false;
            }
        }
        tried.err().is_none_or(|error| error.failure != Failure::Denied)
    }

    /// Whether an access control list allows a change, which is tried on a copy. The version is nobody's.
    pub fn allows(&self, acl: &Acl, change: impl FnOnce(&mut Self)) -> bool {
        let mut after = self.clone();
        change(&mut after);
        after.set_version(self.version());
        acl.allows(&self.cib, &after.cib)
    }

    /// What the DC writes into the configuration: the nodes it sees for the first time, its version and the cluster
    /// layer. Whether anything changed.
    pub(super) fn write_bootstrap(&mut self, update: &MembershipUpdate) -> bool {
        let root = self.cib.root_key();
        let configuration = self.child_or_new(root, "configuration");
        let nodes = self.child_or_new(configuration, "nodes");
        let mut changed = false;
        for node in &update.nodes {
            let id = node.id.to_string();
            let is_known =
                self.cib.element(nodes).children_named("node").any(|entry| entry.id() == Some(&id));
            if !is_known {
                let key = self.cib.append(nodes, "node");
                self.cib.set_attr(key, "id", &id);
                self.cib.set_attr(key, "uname", &node.name);
                changed = true;
            }
        }
        let options = self.child_or_new(configuration, "crm_config");
        for (name, value) in OWN_PROPERTIES.into_iter().zip([&update.version, &update.stack]) {
            changed |= self.set_property(options, name, value);
        }
        changed
    }

    /// Whether the options the cluster itself writes are there.
    pub fn has_own_properties(&self) -> bool {
        let configuration = self.cib.root().child("configuration");
        let options =
            configuration.and_then(|configuration| configuration.child("crm_config")).map(Element::key);
        options.is_some_and(|key| OWN_PROPERTIES.iter().all(|name| self.find_property(key, name).is_some()))
    }

    /// The change that sets a node's attribute `standby`, wherever it stands, and makes the node's entry if there is none.
    pub fn standby_change(&self, id: &str, name: &str, is_remote: bool, standby: bool) -> CibCall {
        let nodes = self.cib.root().child("configuration").and_then(|it| it.child("nodes"));
        let mut entries = nodes.into_iter().flat_map(|nodes| nodes.children_named("node"));
        let entry = entries.find(|entry| entry.attr("uname") == Some(name) || entry.id() == Some(id));
        let sets = entry.into_iter().flat_map(|entry| entry.children_named("instance_attributes"));
        let mut pairs =
            sets.flat_map(|set| set.children_named("nvpair").map(move |pair| (set.id(), pair.id(), pair)));
        let known = pairs.find(|(_, _, pair)| pair.attr("name") == Some("standby"));
        let usual = history::sanitized(&format!("nodes-{id}"));
        let (set, pair) = match known {
            Some((Some(set), Some(pair), _)) => (set.to_owned(), pair.to_owned()),
            _ => (usual.clone(), format!("{usual}-standby")),
        };
        let mut xml = Document::new("node");
        let root = xml.root_key();
        xml.set_attr(root, "id", entry.and_then(|entry| entry.id()).unwrap_or(id));
        if entry.is_none() {
            xml.set_attr(root, "uname", name);
            if is_remote {
                xml.set_attr(root, "type", "remote");
            }
        }
        let key = xml.append(root, "instance_attributes");
        xml.set_attr(key, "id", &set);
        let key = xml.append(key, "nvpair");
        xml.set_attr(key, "id", &pair);
        xml.set_attr(key, "name", "standby");
        xml.set_attr(key, "value", if standby { "true" } else { "false" });
        CibCall {
            action: CibAction::Modify,
            scope: Scope::Section("nodes".to_owned()),
            xml: Some(xml.to_text()),
            options: CibOptions { allow_create: true, ..CibOptions::default() },
        }
    }

    fn child_or_new(&mut self, parent: Key, name: &str) -> Key {
        let found = self.cib.element(parent).child(name).map(Element::key);
        found.unwrap_or_else(|| self.cib.append(parent, name))
    }

    /// Sets a cluster option wherever it stands, else among the options the cluster itself writes.
    fn set_property(&mut self, options: Key, name: &str, value: &str) -> bool {
        let found = self.find_property(options, name);
        if let Some(key) = found {
            return self.cib.set_attr(key, "value", value);
        }
        const OWN: &str = "cib-bootstrap-options";
        let sets = self.cib.element(options).children();
        let found = sets.filter(|set| set.id() == Some(OWN)).map(Element::key).next();
        let set = found.unwrap_or_else(|| {
            let key = self.cib.append(options, "cluster_property_set");
            self.cib.set_attr(key, "id", OWN);
            key
        });
        let pair = self.cib.append(set, "nvpair");
        self.cib.set_attr(pair, "id", &format!("{OWN}-{name}"));
        self.cib.set_attr(pair, "name", name);
        self.cib.set_attr(pair, "value", value)
    }

    fn find_property(&self, options: Key, name: &str) -> Option<Key> {
        let sets = self.cib.element(options).children_named("cluster_property_set");
        let mut pairs = sets.flat_map(|set| set.children_named("nvpair"));
        pairs.find(|pair| pair.attr("name") == Some(name)).map(Element::key)
    }
}

/// The status section but for transient attributes, which tools may change.
fn what_nodes_do(cib: &Document) -> Vec<String> {
    let states = cib.root().child("status").into_iter().flat_map(Element::children);
    states
        .flat_map(|state| {
            let told = state.children().filter(|child| !child.is("transient_attributes"));
            std::iter::once(state.tag_to_text()).chain(told.map(Element::to_text))
        })
        .collect()
}

/// A moment as `cib-last-written` has it: `Sun Nov 22 17:05:09 2026`, in UTC, since the members' time zones may differ.
fn asctime(at: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, secs) = (at.div_euclid(86_400), at.rem_euclid(86_400));
    // Years that begin in March keep the leap day at the end.
    let from_march = days + 719_468;
    let (era, day_of_era) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + i64::from(month < 2);
    format!(
        "{} {} {day:2} {:02}:{:02}:{:02} {year}",
        DAYS[days.rem_euclid(7) as usize],
        MONTHS[month as usize],
        secs / 3600,
        secs / 60 % 60,
        secs % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Ledger, Stamp};

    const CIB: &str = r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="5" num_updates="9">
        <configuration><crm_config/><nodes/><resources/><constraints/></configuration>
        <status><node_state id="1" uname="a" in_ccm="false" expected="member"/></status></cib>"#;

    fn write(action: CibAction, scope: Scope, xml: Option<&str>) -> Write {
        let options = CibOptions::default();
        let change = CibCall { action, scope, xml: xml.map(str::to_owned), options };
        let stamp = Stamp { origin: "a".into(), client: "test".into(), user: None, at: 0 };
        Write { change, force: false, stamp }
    }

    #[test]
    fn a_cib_that_takes_the_place_of_all_says_nothing_of_what_the_nodes_do() {
        let older =
            CIB.replace("epoch=\"5\"", "epoch=\"6\"").replace("expected=\"member\"", "expected=\"down\"");
        let (bare, status) = older.split_once("<status>").expect("it has one");
        let bare = format!("{bare}</cib>");
        let status = format!("<status>{}", status.trim_end_matches("</cib>"));
        let present = status.replace("expected=\"down\"", "expected=\"member\"");
        let attributes =
            present.replace("/></status>", "><transient_attributes id=\"1\"/></node_state></status>");
        let patch = r#"<diff format="2"><version><source admin_epoch="0" epoch="5" num_updates="9"/>
            <target admin_epoch="0" epoch="5" num_updates="10"/></version>
            <change operation="modify" path="/cib/status/node_state[@id='1']"><change-list>
            <change-attr name="expected" operation="set" value="down"/></change-list><change-result>
            <node_state id="1" uname="a" in_ccm="false" expected="down"/></change-result></change></diff>"#;
        let of = |path: &str| Scope::XPath(path.to_owned());
        let section = |name: &str| Scope::Section(name.to_owned());
        let (replace, patched) = (CibAction::Replace, CibAction::Patch);
        // Whether it is made, and since which level the status is kept.
        for (what, write, is_made, kept_since) in [
            ("an old CIB", write(replace, Scope::All, Some(&older)), true, LEVEL_OF_MEANINGS),
            ("by the section's name", write(replace, section("cib"), Some(&older)), true, LEVEL_OF_MEANINGS),
            ("by an XPath", write(replace, of("/cib"), Some(&older)), true, LEVEL_OF_MEANINGS),
            ("by another", write(replace, of("//status/.."), Some(&older)), true, LEVEL_OF_MEANINGS),
            ("one without a status", write(replace, Scope::All, Some(&bare)), true, LEVEL_OF_MEANINGS),
            ("none at all", write(CibAction::Erase, Scope::All, None), true, LEVEL_OF_MEANINGS),
            (
                "the section itself",
                write(replace, section("status"), Some(&status)),
                false,
                LEVEL_OF_REFUSALS,
            ),
            ("the section, found", write(replace, Scope::All, Some(&status)), false, LEVEL_OF_REFUSALS),
            ("its attributes", write(replace, section("status"), Some(&attributes)), true, 0),
            ("a patchset", write(patched, Scope::All, Some(patch)), true, LEVEL_OF_REFUSALS),
        ] {
            // Below that level, all members do as the older of them.
            for level in [LEVEL_OF_REFUSALS, LEVEL_OF_MEANINGS, LEVEL_OF_MEANINGS - 1] {
                let mut replica = Replica::read(CIB, 0, Ledger::default()).expect("a CIB");
                replica.level = level;
                let done = replica.write(&write, None);
                assert_eq!(done.is_ok(), is_made || level < kept_since, "{what}, level {level}: {done:?}");
                let state = replica.node_state("a");
                let expected = state.and_then(|state| state.attr("expected"));
                assert_eq!(expected == Some("member"), level >= kept_since, "{what}, level {level}");
            }
        }
    }

    #[test]
    fn moments_are_written_as_pacemaker_writes_them() {
        for (at, text) in [
            (0, "Thu Jan  1 00:00:00 1970"),
            (951_782_400, "Tue Feb 29 00:00:00 2000"),
            (1_795_367_109, "Sun Nov 22 17:05:09 2026"),
        ] {
            assert_eq!(asctime(at), text);
        }
    }
}
