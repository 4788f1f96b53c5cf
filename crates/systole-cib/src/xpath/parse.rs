//! From text to expression.

use super::XPathError;

/// How deep parentheses and predicates may be nested.
const MAX_NESTING: usize = 32;
/// How long an expression may be.
const MAX_LENGTH: usize = 64 * 1024;

#[derive(Clone, Debug)]
pub(super) enum Expr {
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    Union(Vec<Expr>),
    Path(Path),
    /// What an expression in parentheses finds, less what predicates take away, and from there on.
    Filter(Box<Expr>, Vec<Expr>, Vec<Step>),
    Literal(String),
    Number(f64),
    Call(Function, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug)]
pub(super) struct Path {
    pub is_absolute: bool,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub axis: Axis,
    pub test: Test,
    pub predicates: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Myself,
    Parent,
    Ancestor,
    AncestorOrSelf,
    FollowingSibling,
    PrecedingSibling,
    Attribute,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Any,
    Name(String),
    Node,
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Not,
    True,
    False,
    Position,
    Last,
    Count,
    Name,
    String,
    Number,
    Contains,
    StartsWith,
    StringLength,
    NormalizeSpace,
    Translate,
    Concat,
    Id,
}

/// Name, function, fewest and most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 17] = [
    ("not", Function::Not, 1, 1),
    ("true", Function::True, 0, 0),
    ("false", Function::False, 0, 0),
    ("position", Function::Position, 0, 0),
    ("last", Function::Last, 0, 0),
    ("count", Function::Count, 1, 1),
    ("name", Function::Name, 0, 1),
    ("local-name", Function::Name, 0, 1),
    ("string", Function::String, 0, 1),
    ("number", Function::Number, 0, 1),
    ("contains", Function::Contains, 2, 2),
    ("starts-with", Function::StartsWith, 2, 2),
    ("string-length", Function::StringLength, 0, 1),
    ("normalize-space", Function::NormalizeSpace, 0, 1),
    ("translate", Function::Translate, 3, 3),
    ("concat", Function::Concat, 2, 64),
    ("id", Function::Id, 1, 1),
];

const AXES: [(&str, Axis); 10] = [
    ("child", Axis::Child),
    ("descendant", Axis::Descendant),
    ("descendant-or-self", Axis::DescendantOrSelf),
    ("self", Axis::Myself),
    ("parent", Axis::Parent),
    ("ancestor", Axis::Ancestor),
    ("ancestor-or-self", Axis::AncestorOrSelf),
    ("following-sibling", Axis::FollowingSibling),
    ("preceding-sibling", Axis::PrecedingSibling),
    ("attribute", Axis::Attribute),
];

