//! Mistakes in a CIB for people: what is wrong, where, and the line it is in.

use systole_cib::{
    Diagnostic,
    xml::{Position, XmlError},
};

/// Longest stretch of a line that is shown.
const WIDTH: usize = 100;

/// A diagnostic, with the line of `source` it is about.
pub fn diagnostic(diagnostic: &Diagnostic, source: &str) -> String {
    match diagnostic.position {
        Some(position) => format!("{diagnostic}\n{}", excerpt(source, position)),
        None => format!("{diagnostic}\n"),
    }
}

/// Why a text is no XML, with the line it breaks in.
pub fn xml_error(error: &XmlError, file: &str, source: &str) -> String {
    format!("error: {file}:{}: {}\n{}", error.position, error.problem, excerpt(source, error.position))
}

/// The line at `position` with a mark below.
fn excerpt(source: &str, position: Position) -> String {
    let Some(line) = source.lines().nth(position.line.saturating_sub(1) as usize) else {
        return String::new();
    };
    let column = position.column.saturating_sub(1) as usize;
    let first = column.saturating_sub(WIDTH / 2);
    let shown: String =
        line.chars().skip(first).take(WIDTH).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let number = position.line.to_string();
    let margin = " ".repeat(number.len());
    let blanks = " ".repeat(column - first);
    format!(" {number} | {shown}\n {margin} | {blanks}^\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use systole_cib::xml::Document;

    #[test]
    fn a_broken_line_is_shown_with_a_mark() {
        let source = "<cib>\n  <a b=c/>\n</cib>";
        let error = Document::parse(source).expect_err("no quotes");
        let text = xml_error(&error, "cib.xml", source);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("error: cib.xml:2:"), "{text}");
        assert_eq!(lines[1], " 2 |   <a b=c/>");
        assert!(lines[2].ends_with('^'), "{text}");
    }
}
