//! `systole resource`.

use crate::{
    Cluster, Exit, Failed, Session, edit,
    report::{self, OutputArgs, Report},
    resource_ops::{self, PairKind, PairOf},
    runner,
    tools::{crm_mon, crm_resource},
    view,
};
use clap::Subcommand;
use std::time::Duration;
use systole_output::{config, tree::Tree};

/// Show, start, stop, move and clean up resources.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the configuration of a resource, or of all
    Config {
        /// The resource; all if left out
        id: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print the state of a resource, or of all
    Status {
        /// The resource; all if left out
        id: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Let resources run
    Enable(Several),
    /// Stop resources, and keep them stopped
    Disable(Several),
    /// Let the cluster act on resources again
    Manage(Several),
    /// Leave resources as they are, whatever happens
    Unmanage(Several),
    /// Set or remove parameters of a resource
    Parameter(Pairs),
    /// Set or remove meta attributes of a resource
    Meta(Pairs),
    /// Forget failures, so that resources may run where they failed
    Cleanup(Forget),
    /// Forget all history, so that the state of resources is probed afresh
    Refresh(Forget),
    /// Stop a resource and start it again
    Restart(One),
    /// Make a resource run elsewhere, or on the given node
    Move(Where),
    /// Keep a resource off a node: the one it is on, or the given one
    Ban(Where),
    /// Take back `move` and `ban`
    Clear(Where),
}

#[derive(clap::Args)]
struct Several {
    /// The resources
    #[arg(required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    end: End,
}

#[derive(clap::Args)]
struct Pairs {
    /// The resource
    id: String,
    /// NAME=VALUE sets, NAME= removes
    #[arg(required = true, value_name = "NAME=VALUE")]
    pairs: Vec<String>,
    #[command(flatten)]
    end: End,
}

#[derive(clap::Args)]
struct One {
    /// The resource
    id: String,
    #[command(flatten)]
    end: End,
}

#[derive(clap::Args)]
struct Forget {
    /// The resource; all if left out
    id: Option<String>,
    /// Only on this node
    #[arg(long)]
    node: Option<String>,
    #[command(flatten)]
    end: End,
}

#[derive(clap::Args)]
struct Where {
    /// The resource
    id: String,
    /// The node
    node: Option<String>,
    /// For how long, as ISO 8601: PT1H
    #[arg(long, value_name = "TIME")]
    lifetime: Option<String>,
    /// Only about the promoted role
    #[arg(long)]
    promoted: bool,
    /// Even if it runs there already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    end: End,
}

/// What happens once the change is made.
#[derive(clap::Args)]
struct End {
    /// Wait until the cluster has come to rest (at most so long; an hour if nothing is said)
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "1h")]
    wait: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

impl End {
    fn limit(&self) -> anyhow::Result<Option<Duration>> {
        let parse = |text: &String| {
            systole_types::parse_duration(text).map_err(|error| Failed::usage(format!("--wait: {error}")))
        };
        self.wait.as_ref().map(parse).transpose()
    }
}

/// Carries the verb out.
pub(super) fn run(session: &mut Session<'_>, args: Args) -> anyhow::Result<Exit> {
    match args.verb {
        Verb::Config { id, output } => {
            finish(session, &output, |session| configuration(session, id.as_deref()))
        }
        Verb::Status { id, output } => status(session, id, output),
        Verb::Enable(several) => change(session, several, "target-role", None),
        Verb::Disable(several) => change(session, several, "target-role", Some("Stopped")),
        Verb::Manage(several) => change(session, several, "is-managed", None),
        Verb::Unmanage(several) => change(session, several, "is-managed", Some("false")),
        Verb::Parameter(pairs) => set_pairs(session, pairs, PairKind::Parameter),
        Verb::Meta(pairs) => set_pairs(session, pairs, PairKind::Meta),
        Verb::Cleanup(forget) => cleanup(session, forget, crm_resource::Command::Cleanup),
        Verb::Refresh(forget) => cleanup(session, forget, crm_resource::Command::Refresh),
        Verb::Restart(one) => restart(session, one),
        Verb::Move(place) => constrain(session, place, crm_resource::Command::Move),
        Verb::Ban(place) => constrain(session, place, crm_resource::Command::Ban),
        Verb::Clear(place) => constrain(session, place, crm_resource::Command::Clear),
    }
}

