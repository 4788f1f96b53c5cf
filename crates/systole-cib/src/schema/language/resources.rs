//! Primitives, templates, groups, clones, bundles and operations.

use super::super::{
    kind::{Kind, Word},
    shape::{
        Attr, Form, Shape, Slot, any, at_most_one, at_most_one_of, may, must, one, one_of, shapes, some,
    },
    version::Schema,
};
use super::{
    ROLES, before, between,
    sets::{
        OPERATION_META, OPERATION_PARAMETERS, PARAMETERS, PRIMITIVE_META, PRIMITIVE_PARAMETERS,
        RESOURCE_META, UTILIZATION,
    },
    since, word,
};

const ID: Attr = must("id", Kind::Id);
const DESCRIPTION: Attr = may("description", Kind::Text);

/// What `<resources>` holds.
pub(super) const RESOURCES: Slot = any(shapes![PRIMITIVE, TEMPLATE, GROUP, CLONE, MASTER, BUNDLE]);

static PRIMITIVE: Shape = Shape {
    name: "primitive",
    attrs: &[ID, DESCRIPTION],
    forms: &[
        Form::new(&[must("class", Kind::OneOf(&CLASSES)), must("type", Kind::Text)], AGENT_CONTENT),
        Form::new(&OCF_AGENT, AGENT_CONTENT),
        Form::new(&[must("template", Kind::Reference)], AGENT_CONTENT).since(Schema::V1_2),
    ],
};

static TEMPLATE: Shape = Shape {
    name: "template",
    attrs: &[ID, DESCRIPTION],
    forms: &[
        Form::new(&[must("class", Kind::OneOf(&TEMPLATE_CLASSES)), must("type", Kind::Text)], AGENT_CONTENT)
            .since(Schema::V1_2),
        Form::new(&OCF_AGENT, AGENT_CONTENT).since(Schema::V1_2),
    ],
};

const OCF_AGENT: [Attr; 3] =
    [must("class", Kind::OneOf(&[word("ocf")])), must("provider", Kind::Text), must("type", Kind::Text)];

/// Classes of agents that have no provider.
const CLASSES: [Word; 7] = [
    word("lsb"),
    word("heartbeat"),
    word("stonith"),
    before("upstart", Schema::V4_0),
    since("service", Schema::V1_2),
    since("systemd", Schema::V1_2),
    between("nagios", Schema::V1_2, Schema::V4_0),
];

const TEMPLATE_CLASSES: [Word; 7] = [
    CLASSES[0],
    CLASSES[1],
    CLASSES[2],
    CLASSES[3],
    since("service", Schema::V2_7),
    since("systemd", Schema::V2_7),
    between("nagios", Schema::V2_7, Schema::V4_0),
];

const AGENT_CONTENT: &[Slot] = &[
    any(shapes![PRIMITIVE_META, PRIMITIVE_PARAMETERS]),
    any(shapes![UTILIZATION]).since(Schema::V1_2),
    at_most_one(shapes![OPERATIONS]),
];

static OPERATIONS: Shape = Shape::simple(
    "operations",
    &[may("id", Kind::Id), may("id-ref", Kind::Reference)],
    &[Form::new(&[], &[any(shapes![OPERATION])])],
);

static OPERATION: Shape = Shape::simple(
    "op",
    &[
        ID,
        must("name", Kind::Text),
        must("interval", Kind::Text),
        DESCRIPTION,
        at_most_one_of(1, "start-delay", Kind::Text),
        at_most_one_of(1, "interval-origin", Kind::Text),
        may("timeout", Kind::Text),
        may("enabled", Kind::Boolean),
        may("record-pending", Kind::Boolean),
        may("role", Kind::OneOf(&ROLES)),
        may("requires", Kind::OneOf(&REQUIRES)).before(Schema::V3_0),
        may("on-fail", Kind::OneOf(&ON_FAIL)),
    ],
    &[Form::new(&[], &[any(shapes![OPERATION_META, OPERATION_PARAMETERS])])],
);

const REQUIRES: [Word; 4] =
    [word("nothing"), word("quorum"), word("fencing"), since("unfencing", Schema::V1_3)];

const ON_FAIL: [Word; 8] = [
    word("ignore"),
    word("block"),
    since("demote", Schema::V3_4),
    word("stop"),
    word("restart"),
    word("standby"),
    word("fence"),
    since("restart-container", Schema::V1_2),
];

static GROUP: Shape = Shape::simple(
    "group",
    &[ID, DESCRIPTION],
    &[Form::new(&[], &[any(shapes![RESOURCE_META, PARAMETERS]), some(shapes![PRIMITIVE])])],
);

static CLONE: Shape = Shape::simple("clone", &[ID, DESCRIPTION], &[Form::new(&[], CLONE_CONTENT)]);
static MASTER: Shape =
    Shape::simple("master", &[ID, DESCRIPTION], &[Form::new(&[], CLONE_CONTENT).before(Schema::V4_0)]);

const CLONE_CONTENT: &[Slot] = &[any(shapes![RESOURCE_META, PARAMETERS]), one(shapes![PRIMITIVE, GROUP])];

static BUNDLE: Shape = Shape::simple(
    "bundle",
    &[ID, DESCRIPTION],
    &[Form::new(
        &[],
        &[
            any(shapes![RESOURCE_META, PARAMETERS]),
            one(shapes![DOCKER, RKT, PODMAN]),
            at_most_one(shapes![NETWORK]),
            at_most_one(shapes![STORAGE]),
            at_most_one(shapes![PRIMITIVE]),
        ],
    )
    .since(Schema::V2_8)],
);

static DOCKER: Shape = Shape::simple("docker", &CONTAINER, &[Form::new(&[], &[])]);
static RKT: Shape =
    Shape::simple("rkt", &CONTAINER, &[Form::new(&[], &[]).since(Schema::V2_10).before(Schema::V4_0)]);
static PODMAN: Shape = Shape::simple("podman", &CONTAINER, &[Form::new(&[], &[]).since(Schema::V3_2)]);

const CONTAINER: [Attr; 8] = [
    must("image", Kind::Text),
    may("replicas", Kind::Integer),
    may("replicas-per-host", Kind::Integer),
    at_most_one_of(1, "masters", Kind::Integer).before(Schema::V4_0),
    at_most_one_of(1, "promoted-max", Kind::Integer).since(Schema::V3_0),
    may("run-command", Kind::Text),
    may("network", Kind::Text),
    may("options", Kind::Text),
];

static NETWORK: Shape = Shape::simple(
    "network",
    &[
        may("ip-range-start", Kind::Text),
        may("control-port", Kind::Integer),
        may("host-interface", Kind::Text),
        may("host-netmask", Kind::Integer),
        may("add-host", Kind::Boolean).since(Schema::V3_0),
    ],
    &[Form::new(&[], &[any(shapes![PORT_MAPPING])])],
);

static PORT_MAPPING: Shape = Shape {
    name: "port-mapping",
    attrs: &[ID],
    forms: &[
        Form::new(&[must("port", Kind::Integer), may("internal-port", Kind::Integer)], &[]),
        Form::new(&[must("range", Kind::Ports)], &[]),
    ],
};

static STORAGE: Shape = Shape::simple("storage", &[], &[Form::new(&[], &[any(shapes![STORAGE_MAPPING])])]);

static STORAGE_MAPPING: Shape = Shape::simple(
    "storage-mapping",
    &[
        ID,
        one_of(1, "source-dir", Kind::Text),
        one_of(1, "source-dir-root", Kind::Text),
        must("target-dir", Kind::Text),
        may("options", Kind::Text),
    ],
    &[Form::new(&[], &[])],
);
