//! Listings of options.

use crate::tree::Tree;
use systole_cib::{
    options::{Audience, CLUSTER_OPTIONS, FENCE_DEVICE, Kind, OptionInfo, PRIMITIVE_META},
    spelling::older_cluster_option,
};

/// Options of one kind.
pub struct Listing {
    /// What programs know it by.
    name: &'static str,
    title: &'static str,
    about: &'static str,
    options: &'static [OptionInfo],
}

/// Those of the cluster.
pub const CLUSTER: Listing = Listing {
    name: "cluster-options",
    title: "Cluster options",
    about: "They hold for the whole cluster, and are set in <crm_config> (crm_attribute, systole option set).",
    options: CLUSTER_OPTIONS,
};

/// Meta attributes of primitives.
pub const PRIMITIVE: Listing = Listing {
    name: "primitive-meta",
    title: "Primitive meta-attributes",
    about: "They say how the cluster treats a resource, and are set in its <meta_attributes> (crm_resource --meta, systole resource meta).",
    options: PRIMITIVE_META,
};

/// Parameters of every fence device.
pub const FENCING: Listing = Listing {
    name: "fence-attributes",
    title: "Fencing resource common parameters",
    about: "Every fence device takes them, whatever its agent: they are for the fencer, not for the agent.",
    options: FENCE_DEVICE,
};

/// For people.
pub fn text(listing: &Listing, all: bool) -> String {
    let mut text = format!("{}\n\n{}\n", listing.title, listing.about);
    for option in listing.options.iter().filter(|option| all || option.audience != Audience::Experts) {
        let by = if option.audience == Audience::Cluster { " (set by the cluster)" } else { "" };
        let default = match option.default {
            "" => "no default".to_owned(),
            default => format!("default: {default}"),
        };
        text.push_str(&format!(
            "\n  * {}: {}\n    * Possible values{by}: {} ({default})\n",
            option.name,
            option.about,
            option.kind.describe()
        ));
    }
    text
}

/// For programs: in the form of an agent's meta-data. All of them, whoever they are for.
pub fn tree(listing: &Listing) -> Tree {
    let parameters = listing.options.iter().map(|option| {
        let (kind, words): (_, &[&str]) = match option.kind {
            Kind::Text => ("string", &[]),
            Kind::Boolean => ("boolean", &[]),
            Kind::Duration => ("duration", &[]),
            Kind::Timeout | Kind::WatchdogTimeout => ("timeout", &[]),
            Kind::Port => ("port", &[]),
            Kind::Integer => ("integer", &[]),
            Kind::Score => ("score", &[]),
            Kind::Percentage => ("percentage", &[]),
            Kind::OneOf(words) => ("select", words),
        };
        let words = words.iter().map(|word| Tree::new("option").attr("value", *word));
        let default = Some(option.default).filter(|default| !default.is_empty());
        let flag = |is_set: bool| if is_set { "1" } else { "0" };
        Tree::new("parameter")
            .attr("name", option.name)
            .attr("advanced", flag(option.audience == Audience::Experts))
            .attr("generated", flag(option.audience == Audience::Cluster))
            .child(Tree::with_text("longdesc", option.about).attr("lang", "en"))
            .child(Tree::with_text("shortdesc", option.about).attr("lang", "en"))
            .child(Tree::new("content").attr("type", kind).maybe("default", default).children(words))
    });
    Tree::new("resource-agent")
        .attr("name", listing.name)
        .attr("version", "")
        .child(Tree::with_text("version", "1.1"))
        .child(Tree::with_text("longdesc", listing.about).attr("lang", "en"))
        .child(Tree::with_text("shortdesc", listing.title).attr("lang", "en"))
        .child(Tree::new("parameters").children(parameters))
}

/// A daemon of Pacemaker that is asked for its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// It keeps the CIB.
    Based,
    /// It carries plans out.
    Controller,
    /// It fences.
    Fencer,
    /// It plans.
    Scheduler,
}

const OF_BASED: &[&str] = &["enable-acl", "cluster-ipc-limit"];
const OF_CONTROLLER: &[&str] = &[
    "dc-version",
    "cluster-infrastructure",
    "cluster-name",
    "dc-deadtime",
    "cluster-recheck-interval",
    "election-timeout",
    "shutdown-escalation",
    "join-integration-timeout",
    "join-finalization-timeout",
    "transition-delay",
    "fencing-reaction",
    "fencing-watchdog-timeout",
    "fencing-max-attempts",
    "load-threshold",
    "node-action-limit",
];

