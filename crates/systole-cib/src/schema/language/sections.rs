//! `<cib>`, the sections of the configuration, and the small ones in full: options, nodes, fencing levels, tags, alerts, ACLs.

use super::super::{
    kind::{Kind, Word},
    shape::{Attr, Content, Form, Lag, Shape, Slot, any, at_most_one, may, must, one, one_of, shapes, some},
    version::{Schema, SchemaSet},
};
use super::{
    before,
    constraints::CONSTRAINTS,
    resources::RESOURCES,
    sets::{META, OPERATION_DEFAULTS, OPTIONS, PARAMETERS, RESOURCE_META, UTILIZATION},
    since, word,
};

const ID: Attr = must("id", Kind::Id);
const DESCRIPTION: Attr = may("description", Kind::Text);

pub(in super::super) static CIB: Shape = Shape::simple(
    "cib",
    &[
        must("validate-with", Kind::SchemaName),
        must("admin_epoch", Kind::Count),
        must("epoch", Kind::Count),
        must("num_updates", Kind::Count),
        may("crm_feature_set", Kind::Text),
        may("remote-tls-port", Kind::Count),
        may("remote-clear-port", Kind::Count),
        may("have-quorum", Kind::Boolean),
        may("dc-uuid", Kind::Text),
        may("cib-last-written", Kind::Text),
        may("no-quorum-panic", Kind::Boolean),
        may("update-origin", Kind::Text).since(Schema::V1_2),
        may("update-client", Kind::Text).since(Schema::V1_2),
        may("update-user", Kind::Text).since(Schema::V1_2),
        may("execution-date", Kind::Text).since(Schema::V1_2),
    ],
    &[Form::new(&[], &[one(shapes![CONFIGURATION]), at_most_one(shapes![STATUS]).at(1)])],
);

/// What the cluster writes itself is not a matter of the configuration language.
static STATUS: Shape = Shape {
    name: "status",
    attrs: &[],
    forms: &[Form { when: SchemaSet::ALL, attrs: &[], content: Content::Anything }],
};

static CONFIGURATION: Shape = Shape::simple(
    "configuration",
    &[],
    &[Form::new(
        &[],
        &[
            one(shapes![CRM_CONFIG]),
            at_most_one(shapes![RSC_DEFAULTS]),
            at_most_one(shapes![OP_DEFAULTS]),
            one(shapes![NODES]),
            one(shapes![ALL_RESOURCES]),
            one(shapes![ALL_CONSTRAINTS]),
            at_most_one(shapes![FENCING_TOPOLOGY]).since(Schema::V1_2),
            at_most_one(shapes![ACLS]).since(Schema::V1_2),
            at_most_one(shapes![TAGS]).since(Schema::V1_3),
            at_most_one(shapes![ALERTS]).since(Schema::V2_5),
        ],
    )],
);

/// A section without attributes.
const fn section(name: &'static str, forms: &'static [Form; 1]) -> Shape {
    Shape::simple(name, &[], forms)
}

/// Options and defaults were what they had been in 1.0 up to the end of 2.
const OPTIONS_LAG: &[Lag] = &[Lag { during: Schema::V3_0.before(), as_of: Schema::V1_0 }];

static CRM_CONFIG: Shape =
    section("crm_config", &[Form::new(&[], &[any(shapes![OPTIONS]).lagging(OPTIONS_LAG)])]);
static RSC_DEFAULTS: Shape =
    section("rsc_defaults", &[Form::new(&[], &[any(shapes![RESOURCE_META]).lagging(OPTIONS_LAG)])]);
static OP_DEFAULTS: Shape =
    section("op_defaults", &[Form::new(&[], &[any(shapes![OPERATION_DEFAULTS]).lagging(OPTIONS_LAG)])]);
static NODES: Shape = section("nodes", &[Form::new(&[], &[any(shapes![NODE])])]);
static ALL_RESOURCES: Shape = section("resources", &[Form::new(&[], &[RESOURCES])]);
static ALL_CONSTRAINTS: Shape = section("constraints", &[Form::new(&[], &[CONSTRAINTS])]);

static NODE: Shape = Shape::simple(
    "node",
    &[
        must("id", Kind::Text),
        must("uname", Kind::Text),
        must("type", Kind::OneOf(&NODE_TYPES)).before(Schema::V1_2),
        may("type", Kind::OneOf(&NODE_TYPES)).since(Schema::V1_2),
        DESCRIPTION,
        may("score", Kind::Score).since(Schema::V1_2),
    ],
    &[Form::new(&[], &[any(shapes![PARAMETERS]), any(shapes![UTILIZATION]).since(Schema::V1_2)])],
);

const NODE_TYPES: [Word; 4] = [
    word("member"),
    before("normal", Schema::V3_0),
    before("ping", Schema::V4_0),
    since("remote", Schema::V1_3),
];

static FENCING_TOPOLOGY: Shape =
    section("fencing-topology", &[Form::new(&[], &[any(shapes![FENCING_LEVEL])])]);

static FENCING_LEVEL: Shape = Shape {
    name: "fencing-level",
    attrs: &[ID, must("index", Kind::Level), must("devices", Kind::Devices)],
    forms: &[
        Form::new(&[one_of(1, "target", Kind::Text), one_of(1, "target-pattern", Kind::Text)], &[]),
        Form::new(&[must("target-attribute", Kind::Text), must("target-value", Kind::Text)], &[])
            .since(Schema::V2_4),
    ],
};

