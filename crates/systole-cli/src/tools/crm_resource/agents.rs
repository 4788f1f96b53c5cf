//! Agents installed on this host.

use super::Args;
use crate::{Exit, Failed, Session, report::Report};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};
use systole_agents::{AgentCall, Host};
use systole_output::tree::Tree;
use systole_types::OcfRc;

/// How long an agent may take to describe itself.
const METADATA_LIMIT: Duration = Duration::from_secs(30);

/// What the tool's options ask about agents.
pub(super) fn about(session: &Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let mut host = Host::default();
    if let Some(root) = session.var("OCF_ROOT") {
        host.ocf_root = root.into();
    }
    if let Some(folder) = session.var("SYSTOLE_FENCE_AGENTS") {
        host.fence_dir = folder.into();
    }
    if args.list_standards {
        return Ok(listed("standards", "standard", standards(&host)));
    }
    if args.list_ocf_providers {
        return Ok(listed("providers", "provider", subdirectories(&host)));
    }
    if let Some(agent) = &args.list_ocf_alternatives {
        let found: Vec<String> = subdirectories(&host)
            .into_iter()
            .filter(|provider| executables(&host.ocf_root.join("resource.d").join(provider)).contains(agent))
            .collect();
        return if found.is_empty() {
            Err(Failed::no_such(format!("No OCF providers found for {agent}")))
        } else {
            Ok(listed("providers", "provider", found))
        };
    }
    if let Some(spec) = &args.list_agents {
        return agents(&host, spec);
    }
    match &args.show_metadata {
        Some(spec) => metadata(&host, spec),
        None => Err(Failed::usage("nothing is asked about agents")),
    }
}

fn listed(list: &str, item: &str, names: Vec<String>) -> Report {
    let text = names.iter().map(|name| format!("{name}\n")).collect::<String>();
    Report::new(text, Tree::new(list).children(names.into_iter().map(|name| Tree::with_text(item, name))))
}

/// Kinds of agents that can be run here.
fn standards(host: &Host) -> Vec<String> {
    let mut found = vec!["ocf".to_owned()];
    let is_systemd = Path::new("/run/systemd/system").is_dir();
    if host.lsb_dir.is_dir() {
        found.push("lsb".to_owned());
    }
    found.push("service".to_owned());
    if !host.fence_agents().is_empty() {
        found.push("stonith".to_owned());
    }
    if is_systemd {
        found.push("systemd".to_owned());
    }
    found
}

/// Directories below `resource.d`: OCF providers.
fn subdirectories(host: &Host) -> Vec<String> {
    names(&host.ocf_root.join("resource.d"), |path| path.is_dir())
}

fn executables(dir: &Path) -> Vec<String> {
    names(dir, |path| {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}

/// Names in a directory that fit, sorted; hidden ones are passed over.
fn names(dir: &Path, fits: impl Fn(&Path) -> bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let found: BTreeSet<String> = entries
        .flatten()
        .filter(|entry| fits(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    found.into_iter().collect()
}

/// Agents of a standard: `ocf`, `ocf:heartbeat`, `lsb`.
fn agents(host: &Host, spec: &str) -> anyhow::Result<Report> {
    let (standard, provider) =
        spec.split_once(':').map_or((spec, None), |(standard, rest)| (standard, Some(rest)));
    let resource_d = host.ocf_root.join("resource.d");
    let found = match (standard, provider) {
        ("ocf", Some(provider)) => executables(&resource_d.join(provider)),
        ("ocf", None) => {
            let all: BTreeSet<String> = subdirectories(host)
                .iter()
                .flat_map(|provider| executables(&resource_d.join(provider)))
                .collect();
            all.into_iter().collect()
        }
        ("lsb" | "service", None) => executables(&host.lsb_dir),
        ("stonith", None) => host.fence_agents(),
        _ => Vec::new(),
    };
    if found.is_empty() {
        return Err(Failed::new(Exit::Error, format!("No agents found for standard '{spec}'")).into());
    }
    Ok(listed("agents", "agent", found))
}

/// An agent's description of itself.
fn metadata(host: &Host, spec: &str) -> anyhow::Result<Report> {
    let parts: Vec<&str> = spec.split(':').collect();
    let (class, provider, agent) = match parts[..] {
        ["ocf", provider, agent] => ("ocf", Some(provider), agent),
        [class, agent] if class != "ocf" => (class, None, agent),
        _ => {
            let message =
                format!("'{spec}' is not a valid agent specification: write ocf:PROVIDER:TYPE or CLASS:TYPE");
            return Err(Failed::no_such(message));
        }
    };
    let is_fence_agent = class == "stonith";
    let call = AgentCall {
        class: class.to_owned(),
        provider: provider.map(str::to_owned),
        agent: agent.to_owned(),
        instance: agent.to_owned(),
        action: if is_fence_agent { "metadata" } else { "meta-data" }.to_owned(),
        parameters: BTreeMap::new(),
        timeout: METADATA_LIMIT,
    };
    let outcome = match is_fence_agent {
        true => host.run_fence_agent(&call, &mut |_| {}),
        false => host.run(&call, &mut |_| {}),
    };
    if outcome.rc != OcfRc::Ok || outcome.stdout.trim().is_empty() {
        let why =
            if outcome.exit_reason.is_empty() { outcome.status.to_string() } else { outcome.exit_reason };
        return Err(Failed::no_such(format!("Metadata query for {spec} failed: {why}")));
    }
    let text = format!("{}\n", outcome.stdout.trim_end());
    Ok(Report::new(text, Tree::with_cdata("metadata", outcome.stdout)))
}
