//! `<rule>`s.

use super::context::Reader;
use crate::{
    model::{
        AttributeCondition, BooleanOp, Comparison, Condition, DateCondition, Rule, RuleScore, ValueKind,
        ValueSource,
    },
    xml::Element,
};
use std::sync::Arc;

const COMPARISONS: [(&str, Comparison); 8] = [
    ("lt", Comparison::Less),
    ("lte", Comparison::LessOrEqual),
    ("gt", Comparison::Greater),
    ("gte", Comparison::GreaterOrEqual),
    ("eq", Comparison::Equal),
    ("ne", Comparison::NotEqual),
    ("defined", Comparison::Defined),
    ("not_defined", Comparison::NotDefined),
];

const VALUE_SOURCES: [(&str, ValueSource); 3] =
    [("literal", ValueSource::Literal), ("param", ValueSource::Parameter), ("meta", ValueSource::Meta)];

const VALUE_KINDS: [(&str, ValueKind); 4] = [
    ("string", ValueKind::String),
    ("integer", ValueKind::Integer),
    ("number", ValueKind::Number),
    ("version", ValueKind::Version),
];

impl<'d> Reader<'d> {
    /// All rules directly in `parent`.
    pub fn rules(&mut self, parent: Element<'d>) -> Vec<Rule> {
        parent.children_named("rule").filter_map(|rule| self.rule(rule)).collect()
    }

    /// Rules nest, but no deeper than elements may: references back to a rule that is being read are refused.
    pub fn rule(&mut self, element: Element<'d>) -> Option<Rule> {
        let element = self.resolve(element)?;
        let id = self.element_id(element);
        let open = element.id().unwrap_or_default();
        if self.open_rules.len() >= crate::xml::MAX_DEPTH
            || (!open.is_empty() && self.open_rules.contains(&open))
        {
            self.error(element, "the rule refers back to itself");
            return None;
        }
        self.open_rules.push(open);
        let conditions = element.children().filter_map(|child| self.condition(child)).collect();
        self.open_rules.pop();
        let score = match element.attr("score-attribute") {
            Some(name) => Some(RuleScore::NodeAttribute(self.shared(name))),
            None => self.score(element, "score").map(RuleScore::Fixed),
        };
        let words = [("and", BooleanOp::And), ("or", BooleanOp::Or)];
        Some(Rule {
            id,
            combine: self.word(element, "boolean-op", &words).unwrap_or_default(),
            role: self.role(element, "role"),
            score,
            conditions,
        })
    }

    fn condition(&mut self, element: Element<'d>) -> Option<Condition> {
        if element.is("rule") {
            return Some(self.rule(element).map_or(Condition::Invalid, Condition::Rule));
        }
        let is_known =
            matches!(element.name(), "expression" | "date_expression" | "rsc_expression" | "op_expression");
        if !is_known {
            self.unknown(element, "a <rule>");
            return None;
        }
        let Some(element) = self.resolve(element) else { return Some(Condition::Invalid) };
        let condition = match element.name() {
            "expression" => self.attribute_condition(element).map(Condition::Attribute),
            "date_expression" => self.date_condition(element).map(Condition::Date),
            "rsc_expression" => Some(Condition::Resource {
                class: self.text(element, "class"),
                provider: self.text(element, "provider"),
                kind: self.text(element, "type"),
            }),
            _ => self.required(element, "name").map(|name| Condition::Operation {
                name: self.shared(name),
                interval: self.text(element, "interval"),
            }),
        };
        Some(condition.unwrap_or(Condition::Invalid))
    }

    fn attribute_condition(&mut self, element: Element<'d>) -> Option<AttributeCondition> {
        let attribute = self.required(element, "attribute")?;
        self.required(element, "operation")?;
        let comparison = self.word(element, "operation", &COMPARISONS)?;
        let is_unary = matches!(comparison, Comparison::Defined | Comparison::NotDefined);
        if is_unary && element.attr("value").is_some() {
            self.warning(element, "value has no meaning with operations defined and not_defined");
        } else if !is_unary && element.attr("value").is_none() {
            self.error(element, "value is missing");
            return None;
        }
        Some(AttributeCondition {
            attribute: self.shared(attribute),
            comparison,
            value: self.text(element, "value"),
            value_source: self.word(element, "value-source", &VALUE_SOURCES).unwrap_or_default(),
            kind: self.word(element, "type", &VALUE_KINDS),
        })
    }

    pub fn date_condition(&mut self, element: Element<'d>) -> Option<DateCondition> {
        let operation = element.attr("operation").unwrap_or("in_range").to_ascii_lowercase();
        let (start, end) = (self.text(element, "start"), self.text(element, "end"));
        let missing = |reader: &mut Self, what: &str| {
            reader.error(element, format!("{what} is missing, which operation {operation:?} needs"));
            None
        };
        match operation.as_str() {
            "gt" => match start {
                Some(start) => Some(DateCondition::After { start }),
                None => missing(self, "start"),
            },
            "lt" => match end {
                Some(end) => Some(DateCondition::Before { end }),
                None => missing(self, "end"),
            },
            "in_range" => {
                let duration = element.child("duration").and_then(|duration| self.fields(duration));
                if start.is_none() && end.is_none() {
                    return missing(self, "start or end");
                }
                Some(DateCondition::InRange { start, end, duration })
            }
            "date_spec" => match element.child("date_spec") {
                Some(spec) => self.fields(spec).map(DateCondition::Spec),
                None => missing(self, "<date_spec>"),
            },
            other => {
                self.error(element, format!("operation: {other:?} is none of gt, lt, in_range, date_spec"));
                None
            }
        }
    }

    /// `(unit, number)` pairs of a `<duration>` or `<date_spec>`.
    fn fields(&mut self, element: Element<'d>) -> Option<Vec<(Arc<str>, Arc<str>)>> {
        let element = self.resolve(element)?;
        let fields = element.attrs().filter(|(name, _)| *name != "id");
        Some(fields.map(|(name, value)| (self.shared(name), self.shared(value))).collect())
    }
}
