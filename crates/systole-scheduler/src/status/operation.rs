//! Operations: configured properties, failures.

use super::{Attributes, Resource, RscIdx, Status, text::delay};
use crate::rules::{self, Input, Merge};
use std::{sync::Arc, time::Duration};
use systole_cib::{model::Operation, parse_bool};
use systole_types::{Role, Score, Timestamp};

/// `timeout` where nothing is configured.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// No `timeout` is longer.
const MAX_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// `on-fail`: what follows from a failed operation. Of several failures the one that is later here counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnFail {
    /// As if it had succeeded.
    Ignore,
    /// Demote, then as usual.
    Demote,
    /// Stop and start, here or elsewhere.
    Restart,
    /// Fence the remote node, or drop its connection.
    ResetRemote,
    /// Restart the container (of a bundle's or guest's connection).
    RestartContainer,
    /// May not run on that node any more.
    Ban,
    /// Hands off.
    Block,
    /// Stop for good.
    Stop,
    /// Put the node in standby.
    Standby,
    /// Fence the node.
    Fence,
}

/// Effective properties of an operation: its own, its meta attributes, `op_defaults`, built-in defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct OpMeta {
    /// `on-fail`.
    pub on_fail: OnFail,
    /// Role after a failure, where `on_fail` has a say in it.
    pub fail_role: Role,
    /// `timeout`.
    pub timeout: Duration,
    /// `start-delay`, or what `interval-origin` makes of it.
    pub start_delay: Duration,
    /// `role`, of a recurring monitor.
    pub role: Option<Role>,
    /// All as text, as actions carry them (`CRM_meta_...`): milliseconds where they are durations.
    pub raw: Attributes,
}

/// An operation that was sent and has not answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// `start`, `monitor`...
    pub task: Arc<str>,
    /// Zero unless recurring.
    pub interval: Duration,
    /// Where it runs.
    pub node: super::NodeIdx,
}

/// How often an operation of a resource has failed on a node: a `fail-count-RSC#OP_INTERVAL` attribute with its `last-failure-...`.
#[derive(Clone, Debug, PartialEq)]
pub struct FailCount {
    /// The resource's name in the attribute, without instance number.
    pub resource: Arc<str>,
    /// The instance number, if the attribute has one.
    pub instance: Option<u32>,
    /// `OP_INTERVAL`.
    pub operation: Arc<str>,
    /// How often; 0 where only the moment of the last failure is on record.
    pub count: Score,
    /// When last.
    pub last_failure: Option<Timestamp>,
}

/// A property of the `<op>` itself, as written.
pub(crate) fn property<'o>(op: &'o Operation, name: &str) -> Option<&'o str> {
    op.properties.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
}

/// Whether an `<op>` is not switched off by `enabled`.
pub(crate) fn is_enabled(op: &Operation) -> bool {
    property(op, "enabled").and_then(parse_bool) != Some(false)
}

/// Effective properties of `name` of `rsc` every `interval`.
pub(super) fn effective(status: &Status<'_>, rsc: RscIdx, name: &str, interval: Duration) -> OpMeta {
    let resource = status.rsc(rsc);
    let configured = status.configured_operation(rsc, name, interval);
    let mut raw = collect(status, resource, configured, name, interval);
    set_interval(&mut raw, interval);
    let timeout = set_timeout(status, rsc, &mut raw, name, interval);
    validate_on_fail(resource, configured, name, &mut raw);
    let start_delay = set_start_delay(status, &mut raw, interval);
    let on_fail = on_fail(status, resource, name, interval, raw.get("on-fail").map(|value| &**value));
    OpMeta {
        on_fail,
        fail_role: role_after_failure(resource, name, on_fail),
        timeout,
        start_delay,
        role: raw.get("role").and_then(|role| role.parse().ok()),
        raw,
    }
}

/// The effective `timeout` of `name` of `rsc` every `interval`.
pub(super) fn timeout(status: &Status<'_>, rsc: RscIdx, name: &str, interval: Duration) -> Duration {
    let configured = status.configured_operation(rsc, name, interval);
    let is_plain = |op: &&Operation| op.meta.is_empty() && status.cib.operation_defaults.is_empty();
    match configured.filter(is_plain).and_then(|op| property(op, "timeout")).map(delay) {
        // Then only fence devices have a say in it, and they only for starts and probes.
        Some(timeout) if !interval.is_zero() && !timeout.is_zero() => timeout.min(MAX_TIMEOUT),
        _ => effective(status, rsc, name, interval).timeout,
    }
}

