//! Connections to remote and guest nodes: what implicit ones are made of, and what they are tied to.

use super::{
    NodeKind, RscIdx,
    implicit::{implicit_op, implicit_primitive, implicit_set},
    nodes::plain_meta,
    text::span,
    unpack::Unpack,
};
use std::{borrow::Cow, sync::Arc, time::Duration};
use systole_cib::model::Primitive;

impl Unpack<'_> {
    /// A connection to a remote node that tries again every so often: its failures expire at that interval.
    pub(super) fn set_reconnect_interval(&mut self, idx: RscIdx) {
        let rsc = self.rsc(idx);
        let is_remote_node = rsc.primitive().is_some_and(|primitive| primitive.is_remote_connection)
            && rsc.meta.container.is_none();
        if !is_remote_node {
            return;
        }
        let interval = self.parameters(idx, None).get("reconnect_interval").map(|value| span(value));
        if let Some(interval) = interval {
            let rsc = &mut self.resources[idx.i()];
            let interval: Option<Duration> = (!interval.is_zero()).then_some(interval);
            rsc.reconnect_interval = interval;
            rsc.meta.failure_timeout = interval;
        }
    }

    /// The implicit connection to the guest node of a primitive with `remote-node`.
    pub(super) fn guest_connection(&mut self, primitive: &Primitive) {
        let name = plain_meta(primitive, "remote-node").filter(|name| !name.is_empty());
        let Some(name) = name else { return };
        let connection = Connection {
            name: &name,
            container: Some(primitive.id.as_str()),
            allow_migrate: plain_meta(primitive, "remote-allow-migrate"),
            is_managed: plain_meta(primitive, "is-managed"),
            start_timeout: plain_meta(primitive, "remote-connect-timeout").or_else(|| Some("60s".into())),
            address: plain_meta(primitive, "remote-addr"),
            port: plain_meta(primitive, "remote-port"),
        };
        let idx = self.primitive(Arc::new(Cow::Owned(connection.definition())), None, None, Vec::new());
        self.roots.push(idx);
    }

    /// Ties connections (and whatever names a `container`) to what they live in.
    pub(super) fn link_containers(&mut self) {
        for i in 0..self.resources.len() {
            let rsc = &self.resources[i];
            let Some(container) = rsc.meta.container.clone().filter(|_| rsc.is_primitive()) else { continue };
            if let Some(container) = self.find_resource(&container).filter(|container| container.i() != i) {
                self.resources[i].container = Some(container);
                self.resources[container.i()].contained.push(RscIdx::new(i));
            }
        }
    }

    pub(super) fn link_remote_nodes(&mut self) {
        for rsc in self.roots.clone() {
            self.link_remote_node(rsc);
        }
    }

    /// Ties a top-level connection to its node.
    pub(super) fn link_remote_node(&mut self, rsc: RscIdx) {
        if !self.rsc(rsc).primitive().is_some_and(|primitive| primitive.is_remote_connection) {
            return;
        }
        let Some(node) = self.node_named(self.rsc(rsc).id.as_str()) else { return };
        self.resources[rsc.i()].remote_node = Some(node);
        self.nodes[node.i()].is_configured = true;
        match self.rsc(rsc).container {
            Some(container) => {
                let kind = NodeKind::Guest { connection: rsc, container, is_bundle: false };
                self.nodes[node.i()].kind = kind;
                self.nodes[node.i()].attributes.insert("#kind".into(), "container".into());
            }
            None => {
                self.nodes[node.i()].kind = NodeKind::Remote { connection: Some(rsc) };
                self.startup_fencing(node);
            }
        }
    }
}

/// What an implicit connection to a guest node is made of.
pub(super) struct Connection<'c> {
    /// Name of the node, and of the connection.
    pub name: &'c str,
    /// What the node lives in.
    pub container: Option<&'c str>,
    /// `remote-allow-migrate`.
    pub allow_migrate: Option<Arc<str>>,
    /// `is-managed`.
    pub is_managed: Option<Arc<str>>,
    /// `remote-connect-timeout`.
    pub start_timeout: Option<Arc<str>>,
    /// Address to connect to.
    pub address: Option<Arc<str>>,
    /// Port to connect to.
    pub port: Option<Arc<str>>,
}

impl Connection<'_> {
    /// The primitive that it would be if somebody wrote it down.
    pub(super) fn definition(self) -> Primitive {
        let name = self.name;
        let meta = [
            ("internal_rsc", Some("true".into())),
            ("container", self.container.map(Arc::from)),
            ("allow-migrate", self.allow_migrate),
            ("is-managed", self.is_managed),
        ];
        let parameters = [("addr", self.address), ("port", self.port)];
        let mut operations = vec![implicit_op(name, "monitor", "30s", Some("30s"))];
        operations.extend(self.start_timeout.map(|timeout| implicit_op(name, "start", "0", Some(&timeout))));
        implicit_primitive(
            name,
            ("pacemaker", "remote"),
            vec![implicit_set(&[name, "-meta_attributes"].concat(), meta)],
            vec![implicit_set(&[name, "-instance_attributes"].concat(), parameters)],
            operations,
        )
    }
}
