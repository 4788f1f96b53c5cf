//! Agents run by hand: `--validate`, and `--force-start` and its kin, past the cluster.

use super::{Args, digests::pairs, find::Found};
use crate::{Exit, Failed, Session, report::Report};
use std::{collections::BTreeMap, time::Duration};
use systole_agents::{AgentCall, Host, Outcome};
use systole_output::{
    tree::Tree,
    words::{op_status_text, rc_text},
};
use systole_scheduler::{RscIdx, Status};
use systole_types::OcfRc;

/// How long an agent may take where nothing says so.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Who is run, and what is told of it.
struct Job {
    /// `force-start`, `validate`.
    command: String,
    resource: Option<String>,
    changed: Vec<(String, String)>,
    call: AgentCall,
}

/// An action of an agent, without a resource.
pub(super) fn of_agent(session: &Session<'_>, args: &Args, command: &str) -> anyhow::Result<Report> {
    let (Some(class), Some(agent)) = (&args.class, &args.agent) else {
        return Err(Failed::usage("--validate needs --class and --agent, or --resource"));
    };
    let parameters = pairs(&args.option)?.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let call = AgentCall {
        class: class.clone(),
        provider: args.provider.clone(),
        agent: agent.clone(),
        instance: "test".to_owned(),
        action: action_of(command).to_owned(),
        parameters,
        timeout: super::duration(args.timeout.as_deref())?.unwrap_or(TIME_LIMIT),
    };
    run(session, Job { command: command.to_owned(), resource: None, changed: Vec::new(), call })
}

/// The agent's action for a command.
fn action_of(command: &str) -> &str {
    match command {
        "validate" => "validate-all",
        "force-check" => "monitor",
        other => other.trim_start_matches("force-"),
    }
}

/// An action of a resource, here and now.
pub(super) fn of_resource(
    session: &Session<'_>,
    found: &Found<'_>,
    args: &Args,
    id: &str,
    command: &str,
) -> anyhow::Result<Report> {
    let action = action_of(command);
    let status = &found.status;
    let rsc = only_primitive(status, found.resource()?).ok_or_else(|| {
        Failed::new(Exit::Unimplemented, format!("'{id}' is no single resource: name one of its members"))
    })?;
    let resource = status.rsc(rsc);
    let takes_up = matches!(action, "start" | "promote" | "demote");
    if takes_up && !args.force && is_active_clone(status, rsc) {
        let message = format!(
            "It is not safe to {action} {id} here: the cluster claims it is already active (--force does it)"
        );
        return Err(Failed::new(Exit::Unsafe, message).into());
    }
    let primitive = resource.primitive().expect("a primitive");
    let agent = &primitive.definition.agent;
    let changed: Vec<(String, String)> =
        pairs(&args.changed)?.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let mut parameters: BTreeMap<String, String> =
        status.parameters(rsc, None).iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    parameters.extend(changed.iter().cloned());
    if let Some(level) = args.force_check.as_ref().or(args.validate.as_ref()).filter(|level| **level != "0") {
        if level.parse::<u32>().is_err() {
            return Err(Failed::usage(format!("Invalid check level setting: {level}")));
        }
        parameters.insert("OCF_CHECK_LEVEL".to_owned(), level.clone());
    }
    let configured = status.op_meta(rsc, action, Duration::ZERO).timeout;
    let call = AgentCall {
        class: agent.class.to_string(),
        provider: agent.provider.as_ref().map(ToString::to_string),
        agent: agent.kind.to_string(),
        instance: id.to_owned(),
        action: action.to_owned(),
        parameters,
        timeout: super::duration(args.timeout.as_deref())?.unwrap_or(configured),
    };
    run(session, Job { command: command.to_owned(), resource: Some(id.to_owned()), changed, call })
}

