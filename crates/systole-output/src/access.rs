//! A CIB with what a user may see and change of it: `cibadmin --show-access`. For people: values are not escaped, as with Pacemaker 3.0.2.

use std::collections::BTreeSet;
use systole_cib::{
    acl::{Access, Marks},
    xml::{Content, Document, Element},
};

/// How access is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A line before each element whose access differs from what it is in.
    Text,
    /// Every element in a colour.
    Color,
    /// By XML namespaces.
    Namespace,
}

const ALL: [Access; 3] = [Access::Writable, Access::Readable, Access::Denied];

/// The document, with what `marks` say about `user`.
pub fn rendered(document: &Document, user: &str, marks: &Marks, look: Look) -> String {
    let mut page = Page { text: format!("<!-- ACLs as evaluated for user {user} -->\n"), marks, look };
    page.element(document.root(), None, 0);
    page.text
}

struct Page<'m> {
    text: String,
    marks: &'m Marks,
    look: Look,
}

impl Page<'_> {
    fn element(&mut self, element: Element<'_>, outer: Option<Access>, depth: usize) {
        let access = self.marks.access(element);
        let is_new = outer != Some(access);
        let indent = "  ".repeat(depth);
        let (mut before, mut prefix, mut after) = (String::new(), String::new(), "");
        match self.look {
            Look::Text if is_new => {
                if depth > 0 {
                    self.text.push_str(&format!("{indent}\n"));
                }
                self.text.push_str(&format!("{indent}{}\n", banner(access)));
            }
            Look::Text => {}
            Look::Color => (before, after) = (color(access).to_owned(), "\x1b[0m"),
            Look::Namespace if is_new => prefix = format!("pcmk-access-{access}:"),
            Look::Namespace => {}
        }
        let name = element.name();
        self.text.push_str(&format!("{indent}{before}<{prefix}{name}"));
        for (name, value) in element.attrs() {
            self.text.push_str(&format!(" {name}=\"{value}\""));
        }
        if depth == 0 && self.look == Look::Namespace {
            let found: BTreeSet<Access> =
                element.descendants().map(|inner| self.marks.access(inner)).chain([access]).collect();
            for access in ALL.into_iter().filter(|access| found.contains(access)) {
                let uri = format!("http://clusterlabs.org/ns/pacemaker/access/{access}");
                self.text.push_str(&format!(" xmlns:pcmk-access-{access}=\"{uri}\""));
            }
        }
        let has_content = self.contents(element, access, depth);
        match has_content {
            true => self.text.push_str(&format!("{indent}{before}</{prefix}{name}>{after}\n")),
            false => self.text.push_str(&format!("/>{after}\n")),
        }
    }

    /// What is in an element, after the end of its tag; false if there is nothing.
    fn contents(&mut self, element: Element<'_>, access: Access, depth: usize) -> bool {
        let document = element.document();
        let mut is_first = true;
        for (key, content) in document.contents(element.key()) {
            let comment = match content {
                Content::Element(_) => None,
                Content::Comment(text) => Some(format!("<!--{text}-->")),
                _ => continue,
            };
            if std::mem::take(&mut is_first) {
                self.text.push_str(">\n");
            }
            match comment {
                Some(comment) => self.text.push_str(&format!("{}{comment}\n", "  ".repeat(depth + 1))),
                None => self.element(document.element(key), Some(access), depth + 1),
            }
        }
        !is_first
    }
}

const fn banner(access: Access) -> &'static str {
    match access {
        Access::Writable => "vvv---[ WRITABLE ]---vvv",
        Access::Readable => "vvv---[ READABLE ]---vvv",
        Access::Denied => "vvv---[ ~DENIED~ ]---vvv",
    }
}

const fn color(access: Access) -> &'static str {
    match access {
        Access::Writable => "\x1b[32m",
        Access::Readable => "\x1b[34m",
        Access::Denied => "\x1b[31m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use systole_cib::acl::Acl;

    #[test]
    fn access_is_told_where_it_changes() {
        let text = "<cib><configuration><a x='1'><b/></a><acls><acl_target id='u'><acl_permission kind='read' xpath='/cib'/>\
                    <acl_permission kind='deny' xpath='//acls'/><acl_permission kind='write' xpath='//a'/></acl_target></acls></configuration></cib>";
        let document = Document::parse(text).expect("XML");
        let marks = Acl::of(&document, "u", &[]).marks(&document);
        let begins = |look, expected: &str| {
            let shown = rendered(&document, "u", &marks, look);
            assert!(
                shown.starts_with(&format!("<!-- ACLs as evaluated for user u -->\n{expected}")),
                "{shown}"
            );
        };
        begins(
            Look::Text,
            "vvv---[ READABLE ]---vvv\n<cib>\n  <configuration>\n    \n    vvv---[ WRITABLE ]---vvv\n    <a x=\"1\">\n      <b/>\n    </a>\n    \n    \
             vvv---[ ~DENIED~ ]---vvv\n    <acls>\n",
        );
        begins(
            Look::Color,
            "\x1b[34m<cib>\n  \x1b[34m<configuration>\n    \x1b[32m<a x=\"1\">\n      \x1b[32m<b/>\x1b[0m\n    \x1b[32m</a>\x1b[0m\n",
        );
        begins(Look::Namespace, "<pcmk-access-readable:cib xmlns:pcmk-access-writable=");
    }
}
