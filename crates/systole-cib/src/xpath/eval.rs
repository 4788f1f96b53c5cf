//! Searching.

use super::parse::{Axis, Comparison, Expr, Function, Path, Step, Test};
use crate::xml::{Content, Document, Element, Key};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

/// Nodes looked at before a search is given up, beside [`VISITS_PER_NODE`] for each node of the document.
const VISITS: usize = 1_000_000;
const VISITS_PER_NODE: usize = 64;

pub(super) enum Stop {
    TooCostly,
    NotNodes,
}

type Found<T> = Result<T, Stop>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    Document,
    Element(Key),
    /// The element, and which of its attributes.
    Attribute(Key, usize),
    Text(Key),
}

enum Value {
    Nodes(Vec<Node>),
    Text(String),
    Number(f64),
    Truth(bool),
}

#[derive(Clone, Copy)]
struct Context {
    node: Node,
    position: usize,
    last: usize,
}

/// What is found: elements, and attributes by name with the element that has them; in document order.
pub(super) fn find<'d>(expression: &Expr, document: &'d Document) -> Found<Vec<(Key, Option<&'d str>)>> {
    let left = Cell::new(VISITS + document.n_nodes().saturating_mul(VISITS_PER_NODE));
    let search = Search { document, left };
    let context = Context { node: Node::Document, position: 1, last: 1 };
    let Value::Nodes(nodes) = search.value(expression, context)? else { return Err(Stop::NotNodes) };
    let name = |key, n| document.element(key).attrs().nth(n).map(|(name, _)| name);
    let nodes = search.in_order(nodes).into_iter();
    Ok(nodes
        .filter_map(|node| match node {
            Node::Element(key) => Some((key, None)),
            Node::Attribute(key, n) => Some((key, name(key, n))),
            Node::Document | Node::Text(_) => None,
        })
        .collect())
}

struct Search<'d> {
    document: &'d Document,
    left: Cell<usize>,
}

impl<'d> Search<'d> {
    fn visit(&self) -> Found<()> {
        self.left.set(self.left.get().checked_sub(1).ok_or(Stop::TooCostly)?);
        Ok(())
    }

    /// Nodes in document order, each once. Keys are numbered in that order only until the document is edited.
    fn in_order(&self, mut nodes: Vec<Node>) -> Vec<Node> {
        if nodes.len() > 1 {
            let all = self.document.root().descendants().enumerate();
            let order: BTreeMap<Key, usize> = all.map(|(n, element)| (element.key(), n)).collect();
            let place = |node: &Node| match node {
                Node::Document => (None, None),
                Node::Element(key) | Node::Text(key) => (order.get(key).copied(), None),
                Node::Attribute(key, n) => (order.get(key).copied(), Some(*n)),
            };
            nodes.sort_by_key(place);
            nodes.dedup();
        }
        nodes
    }

    fn value(&self, expression: &Expr, context: Context) -> Found<Value> {
        Ok(match expression {
            Expr::Or(all) => Value::Truth(self.any(all, context, true)?),
            Expr::And(all) => Value::Truth(!self.any(all, context, false)?),
            Expr::Compare(comparison, a, b) => {
                Value::Truth(self.compare(*comparison, &self.value(a, context)?, &self.value(b, context)?))
            }
            Expr::Union(all) => {
                let mut nodes = Vec::new();
                for one in all {
                    match self.value(one, context)? {
                        Value::Nodes(found) => nodes.extend(found),
                        _ => return Err(Stop::NotNodes),
                    }
                }
                Value::Nodes(nodes)
            }
            Expr::Path(path) => Value::Nodes(self.path(path, context.node)?),
            Expr::Filter(inner, predicates, steps) => {
                let Value::Nodes(nodes) = self.value(inner, context)? else { return Err(Stop::NotNodes) };
                let kept = self.kept(self.in_order(nodes), predicates)?;
                Value::Nodes(self.walk(kept, steps)?)
            }
            Expr::Literal(text) => Value::Text(text.clone()),
            Expr::Number(number) => Value::Number(*number),
            Expr::Call(function, arguments) => self.call(*function, arguments, context)?,
        })
    }

