//! Location, colocation, order and ticket constraints.

use super::super::{
    kind::{Kind, Word},
    shape::{
        Attr, Form, Lag, Shape, Slot, any, at_most_one, at_most_one_of, may, must, one_of, shapes, some,
    },
    version::Schema,
};
use super::{ROLES, rules::RULE, word};

const ID: Attr = must("id", Kind::Id);
const ROLE: Kind = Kind::OneOf(&ROLES);
const ACTION: Kind = Kind::OneOf(&[word("start"), word("promote"), word("demote"), word("stop")]);
const ORDER_KIND: Kind = Kind::OneOf(&[word("Optional"), word("Mandatory"), word("Serialize")]);

/// What `<constraints>` holds.
pub(super) const CONSTRAINTS: Slot = any(shapes![LOCATION, COLOCATION, ORDER, TICKET]);

/// Constraints were left behind when rules got expressions for resources and operations.
const RULES_LAG: &[Lag] = &[Lag { during: Schema::V3_4.alone(), as_of: Schema::V3_3 }];

const DISCOVERY: Attr =
    may("resource-discovery", Kind::OneOf(&[word("always"), word("never"), word("exclusive")]))
        .since(Schema::V2_2);

/// The resource of a location constraint.
const OF_RESOURCE: [Attr; 3] = [
    one_of(1, "rsc", Kind::Reference),
    one_of(1, "rsc-pattern", Kind::Text).since(Schema::V2_6),
    may("role", ROLE).since(Schema::V1_2),
];

/// The node of a location constraint.
const ON_NODE: [Attr; 2] = [must("score", Kind::Score), must("node", Kind::Text)];

const SETS: Slot = some(shapes![RESOURCE_SET]).since(Schema::V1_2);
const RULES: Slot = Slot { most: 1, ..MANY_RULES }.since(Schema::V4_0);
const MANY_RULES: Slot = some(shapes![RULE]).lagging(RULES_LAG).at(1);
const LIFETIME: Slot = at_most_one(shapes![LIFETIME_RULES]).before(Schema::V4_0);

static LOCATION: Shape = Shape {
    name: "rsc_location",
    attrs: &[ID, DISCOVERY],
    forms: &[
        Form::new(&[OF_RESOURCE[0], OF_RESOURCE[1], OF_RESOURCE[2], ON_NODE[0], ON_NODE[1]], &[LIFETIME]),
        Form::new(&OF_RESOURCE, &[RULES, MANY_RULES.before(Schema::V4_0), LIFETIME.at(2)]),
        Form::new(&ON_NODE, &[SETS, LIFETIME.at(2)]).since(Schema::V1_2),
        Form::new(&[], &[SETS, RULES, MANY_RULES.before(Schema::V4_0), LIFETIME.at(2)]).since(Schema::V1_2),
    ],
};

static LIFETIME_RULES: Shape =
    Shape::simple("lifetime", &[], &[Form::new(&[], &[some(shapes![RULE]).lagging(RULES_LAG)])]);

static RESOURCE_SET: Shape = Shape {
    name: "resource_set",
    attrs: &[],
    forms: &[
        Form::new(&[must("id-ref", Kind::Reference)], &[]),
        Form::new(
            &[
                ID,
                may("sequential", Kind::Boolean),
                may("require-all", Kind::Boolean).since(Schema::V1_2),
                may("ordering", Kind::OneOf(&[word("group"), word("listed")])).since(Schema::V2_1),
                may("action", ACTION),
                may("role", ROLE),
                at_most_one_of(1, "score", Kind::Score),
                at_most_one_of(1, "kind", ORDER_KIND).since(Schema::V3_0),
            ],
            &[some(shapes![RESOURCE_REFERENCE])],
        ),
    ],
};

static RESOURCE_REFERENCE: Shape =
    Shape::simple("resource_ref", &[must("id", Kind::Reference)], &[Form::new(&[], &[])]);

static COLOCATION: Shape = Shape {
    name: "rsc_colocation",
    attrs: &[
        ID,
        at_most_one_of(1, "score", Kind::Score),
        at_most_one_of(1, "score-attribute", Kind::Text).before(Schema::V3_0),
        at_most_one_of(1, "score-attribute-mangle", Kind::Text).before(Schema::V3_0),
        may("influence", Kind::Text).since(Schema::V3_6),
    ],
    forms: &[
        Form::new(
            &[
                must("rsc", Kind::Reference),
                must("with-rsc", Kind::Reference),
                may("node-attribute", Kind::Text),
                may("rsc-role", ROLE),
                may("with-rsc-role", ROLE),
            ],
            &[LIFETIME],
        ),
        Form::new(&[], &[LIFETIME, SETS_OF_PAIRS]),
    ],
};

/// Sets of colocation and order constraints, which are as old as these.
const SETS_OF_PAIRS: Slot = some(shapes![RESOURCE_SET]).at(1);

static ORDER: Shape = Shape {
    name: "rsc_order",
    attrs: &[
        ID,
        may("symmetrical", Kind::Boolean),
        may("require-all", Kind::Boolean).since(Schema::V2_3),
        at_most_one_of(1, "score", Kind::Score),
        at_most_one_of(1, "kind", ORDER_KIND),
    ],
    forms: &[
        Form::new(
            &[
                must("first", Kind::Reference),
                must("then", Kind::Reference),
                may("first-action", ACTION),
                may("then-action", ACTION),
            ],
            &[LIFETIME],
        ),
        Form::new(&[], &[LIFETIME, SETS_OF_PAIRS]),
    ],
};

static TICKET: Shape = Shape {
    name: "rsc_ticket",
    attrs: &[ID, must("ticket", Kind::Text), may("loss-policy", Kind::OneOf(&LOSS_POLICIES))],
    forms: &[
        Form::new(&[must("rsc", Kind::Reference), may("rsc-role", ROLE)], &[]).since(Schema::V1_2),
        Form::new(&[], &[SETS]).since(Schema::V1_2),
    ],
};

const LOSS_POLICIES: [Word; 4] = [word("stop"), word("demote"), word("fence"), word("freeze")];
