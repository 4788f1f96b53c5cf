//! Changes of the configuration: a tool's, and those the DC makes by itself.

use super::Replica;
use crate::message::{MembershipUpdate, Stamp, Write};
use systole_cib::{
    ops::{CibCall, Failure},
    xml::{Element, Key},
};
use systole_types::CibVersion;

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
    /// Makes a tool's change, or says why it cannot be made and leaves everything as it was.
    pub fn write(&mut self, write: &Write) -> Result<Written, (Failure, String)> {
        let before = (self.version(), self.configuration_fingerprint());
        let _ = (&write.change, &before, &write.stamp);
        Err((Failure::Invalid, "changes are not possible yet".to_owned()))
    }

    /// Answers a query.
    pub fn query(&self, call: &CibCall) -> Result<Option<String>, (Failure, String)> {
        let _ = call;
        Err((Failure::Invalid, "queries are not possible yet".to_owned()))
    }

    /// Says who changed the configuration last, and when.
    #[expect(dead_code, reason = "comes with write")]
    fn stamp(&mut self, stamp: &Stamp) {
        let root = self.cib.root_key();
        self.cib.set_attr(root, "update-origin", &stamp.origin);
        self.cib.set_attr(root, "update-client", &stamp.client);
        match &stamp.user {
            Some(user) => self.cib.set_attr(root, "update-user", user),
            None => self.cib.remove_attr(root, "update-user"),
        };
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
        for (name, value) in [("dc-version", &update.version), ("cluster-infrastructure", &update.stack)] {
            changed |= self.set_property(options, name, value);
        }
        changed
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