    fn truth(&self, expression: &Expr, context: Context) -> Found<bool> {
        Ok(match self.value(expression, context)? {
            Value::Nodes(nodes) => !nodes.is_empty(),
            Value::Text(text) => !text.is_empty(),
            Value::Number(number) => number != 0.0 && !number.is_nan(),
            Value::Truth(truth) => truth,
        })
    }

    /// Whether one of `all` is as `wanted`; the rest is not looked at then.
    fn any(&self, all: &[Expr], context: Context, wanted: bool) -> Found<bool> {
        for one in all {
            if self.truth(one, context)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn path(&self, path: &Path, from: Node) -> Found<Vec<Node>> {
        self.walk(vec![if path.is_absolute { Node::Document } else { from }], &path.steps)
    }

    /// From nodes on by steps.
    fn walk(&self, mut nodes: Vec<Node>, steps: &[Step]) -> Found<Vec<Node>> {
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            // `//name` goes through the descendants once, unless a place among siblings is asked for.
            let next = steps.get(at + 1).filter(|next| is_anywhere(step) && is_plain_child(next));
            let axis = if next.is_some() { Axis::Descendant } else { step.axis };
            let step = next.unwrap_or(step);
            at += if next.is_some() { 2 } else { 1 };
            let mut found = Vec::new();
            let mut seen = BTreeSet::new();
            let may_repeat = nodes.len() > 1 && !matches!(axis, Axis::Child | Axis::Attribute | Axis::Myself);
            for node in nodes {
                let matching = self.matching(axis, step, node)?;
                found.extend(matching.into_iter().filter(|node| !may_repeat || seen.insert(*node)));
            }
            nodes = found;
        }
        Ok(nodes)
    }

    /// The nodes on the axis from `node` that pass the step's test and predicates.
    fn matching(&self, axis: Axis, step: &Step, node: Node) -> Found<Vec<Node>> {
        self.kept(self.axis(axis, &step.test, node)?, &step.predicates)
    }

    /// Of a list of nodes those for which the predicates hold.
    fn kept(&self, mut nodes: Vec<Node>, predicates: &[Expr]) -> Found<Vec<Node>> {
        for predicate in predicates {
            let last = nodes.len();
            let mut kept = Vec::new();
            for (n, node) in nodes.into_iter().enumerate() {
                self.visit()?;
                let context = Context { node, position: n + 1, last };
                let holds = match predicate {
                    Expr::Number(number) => *number == (n + 1) as f64,
                    Expr::Call(Function::Last, _) => n + 1 == last,
                    other => self.truth(other, context)?,
                };
                if holds {
                    kept.push(node);
                }
            }
            nodes = kept;
        }
        Ok(nodes)
    }

    fn axis(&self, axis: Axis, test: &Test, node: Node) -> Found<Vec<Node>> {
        let mut found = Vec::new();
        let mut add = |node: Node| -> Found<()> {
            self.visit()?;
            if self.passes(test, node) {
                found.push(node);
            }
            Ok(())
        };
        let element = |key| self.document.element(key);
        match (axis, node) {
            (Axis::Myself, _) => add(node)?,
            (Axis::Child, Node::Document) => add(Node::Element(self.document.root_key()))?,
            (Axis::Child, Node::Element(key)) if *test == Test::Text => {
                for (text, content) in self.document.contents(key) {
                    if matches!(content, Content::Text(_)) {
                        add(Node::Text(text))?;
                    }
                }
            }
            (Axis::Child, Node::Element(key)) => {
                element(key).children().try_for_each(|child| add(Node::Element(child.key())))?;
            }
            (Axis::Descendant | Axis::DescendantOrSelf, Node::Document) => {
                if axis == Axis::DescendantOrSelf {
                    add(node)?;
                }
                self.document.root().descendants().try_for_each(|e| add(Node::Element(e.key())))?;
            }
            (Axis::Descendant | Axis::DescendantOrSelf, Node::Element(key)) => {
                let n_skipped = usize::from(axis == Axis::Descendant);
                element(key).descendants().skip(n_skipped).try_for_each(|e| add(Node::Element(e.key())))?;
            }
            (Axis::Attribute, Node::Element(key)) => {
                for (n, (name, _)) in element(key).attrs().enumerate() {
                    if matches!(test, Test::Any | Test::Node) || *test == Test::Name(name.to_owned()) {
                        found.push(Node::Attribute(key, n));
                    }
                }
            }
            (Axis::Parent, Node::Attribute(key, _)) => add(Node::Element(key))?,
            (Axis::Parent, Node::Element(key)) => {
                add(element(key).parent().map_or(Node::Document, |parent| Node::Element(parent.key())))?;
            }
            (Axis::Ancestor | Axis::AncestorOrSelf, Node::Element(key)) => {
                let mut at = if axis == Axis::Ancestor { element(key).parent() } else { Some(element(key)) };
                while let Some(up) = at {
                    add(Node::Element(up.key()))?;
                    at = up.parent();
                }
            }
            (Axis::FollowingSibling, Node::Element(key)) => {
                let mut at = element(key).next_sibling();
                while let Some(sibling) = at {
                    add(Node::Element(sibling.key()))?;
                    at = sibling.next_sibling();
                }
            }
            (Axis::PrecedingSibling, Node::Element(key)) => {
                if let Some(parent) = element(key).parent() {
                    let before: Vec<Element<'d>> = parent.children().take_while(|e| e.key() != key).collect();
                    before.into_iter().rev().try_for_each(|e| add(Node::Element(e.key())))?;
                }
            }
            _ => {}
        }
        Ok(found)
    }

    fn passes(&self, test: &Test, node: Node) -> bool {
        match (test, node) {
            (Test::Node, _) | (Test::Text, Node::Text(_)) | (Test::Any, Node::Element(_)) => true,
            (Test::Name(name), Node::Element(key)) => self.document.element(key).is(name),
            _ => false,
        }
    }

    fn text(&self, node: Node) -> String {
        match node {
            Node::Document => self.all_text(self.document.root_key()),
            Node::Element(key) => self.all_text(key),
            Node::Attribute(key, n) => self
                .document
                .element(key)
                .attrs()
                .nth(n)
                .map_or_else(String::new, |(_, value)| value.to_owned()),
            Node::Text(key) => match self.document.content(key) {
                Content::Text(text) => text.to_owned(),
                _ => String::new(),
            },
        }
    }

    fn all_text(&self, key: Key) -> String {
        self.document.element(key).descendants().map(Element::text).collect()
    }

    fn string(&self, value: &Value) -> String {
        match value {
            Value::Nodes(nodes) => nodes.first().map_or_else(String::new, |node| self.text(*node)),
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Truth(truth) => truth.to_string(),
        }
    }

    fn number(&self, value: &Value) -> f64 {
        match value {
            Value::Number(number) => *number,
            Value::Truth(truth) => f64::from(u8::from(*truth)),
            other => self.string(other).trim().parse().unwrap_or(f64::NAN),
        }
    }

    /// Sets of nodes compare by any of their nodes.
    fn compare(&self, comparison: Comparison, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Truth(_), other) | (other, Value::Truth(_))
                if matches!(comparison, Comparison::Equal | Comparison::NotEqual) =>
            {
                let truth = |value: &Value| match value {
                    Value::Nodes(nodes) => !nodes.is_empty(),
                    Value::Text(text) => !text.is_empty(),
                    Value::Number(number) => *number != 0.0,
                    Value::Truth(truth) => *truth,
                };
                let same = truth(other) == truth(if matches!(a, Value::Truth(_)) { a } else { b });
                same == (comparison == Comparison::Equal)
            }
            (Value::Nodes(nodes), other) => {
                nodes.iter().any(|node| self.compare(comparison, &Value::Text(self.text(*node)), other))
            }
            (other, Value::Nodes(nodes)) => {
                nodes.iter().any(|node| self.compare(comparison, other, &Value::Text(self.text(*node))))
            }
            (Value::Text(a), Value::Text(b)) if comparison == Comparison::Equal => a == b,
            (Value::Text(a), Value::Text(b)) if comparison == Comparison::NotEqual => a != b,
            _ => {
                let (a, b) = (self.number(a), self.number(b));
                match comparison {
                    Comparison::Equal => a == b,
                    Comparison::NotEqual => a != b,
                    Comparison::Less => a < b,
                    Comparison::LessOrEqual => a <= b,
                    Comparison::Greater => a > b,
                    Comparison::GreaterOrEqual => a >= b,
                }
            }
        }
    }

    fn call(&self, function: Function, arguments: &[Expr], context: Context) -> Found<Value> {
        let value = |n: usize| match arguments.get(n) {
            Some(argument) => self.value(argument, context),
            None => Ok(Value::Nodes(vec![context.node])),
        };
        let string = |n: usize| Ok(self.string(&value(n)?));
        Ok(match function {
            Function::Not => Value::Truth(!self.truth(&arguments[0], context)?),
            Function::True => Value::Truth(true),
            Function::False => Value::Truth(false),
            Function::Position => Value::Number(context.position as f64),
            Function::Last => Value::Number(context.last as f64),
            Function::Count => match value(0)? {
                Value::Nodes(nodes) => Value::Number(nodes.len() as f64),
                _ => return Err(Stop::NotNodes),
            },
            Function::Name => Value::Text(match value(0)? {
                Value::Nodes(nodes) => nodes.first().map_or_else(String::new, |node| self.name(*node)),
                _ => return Err(Stop::NotNodes),
            }),
            Function::String => Value::Text(string(0)?),
            Function::Number => Value::Number(self.number(&value(0)?)),
            Function::Contains => Value::Truth(string(0)?.contains(&string(1)?)),
            Function::StartsWith => Value::Truth(string(0)?.starts_with(&string(1)?)),
            Function::StringLength => Value::Number(string(0)?.chars().count() as f64),
            Function::NormalizeSpace => {
                let text = string(0)?;
                Value::Text(text.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            Function::Translate => Value::Text(translate(&string(0)?, &string(1)?, &string(2)?)),
            Function::Concat => {
                let parts: Found<Vec<String>> = (0..arguments.len()).map(string).collect();
                Value::Text(parts?.concat())
            }
            Function::Id => {
                let id = string(0)?;
                Value::Nodes(self.document.find_id(&id).map(|e| Node::Element(e.key())).into_iter().collect())
            }
        })
    }

    fn name(&self, node: Node) -> String {
        match node {
            Node::Element(key) => self.document.element(key).name().to_owned(),
            Node::Attribute(key, n) => self
                .document
                .element(key)
                .attrs()
                .nth(n)
                .map_or_else(String::new, |(name, _)| name.to_owned()),
            Node::Document | Node::Text(_) => String::new(),
        }
    }
}

fn is_anywhere(step: &Step) -> bool {
    step.axis == Axis::DescendantOrSelf && step.test == Test::Node && step.predicates.is_empty()
}

fn is_plain_child(step: &Step) -> bool {
    step.axis == Axis::Child && step.test != Test::Text && !step.predicates.iter().any(Expr::is_positional)
}

fn translate(text: &str, from: &str, to: &str) -> String {
    let to: Vec<char> = to.chars().collect();
    text.chars()
        .filter_map(|c| match from.chars().position(|f| f == c) {
            Some(n) => to.get(n).copied(),
            None => Some(c),
        })
        .collect()
}
