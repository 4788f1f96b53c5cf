//! What is understood, and will not be for ever. Each kind is told once, at the first place.
//!
//! Older names of cluster options are not told: front ends that know no others would warn at every change.

use super::Verifier;
use crate::xml::Element;
use std::collections::BTreeSet;

impl Verifier {
    pub fn deprecated(&mut self, configuration: Element<'_>) {
        let mut told = BTreeSet::new();
        for element in configuration.descendants() {
            for message in of(element) {
                if told.insert(message.clone()) {
                    self.advice(element, message);
                }
            }
        }
    }
}

/// What is deprecated of an element itself.
fn of(element: Element<'_>) -> Vec<String> {
    let is_role = |name: &str| matches!(name, "role" | "rsc-role" | "with-rsc-role");
    let mut found: Vec<String> =
        element.attrs().filter(|(name, _)| is_role(name)).filter_map(|(_, role)| old_role(role)).collect();
    if element.is("rsc_order") && element.attr("score").is_some() {
        found.push("score of an order is deprecated: use kind".to_owned());
    }
    let set = element.parent().filter(|_| element.is("nvpair")).map_or("", Element::name);
    let (name, value) = (element.attr("name").unwrap_or(""), element.attr("value").unwrap_or(""));
    match set {
        "meta_attributes" if value == "#default" => {
            found.push("the value #default is deprecated: leave the meta attribute out".to_owned());
        }
        "meta_attributes" if name == "target-role" => found.extend(old_role(value)),
        _ => {}
    }
    found
}

fn old_role(role: &str) -> Option<String> {
    let today = match role.to_ascii_lowercase().as_str() {
        "master" => "Promoted",
        "slave" => "Unpromoted",
        _ => return None,
    };
    Some(format!("the role {role} is deprecated: it is {today} now"))
}
