//! Nested lists, the form most text output has.

/// Lines with depths; laid out by [`Outline::render`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    lines: Vec<(usize, String)>,
}

/// What stands in front of an outline's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Depth of the outermost lines: two blanks each.
    pub depth: usize,
    /// In front of the text: usually `"* "`.
    pub bullet: &'static str,
}

impl Default for Style {
    /// As `crm_mon` lists things below a heading.
    fn default() -> Self {
        Self { depth: 1, bullet: "* " }
    }
}

impl Outline {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line at `depth`, 0 being outermost.
    pub fn push(&mut self, depth: usize, text: impl Into<String>) {
        self.lines.push((depth, text.into()));
    }

    /// Adds all lines of `other`, `depth` further in.
    pub fn append(&mut self, depth: usize, other: Self) {
        self.lines.extend(other.lines.into_iter().map(|(inner, text)| (inner + depth, text)));
    }

    /// Whether there are no lines.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Depths and texts.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().map(|(depth, text)| (*depth, text.as_str()))
    }

    /// The text, outermost lines without bullets: headings with lists below them.
    pub fn render_without_first_bullets(&self, style: Style) -> String {
        let mut out = String::new();
        for (depth, text) in &self.lines {
            out.push_str(&"  ".repeat(style.depth + depth));
            if *depth > 0 {
                out.push_str(style.bullet);
            }
            out.push_str(text);
            out.push('\n');
        }
        out
    }

    /// The text.
    pub fn render(&self, style: Style) -> String {
        let mut out = String::new();
        for (depth, text) in &self.lines {
            for _ in 0..style.depth + depth {
                out.push_str("  ");
            }
            out.push_str(style.bullet);
            out.push_str(text);
            out.push('\n');
        }
        out
    }
}

/// `Started: [ a b ]`.
pub fn name_list(label: &str, names: &[&str]) -> String {
    format!("{label}: [ {} ]", names.join(" "))
}
