//! Constraints made at an administrator's request.

use super::{Args, find::Found};
use crate::{
    Cluster, Exit, Failed, Session,
    report::Report,
    resource_ops::{self, Place},
};
use systole_scheduler::{
    NodeIdx, RscIdx,
    rules::{Civil, Span},
};

/// What moves and bans have in common.
pub(super) struct Moves<'a, 'v> {
    pub cluster: &'a mut Cluster,
    pub found: &'a Found<'v>,
    pub args: &'a Args,
    /// The resource as it was named.
    pub id: &'a str,
    pub rsc: RscIdx,
    /// Answer as Pacemaker's tool does also where something else would be of more use.
    as_pacemaker: bool,
    /// The end of `--lifetime`.
    until: Option<String>,
    promoted: bool,
    report: Report,
}

impl<'a, 'v> Moves<'a, 'v> {
    /// # Errors
    /// If no resource was named.
    pub fn new(
        session: &Session<'_>,
        cluster: &'a mut Cluster,
        found: &'a Found<'v>,
        args: &'a Args,
        id: &'a str,
    ) -> anyhow::Result<Self> {
        let as_pacemaker = session.tool == "crm_resource";
        let named = found.resource()?;
        // Pacemaker's tool does not look into bundles.
        let inner = found.status.rsc(named).bundle().and_then(|bundle| bundle.inner);
        let rsc = inner.filter(|_| args.promoted && !as_pacemaker).unwrap_or(named);
        let (promoted, report) = (args.promoted, Report::silent());
        Ok(Self { cluster, found, args, id, rsc, as_pacemaker, until: None, promoted, report })
    }

    /// Makes the resource run elsewhere, or on the given node.
    pub fn move_away(mut self, session: &Session<'_>) -> anyhow::Result<Report> {
        let Some(node) = self.found.node else { return self.ban_current(session) };
        if self.promoted && !self.found.status.rsc(self.rsc).is_promotable {
            self.say(format!("Ignoring --promoted option: {} is not promotable", self.id));
            self.promoted = false;
        }
        let (count, current) = self.where_it_is()?;
        let is_there = current == Some(node);
        if is_there && !self.args.force {
            return Err(Failed::bare(Exit::Exists).into());
        }
        let document = &self.found.view.document;
        let mut there: Vec<String> = resource_ops::preferred(document, self.id, None).into_iter().collect();
        there.extend(resource_ops::banned(document, self.id, self.found.node_name(node)));
        for id in there {
            resource_ops::delete_constraints(self.cluster, &[id])?;
        }
        self.set_lifetime(session)?;
        let name = self.found.node_name(node);
        self.place(name).prefer(self.cluster)?;
        if !self.args.force || is_there {
            return Ok(self.report);
        }
        match current {
            Some(current) => {
                self.set_lifetime(session)?;
                self.ban_from(current)?;
            }
            None if count > 1 => {
                let (id, name) = (self.id, self.found.node_name(node));
                let active = if self.promoted { "promoted" } else { "active" };
                self.say(format!(
                    "Resource '{id}' is currently {active} in {count} locations. One may now move to {name}\n\
                     To prevent '{id}' from being {active} at a specific location, specify a node"
                ));
            }
            None => {}
        }
        Ok(self.report)
    }

    /// On how many nodes it is (or is promoted), and where, if that is one.
    fn where_it_is(&self) -> anyhow::Result<(usize, Option<NodeIdx>)> {
        let status = &self.found.status;
        let mut rsc = self.rsc;
        let (mut count, mut current) = self.found.active(rsc);
        if status.rsc(rsc).is_promotable {
            let promoted = self.found.promoted(rsc);
            if self.promoted || !promoted.is_empty() {
                count = promoted.len();
                current = promoted.last().and_then(|child| status.current_node(*child));
            }
            rsc = promoted.last().copied().unwrap_or(rsc);
        }
        if count > 1 {
            let is_collective =
                status.rsc(rsc).is_clone() || status.rsc(rsc).is_bundle() && !self.as_pacemaker;
            if !is_collective {
                return Err(Failed::bare(Exit::Multiple).into());
            }
            current = None;
        }
        Ok((count, current))
    }

    /// Keeps the resource off a node: the given one, or the one it runs on.
    pub fn ban(mut self, session: &Session<'_>) -> anyhow::Result<Report> {
        let Some(node) = self.found.node else { return self.ban_current(session) };
        self.set_lifetime(session)?;
        self.ban_from(node)?;
        Ok(self.report)
    }

    fn ban_current(mut self, session: &Session<'_>) -> anyhow::Result<Report> {
        // To Pacemaker's tool, the name that instances have in common is that of the first.
        let rsc = if self.as_pacemaker { self.rsc } else { self.found.all_of(self.rsc, self.id) };
        let node = self.only_place(rsc)?;
        self.set_lifetime(session)?;
        self.ban_from(node)?;
        Ok(self.report)
    }

