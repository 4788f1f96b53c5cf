//! Listings of options.

use crate::tree::Tree;
use systole_cib::options::{Audience, CLUSTER_OPTIONS, FENCE_DEVICE, Kind, OptionInfo, PRIMITIVE_META};

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
