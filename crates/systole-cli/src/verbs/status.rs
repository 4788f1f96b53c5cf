//! `systole status`.

use crate::{
    Cluster, Exit, Failed, Session,
    report::{self, OutputArgs, Report},
    resource_ops,
    tools::crm_mon,
    view,
};
use systole_output::status::classic;

/// What `crm_mon -1r` shows, with a word on what is dangerous or broken in front.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Go on showing changes
    #[arg(short, long)]
    watch: bool,
    /// Active resources only
    #[arg(long)]
    active: bool,
    /// Details: ids of nodes, every instance, every part of a bundle
    #[arg(short = 'd', long)]
    detail: bool,
    /// Node attributes too
    #[arg(short = 'A', long)]
    attributes: bool,
    /// Fail counts too
    #[arg(short = 'f', long)]
    failcounts: bool,
    /// Operation history too
    #[arg(short = 'o', long)]
    operations: bool,
    /// Location constraints that ban, too
    #[arg(short = 'b', long)]
    bans: bool,
    /// Resources below the nodes they are on
    #[arg(short = 'n', long)]
    by_node: bool,
    /// Only this node, or nodes of this tag
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Only this resource, or resources of this tag
    #[arg(long, value_name = "RSC")]
    resource: Option<String>,
    /// Resources only, in the layout of releases before 2.0
    #[arg(
        long,
        conflicts_with_all = ["watch", "active", "detail", "attributes", "failcounts", "operations", "bans"],
        conflicts_with_all = ["by_node", "node", "resource", "json"],
    )]
    classic: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows the state.
pub(super) fn run(session: &mut Session<'_>, args: Args) -> anyhow::Result<Exit> {
    if args.classic {
        if args.output.is_for_programs() {
            return Err(Failed::usage("--classic is a layout for people: leave it out, or --output-as"));
        }
        let mut cluster = Cluster::open(session)?;
        let view = view::look(session, &mut cluster)?;
        let text = classic::resource_list(&view.overview);
        return report::emit(session, &args.output, Report { text, ..Report::default() });
    }
    if let Err(error) = check_names(session, &args) {
        return report::emit_error(session, &args.output, error);
    }
    crm_mon::show(
        session,
        crm_mon::Args {
            one_shot: !args.watch,
            inactive: !args.active,
            show_detail: args.detail,
            show_node_attributes: args.attributes,
            failcounts: args.failcounts,
            operations: args.operations,
            neg_locations: args.bans.then(String::new),
            group_by_node: args.by_node,
            node: args.node,
            resource: args.resource,
            warnings: true,
            interval: "10s".to_owned(),
            output: args.output,
            ..crm_mon::Args::default()
        },
    )
}

/// Makes sure that what the state is narrowed to exists: nothing shown would look like nothing there.
fn check_names(session: &mut Session<'_>, args: &Args) -> anyhow::Result<()> {
    if args.node.is_none() && args.resource.is_none() {
        return Ok(());
    }
    let mut cluster = Cluster::open(session)?;
    let view = view::look(session, &mut cluster)?;
    let is_tag = |name: &str| name == "*" || view.cib.tags.iter().any(|tag| tag.id.as_str() == name);
    if let Some(node) = args.node.as_deref().filter(|name| !is_tag(name)) {
        let is_id = view.overview.nodes.iter().any(|known| known.uuid.as_str() == node);
        if !is_id {
            resource_ops::check_node(&view.overview, node)?;
        }
    }
    if let Some(resource) = args.resource.as_deref().filter(|name| !is_tag(name)) {
        resource_ops::find_views(&view.overview, resource)?;
    }
    Ok(())
}
