//! Sets of name-value pairs. Which names are turned away depends on where a set stands.

use super::super::{
    kind::{Kind, Word},
    shape::{Attr, Form, Shape, any, at_most_one, may, must, shapes},
    version::Schema,
};
use super::{between, rules::RULE, since};

const ID: Attr = must("id", Kind::Id);

/// A pair may lack its value before schema 4.0.
const VALUE: [Attr; 2] =
    [may("value", Kind::Text).before(Schema::V4_0), must("value", Kind::Text).since(Schema::V4_0)];

/// Stands for another pair, up to 3.10 under a name of its own if it likes.
const REFERENCE: Form =
    Form::new(&[must("id-ref", Kind::Reference), may("name", Kind::Text).before(Schema::V4_0)], &[])
        .since(Schema::V1_3);

const fn pair<const N: usize>(forms: &'static [Form; N]) -> Shape {
    Shape { name: "nvpair", attrs: &[], forms }
}

/// A pair with names that are turned away.
macro_rules! pair_without {
    ($names:expr) => {{
        static PAIR: Shape = pair(&[
            REFERENCE,
            Form::new(&[ID, must("name", Kind::NoneOf(&$names)), VALUE[0], VALUE[1]], &[]),
        ]);
        &PAIR
    }};
}

/// A set of such pairs.
macro_rules! set_of {
    ($name:expr, $pair:expr) => {
        Shape {
            name: $name,
            attrs: &[],
            forms: &[
                Form::new(&[must("id-ref", Kind::Reference)], &[]),
                Form::new(
                    &[ID, may("score", Kind::Score)],
                    &[at_most_one(shapes![RULE]), any(shapes![*$pair])],
                ),
            ],
        }
    };
}

pub(super) static META: Shape = set_of!("meta_attributes", &FREE);
pub(super) static PARAMETERS: Shape = set_of!("instance_attributes", &FREE);
pub(super) static UTILIZATION: Shape = set_of!("utilization", &FREE);
/// A pair whose name may be anything.
static FREE: Shape = pair(&[REFERENCE, Form::new(&[ID, must("name", Kind::Text), VALUE[0], VALUE[1]], &[])]);

/// Meta attributes of groups, clones, bundles, and of resources by default.
pub(super) static RESOURCE_META: Shape =
    set_of!("meta_attributes", pair_without!([since("restart-type", Schema::V4_0)]));

/// Meta attributes of primitives and templates.
pub(super) static PRIMITIVE_META: Shape = set_of!(
    "meta_attributes",
    pair_without!([
        in_3("isolation"),
        in_3("isolation-host"),
        in_3("isolation-instance"),
        in_3("isolation-wrapper"),
        since("restart-type", Schema::V4_0),
    ])
);

/// Parameters of primitives and templates.
pub(super) static PRIMITIVE_PARAMETERS: Shape = set_of!(
    "instance_attributes",
    pair_without!([
        in_3_0("pcmk_arg_map"),
        in_3_0("pcmk_list_cmd"),
        in_3_0("pcmk_monitor_cmd"),
        in_3_0("pcmk_off_cmd"),
        in_3_0("pcmk_on_cmd"),
        in_3_0("pcmk_reboot_cmd"),
        in_3_0("pcmk_status_cmd"),
    ])
);

/// Meta attributes of operations.
pub(super) static OPERATION_META: Shape = set_of!(
    "meta_attributes",
    pair_without!([
        in_3("requires"),
        since("can_fail", Schema::V4_0),
        since("role_after_failure", Schema::V4_0),
    ])
);

/// Meta attributes of operations by default.
pub(super) static OPERATION_DEFAULTS: Shape = set_of!(
    "meta_attributes",
    pair_without!([since("can_fail", Schema::V4_0), since("role_after_failure", Schema::V4_0)])
);

/// Parameters of operations.
pub(super) static OPERATION_PARAMETERS: Shape = set_of!(
    "instance_attributes",
    pair_without!([
        in_3_0("interval-origin"),
        in_3_0("start-delay"),
        in_3_0("enabled"),
        in_3_0("on-fail"),
        in_3_0("record-pending"),
        in_3_0("role"),
        in_3_0("timeout"),
        in_3_0("requires"),
    ])
);

/// Cluster options.
pub(super) static OPTIONS: Shape = set_of!("cluster_property_set", &OPTION);
static OPTION: Shape = pair(&[
    REFERENCE,
    Form::new(&[ID, must("name", Kind::NoneOf(&SPECIAL_OPTIONS)), VALUE[0], VALUE[1]], &[]),
    Form::new(
        &[ID, must("name", Kind::OneOf(&RESTRICTED_OPTIONS)), must("value", Kind::NoneOf(&FORMER_VALUES))],
        &[],
    ),
]);

/// Options with values that are turned away.
const RESTRICTED_OPTIONS: [Word; 2] = [in_3("cluster-infrastructure"), since("stonith-action", Schema::V4_0)];
const FORMER_VALUES: [Word; 6] = [
    in_3("heartbeat"),
    in_3("openais"),
    in_3("classic openais"),
    in_3("classic openais (with plugin)"),
    in_3("cman"),
    since("poweroff", Schema::V4_0),
];

/// Options that are turned away, or have a form of their own.
const SPECIAL_OPTIONS: [Word; 32] = [
    RESTRICTED_OPTIONS[0],
    RESTRICTED_OPTIONS[1],
    in_3("cluster_recheck_interval"),
    in_3("dc_deadtime"),
    in_3("default-action-timeout"),
    in_3("default_action_timeout"),
    in_3("default-migration-threshold"),
    in_3("default_migration_threshold"),
    in_3("default-resource-failure-stickiness"),
    in_3("default_resource_failure_stickiness"),
    in_3("default-resource-stickiness"),
    in_3("default_resource_stickiness"),
    in_3("election_timeout"),
    in_3("expected-quorum-votes"),
    in_3("is-managed-default"),
    in_3("is_managed_default"),
    in_3("no_quorum_policy"),
    in_3("notification-agent"),
    in_3("notification-recipient"),
    in_3("remove_after_stop"),
    in_3("shutdown_escalation"),
    in_3("startup_fencing"),
    in_3("stonith_action"),
    in_3("stonith_enabled"),
    in_3("stop_orphan_actions"),
    in_3("stop_orphan_resources"),
    in_3("symmetric_cluster"),
    in_3("transition_idle_timeout"),
    since("crmd-finalization-timeout", Schema::V4_0),
    since("crmd-integration-timeout", Schema::V4_0),
    since("crmd-transition-delay", Schema::V4_0),
    since("remove-after-stop", Schema::V4_0),
];

/// A word of schemas 3.0 to 3.10.
const fn in_3(word: &'static str) -> Word {
    between(word, Schema::V3_0, Schema::V4_0)
}

/// A word of schema 3.0.
const fn in_3_0(word: &'static str) -> Word {
    between(word, Schema::V3_0, Schema::V3_1)
}
