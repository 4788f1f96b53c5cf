//! Rules: conditions on node attributes, dates, resources and operations.
//!
//! Source: Pacemaker Explained, "Rules".

use std::sync::Arc;
use systole_types::{ElementId, Role, Score};

/// A `<rule>`; an `id-ref` has been replaced by what it refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// `id`.
    pub id: ElementId,
    /// `boolean-op`; `And` if not given.
    pub combine: BooleanOp,
    /// `role`: for location constraints, only this role is meant.
    pub role: Option<Role>,
    /// `score` or `score-attribute`: for location constraints.
    pub score: Option<RuleScore>,
    /// In document order. A rule without conditions holds.
    pub conditions: Vec<Condition>,
}

/// How a rule's conditions are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BooleanOp {
    /// All must hold.
    #[default]
    And,
    /// One must hold.
    Or,
}

/// Where a location rule's score comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleScore {
    /// `score`.
    Fixed(Score),
    /// `score-attribute`: the value of this node attribute.
    NodeAttribute(Arc<str>),
}

/// One condition of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A nested `<rule>`.
    Rule(Rule),
    /// `<expression>` on a node attribute.
    Attribute(AttributeCondition),
    /// `<date_expression>`.
    Date(DateCondition),
    /// `<rsc_expression>`.
    Resource {
        /// `class`; any if `None`.
        class: Option<Arc<str>>,
        /// `provider`; any if `None`.
        provider: Option<Arc<str>>,
        /// `type`; any if `None`.
        kind: Option<Arc<str>>,
    },
    /// `<op_expression>`.
    Operation {
        /// `name`.
        name: Arc<str>,
        /// `interval` as written; any if `None`.
        interval: Option<Arc<str>>,
    },
    /// Something that cannot be understood: never holds. There is a diagnostic for it.
    Invalid,
}

/// `<expression>`.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeCondition {
    /// `attribute`.
    pub attribute: Arc<str>,
    /// `operation`.
    pub comparison: Comparison,
    /// `value`.
    pub value: Option<Arc<str>>,
    /// `value-source`.
    pub value_source: ValueSource,
    /// `type`, if given.
    pub kind: Option<ValueKind>,
}

/// How an attribute is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `lt`.
    Less,
    /// `lte`.
    LessOrEqual,
    /// `gt`.
    Greater,
    /// `gte`.
    GreaterOrEqual,
    /// `eq`.
    Equal,
    /// `ne`.
    NotEqual,
    /// `defined`.
    Defined,
    /// `not_defined`.
    NotDefined,
}

/// Where the value compared with comes from: `value-source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ValueSource {
    /// `value` itself.
    #[default]
    Literal,
    /// The resource parameter named by `value`.
    Parameter,
    /// The resource meta attribute named by `value`.
    Meta,
}

/// As what two values are compared: `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// `string`.
    String,
    /// `integer`.
    Integer,
    /// `number`.
    Number,
    /// `version`.
    Version,
}

/// `<date_expression>`. Dates are as written; the scheduler reads them at a given moment.
#[derive(Clone, Debug, PartialEq)]
pub enum DateCondition {
    /// `gt`: later than `start`.
    After {
        /// ISO 8601.
        start: Arc<str>,
    },
    /// `lt`: before `end`.
    Before {
        /// ISO 8601.
        end: Arc<str>,
    },
    /// `in_range`: from `start` on, up to `end` or for `duration`.
    InRange {
        /// ISO 8601.
        start: Option<Arc<str>>,
        /// ISO 8601.
        end: Option<Arc<str>>,
        /// `<duration>`: `(unit, number)` pairs such as `("hours", "2")`, as written.
        duration: Option<Vec<(Arc<str>, Arc<str>)>>,
    },
    /// `date_spec`: `(field, range)` pairs such as `("weekdays", "1-5")`, as written.
    Spec(Vec<(Arc<str>, Arc<str>)>),
}