impl Daemon {
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Based => ("pacemaker-based", "Options of the CIB's manager"),
            Self::Controller => ("pacemaker-controld", "Options of the controller"),
            Self::Fencer => ("pacemaker-fenced", "Parameters of every fence device"),
            Self::Scheduler => ("pacemaker-schedulerd", "Options of the scheduler"),
        }
    }

    fn options(self) -> Vec<OptionInfo> {
        let is_own = |option: &&OptionInfo| match self {
            Self::Based => OF_BASED.contains(&option.name),
            Self::Controller => OF_CONTROLLER.contains(&option.name),
            Self::Fencer => true,
            Self::Scheduler => !OF_BASED.contains(&option.name) && !OF_CONTROLLER.contains(&option.name),
        };
        let all = if self == Self::Fencer { FENCE_DEVICE } else { CLUSTER_OPTIONS };
        all.iter().filter(is_own).copied().collect()
    }
}

/// A daemon's options in the form of an agent's meta-data, as front ends read it: each under its older name, too, since they set no
/// option that they do not find here.
pub fn daemon_metadata(daemon: Daemon, release: &str) -> Tree {
    let (name, about) = daemon.names();
    let mut parameters = Tree::new("parameters");
    for option in daemon.options() {
        // Names with underscores, and those of the time when the controller was called crmd, are gone from there.
        let older = older_cluster_option(option.name);
        let older = older.filter(|older| !older.contains('_') && !older.starts_with("crmd-"));
        for name in std::iter::once(option.name).chain(older) {
            parameters.push(daemon_parameter(name, &option));
        }
    }
    Tree::new("resource-agent")
        .attr("name", name)
        .attr("version", release)
        .child(Tree::with_text("version", "1.1"))
        .child(Tree::with_text("longdesc", about).attr("lang", "en"))
        .child(Tree::with_text("shortdesc", about).attr("lang", "en"))
        .child(parameters)
}

fn daemon_parameter(name: &str, option: &OptionInfo) -> Tree {
    let (kind, words): (_, &[&str]) = match option.kind {
        Kind::Text => ("string", &[]),
        Kind::Boolean => ("boolean", &[]),
        Kind::Duration | Kind::Timeout | Kind::WatchdogTimeout => ("time", &[]),
        Kind::Port | Kind::Integer | Kind::Score => ("integer", &[]),
        Kind::Percentage => ("percentage", &[]),
        Kind::OneOf(words) => ("select", words),
    };
    // Front ends take what begins so for an expert's.
    let short = match option.audience {
        Audience::Experts => format!("*** Advanced Use Only *** {}", option.about),
        Audience::Everyone | Audience::Cluster => option.about.to_owned(),
    };
    let default = Some(option.default).filter(|default| !default.is_empty());
    let words = words.iter().map(|word| Tree::new("option").attr("value", *word));
    Tree::new("parameter")
        .attr("name", name)
        .child(Tree::with_text("longdesc", option.about).attr("lang", "en"))
        .child(Tree::with_text("shortdesc", short).attr("lang", "en"))
        .child(Tree::new("content").attr("type", kind).maybe("default", default).children(words))
}

/// What release this is, for programs, as `pacemakerd --features` tells it.
pub fn version(release: &str, build: &str, feature_set: &str, features: &str) -> Tree {
    let features = features.split_whitespace().map(|feature| Tree::with_text("feature", feature));
    Tree::new("pacemakerd")
        .attr("version", release)
        .attr("build", build)
        .attr("feature_set", feature_set)
        .child(Tree::new("features").children(features))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cluster_option_is_one_daemons_and_old_names_are_told_too() {
        let daemons = [Daemon::Based, Daemon::Controller, Daemon::Scheduler];
        let mut names: Vec<&str> =
            daemons.into_iter().flat_map(Daemon::options).map(|option| option.name).collect();
        names.sort_unstable();
        let mut all: Vec<&str> = CLUSTER_OPTIONS.iter().map(|option| option.name).collect();
        all.sort_unstable();
        assert_eq!(names, all);
        let xml = daemon_metadata(Daemon::Scheduler, "3.0.2").to_xml();
        for name in ["fencing-enabled", "stonith-enabled", "no-quorum-policy"] {
            assert!(xml.contains(&format!("<parameter name=\"{name}\">")), "{name}: {xml}");
        }
        assert!(!xml.contains('_') && !xml.contains("enable-acl"), "{xml}");
    }
}
