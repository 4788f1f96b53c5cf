//! What a message says of failures, read from its text.

use super::{INFINITY, Key};
use serde_json::{Value, from_str, from_value};
use std::collections::BTreeSet;
use systole_cib::xml::{Document, Element};
use systole_types::{OcfRc, OpStatus, TransitionKey};
use systole_wire::exec::OperationResult;

/// What a message does to fail counts.
#[derive(Debug, Default)]
pub struct Said {
    /// Failures that it has recorded.
    pub failures: Vec<Failure>,
    /// Whether these are of operations that are given up.
    pub gives_up: bool,
    /// Nodes that are lost, and lose their counts unless they come back as they were.
    pub sets_aside: Vec<String>,
    /// Nodes that are there.
    pub brings_back: Vec<String>,
    /// Nodes that are out of the way.
    pub gone: Vec<String>,
    /// What it must clear.
    must_clear: Vec<Clearing>,
    /// What it may clear.
    may_clear: Vec<Clearing>,
}

/// Which fail counts are to go.
#[derive(Debug)]
struct Clearing {
    /// On which node; on all, if `None`.
    node: Option<String>,
    /// Of which resource.
    resource: Option<String>,
    /// Of which operation: `NAME_INTERVAL`.
    operation: Option<String>,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it counts for.
    pub key: Key,
    /// The operation's transition key.
    pub transition_key: String,
    /// When.
    pub at: i64,
    /// Whether the history has it.
    pub is_written: bool,
    recurs: bool,
    /// What it counts as, if not as one more.
    counts_as: Option<i64>,
}

impl Failure {
    fn of(result: &OperationResult) -> Option<Self> {
        let operation = &result.operation;
        let parameter = |name: &str| operation.parameters.get(name).map(String::as_str);
        let interval = operation.interval_ms;
        let offset = match operation.operation.as_str() {
            "start" | "stop" => parameter("CRM_meta_systole_fail_offset").unwrap_or("INFINITY"),
            _ => "1",
        };
        let counts_as = if offset == "INFINITY" { Some(INFINITY) } else { offset.parse().ok() };
        let what = format!("{}#{}_{interval}", operation.resource, operation.operation);
        let node = parameter("CRM_meta_on_node")?.to_owned();
        (is_failure(result) && parameter("CRM_meta_on_fail") != Some("ignore")).then(|| Self {
            key: (node, what),
            transition_key: operation.transition_key.clone(),
            at: result.at,
            is_written: false,
            recurs: interval > 0,
            counts_as: counts_as.filter(|_| offset != "1"),
        })
    }

    /// Tells failures apart.
    pub fn id(&self) -> (String, i64) {
        (self.transition_key.clone(), if self.recurs { self.at } else { 0 })
    }

    /// A count of so much, with this failure.
    pub fn counted_to(&self, count: i64) -> i64 {
        self.counts_as.unwrap_or((count + 1).min(INFINITY))
    }

    fn resource(&self) -> &str {
        self.key.1.split('#').next().unwrap_or_default()
    }
}

/// Whether a result is a failure, of which somebody knows what came of it, and not of a probe.
pub fn is_failure(result: &OperationResult) -> bool {
    let operation = &result.operation;
    let is_probe = operation.operation == "monitor" && operation.interval_ms == 0;
    let is_expected = || {
        let key = operation.transition_key.parse::<TransitionKey>();
        let target = key.map_or(OcfRc::Ok, |key| key.target_rc);
        let rc = OcfRc::from_code(result.rc);
        rc == target
            || (rc, target) == (OcfRc::Degraded, OcfRc::Ok)
            || (rc, target) == (OcfRc::DegradedPromoted, OcfRc::Promoted)
    };
    let has_failed = match OpStatus::from_code(result.status) {
        OpStatus::Cancelled | OpStatus::NotConnected | OpStatus::Pending => false,
        OpStatus::Done => !is_expected(),
        _ => true,
    };
    has_failed && !is_probe && operation.operation != "notify"
}

/// What kind of message a text is.
pub fn kind(payload: &str) -> Option<&str> {
    let (_, rest) = payload.split_once("\"message\":")?;
    rest.trim_start_matches('{').strip_prefix('"')?.split('"').next()
}

