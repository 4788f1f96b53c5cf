//! `crm_attribute`: node attributes, cluster options and their like.

use crate::{
    Cluster, Exit, Failed, Session,
    edit::{self, Owner, Pair, PairSpec},
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::ffi::OsString;
use systole_cib::xml::Document;
use systole_output::{options, tree::Tree};

/// Ask for and change node attributes and cluster options.
#[derive(Parser, Default, Clone)]
#[command(name = "crm_attribute", disable_version_flag = true)]
pub struct Args {
    /// Print the value (what is done if nothing else is asked for)
    #[arg(short = 'G', long, visible_alias = "get-value", help_heading = "Commands")]
    query: bool,
    /// Set the value
    #[arg(
        short = 'v',
        long,
        value_name = "VALUE",
        alias = "attr-value",
        allow_hyphen_values = true,
        help_heading = "Commands"
    )]
    update: Option<String>,
    /// Remove the attribute
    #[arg(short = 'D', long, alias = "delete-attr", help_heading = "Commands")]
    delete: bool,
    /// List cluster options (the only kind there is: cluster)
    #[arg(
        long,
        value_name = "KIND",
        num_args = 0..=1,
        default_missing_value = "cluster",
        conflicts_with_all = ["query", "update", "delete"],
        help_heading = "Commands"
    )]
    list_options: Option<String>,
    /// With --list-options: also those for experts
    #[arg(long, requires = "list_options")]
    all: bool,
    /// Name
    #[arg(short = 'n', long, value_name = "NAME", alias = "attr-name")]
    name: Option<String>,
    /// All attributes whose name matches
    #[arg(short = 'P', long, value_name = "REGEX")]
    pattern: Option<String>,
    /// The promotion score of a resource (by default the one whose agent calls this)
    #[arg(short = 'p', long, value_name = "RSC", num_args = 0..=1, default_missing_value = "")]
    promotion: Option<String>,
    /// The node: name (this node by default)
    #[arg(short = 'N', long, value_name = "NODE", visible_alias = "uname")]
    node: Option<String>,
    /// Where: crm_config, nodes, status, rsc_defaults, op_defaults
    #[arg(short = 't', long = "type", value_name = "SECTION", alias = "scope")]
    kind: Option<String>,
    /// For how long: reboot (status) or forever (nodes)
    #[arg(short = 'l', long, value_name = "TIME")]
    lifetime: Option<String>,
    /// A capacity of the node
    #[arg(short = 'z', long)]
    utilization: bool,
    /// The set of attributes, by id
    #[arg(short = 's', long, value_name = "ID")]
    set_name: Option<String>,
    /// The attribute, by id
    #[arg(short = 'i', long, value_name = "ID")]
    attr_id: Option<String>,
    /// Value if there is none
    #[arg(short = 'd', long, value_name = "VALUE", allow_hyphen_values = true)]
    default: Option<String>,
    /// Work out value++ and value+=3 (always)
    #[arg(long)]
    score: bool,
    /// Print the value alone
    #[arg(short = 'q', long, short_alias = 'Q')]
    quiet: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    output: OutputArgs,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Print the value.
    Query,
    /// Set the value.
    Update(String),
    /// Remove the attribute.
    Delete,
}

/// A request: what, of which attribute, where.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is to be done.
    pub command: Command,
    /// Name.
    pub name: Option<String>,
    /// Names that match.
    pub pattern: Option<String>,
    /// Section: `crm_config`, `nodes`, `status`...
    pub section: String,
    /// The node's name, for `nodes` and `status`.
    pub node: Option<String>,
    /// Capacities instead of attributes.
    pub utilization: bool,
    /// The set's id, if given.
    pub set_id: Option<String>,
    /// The pair's id, if given.
    pub pair_id: Option<String>,
    /// Value if there is none.
    pub default: Option<String>,
    /// Print the value alone.
    pub quiet: bool,
    /// Two blanks before `name=` in answers: as `crm_failcount` prints them.
    pub wide: bool,
}

impl Request {
    /// A query of the node attribute `name` in the status section.
    pub fn named(name: &str) -> Self {
        Self {
            command: Command::Query,
            name: Some(name.to_owned()),
            pattern: None,
            section: "status".to_owned(),
            node: None,
            utilization: false,
            set_id: None,
            pair_id: None,
            default: None,
            quiet: false,
            wide: false,
        }
    }
}

fn list_options(kind: &str, all: bool) -> anyhow::Result<Report> {
    if kind != "cluster" {
        let message = format!("Invalid --list-options value '{kind}'. Allowed values: cluster");
        return Err(Failed::usage(message));
    }
    Ok(Report::new(options::text(&options::CLUSTER, all), options::tree(&options::CLUSTER)))
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &Args| &args.output,
        |session, args| {
            if let Some(kind) = &args.list_options {
                return list_options(kind, args.all);
            }
            let request = request(session, args.clone())?;
            perform(session, request)
        },
    )
}

