//! Calls that mean something else than they did: members of a cluster may be of different versions, and all carry out the same.

use super::{CibAction, CibCall, Scope, sections};
use crate::{xml::Document, xpath::XPath};

impl CibCall {
    /// Whether members that speak the cluster's protocol below its minor part 6 carry this call out otherwise, or refuse it.
    ///
    /// These took the element away where an XPath ends in an attribute, refused an XPath with anything behind parentheses, took
    /// all that fit a pattern away where all was asked for, and the section where its children were meant.
    pub fn has_changed_its_meaning(&self) -> bool {
        match &self.scope {
            Scope::XPath(expression) => XPath::parse(expression)
                .is_ok_and(|expression| expression.ends_in_attribute() || expression.has_filters()),
            Scope::Section(name) if self.action == CibAction::Delete => self.brings_section(name),
            Scope::All | Scope::Section(_) => self.action == CibAction::DeleteAll,
        }
    }

    /// Whether the XML is the section called `name`, or a document that should have it.
    fn brings_section(&self, name: &str) -> bool {
        let document = self.xml.as_deref().and_then(|xml| Document::parse(xml).ok());
        document.is_some_and(|document| !matches!(sections::within(&document, name), Ok(None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_calls_that_older_members_read_otherwise_are_known() {
        let of = |path: &str| Scope::XPath(path.to_owned());
        let section = || Scope::Section("resources".to_owned());
        let (primitive, resources) =
            ("<primitive id=\"p\"/>", "<resources><primitive id=\"p\"/></resources>");
        for (action, scope, xml, has_changed) in [
            (CibAction::Delete, of("//primitive[@id='p']"), "", false),
            (CibAction::Delete, of("//primitive[@id='p']/@class"), "", true),
            (CibAction::Delete, of("//a | //primitive/@class"), "", true),
            (CibAction::Delete, of("//primitive[@id]/@class/.."), "", false),
            (CibAction::Modify, of("(//primitive)[2]"), primitive, true),
            (CibAction::Replace, of("//a[count((//b)[1]) = 1]"), primitive, true),
            (CibAction::Delete, of("(//primitive)"), "", false),
            (CibAction::Delete, of("//["), "", false),
            (CibAction::Delete, section(), primitive, false),
            (CibAction::Delete, section(), resources, true),
            (CibAction::Replace, section(), resources, false),
            (CibAction::Delete, Scope::All, primitive, false),
            (CibAction::DeleteAll, Scope::All, primitive, true),
        ] {
            let call = CibCall { action, scope, xml: Some(xml.to_owned()), options: Default::default() };
            assert_eq!(call.has_changed_its_meaning(), has_changed, "{call:?}");
        }
    }
}