/// Whether such messages have results recorded.
pub fn records(kind: &str) -> bool {
    matches!(kind, "record" | "connection" | "overdue")
}

impl Said {
    /// Reads a message of that kind, which a CIB has taken in. `latest` is the last text that was read: members hear the same one
    /// after the other.
    pub fn read(kind: &str, payload: &str, latest: &mut (String, Value), cib: &Document) -> Self {
        if !records(kind) && !matches!(kind, "membership" | "clear_failure" | "remotes" | "request") {
            return Self::default();
        }
        if latest.0 != payload {
            let mut envelope: Value = from_str(payload).unwrap_or_default();
            *latest = (payload.to_owned(), envelope["message"][kind].take());
        }
        let body = &latest.1;
        let mut said = match kind {
            "membership" => Self::of_membership(body),
            "clear_failure" => Self::of_clear_failure(body),
            "remotes" => Self::of_remotes(body, cib),
            "request" => Self::of_wish(body),
            _ => Self::of_results(kind, body, cib),
        };
        let node_goes = records(kind) || matches!(kind, "membership" | "remotes");
        let is_gone = said.gone.len() + said.sets_aside.len() > 0;
        if node_goes || is_gone {
            said.may_clear.extend(remote_nodes(cib).map(Clearing::of_node));
        }
        said
    }

    fn of_membership(body: &Value) -> Self {
        let nodes = || body["nodes"].as_array().into_iter().flatten();
        let standing = |wanted: &[&str]| {
            let is_it = |node: &&Value| wanted.contains(&node["standing"].as_str().unwrap_or_default());
            nodes().filter(is_it).map(|node| text(node, "name")).collect::<Vec<String>>()
        };
        let away = standing(&["lost", "off"]);
        Self {
            sets_aside: standing(&["lost"]),
            brings_back: standing(&["member", "stranded"]),
            gone: standing(&["off"]),
            must_clear: away.into_iter().map(Clearing::of_node).collect(),
            may_clear: standing(&["lost", "off", "stranded"]).into_iter().map(Clearing::of_node).collect(),
            ..Self::default()
        }
    }

    fn of_clear_failure(body: &Value) -> Self {
        let clearing = || Clearing {
            node: Some(text(body, "node")),
            resource: Some(text(body, "resource")),
            operation: from_value::<(String, String)>(body["operation"].clone())
                .ok()
                .map(|(name, interval)| format!("{name}_{interval}")),
        };
        Self { must_clear: vec![clearing()], may_clear: vec![clearing()], ..Self::default() }
    }

    fn of_remotes(body: &Value, cib: &Document) -> Self {
        let remote: BTreeSet<String> = remote_nodes(cib).collect();
        let downed = from_value::<Vec<String>>(body["downed"].clone()).ok().unwrap_or_default();
        let downed = downed.into_iter().filter(|node| remote.contains(node));
        Self { must_clear: downed.map(Clearing::of_node).collect(), ..Self::default() }
    }

    fn of_wish(body: &Value) -> Self {
        let wish = &body["wish"];
        let cleanup = wish.get("cleanup").map(|cleanup| Clearing {
            node: cleanup["node"].as_str().map(str::to_owned),
            // Of a collective, whatever is in it.
            resource: None,
            operation: None,
        });
        let gone = ["confirm_off", "forget_node"].into_iter().filter_map(|kind| wish.get(kind));
        let gone: Vec<String> = gone.map(|wish| text(wish, "node")).collect();
        let may_clear = gone.iter().cloned().map(Clearing::of_node).chain(cleanup).collect();
        Self { gone, may_clear, ..Self::default() }
    }

    fn of_results(kind: &str, body: &Value, cib: &Document) -> Self {
        let results: Vec<OperationResult> = match kind {
            "record" => from_value(body["results"].clone()).ok().unwrap_or_default(),
            "connection" => {
                let reports = body["reports"].as_array().into_iter().flatten();
                reports.filter_map(|report| from_value(report["result"].clone()).ok()).collect()
            }
            _ => Vec::new(),
        };
        let failures = match kind {
            "overdue" => {
                let keys = from_value::<Vec<String>>(body["keys"].clone()).ok().unwrap_or_default();
                keys.iter().filter_map(|key| given_up(cib, key)).collect()
            }
            _ => written(cib, results.iter().filter_map(Failure::of).collect(), &results),
        };
        Self { failures, gives_up: kind == "overdue", ..Self::default() }
    }