fn request(session: &Session<'_>, args: Args) -> anyhow::Result<Request> {
    let mut name = args.name;
    let is_promotion = args.promotion.is_some();
    if let Some(resource) = args.promotion {
        name = Some(format!("master-{}", promotion_resource(session, resource)?));
    }
    let command = match (args.update, args.delete) {
        (_, true) => Command::Delete,
        (Some(value), _) => Command::Update(value),
        (None, false) => Command::Query,
    };
    let section = match (args.kind.as_deref(), args.lifetime.as_deref()) {
        (Some(kind), _) => section_named(kind)?,
        (None, Some(lifetime)) => section_of_lifetime(lifetime)?,
        (None, None) if is_promotion => "status".to_owned(),
        (None, None) if args.node.is_some() || args.utilization => "nodes".to_owned(),
        (None, None) => "crm_config".to_owned(),
    };
    if name.is_none() && args.pattern.is_none() && args.attr_id.is_none() {
        let what = match command {
            Command::Query => "query",
            Command::Update(_) => "update",
            Command::Delete => "delete",
        };
        return Err(Failed::usage(format!("Error: must specify attribute name or pattern to {what}")));
    }
    Ok(Request {
        command,
        name,
        pattern: args.pattern,
        section,
        node: args.node,
        utilization: args.utilization,
        set_id: args.set_name,
        pair_id: args.attr_id,
        default: args.default,
        quiet: args.quiet,
        wide: false,
    })
}

