//! Listings of options.

use crate::tree::Tree;
use systole_cib::options::{Audience, CLUSTER_OPTIONS, ClusterOption, Kind};

const TITLE: &str = "Cluster options";
const ABOUT: &str =
    "They hold for the whole cluster, and are set in <crm_config> (crm_attribute, systole option set).";

fn listed(all: bool) -> impl Iterator<Item = &'static ClusterOption> {
    CLUSTER_OPTIONS.iter().filter(move |option| all || option.audience != Audience::Experts)
}

/// For people.
pub fn cluster_options_text(all: bool) -> String {
    let mut text = format!("{TITLE}\n\n{ABOUT}\n");
    for option in listed(all) {
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
pub fn cluster_options_tree() -> Tree {
    let parameters = CLUSTER_OPTIONS.iter().map(|option| {
        let (kind, words): (_, &[&str]) = match option.kind {
            Kind::Text => ("string", &[]),
            Kind::Boolean => ("boolean", &[]),
            Kind::Duration => ("duration", &[]),
            Kind::WatchdogTimeout => ("timeout", &[]),
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
        .attr("name", "cluster-options")
        .attr("version", "")
        .child(Tree::with_text("version", "1.1"))
        .child(Tree::with_text("longdesc", ABOUT).attr("lang", "en"))
        .child(Tree::with_text("shortdesc", TITLE).attr("lang", "en"))
        .child(Tree::new("parameters").children(parameters))
}
