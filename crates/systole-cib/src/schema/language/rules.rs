//! Rules and their expressions.

use super::super::{
    kind::{Kind, Word},
    shape::{Attr, Form, Shape, at_most_one, at_most_one_of, may, must, one, one_of, shapes, some},
    version::Schema,
};
use super::{since, word};

const ID: Attr = must("id", Kind::Id);

pub(super) static RULE: Shape = Shape {
    name: "rule",
    attrs: &[],
    forms: &[
        Form::new(&[must("id-ref", Kind::Reference)], &[]),
        Form::new(
            &[
                ID,
                may("boolean-op", Kind::OneOf(&[word("and"), word("or")])),
                may("role", Kind::Text),
                // Every rule had a score before 3.9, whether it meant something or not.
                one_of(1, "score", Kind::Score).before(Schema::V3_9),
                one_of(1, "score-attribute", Kind::Text).before(Schema::V3_9),
                at_most_one_of(2, "score", Kind::Score).since(Schema::V3_9),
                at_most_one_of(2, "score-attribute", Kind::Text).since(Schema::V3_9),
            ],
            &[some(shapes![EXPRESSION, DATE_EXPRESSION, RULE, RESOURCE_EXPRESSION, OPERATION_EXPRESSION])],
        ),
    ],
};

static EXPRESSION: Shape = Shape::simple(
    "expression",
    &[
        ID,
        must("attribute", Kind::Text),
        must("operation", Kind::OneOf(&COMPARISONS)),
        may("value", Kind::Text),
        may("value-source", Kind::OneOf(&[word("literal"), word("param"), word("meta")])).since(Schema::V2_9),
        may("type", Kind::OneOf(&VALUE_TYPES)),
    ],
    &[Form::new(&[], &[])],
);

const COMPARISONS: [Word; 8] = [
    word("lt"),
    word("gt"),
    word("lte"),
    word("gte"),
    word("eq"),
    word("ne"),
    word("defined"),
    word("not_defined"),
];

const VALUE_TYPES: [Word; 4] =
    [word("string"), since("integer", Schema::V3_5), word("number"), word("version")];

static RESOURCE_EXPRESSION: Shape = Shape::simple(
    "rsc_expression",
    &[ID, may("class", Kind::Text), may("provider", Kind::Text), may("type", Kind::Text)],
    &[Form::new(&[], &[]).since(Schema::V3_4)],
);

static OPERATION_EXPRESSION: Shape = Shape::simple(
    "op_expression",
    &[ID, must("name", Kind::Text), may("interval", Kind::Text)],
    &[Form::new(&[], &[]).since(Schema::V3_4)],
);

static DATE_EXPRESSION: Shape = Shape {
    name: "date_expression",
    attrs: &[ID],
    forms: &[
        Form::new(&[IN_RANGE, may("start", Kind::Text), must("end", Kind::Text)], &[]).before(Schema::V3_9),
        Form::new(&[IN_RANGE, must("start", Kind::Text)], &[one(shapes![DURATION])]).before(Schema::V3_9),
        Form::new(
            &[IN_RANGE, must("start", Kind::Text), may("end", Kind::Text)],
            &[at_most_one(shapes![DURATION])],
        )
        .since(Schema::V3_9),
        Form::new(&[IN_RANGE, must("end", Kind::Text)], &[at_most_one(shapes![DURATION])])
            .since(Schema::V3_9),
        Form::new(&[must("operation", Kind::OneOf(&[word("gt")])), must("start", Kind::Text)], &[]),
        Form::new(&[must("operation", Kind::OneOf(&[word("lt")])), must("end", Kind::Text)], &[]),
        Form::new(&[must("operation", Kind::OneOf(&[word("date_spec")]))], &[one(shapes![DATE_SPEC])]),
    ],
};

const IN_RANGE: Attr = must("operation", Kind::OneOf(&[word("in_range")]));

static DURATION: Shape = Shape::simple(
    "duration",
    &[
        ID,
        may("years", Kind::Text),
        may("months", Kind::Text),
        may("weeks", Kind::Text),
        may("days", Kind::Text).since(Schema::V3_9),
        may("hours", Kind::Text),
        may("minutes", Kind::Text).since(Schema::V3_9),
        may("seconds", Kind::Text).since(Schema::V3_9),
        may("monthdays", Kind::Text),
        may("weekdays", Kind::Text),
        may("yearsdays", Kind::Text),
        may("weekyears", Kind::Text),
        may("moon", Kind::Text),
    ],
    &[Form::new(&[], &[])],
);

static DATE_SPEC: Shape = Shape::simple(
    "date_spec",
    &[
        ID,
        may("years", Kind::Text),
        may("months", Kind::Text),
        may("monthdays", Kind::Text),
        may("hours", Kind::Text),
        may("minutes", Kind::Text).since(Schema::V3_9),
        may("seconds", Kind::Text).since(Schema::V3_9),
        may("yeardays", Kind::Text).since(Schema::V3_9),
        may("yearsdays", Kind::Text),
        may("weekyears", Kind::Text),
        may("weeks", Kind::Text),
        may("weekdays", Kind::Text),
        may("moon", Kind::Text).before(Schema::V4_0),
    ],
    &[Form::new(&[], &[])],
);
