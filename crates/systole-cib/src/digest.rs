//! Digests by which Pacemaker tells whether something changed. All are MD5, in hexadecimal.

use crate::xml::{Document, Element, Style, escape_attribute};

/// How releases write values, on which their digests depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Spelling {
    /// Pacemaker 3.0, and ours: apostrophes as they are.
    #[default]
    Current,
    /// Pacemaker 2.1.5 and its like: `&apos;`, a backslash and `n` for a line end, four spaces for a tab.
    Older,
}

/// The digest of a text.
pub fn md5(text: &str) -> String {
    format!("{:x}", md5::compute(text))
}

/// The digest kept beside a CIB on disk (`cib.xml.sig`), and what `cibadmin --md5-sum` prints: of everything.
pub fn on_disk(cib: Element<'_>) -> String {
    md5(&format!(" {}\n", cib.write(Style::Compact)))
}

/// The digest that goes with patchsets (`cibadmin --md5-sum-versioned`): of all a CIB says, but not of who wrote it when.
pub fn of_document(document: &Document) -> String {
    let who = ["crm-debug-origin", "cib-last-written", "update-origin", "update-client", "update-user"];
    md5(&document.root().write_without(&who))
}

/// The digest of an operation's parameters: of those that [`is_parameter`], in the order of their names.
pub fn of_parameters<'p>(
    parameters: impl IntoIterator<Item = (&'p str, &'p str)>,
    spelling: Spelling,
) -> String {
    let mut sorted: Vec<(&str, &str)> = parameters.into_iter().collect();
    sorted.sort_unstable();
    let mut text = String::from(" <parameters");
    for (name, value) in sorted {
        text.push(' ');
        text.push_str(name);
        text.push_str("=\"");
        match spelling {
            Spelling::Current => escape_attribute(&mut text, value),
            Spelling::Older => escape_as_older(&mut text, value),
        }
        text.push('"');
    }
    text.push_str("/>\n");
    md5(&text)
}

/// Whether a name counts for digests. Others say who runs an operation and how, not what it is run with; only recurring
/// operations count `CRM_meta_timeout` too.
pub fn is_parameter(name: &str) -> bool {
    let is_bookkeeping = matches!(
        name,
        "id" | "crm_feature_set" | "op-digest" | "on_node" | "on_node_uuid" | "pcmk_external_ip"
    );
    !is_bookkeeping && !name.starts_with("CRM_meta_")
}

fn escape_as_older(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\'' => text.push_str("&apos;"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("    "),
            c => escape_attribute(text, c.encode_utf8(&mut [0; 4])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_parameters_are_those_of_pacemaker() {
        for (pairs, digest) in [
            (vec![], "f2317cad3d54cec5d7d7aa7d0bf35cf8"),
            (vec![("passwd", "secret"), ("fake", "0")], "3acdbe4c12734ebeb1251a59545af936"),
            (vec![("fake", "0")], "279c477dbc38c621904a00ab9e599b2f"),
            (
                vec![("passwd", "secret"), ("fake", "0"), ("CRM_meta_timeout", "20000")],
                "720718e8d715d5d3be1403cbbcb953bc",
            ),
        ] {
            assert_eq!(of_parameters(pairs.clone(), Spelling::Current), digest, "{pairs:?}");
            assert_eq!(of_parameters(pairs, Spelling::Older), digest);
        }
    }

    /// As `cibadmin --md5-sum` and `--md5-sum-versioned` of 2.1.5 print them.
    #[test]
    fn digests_of_a_cib_are_those_of_pacemaker() {
        let text = "<cib crm_feature_set=\"3.16.1\" epoch=\"1\" update-user=\"root\"><configuration><!-- c --></configuration>\
                    <status><node_state id=\"1\" crm-debug-origin=\"x\"/></status></cib>";
        let document = Document::parse(text).expect("well formed");
        assert_eq!(on_disk(document.root()), "cca5264383a48f772bb065f7ec8fc5b2");
        assert_eq!(of_document(&document), "fd11e04ae774b6271d3a54702d964b6b");
    }
}
