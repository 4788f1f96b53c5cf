//! A CIB in the making.

use crate::NOW;
use systole_cib::xml::{Document, Key};
use systole_testbed::Random;

/// A CIB in the making, with what later steps need to know of it.
pub struct Sketch {
    pub random: Random,
    pub document: Document,
    /// What this case is about: most features are left out of most cases, so that those that are in are used a lot.
    pub themes: Vec<Theme>,
    /// Cluster nodes: id and name.
    pub nodes: Vec<(String, String)>,
    /// Names of remote and guest nodes.
    pub remotes: Vec<String>,
    /// All that constraints can name.
    pub resources: Vec<Described>,
    /// Parts of the configuration.
    pub sections: Sections,
    pub(super) n_ids: u32,
}

/// What a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Bundles,
    Clones,
    Dates,
    Defaults,
    Digests,
    Failures,
    Fencing,
    Groups,
    Guests,
    Health,
    Maintenance,
    Migration,
    NodeLoss,
    Notify,
    Orphans,
    Pending,
    Promotable,
    Quorum,
    References,
    Remotes,
    Rules,
    Sets,
    ShutdownLock,
    Tags,
    Templates,
    Tickets,
    Unfencing,
    Utilization,
}

/// All of them.
pub const THEMES: [Theme; 28] = [
    Theme::Bundles,
    Theme::Clones,
    Theme::Dates,
    Theme::Defaults,
    Theme::Digests,
    Theme::Failures,
    Theme::Fencing,
    Theme::Groups,
    Theme::Guests,
    Theme::Health,
    Theme::Maintenance,
    Theme::Migration,
    Theme::NodeLoss,
    Theme::Notify,
    Theme::Orphans,
    Theme::Pending,
    Theme::Promotable,
    Theme::Quorum,
    Theme::References,
    Theme::Remotes,
    Theme::Rules,
    Theme::Sets,
    Theme::ShutdownLock,
    Theme::Tags,
    Theme::Templates,
    Theme::Tickets,
    Theme::Unfencing,
    Theme::Utilization,
];

/// Where things go.
#[derive(Clone, Copy)]
pub struct Sections {
    pub configuration: Key,
    pub crm_config: Key,
    pub nodes: Key,
    pub resources: Key,
    pub constraints: Key,
    pub status: Key,
}

/// A resource as constraints see it.
#[derive(Clone, Debug)]
pub struct Described {
    pub id: String,
    /// Has promoted instances.
    pub is_promotable: bool,
    /// Is in a group, a clone or a bundle.
    pub is_inner: bool,
    /// A primitive with an agent of its own.
    pub is_primitive: bool,
}

impl Described {
    /// Whether it is a tag.
    pub fn is_tag(&self) -> bool {
        self.id.starts_with("tag")
    }

    /// Whether a remote or guest node depends on it.
    pub fn is_connection(&self) -> bool {
        self.id.starts_with("remote") || self.id.starts_with("vm")
    }
}

/// Options that some resource or operation may have: name, in how many of 100 cases, values.
pub type Table<'t> = &'t [(&'t str, u64, &'t [&'t str])];

impl Sketch {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(17));
        let mut document = Document::new("cib");
        let root = document.root_key();
        let now = NOW.0.to_string();
        for (name, value) in [
            ("crm_feature_set", "3.20.2"),
            ("validate-with", "pacemaker-4.0"),
            ("admin_epoch", "0"),
            ("epoch", "1"),
            ("num_updates", "0"),
            ("have-quorum", "true"),
            ("dc-uuid", "1"),
            ("execution-date", &now),
        ] {
            document.set_attr(root, name, value);
        }
        let configuration = document.append(root, "configuration");
        let sections = Sections {
            configuration,
            crm_config: document.append(configuration, "crm_config"),
            nodes: document.append(configuration, "nodes"),
            resources: document.append(configuration, "resources"),
            constraints: document.append(configuration, "constraints"),
            status: document.append(root, "status"),
        };
        let share = *random.pick(&[8, 15, 25, 40]);
        let themes = THEMES.into_iter().filter(|_| random.chance(share)).collect();
        Self {
            random,
            document,
            themes,
            nodes: Vec::new(),
            remotes: Vec::new(),
            resources: Vec::new(),
            sections,
            n_ids: 0,
        }
    }

    /// Whether this case is about `theme`.
    pub fn is_about(&self, theme: Theme) -> bool {
        self.themes.contains(&theme)
    }

    /// True in `many` of 100 cases about `theme`, and in `few` of others.
    pub fn chance_if(&mut self, theme: Theme, many: u64, few: u64) -> bool {
        let percent = if self.is_about(theme) { many } else { few };
        self.random.chance(percent)
    }

    /// An id nothing else has.
    pub fn new_id(&mut self, stem: &str) -> String {
        self.n_ids += 1;
        format!("{stem}-{}", self.n_ids)
    }

    /// Adds an element.
    pub fn add(&mut self, parent: Key, name: &str, attributes: &[(&str, &str)]) -> Key {
        let key = self.document.append(parent, name);
        for (name, value) in attributes {
            self.document.set_attr(key, name, value);
        }
        key
    }

    /// Adds a set of pairs: `instance_attributes`, `meta_attributes`, `utilization`...
    pub fn add_pairs(&mut self, parent: Key, set: &str, pairs: &[(&str, &str)]) -> Key {
        let id = self.new_id("set");
        let key = self.add(parent, set, &[("id", &id)]);
        for (name, value) in pairs {
            let id = self.new_id("pair");
            self.add(key, "nvpair", &[("id", &id), ("name", name), ("value", value)]);
        }
        key
    }

    /// Draws from a table.
    pub fn draw<'t>(&mut self, table: Table<'t>) -> Vec<(&'t str, &'t str)> {
        let mut drawn = Vec::new();
        for (name, percent, values) in table {
            if self.random.chance(*percent) {
                drawn.push((*name, *self.random.pick(values)));
            }
        }
        drawn
    }

    /// Any node's name.
    pub fn any_node(&mut self) -> String {
        let n = self.nodes.len() + self.remotes.len();
        let at = self.random.between(0, n as u64 - 1) as usize;
        match self.nodes.get(at) {
            Some((_, name)) => name.clone(),
            None => self.remotes[at - self.nodes.len()].clone(),
        }
    }
}
