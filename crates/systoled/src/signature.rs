//! The digest that is kept beside a CIB on disk.
//!
//! Pacemaker takes the MD5 of the text without space between elements, after one space and before a line end (found out
//! from files that 2.1.5 wrote). Its releases do not agree on how attribute values are escaped there: 2.1 writes `&apos;`,
//! 3.0 does not, and what 2.1 makes of other than plain ASCII text is its own affair. A CIB with such a value gets no
//! digest from us, which every release accepts with a warning, while it would refuse a wrong one.

use systole_cib::xml::{Document, Style};

/// What a digest on disk says about a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is what was written.
    Intact,
    /// It was edited by hand or damaged.
    Altered,
    /// The digest is of a kind that cannot be worked out here.
    Unknown,
}

/// The digest to keep with `document`, if all releases agree on it.
pub(crate) fn sign(document: &Document) -> Option<String> {
    (spelling(document) == Spelling::Plain).then(|| digest(&compact(document)))
}

/// What `expected`, kept with `document`, says.
pub(crate) fn verify(document: &Document, expected: &str) -> Verdict {
    let text = compact(document);
    match spelling(document) {
        _ if digest(&text) == expected => Verdict::Intact,
        Spelling::Plain => Verdict::Altered,
        // Only attribute values have apostrophes: our writer quotes them with the other mark.
        Spelling::Apostrophes if digest(&text.replace('\'', "&apos;")) == expected => Verdict::Intact,
        Spelling::Apostrophes => Verdict::Altered,
        Spelling::Unusual => Verdict::Unknown,
    }
}

/// Whether releases differ over how a document is spelled out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Spelling {
    Plain,
    Apostrophes,
    Unusual,
}

fn spelling(document: &Document) -> Spelling {
    let root = document.root();
    let of = |value: &str| match value {
        _ if value.bytes().any(|b| !(b' '..=b'~').contains(&b)) => Spelling::Unusual,
        _ if value.contains('\'') => Spelling::Apostrophes,
        _ => Spelling::Plain,
    };
    let values = std::iter::once(root).chain(root.descendants()).flat_map(|element| element.attrs());
    values.map(|(_, value)| of(value)).max().unwrap_or(Spelling::Plain)
}

fn compact(document: &Document) -> String {
    document.root().write(Style::Compact)
}

fn digest(text: &str) -> String {
    systole_cib::digest::md5(&format!(" {text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_must_agree_on_a_digest() {
        for (value, apos, signed) in
            [("plain &lt;&amp;&gt;&quot;", "", true), ("it's", "&apos;", false), ("gr\u{fc}n", "", false)]
        {
            let document = Document::parse(format!("<cib a=\"{value}\"/>")).expect("XML");
            assert_eq!(sign(&document).is_some(), signed, "{value}");
            let as_3_0 = digest(&compact(&document));
            let as_2_1 = digest(&compact(&document).replace('\'', apos));
            assert_eq!([as_3_0, as_2_1].map(|d| verify(&document, &d)), [Verdict::Intact; 2], "{value}");
        }
        let document = Document::parse("<cib/>").expect("XML");
        assert_eq!(verify(&document, "d41d8cd98f00b204e9800998ecf8427e"), Verdict::Altered);
    }
}