    /// The only node that it runs on, or that it is promoted on.
    fn only_place(&self, rsc: RscIdx) -> anyhow::Result<NodeIdx> {
        let (status, id) = (&self.found.status, self.id);
        let (count, current) = self.found.active(rsc);
        if let Some(node) = current.filter(|_| count == 1) {
            return Ok(node);
        }
        let advice = format!("To prevent '{id}' from running on a specific location, specify a node.");
        if !status.rsc(rsc).is_promotable {
            let message = format!("Resource '{id}' not moved: active in {count} locations.\n{advice}");
            return Err(Failed::usage(message));
        }
        let promoted = self.found.promoted(rsc);
        if let [only] = promoted.as_slice()
            && let Some(node) = status.current_node(*only)
        {
            return Ok(node);
        }
        Err(Failed::usage(format!(
            "Resource '{id}' not moved: active in {count} locations (promoted in {}).\n{advice}To prevent '{id}' from \
             being promoted at a specific location, specify a node and the --promoted option.",
            promoted.len()
        )))
    }

    fn place(&self, node: &'a str) -> Place<'a> {
        Place { resource: self.id, node, promoted_only: self.promoted, until: self.until.clone() }
    }

    fn ban_from(&mut self, node: NodeIdx) -> anyhow::Result<()> {
        let (resource, name) = (self.id, self.found.node_name(node));
        let place = self.place(name);
        let id = place.ban_id();
        let what = if self.promoted { "being promoted" } else { "running" };
        self.say(format!(
            "WARNING: Creating rsc_location constraint '{id}' with a score of -INFINITY for resource {resource} on {name}.\n\
             \tThis will prevent {resource} from {what} on {name} until the constraint is removed using the clear option \
             or by editing the CIB with an appropriate tool.\n\
             \tThis will be the case even if {name} is the last node in the cluster"
        ));
        place.ban(self.cluster)
    }

    /// Works out the end of `--lifetime`, and tells it.
    fn set_lifetime(&mut self, session: &Session<'_>) -> anyhow::Result<()> {
        let Some(text) = &self.args.lifetime else { return Ok(()) };
        let span = Span::parse(text).ok_or_else(|| {
            Failed::usage(format!(
                "Invalid duration specified: {text}\nPlease refer to \
                 https://en.wikipedia.org/wiki/ISO_8601#Durations for examples of valid durations"
            ))
        })?;
        let until = Civil::at(session.now, session.utc_offset).add_span(span).text();
        self.say(format!("Migration will take effect until: {until}"));
        self.until = Some(until);
        Ok(())
    }

    fn say(&mut self, line: String) {
        if !self.args.quiet {
            self.report.text.push_str(&line);
            self.report.text.push('\n');
        }
    }
}

/// Takes such constraints back.
pub(super) fn clear(
    session: &Session<'_>,
    cluster: &mut Cluster,
    found: &Found<'_>,
    args: &Args,
) -> anyhow::Result<Report> {
    let document = &found.view.document;
    let steps = match &args.resource {
        _ if args.expired => {
            let which = resource_ops::Expired {
                resource: args.resource.as_deref(),
                node: found.given_node(),
                promoted_only: args.promoted,
                now: session.local_time(),
            };
            which.find(document).into_iter().map(|id| vec![id]).collect()
        }
        None => return Err(Failed::usage("Must supply a resource ID with -r/--resource")),
        Some(id) => made_for(found, id, args.force),
    };
    let mut gone: Vec<String> = Vec::new();
    for step in steps {
        let step: Vec<String> = step.into_iter().filter(|id| !gone.contains(id)).collect();
        resource_ops::delete_constraints(cluster, &step)?;
        gone.extend(step);
    }
    gone.sort();
    let lines = gone.iter().filter(|_| !args.quiet).map(|id| format!("Removing constraint: {id}\n"));
    Ok(Report { text: lines.collect(), ..Report::default() })
}

/// Ids of constraints made for a resource, as they are removed together: node after node (or of the one that was given).
fn made_for(found: &Found<'_>, id: &str, force: bool) -> Vec<Vec<String>> {
    let document = &found.view.document;
    let nodes: Vec<&str> = match found.given_node() {
        Some(node) => vec![node],
        None => found.status.iter_nodes().map(|(_, node)| node.name.as_str()).collect(),
    };
    let mut steps = Vec::new();
    for node in nodes {
        let mut step: Vec<String> = resource_ops::banned(document, id, node).into_iter().collect();
        step.extend(resource_ops::preferred(document, id, Some(node).filter(|_| !force)));
        if !step.is_empty() {
            steps.push(step);
        }
    }
    steps
}