/// Properties of the `<op>`, then its meta attributes, then (for probes) the timeout of the most frequent monitor, then
/// `op_defaults`.
fn collect(
    status: &Status<'_>,
    resource: &Resource<'_>,
    configured: Option<&Operation>,
    name: &str,
    interval: Duration,
) -> Attributes {
    let mut raw = Attributes::new();
    let agent = resource.primitive().map(|primitive| &primitive.definition.agent);
    let input = Input { agent, operation: Some((name, interval)), ..Input::at(status.local_time()) };
    if let Some(op) = configured {
        rules::merge(&op.meta, None, &input, Merge::KeepFirst, &mut raw, &status.recheck);
        // What a set takes back (`#default`) is taken back from sets only.
        raw.extend(op.properties.iter().cloned());
        raw.insert("name".into(), op.name.clone());
    }
    if name == "monitor" && interval.is_zero() && !raw.contains_key("timeout") {
        let timeout = most_frequent_monitor(resource).and_then(|op| property(op, "timeout"));
        raw.extend(timeout.map(|timeout| ("timeout".into(), timeout.into())));
    }
    rules::merge(&status.cib.operation_defaults, None, &input, Merge::KeepFirst, &mut raw, &status.recheck);
    raw
}

fn most_frequent_monitor<'r>(resource: &'r Resource<'_>) -> Option<&'r Operation> {
    let operations = &resource.primitive()?.definition.operations;
    let monitors =
        operations.iter().filter(|op| &*op.name == "monitor" && !op.interval.is_zero() && is_enabled(op));
    monitors.min_by_key(|op| op.interval)
}

/// Gives a property its value, whether it had one or not.
fn set(raw: &mut Attributes, name: &str, value: Arc<str>) {
    match raw.get_mut(name) {
        Some(known) => *known = value,
        None => _ = raw.insert(name.into(), value),
    }
}

/// A duration as actions carry it.
fn milliseconds(duration: Duration) -> Arc<str> {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).to_string().into()
}

fn set_interval(raw: &mut Attributes, interval: Duration) {
    if interval.is_zero() {
        raw.remove("interval");
    } else {
        set(raw, "interval", milliseconds(interval));
    }
}

/// Writes `timeout` in milliseconds. A fence device's `pcmk_monitor_timeout` counts for its start and probes.
fn set_timeout(
    status: &Status<'_>,
    rsc: RscIdx,
    raw: &mut Attributes,
    name: &str,
    interval: Duration,
) -> Duration {
    let primitive = status.rsc(rsc).primitive();
    let is_start_or_probe = name == "start" || (name == "monitor" && interval.is_zero());
    if is_start_or_probe
        && primitive.is_some_and(|primitive| primitive.is_fence_device)
        && let Some(timeout) = status.parameters(rsc, None).get("pcmk_monitor_timeout")
    {
        set(raw, "timeout", timeout.clone());
    }
    let given = raw.get("timeout").map(|timeout| delay(timeout)).filter(|timeout| !timeout.is_zero());
    let timeout = given.unwrap_or(DEFAULT_TIMEOUT).min(MAX_TIMEOUT);
    set(raw, "timeout", milliseconds(timeout));
    timeout
}

fn set_start_delay(status: &Status<'_>, raw: &mut Attributes, interval: Duration) -> Duration {
    let delay = match (raw.get("start-delay"), raw.get("interval-origin")) {
        (Some(given), _) => delay(given).min(Duration::from_millis(i32::MAX as u64)),
        (None, Some(origin)) if !interval.is_zero() => match delay_from_origin(status, origin, interval) {
            Some(delay) => delay,
            None => return Duration::ZERO,
        },
        _ => return Duration::ZERO,
    };
    set(raw, "start-delay", milliseconds(delay));
    delay
}