static TAGS: Shape = section("tags", &[Form::new(&[], &[any(shapes![TAG])])]);
static TAG: Shape = Shape::simple("tag", &[ID], &[Form::new(&[], &[some(shapes![OBJECT])])]);
static OBJECT: Shape = Shape::simple(
    "obj_ref",
    &[must("id", Kind::Reference).before(Schema::V3_3), must("id", Kind::Text).since(Schema::V3_3)],
    &[Form::new(&[], &[])],
);

static ALERTS: Shape = section("alerts", &[Form::new(&[], &[any(shapes![ALERT])])]);

/// Alerts were left behind when rules got expressions for resources and operations.
const ALERT_SETS: Slot =
    any(shapes![META, PARAMETERS]).lagging(&[Lag { during: Schema::V3_4.alone(), as_of: Schema::V3_3 }]);

static ALERT: Shape = Shape {
    name: "alert",
    attrs: &[ID, DESCRIPTION, must("path", Kind::Text)],
    forms: &[
        Form::new(&[], &[ALERT_SETS, any(shapes![RECIPIENT]).at(1)]).before(Schema::V2_10),
        Form::new(&[], &[ALERT_SETS, any(shapes![RECIPIENT]), at_most_one(shapes![SELECT])])
            .since(Schema::V2_10),
    ],
};

static RECIPIENT: Shape = Shape::simple(
    "recipient",
    &[ID, DESCRIPTION, must("value", Kind::Text)],
    &[Form::new(&[], &[ALERT_SETS])],
);

static SELECT: Shape = section(
    "select",
    &[Form::new(
        &[],
        &[
            at_most_one(shapes![SELECT_ATTRIBUTES]),
            at_most_one(shapes![SELECT_FENCING]),
            at_most_one(shapes![SELECT_NODES]),
            at_most_one(shapes![SELECT_RESOURCES]),
        ],
    )],
);
static SELECT_FENCING: Shape = section("select_fencing", &[Form::new(&[], &[])]);
static SELECT_NODES: Shape = section("select_nodes", &[Form::new(&[], &[])]);
static SELECT_RESOURCES: Shape = section("select_resources", &[Form::new(&[], &[])]);
static SELECT_ATTRIBUTES: Shape = section("select_attributes", &[Form::new(&[], &[any(shapes![ATTRIBUTE])])]);
static ATTRIBUTE: Shape = Shape::simple("attribute", &[ID, must("name", Kind::Text)], &[Form::new(&[], &[])]);

static ACLS: Shape =
    section("acls", &[Form::new(&[], &[any(shapes![ACL_USER, ACL_TARGET, ACL_GROUP, ACL_ROLE])])]);

/// An entry of a user has roles or permissions, not both.
static ACL_USER: Shape = Shape {
    name: "acl_user",
    attrs: &[ID],
    forms: &[
        Form::new(&[], &[any(shapes![ROLE_REFERENCE])]).before(Schema::V2_0),
        Form::new(&[], &[any(shapes![READ, WRITE, DENY])]).before(Schema::V2_0),
    ],
};
static ROLE_REFERENCE: Shape =
    Shape::simple("role_ref", &[must("id", Kind::Reference)], &[Form::new(&[], &[])]);

static READ: Shape = Shape { name: "read", attrs: &FORMER_PERMISSION, forms: &FORMER_PERMISSION_FORMS };
static WRITE: Shape = Shape { name: "write", attrs: &FORMER_PERMISSION, forms: &FORMER_PERMISSION_FORMS };
static DENY: Shape = Shape { name: "deny", attrs: &FORMER_PERMISSION, forms: &FORMER_PERMISSION_FORMS };
const FORMER_PERMISSION: [Attr; 2] = [ID, may("attribute", Kind::Text)];
const FORMER_PERMISSION_FORMS: [Form; 3] = [
    Form::new(&[must("tag", Kind::Text), may("ref", Kind::Reference)], &[]).before(Schema::V2_0),
    Form::new(&[must("ref", Kind::Reference)], &[]).before(Schema::V2_0),
    Form::new(&[must("xpath", Kind::Text)], &[]).before(Schema::V2_0),
];

static ACL_TARGET: Shape = Shape::simple(
    "acl_target",
    &[must("id", Kind::Text), may("name", Kind::Text).since(Schema::V3_8)],
    &[Form::new(&[], &[any(shapes![ROLE])]).since(Schema::V2_0)],
);
static ACL_GROUP: Shape = Shape::simple(
    "acl_group",
    &[ID, may("name", Kind::Text).since(Schema::V3_8)],
    &[Form::new(&[], &[any(shapes![ROLE])]).since(Schema::V2_0)],
);
static ROLE: Shape = Shape::simple("role", &[must("id", Kind::Reference)], &[Form::new(&[], &[])]);

static ACL_ROLE: Shape = Shape::simple(
    "acl_role",
    &[ID, DESCRIPTION.since(Schema::V2_0)],
    &[Form::new(&[], &[any(shapes![READ, WRITE, DENY, PERMISSION])])],
);

static PERMISSION: Shape = Shape {
    name: "acl_permission",
    attrs: &[ID, DESCRIPTION, must("kind", Kind::OneOf(&[word("read"), word("write"), word("deny")]))],
    forms: &[
        Form::new(&[must("xpath", Kind::Text)], &[]).since(Schema::V2_0),
        Form::new(&[must("reference", Kind::Reference)], &[]).since(Schema::V2_0),
        Form::new(&[must("object-type", Kind::Text), may("attribute", Kind::Text)], &[]).since(Schema::V2_0),
    ],
};