const COMPARISONS: [(&str, Comparison); 6] = [
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Expr {
    /// Whether, as a predicate, it asks for a place in the list.
    pub fn is_positional(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Or(all) | Self::And(all) => all.iter().any(Self::is_positional),
            Self::Compare(_, a, b) => a.is_positional() || b.is_positional(),
            Self::Call(function, arguments) => {
                matches!(function, Function::Position | Function::Last | Function::Number | Function::Count)
                    || matches!(function, Function::StringLength)
                    || arguments.iter().any(Self::is_positional)
            }
            Self::Union(_) | Self::Path(_) | Self::Filter(..) | Self::Literal(_) => false,
        }
    }

    /// See [`super::XPath::ends_in_attribute`].
    pub fn ends_in_attribute(&self) -> bool {
        let is_attribute = |steps: &[Step]| steps.last().is_some_and(|step| step.axis == Axis::Attribute);
        match self {
            Self::Path(path) => is_attribute(&path.steps),
            Self::Filter(inner, _, steps) if steps.is_empty() => inner.ends_in_attribute(),
            Self::Filter(_, _, steps) => is_attribute(steps),
            Self::Union(all) => all.iter().any(Self::ends_in_attribute),
            _ => false,
        }
    }

    /// See [`super::XPath::has_filters`].
    pub fn has_filters(&self) -> bool {
        match self {
            Self::Filter(..) => true,
            Self::Or(all) | Self::And(all) | Self::Union(all) | Self::Call(_, all) => {
                all.iter().any(Self::has_filters)
            }
            Self::Compare(_, a, b) => a.has_filters() || b.has_filters(),
            Self::Path(path) => path.steps.iter().flat_map(|step| &step.predicates).any(Self::has_filters),
            Self::Literal(_) | Self::Number(_) => false,
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Expr, XPathError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    if text.len() > MAX_LENGTH {
        return Err(parser.error("the expression is too long"));
    }
    let expression = parser.or()?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.error("this is not covered, or not an expression"));
    }
    Ok(expression)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

type Parsed<T> = Result<T, XPathError>;

impl<'t> Parser<'t> {
    fn error(&self, problem: &str) -> XPathError {
        let at = self.text[..self.at].chars().count();
        let expression = self.text.chars().take(200).collect();
        XPathError::Syntax { expression, at, problem: problem.to_owned() }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let is_there = self.rest().starts_with(token);
        if is_there {
            self.at += token.len();
        }
        is_there
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.take(token) { Ok(()) } else { Err(self.error(&format!("expected {token}"))) }
    }

    /// `and` or `or`, which may also be the name of an element elsewhere.
    fn take_word(&mut self, word: &str) -> bool {
        self.space();
        let after = self.rest().strip_prefix(word);
        let is_there = after.is_some_and(|after| !after.starts_with(is_name_char));
        if is_there {
            self.at += word.len();
        }
        is_there
    }

    fn or(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(self.error("the expression is nested too deeply"));
        }
        let mut all = vec![self.and()?];
        while self.take_word("or") {
            all.push(self.and()?);
        }
        self.depth -= 1;
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::Or(all) })
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut all = vec![self.comparison()?];
        while self.take_word("and") {
            all.push(self.comparison()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::And(all) })
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.union()?;
        match COMPARISONS.iter().find(|(token, _)| self.take(token)) {
            Some((_, comparison)) => Ok(Expr::Compare(*comparison, Box::new(left), Box::new(self.union()?))),
            None => Ok(left),
        }
    }

    fn union(&mut self) -> Parsed<Expr> {
        let first = self.primary()?;
        let mut all = vec![first];
        while self.take("|") {
            all.push(self.primary()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::Union(all) })
    }

    fn primary(&mut self) -> Parsed<Expr> {
        self.space();
        let rest = self.rest();
        match rest.chars().next() {
            None => Err(self.error("the expression ends too early")),
            Some(quote @ ('"' | '\'')) => {
                let end = rest[1..].find(quote).ok_or_else(|| self.error("the quote is not closed"))?;
                self.at += end + 2;
                Ok(Expr::Literal(rest[1..=end].to_owned()))
            }
            Some('0'..='9') => {
                let len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                let number = rest[..len].parse().map_err(|_| self.error("this is not a number"))?;
                self.at += len;
                Ok(Expr::Number(number))
            }
            Some('(') => {
                self.at += 1;
                let inner = self.or()?;
                self.expect(")")?;
                let predicates = self.predicates()?;
                let mut steps = Vec::new();
                if self.takes_slash(&mut steps) {
                    self.steps(&mut steps)?;
                }
                let is_plain = predicates.is_empty() && steps.is_empty();
                Ok(if is_plain { inner } else { Expr::Filter(Box::new(inner), predicates, steps) })
            }
            Some('$') => Err(self.error("variables are not covered")),
            Some('-' | '+') => Err(self.error("arithmetic is not covered")),
            Some(_) => match self.function()? {
                Some(call) => Ok(call),
                None => self.path().map(Expr::Path),
            },
        }
    }

    fn function(&mut self) -> Parsed<Option<Expr>> {
        let name = self.peek_name();
        let after = self.rest()[name.len()..].trim_start();
        if name.is_empty() || !after.starts_with('(') || matches!(name, "node" | "text" | "comment") {
            return Ok(None);
        }
        let Some((_, function, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            return Err(self.error(&format!("function {name}() is not covered")));
        };
        self.at += name.len();
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.take(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(self.or()?);
        }
        if !(*least..=*most).contains(&arguments.len()) {
            return Err(self.error(&format!("function {name}() has a wrong number of arguments")));
        }
        Ok(Some(Expr::Call(*function, arguments)))
    }

    fn path(&mut self) -> Parsed<Path> {
        let mut path = Path { is_absolute: false, steps: Vec::new() };
        self.space();
        if self.rest().starts_with("//") {
            path.is_absolute = true;
            self.at += 2;
            path.steps.push(anywhere());
        } else if self.take("/") {
            path.is_absolute = true;
            let next = self.rest().trim_start().chars().next();
            if !next.is_some_and(|c| is_name_char(c) || matches!(c, '*' | '@' | '.')) {
                return Ok(path);
            }
        }
        self.steps(&mut path.steps)?;
        Ok(path)
    }

    /// Steps with slashes between them.
    fn steps(&mut self, steps: &mut Vec<Step>) -> Parsed<()> {
        loop {
            steps.push(self.step()?);
            if !self.takes_slash(steps) {
                return Ok(());
            }
        }
    }

    /// Whether a slash follows. Two stand for a step of their own.
    fn takes_slash(&mut self, steps: &mut Vec<Step>) -> bool {
        if self.take("//") {
            steps.push(anywhere());
            return true;
        }
        self.take("/")
    }

    fn step(&mut self) -> Parsed<Step> {
        self.space();
        if self.take("..") {
            return self.with_predicates(Axis::Parent, Test::Node);
        }
        if self.take(".") {
            return self.with_predicates(Axis::Myself, Test::Node);
        }
        let mut axis = Axis::Child;
        if self.take("@") {
            axis = Axis::Attribute;
        } else {
            let name = self.peek_name();
            if self.rest()[name.len()..].starts_with("::") {
                let known = AXES.iter().find(|(known, _)| *known == name);
                axis = known.ok_or_else(|| self.error(&format!("axis {name} is not covered")))?.1;
                self.at += name.len() + 2;
            }
        }
        let test = self.test()?;
        self.with_predicates(axis, test)
    }

    fn test(&mut self) -> Parsed<Test> {
        if self.take("*") {
            return Ok(Test::Any);
        }
        self.space();
        let name = self.peek_name();
        if name.is_empty() {
            return Err(self.error("expected the name of an element"));
        }
        self.at += name.len();
        if !self.rest().starts_with('(') {
            return Ok(Test::Name(name.to_owned()));
        }
        self.expect("(")?;
        self.expect(")")?;
        match name {
            "node" => Ok(Test::Node),
            "text" => Ok(Test::Text),
            _ => Err(self.error(&format!("{name}() is not covered here"))),
        }
    }

    fn with_predicates(&mut self, axis: Axis, test: Test) -> Parsed<Step> {
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn predicates(&mut self) -> Parsed<Vec<Expr>> {
        let mut predicates = Vec::new();
        while self.take("[") {
            predicates.push(self.or()?);
            self.expect("]")?;
        }
        Ok(predicates)
    }

    /// The name at the current place; empty if there is none. A single colon belongs to it, two do not.
    fn peek_name(&self) -> &'t str {
        let rest = self.rest();
        let mut end = 0;
        for (at, c) in rest.char_indices() {
            let is_prefix = c == ':' && !rest[at + 1..].starts_with(':') && !rest[..at].ends_with(':');
            if !(is_name_char(c) || is_prefix) {
                break;
            }
            end = at + c.len_utf8();
        }
        let name = &rest[..end];
        if name.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') { "" } else { name }
    }
}

/// What `//` stands for.
fn anywhere() -> Step {
    Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.') || !c.is_ascii()
}
