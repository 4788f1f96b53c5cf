//! Meta attributes of resources, typed.

use super::{
    Attributes, NoQuorum, Options,
    text::{is_true, score, span},
};
use std::{sync::Arc, time::Duration};
use systole_cib::parse_bool;
use systole_types::{NodeId, Role, Score};

/// Effective meta attributes of a resource: its own, its parents', `rsc_defaults`, then built-in defaults.
/// Source: Pacemaker Explained, "Resource Options".
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// `priority`.
    pub priority: Score,
    /// `resource-stickiness`.
    pub stickiness: Score,
    /// `target-role` where it can be read, as given.
    pub target_role: Option<Role>,
    /// `is-managed`, where it can be read. What maintenance and blocking make of it: see [`Resource`](super::Resource).
    pub is_managed: Option<bool>,
    /// `maintenance`.
    pub maintenance: bool,
    /// `migration-threshold`; INFINITY: never.
    pub migration_threshold: Score,
    /// `failure-timeout`; `None`: never.
    pub failure_timeout: Option<Duration>,
    /// `requires`.
    pub requires: Requires,
    /// `multiple-active`.
    pub multiple_active: MultipleActive,
    /// `allow-migrate`; by default only connections to remote nodes may.
    pub allow_migrate: bool,
    /// `critical`: the default of `influence` of colocations.
    pub critical: bool,
    /// `allow-unhealthy-nodes`.
    pub allow_unhealthy_nodes: bool,
    /// `container-attribute-target=host`.
    pub attributes_on_host: bool,
    /// `agentless`, of a bundle: its image has no remote daemon, the host brings one. Our own, Pacemaker passes over it.
    pub agentless: bool,
    /// `notify`.
    pub notify: bool,
    /// `remote-node`: the guest node that the resource is the container of.
    pub remote_node: Option<NodeId>,
    /// `container` of an implicit connection to a guest node: the resource that the node lives in.
    pub container: Option<Arc<str>>,
    /// All of them as text, as actions carry them.
    pub raw: Arc<super::Attributes>,
}

/// `requires`: what has to be before a resource is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Requires {
    /// Nothing.
    Nothing,
    /// Quorum.
    Quorum,
    /// Quorum, and all failed nodes fenced.
    #[default]
    Fencing,
    /// That, and the node itself unfenced.
    Unfencing,
}

/// `multiple-active`: what to do with a resource that runs on several nodes and should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MultipleActive {
    /// Stop everywhere, start on one.
    #[default]
    StopStart,
    /// Stop everywhere.
    StopOnly,
    /// Leave it alone.
    Block,
    /// Stop all but the one that is where it should be.
    StopUnexpected,
}

/// What the meaning of meta attributes depends on besides themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// Cluster options.
    pub options: &'a Options,
    /// Some resource or the defaults ask for unfencing: it is the default then.
    pub unfencing_in_use: bool,
    /// A fence device.
    pub is_fence_device: bool,
    /// `ocf:pacemaker:remote`.
    pub is_remote_connection: bool,
}

impl Meta {
    /// Reads merged meta attributes. What cannot be read counts as not given.
    pub(super) fn read(raw: Attributes, context: Context<'_>) -> Self {
        let is_remote_node = context.is_remote_connection && !raw.contains_key("container");
        let raw = Arc::new(raw);
        let mut meta = Self::defaults(raw.clone(), context, is_remote_node);
        for (name, value) in &*raw {
            meta.set(name, value, context);
        }
        meta
    }

    fn defaults(raw: Arc<Attributes>, context: Context<'_>, allow_migrate: bool) -> Self {
        Self {
            priority: Score::ZERO,
            stickiness: Score::ZERO,
            target_role: None,
            is_managed: None,
            maintenance: false,
            migration_threshold: Score::INFINITY,
            failure_timeout: None,
            requires: Requires::read(None, context),
            multiple_active: MultipleActive::default(),
            allow_migrate,
            critical: true,
            allow_unhealthy_nodes: false,
            attributes_on_host: false,
            agentless: false,
            notify: false,
            remote_node: None,
            container: None,
            raw,
        }
    }

    fn set(&mut self, name: &str, value: &Arc<str>, context: Context<'_>) {
        let text = Some(&**value);
        match name {
            "priority" => self.priority = score(text, Score::ZERO),
            "resource-stickiness" => self.stickiness = score(text, Score::ZERO),
            "target-role" => self.target_role = value.parse().ok(),
            "is-managed" => self.is_managed = Some(parse_bool(value) == Some(true)),
            "maintenance" => self.maintenance = is_true(text),
            "migration-threshold" => self.migration_threshold = migration_threshold(text),
            "failure-timeout" => {
                self.failure_timeout = Some(span(value)).filter(|timeout| !timeout.is_zero())
            }
            "requires" => self.requires = Requires::read(text, context),
            "multiple-active" => self.multiple_active = MultipleActive::read(text),
            "allow-migrate" => self.allow_migrate = is_true(text),
            "critical" => self.critical = is_true(text),
            "allow-unhealthy-nodes" => self.allow_unhealthy_nodes = is_true(text),
            "container-attribute-target" => self.attributes_on_host = value.eq_ignore_ascii_case("host"),
            "agentless" => self.agentless = is_true(text),
            "notify" => self.notify = is_true(text),
            "remote-node" => {
                self.remote_node = Some(value.clone()).filter(|name| !name.is_empty()).map(NodeId::from)
            }
            "container" => self.container = Some(value.clone()),
            _ => {}
        }
    }
}

fn migration_threshold(text: Option<&str>) -> Score {
    let threshold = score(text, Score::INFINITY);
    if threshold < Score::ZERO { Score::INFINITY } else { threshold }
}

impl Requires {
    fn read(text: Option<&str>, context: Context<'_>) -> Self {
        let given = match text {
            Some(text) if text.eq_ignore_ascii_case("nothing") => Some(Self::Nothing),
            Some(text) if text.eq_ignore_ascii_case("quorum") => Some(Self::Quorum),
            Some(text) if text.eq_ignore_ascii_case("fencing") => Some(Self::Fencing),
            Some(text) if text.eq_ignore_ascii_case("unfencing") => Some(Self::Unfencing),
            _ => None,
        };
        match given.unwrap_or_else(|| Self::default_for(context)) {
            Self::Unfencing if context.is_fence_device || !context.options.fencing_enabled => Self::Quorum,
            requires => requires,
        }
    }

    fn default_for(context: Context<'_>) -> Self {
        if context.is_fence_device || context.is_remote_connection {
            Self::Quorum
        } else if context.unfencing_in_use {
            Self::Unfencing
        } else if context.options.fencing_enabled {
            Self::Fencing
        } else if context.options.no_quorum == NoQuorum::Ignore {
            Self::Nothing
        } else {
            Self::Quorum
        }
    }

    /// Whether failed nodes have to be fenced first.
    pub const fn needs_fencing(self) -> bool {
        matches!(self, Self::Fencing | Self::Unfencing)
    }
}

impl MultipleActive {
    fn read(text: Option<&str>) -> Self {
        match text {
            Some(text) if text.eq_ignore_ascii_case("stop_only") => Self::StopOnly,
            Some(text) if text.eq_ignore_ascii_case("block") => Self::Block,
            Some(text) if text.eq_ignore_ascii_case("stop_unexpected") => Self::StopUnexpected,
            _ => Self::StopStart,
        }
    }
}