/// Runs `work` and reports, errors too, in the form asked for.
fn finish(
    session: &mut Session<'_>,
    output: &OutputArgs,
    work: impl FnOnce(&mut Session<'_>) -> anyhow::Result<Report>,
) -> anyhow::Result<Exit> {
    let result = work(session);
    runner::finish(session, output, result)
}

fn configuration(session: &mut Session<'_>, id: Option<&str>) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let document = cluster.cib()?;
    let Some(resources) = edit::section(&document, "resources") else { return Ok(Report::silent()) };
    match id {
        Some(id) => {
            let element = edit::resource(&document, id)?;
            Ok(Report::new(config::resource(element), Tree::from_element(element)))
        }
        None => Ok(Report::new(config::all_resources(resources), Tree::from_element(resources))),
    }
}

fn status(session: &mut Session<'_>, id: Option<String>, output: OutputArgs) -> anyhow::Result<Exit> {
    if let Some(id) = &id {
        let mut cluster = Cluster::open(session)?;
        let view = view::look(session, &mut cluster)?;
        if let Err(error) = resource_ops::find_views(&view.overview, id) {
            return report::emit_error(session, &output, error);
        }
    }
    crm_mon::show(
        session,
        crm_mon::Args {
            one_shot: true,
            inactive: true,
            sections: ["none", "resources"].map(crm_mon::sections::Wish::included).to_vec(),
            resource: id,
            interval: "10s".to_owned(),
            output,
            ..crm_mon::Args::default()
        },
    )
}

/// Sets (or with `None` removes) a meta attribute of what starts and stops the resources.
fn change(
    session: &mut Session<'_>,
    several: Several,
    name: &'static str,
    value: Option<&'static str>,
) -> anyhow::Result<Exit> {
    finish(session, &several.end.output, |session| {
        let limit = several.end.limit()?;
        let mut cluster = Cluster::open(session)?;
        if limit.is_some() {
            resource_ops::check_can_wait(&cluster)?;
        }
        let document = cluster.cib()?;
        // All names are looked up before anything is changed.
        let elements = several
            .ids
            .iter()
            .map(|id| edit::resource(&document, id).map(|element| (element, resource_ops::whole(element))))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut report = Report::silent();
        for (element, whole) in elements {
            let pair = PairOf::meta(name);
            match value {
                Some(value) => {
                    pair.set(&mut cluster, whole, value)?;
                }
                None => {
                    // What was set on a part would still hold it.
                    for target in if element == whole { vec![whole] } else { vec![whole, element] } {
                        pair.delete(&mut cluster, target)?;
                    }
                }
            }
            let id = whole.id().unwrap_or("");
            let what = value.map_or(format!("{name} removed"), |value| format!("{name}={value}"));
            report.text.push_str(&format!("{id}: {what}\n"));
            report
                .trees
                .push(Tree::new("change").attr("resource", id).attr("name", name).maybe("value", value));
        }
        if let Some(limit) = limit {
            resource_ops::wait(&mut cluster, Some(limit))?;
        }
        Ok(report)
    })
}

/// Sets or removes parameters or meta attributes.
fn set_pairs(session: &mut Session<'_>, args: Pairs, kind: PairKind) -> anyhow::Result<Exit> {
    finish(session, &args.end.output, |session| {
        let limit = args.end.limit()?;
        let mut cluster = Cluster::open(session)?;
        if limit.is_some() {
            resource_ops::check_can_wait(&cluster)?;
        }
        // All are read before anything is changed.
        let read = |pair: &'_ String| match pair.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Failed::usage(format!("{pair:?} is not NAME=VALUE"))),
        };
        let pairs = args.pairs.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
        let mut report = Report::silent();
        for (name, value) in &pairs {
            let document = cluster.cib()?;
            let element = edit::resource(&document, &args.id)?;
            let pair = PairOf { kind, set_id: None, pair_id: None, name };
            if value.is_empty() {
                pair.delete(&mut cluster, element)?;
            } else {
                pair.set(&mut cluster, element, value)?;
            }
            let (id, value) =
                (element.id().unwrap_or(""), Some(value.as_str()).filter(|value| !value.is_empty()));
            let what = value.map_or(format!("{name} removed"), |value| format!("{name}={value}"));
            report.text.push_str(&format!("{id}: {what}\n"));
            let change = Tree::new("change").attr("resource", id).attr("name", name.as_str());
            report.trees.push(change.maybe("value", value));
        }
        if let Some(limit) = limit {
            resource_ops::wait(&mut cluster, Some(limit))?;
        }
        Ok(report)
    })
}

fn cleanup(
    session: &mut Session<'_>,
    forget: Forget,
    command: crm_resource::Command,
) -> anyhow::Result<Exit> {
    let args = crm_resource::Args::about(forget.id, forget.node, forget.end.output.clone());
    after(session, &forget.end, args, command)
}

fn restart(session: &mut Session<'_>, one: One) -> anyhow::Result<Exit> {
    finish(session, &one.end.output, |session| {
        let limit = one.end.limit()?;
        let mut cluster = Cluster::open(session)?;
        let view = view::look(session, &mut cluster)?;
        resource_ops::restart(&mut cluster, &view, &one.id, limit)?;
        Ok(Report { text: format!("{} was stopped and started again\n", one.id), ..Report::default() })
    })
}

fn constrain(
    session: &mut Session<'_>,
    place: Where,
    command: crm_resource::Command,
) -> anyhow::Result<Exit> {
    let mut args = crm_resource::Args::about(Some(place.id), place.node, place.end.output.clone());
    args.constrain(place.lifetime, place.promoted, place.force);
    after(session, &place.end, args, command)
}

fn after(
    session: &mut Session<'_>,
    end: &End,
    args: crm_resource::Args,
    command: crm_resource::Command,
) -> anyhow::Result<Exit> {
    finish(session, &end.output, |session| {
        let limit = end.limit()?;
        if limit.is_some() {
            resource_ops::check_can_wait(&Cluster::open(session)?)?;
        }
        let report = crm_resource::perform(session, &args, command)?;
        if let Some(limit) = limit {
            resource_ops::wait(&mut Cluster::open(session)?, Some(limit))?;
        }
        Ok(report)
    })
}