/// Whether an instance of the clone that a resource is part of is active somewhere.
fn is_active_clone(status: &Status<'_>, rsc: RscIdx) -> bool {
    let clone = std::iter::successors(Some(rsc), |rsc| status.rsc(*rsc).parent)
        .find(|rsc| status.rsc(*rsc).is_clone());
    let mut open: Vec<RscIdx> = clone.into_iter().collect();
    while let Some(rsc) = open.pop() {
        if !status.rsc(rsc).running_on.is_empty() {
            return true;
        }
        open.extend(&status.rsc(rsc).children);
    }
    false
}

/// A primitive, or the only one inside.
fn only_primitive(status: &Status<'_>, rsc: RscIdx) -> Option<RscIdx> {
    let resource = status.rsc(rsc);
    match resource.children.as_slice() {
        _ if resource.is_primitive() => Some(rsc),
        [first, ..] if resource.is_clone() => only_primitive(status, *first),
        _ => None,
    }
}

fn run(session: &Session<'_>, job: Job) -> anyhow::Result<Report> {
    let mut host = Host::default();
    if let Some(root) = session.var("OCF_ROOT") {
        host.ocf_root = root.into();
    }
    if job.call.class == "stonith" {
        let message =
            format!("Operation {} could not be executed: fence agents are not run by hand here", job.command);
        return Err(Failed::new(Exit::Unimplemented, message).into());
    }
    let outcome = host.run(&job.call, &mut |_| {});
    let rc = outcome.rc;
    let mut report = Report::new(text(&job, &outcome), tree(&job, &outcome));
    if rc != OcfRc::Ok {
        let exit = Exit::ALL.iter().copied().find(|exit| i32::from(exit.code()) == rc.code());
        let exit = exit.unwrap_or(Exit::Error);
        report.errors.push(format!("crm_resource: Error performing operation: {}", exit.text()));
        report = report.ending(exit);
    }
    Ok(report)
}

fn text(job: &Job, outcome: &Outcome) -> String {
    let call = &job.call;
    let agent = [Some(call.class.as_str()), call.provider.as_deref(), Some(call.agent.as_str())];
    let agent: Vec<&str> = agent.into_iter().flatten().collect();
    let about = job.resource.as_ref().map_or(String::new(), |resource| format!(" for {resource}"));
    let reason =
        if outcome.exit_reason.is_empty() { String::new() } else { format!(": {}", outcome.exit_reason) };
    let (rc, words) = (outcome.rc.code(), rc_text(outcome.rc));
    let mut text =
        format!("Operation {}{about} ({}) returned {rc} ({words}{reason})\n", job.command, agent.join(":"));
    for said in [&outcome.stdout, &outcome.stderr] {
        if !said.trim().is_empty() {
            text.push_str(said.trim_end());
            text.push('\n');
        }
    }
    text
}

fn tree(job: &Job, outcome: &Outcome) -> Tree {
    let call = &job.call;
    let overrides = job
        .changed
        .iter()
        .map(|(name, value)| Tree::new("override").attr("name", name.as_str()).attr("value", value.as_str()));
    let reason = Some(outcome.exit_reason.as_str()).filter(|reason| !reason.is_empty());
    let rc = outcome.rc.code().to_string();
    let said = [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)];
    let said = said.into_iter().filter(|(_, text)| !text.is_empty());
    let output: Vec<Tree> =
        said.map(|(source, text)| Tree::with_text("output", text.as_str()).attr("source", source)).collect();
    let mut tree = Tree::new("resource-agent-action")
        .attr("action", job.command.as_str())
        .attr("class", call.class.as_str())
        .attr("type", call.agent.as_str())
        .maybe("rsc", job.resource.as_deref())
        .maybe("provider", call.provider.as_deref())
        .child(Tree::new("overrides").children(overrides))
        .child(
            Tree::new("agent-status")
                .attr("code", rc.as_str())
                .attr("message", rc_text(outcome.rc))
                .attr("execution_code", outcome.status.code().to_string())
                .attr("execution_message", op_status_text(outcome.status))
                .maybe("reason", reason),
        );
    if !output.is_empty() {
        tree.push(Tree::new("command").attr("code", rc.as_str()).children(output));
    }
    tree
}