/// The resource whose promotion score is meant: named, or by the environment of its agent.
pub fn promotion_resource(session: &Session<'_>, named: String) -> anyhow::Result<String> {
    let resource = if named.is_empty() { session.var("OCF_RESOURCE_INSTANCE") } else { Some(named) };
    let resource = resource.ok_or_else(|| {
        Failed::usage(
            "-p/--promotion must be called from an OCF resource agent or with a resource ID specified",
        )
    })?;
    Ok(match resource.rsplit_once(':') {
        Some((base, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
            base.to_owned()
        }
        _ => resource,
    })
}

fn section_named(kind: &str) -> anyhow::Result<String> {
    Ok(match kind {
        "crm_config" | "nodes" | "status" | "rsc_defaults" | "op_defaults" => kind,
        "tickets" => {
            let message = "attributes of tickets cannot be asked for or changed yet";
            return Err(Failed::new(Exit::Unimplemented, message).into());
        }
        "reboot" => "status",
        "forever" => "nodes",
        other => {
            return Err(Failed::usage(format!(
                "{other:?} is no place for attributes: use crm_config, nodes or status"
            )));
        }
    }
    .to_owned())
}

/// The section for `reboot` (until then) and `forever`.
pub fn section_of_lifetime(lifetime: &str) -> anyhow::Result<String> {
    match lifetime {
        "reboot" | "status" => Ok("status".to_owned()),
        "forever" | "nodes" => Ok("nodes".to_owned()),
        other => Err(Failed::usage(format!("{other:?} is no lifetime: use reboot or forever"))),
    }
}

/// Carries a request out.
///
/// # Errors
/// If there is no such attribute or node, or the change cannot be made.
pub fn perform(session: &mut Session<'_>, request: Request) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let document = cluster.cib()?;
    let target = Target::of(session, &mut cluster, &document, &request)?;
    let spec = PairSpec {
        sets: target.sets.to_owned(),
        set_id: request.set_id.clone(),
        pair_id: request.pair_id.clone(),
        name: request.name.clone(),
    };
    let found = if request.pattern.is_some() {
        matching(&document, &target, &spec, request.pattern.as_deref())?
    } else {
        edit::find_pairs(&document, &target.owner, &spec)
    };
    match &request.command {
        Command::Query => query(&request, &found),
        Command::Update(value) => update(&mut cluster, &document, &request, &target, &spec, &found, value),
        Command::Delete => delete(&mut cluster, &request, &target, &found),
    }
}

/// Where the attributes are.
struct Target {
    owner: Owner,
    sets: &'static str,
    default_set: String,
    /// The node's name.
    node: Option<String>,
}

impl Target {
    fn of(
        session: &Session<'_>,
        cluster: &mut Cluster,
        document: &Document,
        request: &Request,
    ) -> anyhow::Result<Self> {
        let loose = |sets, default_set: &str| Self {
            owner: Owner { section: request.section.clone(), path: Vec::new() },
            sets,
            default_set: default_set.to_owned(),
            node: None,
        };
        match request.section.as_str() {
            "crm_config" => return Ok(loose("cluster_property_set", "cib-bootstrap-options")),
            "rsc_defaults" => return Ok(loose("meta_attributes", "rsc_defaults-options")),
            "op_defaults" => return Ok(loose("meta_attributes", "op_defaults-options")),
            _ => {}
        }
        let name = target_node(session, cluster, request.node.as_deref())?;
        let (uuid, name, is_remote) = node_id(document, &name)?;
        Ok(Self::at_node(&request.section, uuid, name, is_remote, request.utilization))
    }

    fn at_node(section: &str, uuid: String, name: String, is_remote: bool, utilization: bool) -> Self {
        let id = |value: &str| vec![("id".to_owned(), value.to_owned())];
        if section == "status" {
            let mut state = id(&uuid);
            if is_remote {
                state.push(("remote_node".to_owned(), "true".to_owned()));
            }
            state.push(("uname".to_owned(), name.clone()));
            return Self {
                owner: Owner {
                    section: "status".to_owned(),
                    path: vec![
                        ("node_state".to_owned(), state),
                        ("transient_attributes".to_owned(), id(&uuid)),
                    ],
                },
                sets: "instance_attributes",
                default_set: format!("status-{uuid}"),
                node: Some(name),
            };
        }
        let sets = if utilization { "utilization" } else { "instance_attributes" };
        let default_set =
            if utilization { format!("nodes-{uuid}-utilization") } else { format!("nodes-{uuid}") };
        let mut node = id(&uuid);
        if is_remote {
            node.push(("type".to_owned(), "remote".to_owned()));
            node.push(("uname".to_owned(), name.clone()));
        }
        Self {
            owner: Owner { section: "nodes".to_owned(), path: vec![("node".to_owned(), node)] },
            sets,
            default_set,
            node: Some(name),
        }
    }
}

/// The node whose attributes are meant: the one named, or else this one. For an agent in a container whose attributes are
/// to be the host's (`container-attribute-target=host`), that is the host.
///
/// # Errors
/// If nobody knows which node this is.
pub fn target_node(
    session: &Session<'_>,
    cluster: &mut Cluster,
    named: Option<&str>,
) -> anyhow::Result<String> {
    if let Some(name) = named.filter(|name| !matches!(*name, "auto" | "localhost")) {
        return Ok(name.to_owned());
    }
    let meta = |name: &str| session.var(&format!("OCF_RESKEY_CRM_meta_{name}")).filter(|it| !it.is_empty());
    match (meta("container_attribute_target").as_deref(), meta("physical_host")) {
        (Some("host"), Some(host)) => Ok(host),
        _ => cluster.local_node(session),
    }
}

/// Id and name of the node meant by `name`, and whether it is a remote or guest node.
///
/// # Errors
/// If there is no such node.
pub fn node_id(document: &Document, name: &str) -> anyhow::Result<(String, String, bool)> {
    let nodes = edit::section(document, "nodes").into_iter().flat_map(|nodes| nodes.children());
    let states = edit::section(document, "status").into_iter().flat_map(|status| status.children());
    for element in nodes.chain(states).filter(|element| element.is("node") || element.is("node_state")) {
        let (Some(id), uname) = (element.id(), element.attr("uname")) else { continue };
        if uname == Some(name) {
            let is_remote = element.attr("type") == Some("remote")
                || element.attr("remote_node") == Some("true")
                || is_remote_name(document, name);
            return Ok((id.to_owned(), name.to_owned(), is_remote));
        }
    }
    if is_remote_name(document, name) {
        return Ok((name.to_owned(), name.to_owned(), true));
    }
    Err(Failed::no_such(format!("Could not map name={name} to a UUID: there is no such node")))
}

/// Whether a resource makes a remote or guest node of that name.
fn is_remote_name(document: &Document, name: &str) -> bool {
    let Some(resources) = edit::section(document, "resources") else { return false };
    resources.descendants().any(|element| match element.name() {
        "primitive" => {
            let is_connection =
                element.attr("type") == Some("remote") && element.attr("provider") == Some("pacemaker");
            is_connection && element.id() == Some(name)
        }
        "nvpair" => element.attr("name") == Some("remote-node") && element.attr("value") == Some(name),
        "bundle" => name
            .rsplit_once('-')
            .is_some_and(|(id, number)| element.id() == Some(id) && number.parse::<u32>().is_ok()),
        _ => false,
    })
}

fn matching(
    document: &Document,
    target: &Target,
    spec: &PairSpec,
    pattern: Option<&str>,
) -> anyhow::Result<Vec<Pair>> {
    let pattern = pattern.unwrap_or("");
    let regex = regex_lite::Regex::new(pattern)
        .map_err(|error| Failed::usage(format!("{pattern:?} is no regular expression: {error}")))?;
    let all = edit::find_pairs(document, &target.owner, &PairSpec { name: None, ..spec.clone() });
    Ok(all.into_iter().filter(|pair| regex.is_match(&pair.name)).collect())
}

fn name_of(request: &Request) -> &str {
    request.name.as_deref().unwrap_or("")
}

fn query(request: &Request, found: &[Pair]) -> anyhow::Result<Report> {
    if request.pattern.is_none() && found.len() > 1 {
        return Ok(several(name_of(request), found));
    }
    let name = request.name.as_deref().unwrap_or("");
    let default;
    let found = match (found, &request.default) {
        ([], Some(value)) => {
            default =
                [Pair { set: String::new(), id: String::new(), name: name.to_owned(), value: value.clone() }];
            &default[..]
        }
        ([], None) => return Err(Failed::no_such("Error performing operation: No such device or address")),
        (found, _) => found,
    };
    let mut report = Report::silent();
    let blanks = if request.wide { "  " } else { " " };
    for pair in found {
        report.text.push_str(&if request.quiet {
            format!("{}\n", pair.value)
        } else {
            format!("scope={}{blanks}name={} value={}\n", request.section, pair.name, pair.value)
        });
        report.trees.push(
            Tree::new("attribute")
                .attr("name", pair.name.as_str())
                .attr("value", pair.value.as_str())
                .attr("scope", request.section.as_str()),
        );
    }
    Ok(report)
}

fn update(
    cluster: &mut Cluster,
    document: &Document,
    request: &Request,
    target: &Target,
    spec: &PairSpec,
    found: &[Pair],
    value: &str,
) -> anyhow::Result<Report> {
    if request.pattern.is_some() {
        for pair in found {
            let value = scored(value, &pair.value);
            store(
                cluster,
                document,
                target,
                &PairSpec { name: Some(pair.name.clone()), ..spec.clone() },
                &value,
            )?;
        }
        if found.is_empty() {
            return Err(Failed::no_such("no attribute's name matches"));
        }
        return Ok(Report::silent());
    }
    if found.len() > 1 {
        return Ok(several(name_of(request), found));
    }
    let value = found.first().map_or_else(|| value.to_owned(), |pair| scored(value, &pair.value));
    store(cluster, document, target, spec, &value)?;
    Ok(Report::silent())
}

/// Transient attributes of a running cluster go to the daemon, everything else to the CIB.
fn store(
    cluster: &mut Cluster,
    document: &Document,
    target: &Target,
    spec: &PairSpec,
    value: &str,
) -> anyhow::Result<()> {
    if let (true, "status", Some(node), Some(name)) =
        (cluster.is_live(), target.owner.section.as_str(), &target.node, &spec.name)
    {
        return cluster.set_transient(node, name, Some(value));
    }
    edit::set_pair(cluster, document, &target.owner, spec, &target.default_set, value)?;
    Ok(())
}

/// `value++` and `value+=3` worked out, with what is there; other texts as they are.
pub fn scored(value: &str, old: &str) -> String {
    use systole_types::Score;
    let step = match value.strip_prefix("value") {
        Some("++") => Some(1),
        Some(rest) => rest.strip_prefix("+=").and_then(|step| step.parse().ok()),
        None => None,
    };
    let Some(step) = step else { return value.to_owned() };
    let old: Score = old.parse().unwrap_or_default();
    (old + Score::finite(step)).to_string()
}

fn delete(
    cluster: &mut Cluster,
    request: &Request,
    target: &Target,
    found: &[Pair],
) -> anyhow::Result<Report> {
    if request.pattern.is_none() && found.len() > 1 {
        return Ok(several(name_of(request), found));
    }
    let mut report = Report::silent();
    for pair in found {
        match (cluster.is_live(), target.owner.section.as_str(), &target.node) {
            (true, "status", Some(node)) => cluster.set_transient(node, &pair.name, None)?,
            _ => edit::delete_pair(cluster, &target.owner, pair)?,
        }
        let id = match (&request.pair_id, request.name.is_some() && request.section == "crm_config") {
            (Some(_), true) => "(null)",
            _ => &pair.id,
        };
        let kind = if request.section == "crm_config" { "option" } else { "attribute" };
        report.text.push_str(&format!("Deleted {} {kind}: id={id} name={}\n", request.section, pair.name));
    }
    Ok(report)
}

/// Several attributes fit where one is meant.
fn several(name: &str, found: &[Pair]) -> Report {
    let mut text = format!("Multiple attributes match name={name}\n");
    for pair in found {
        text.push_str(&format!("  Value: {} \t(id={})\n", pair.value, pair.id));
    }
    let error =
        "crm_attribute: Please choose from one of the matches below and supply the 'id' with --attr-id"
            .to_owned();
    Report { text, errors: vec![error], ..Report::default() }.ending(Exit::Multiple)
}