    /// Whether it must clear a count.
    pub fn clears(&self, key: &Key) -> bool {
        self.must_clear.iter().any(|it| it.is_of(key))
    }

    /// Whether it may.
    pub fn may_clear(&self, key: &Key) -> bool {
        self.may_clear.iter().any(|it| it.is_of(key)) || self.clears(key)
    }
}

impl Clearing {
    fn of_node(node: String) -> Self {
        Self { node: Some(node), resource: None, operation: None }
    }

    fn is_of(&self, (node, what): &Key) -> bool {
        let (resource, operation) = what.split_once('#').unwrap_or((what, ""));
        let is = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        is(&self.node, node) && is(&self.resource, resource) && is(&self.operation, operation)
    }
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

fn states(cib: &Document) -> impl Iterator<Item = Element<'_>> {
    cib.root().child("status").into_iter().flat_map(|status| status.children_named("node_state"))
}

fn remote_nodes(cib: &Document) -> impl Iterator<Item = String> + '_ {
    let remote = states(cib).filter(|state| state.attr("remote_node") == Some("true"));
    remote.filter_map(|state| state.attr("uname")).map(str::to_owned)
}

/// Entries of histories: the node's name, the resource's, and the entry.
fn entries(cib: &Document) -> impl Iterator<Item = (&str, &str, Element<'_>)> {
    states(cib).flat_map(|state| {
        let resources = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
        let resources = resources.into_iter().flat_map(|resources| resources.children_named("lrm_resource"));
        resources.flat_map(move |resource| {
            let names = (state.attr("uname").unwrap_or_default(), resource.id().unwrap_or_default());
            resource.children_named("lrm_rsc_op").map(move |entry| (names.0, names.1, entry))
        })
    })
}

/// The failures, with what the history has of them. Of those of one resource it has the last one only.
fn written(cib: &Document, mut failures: Vec<Failure>, results: &[OperationResult]) -> Vec<Failure> {
    let is_there = |failure: &Failure| {
        let is_it = |result: &&OperationResult| {
            result.operation.transition_key == failure.transition_key && result.at == failure.at
        };
        let Some(result) = results.iter().find(is_it) else { return false };
        let is = |entry: Element<'_>, name: &str, value: &str| entry.attr(name) == Some(value);
        entries(cib).any(|(node, resource, entry)| {
            (node, resource) == (&failure.key.0, failure.resource())
                && is(entry, "transition-key", &failure.transition_key)
                && is(entry, "op-status", &result.status.to_string())
                && is(entry, "rc-code", &result.rc.to_string())
                && is(entry, "last-rc-change", &failure.at.to_string())
        })
    };
    let mut there: BTreeSet<(String, String)> = BTreeSet::new();
    for failure in failures.iter_mut().rev() {
        let whose = (failure.key.0.clone(), failure.resource().to_owned());
        failure.is_written = there.contains(&whose) || is_there(failure);
        if failure.is_written {
            there.insert(whose);
        }
    }
    failures
}

/// The failure of an operation that was given up, as the history has it.
fn given_up(cib: &Document, key: &str) -> Option<Failure> {
    let timed_out = OpStatus::TimedOut.code().to_string();
    let is_it = |entry: Element<'_>| {
        entry.attr("transition-key") == Some(key) && entry.attr("op-status") == Some(&timed_out)
    };
    let (node, resource, entry) = entries(cib).find(|(_, _, entry)| is_it(*entry))?;
    let (operation, interval) = (entry.attr("operation")?, entry.attr("interval")?);
    let is_probe = (operation, interval) == ("monitor", "0");
    (!is_probe && operation != "notify").then(|| Failure {
        key: (node.to_owned(), format!("{resource}#{operation}_{interval}")),
        transition_key: key.to_owned(),
        at: entry.attr("last-rc-change").and_then(|at| at.parse().ok()).unwrap_or(0),
        is_written: true,
        recurs: interval != "0",
        counts_as: matches!(operation, "start" | "stop").then_some(INFINITY),
    })
}