/// Time until the next multiple of `interval` since `origin`.
fn delay_from_origin(status: &Status<'_>, origin: &str, interval: Duration) -> Option<Duration> {
    let origin = rules::parse_date_time(origin, status.now, 0)?;
    let interval = super::text::whole_seconds(interval);
    let since = status.now.0.saturating_sub(origin.0) % interval;
    let delay = if since <= 0 { -since } else { interval - since };
    Some(Duration::from_secs(u64::try_from(delay).ok()?))
}

/// Takes out an `on-fail` that is not allowed for the operation, and fills in the one that a demote takes from the
/// monitor of the promoted role.
fn validate_on_fail(
    resource: &Resource<'_>,
    configured: Option<&Operation>,
    name: &str,
    raw: &mut Attributes,
) {
    let given = raw.get("on-fail").map(|value| value.to_ascii_lowercase());
    match (name, given.as_deref()) {
        ("stop", Some("standby" | "demote" | "stop")) => {
            raw.remove("on-fail");
        }
        ("demote", None) => {
            let value =
                resource.primitive().and_then(|primitive| demote_on_fail(&primitive.definition.operations));
            raw.extend(value.map(|value| ("on-fail".into(), value.into())));
        }
        ("lrm_delete", _) => {
            raw.insert("on-fail".into(), "ignore".into());
        }
        (_, Some("demote")) if !configured.is_some_and(may_demote_on_fail) => {
            raw.remove("on-fail");
        }
        _ => {}
    }
}

/// `on-fail` of recurring monitors for the promoted role; the last one counts, as in the reference release.
fn demote_on_fail(operations: &[Operation]) -> Option<&str> {
    let monitors = operations.iter().filter(|op| is_promoted_monitor(op) && is_enabled(op));
    monitors.filter_map(|op| property(op, "on-fail")).rfind(|value| !value.eq_ignore_ascii_case("demote"))
}

fn may_demote_on_fail(op: &Operation) -> bool {
    &*op.name == "promote" || is_promoted_monitor(op)
}

fn is_promoted_monitor(op: &Operation) -> bool {
    let role = property(op, "role").and_then(|role| role.parse().ok());
    &*op.name == "monitor" && !op.interval.is_zero() && role == Some(Role::Promoted)
}

/// `on-fail` as it applies: what is given where that makes sense, else a default that depends on the operation and on
/// what kind of resource it is. Source: Pacemaker Explained, "Operation Properties".
fn on_fail(
    status: &Status<'_>,
    resource: &Resource<'_>,
    name: &str,
    interval: Duration,
    given: Option<&str>,
) -> OnFail {
    let is_probe = name == "monitor" && interval.is_zero();
    let needs_reset = resource.remote_node.is_some_and(|node| status.node(node).is_remote())
        && !is_probe
        && name != "start";
    let given = given.and_then(|text| OnFail::given(text, status, resource));
    match given {
        Some(on_fail) if resource.managed || !needs_reset => on_fail,
        _ if resource.container.is_some() => OnFail::RestartContainer,
        _ if needs_reset && resource.managed => OnFail::ResetRemote,
        _ if needs_reset => OnFail::Stop,
        _ if name == "stop" && status.options.fencing_enabled => OnFail::Fence,
        _ if name == "stop" => OnFail::Block,
        _ => OnFail::Restart,
    }
}

impl OnFail {
    fn given(text: &str, status: &Status<'_>, resource: &Resource<'_>) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "block" => Some(Self::Block),
            "fence" if status.options.fencing_enabled => Some(Self::Fence),
            "fence" | "stop" => Some(Self::Stop),
            "standby" => Some(Self::Standby),
            "ignore" | "nothing" => Some(Self::Ignore),
            "migrate" => Some(Self::Ban),
            "restart" => Some(Self::Restart),
            "restart-container" if resource.container.is_some() => Some(Self::RestartContainer),
            "demote" => Some(Self::Demote),
            _ => None,
        }
    }
}

fn role_after_failure(resource: &Resource<'_>, name: &str, on_fail: OnFail) -> Role {
    match on_fail {
        OnFail::Stop => Role::Stopped,
        OnFail::ResetRemote if resource.reconnect_interval.is_some() => Role::Stopped,
        _ if name == "promote" => Role::Unpromoted,
        _ => Role::Started,
    }
}
