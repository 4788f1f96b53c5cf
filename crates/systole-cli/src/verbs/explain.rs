//! `systole explain`: the scheduler's reasons for one resource, and the smallest change that would bring it where it is not.

use crate::{
    Cluster, Exit, Session, names, rehearse,
    report::{OutputArgs, Report},
    runner,
};
use systole_cib::{read, xml::Document};
use systole_output::explain::{Advice, Told};
use systole_scheduler::{RscIdx, Status, placement::Detail};
use systole_types::NodeId;
use systole_whatif::{
    Course, Goal, Moment, follow,
    goal::copies,
    remedy::{Found, Search, is_reached},
    why::{Answer, Asker},
};

/// Why a resource is where it is, why not elsewhere, and what would bring it there.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The resource
    resource: String,
    /// Only about this node
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Reasons only: do not look for a change that would help
    #[arg(long)]
    no_advice: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// How many combinations of changes are tried.
const MAX_TRIED: usize = 120;
/// How many that help are told.
const MAX_FOUND: usize = 4;

/// Explains.
pub(super) fn run(session: &mut Session<'_>, args: Args) -> anyhow::Result<Exit> {
    let result = explain(session, &args);
    runner::finish(session, &args.output, result)
}

fn explain(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let document = cluster.cib()?;
    let moment = rehearse::moment(session, cluster.is_live());
    let (cib, _) = read(&document);
    let transition = moment.schedule(&cib, Detail::Scores);
    let asker = Asker::new(&transition);
    let only = match &args.node {
        Some(name) => {
            let status = &transition.status;
            Some(status.node(names::node(status, name)?).name.clone())
        }
        None => None,
    };
    let named = asker.named(&args.resource);
    if named.is_empty() {
        let known = transition.status.iter_resources().map(|(_, rsc)| rsc.id.as_str());
        return Err(names::unknown("resource", &args.resource, known));
    }
    let advice = match args.no_advice {
        true => None,
        false => advise(session, &document, moment, &asker, (&args.resource, &named), only.as_ref()),
    };
    let named = relevant(&asker, named, only.as_ref());
    let explanation = asker.explain_all(&args.resource, &named);
    let told = Told {
        explanation: &explanation,
        only: only.as_ref(),
        advice: advice.as_ref(),
        utc_offset: session.utc_offset,
    };
    Ok(Report::new(told.text(), told.tree()))
}

/// Of several instances those that run on the node asked about, else those that run nowhere.
fn relevant(asker: &Asker<'_>, named: Vec<RscIdx>, only: Option<&NodeId>) -> Vec<RscIdx> {
    let (Some(node), true) = (only, named.len() > 1) else { return named };
    let those = |is_meant: &dyn Fn(&Answer) -> bool| -> Vec<RscIdx> {
        named.iter().copied().filter(|rsc| is_meant(&asker.answer(*rsc))).collect()
    };
    let is_primitive = |rsc: &RscIdx| asker.transition().status.rsc(*rsc).is_primitive();
    if !named.iter().all(is_primitive) {
        return named;
    }
    let there = those(&|answer| answer.hosts.contains(node));
    let idle = those(&|answer| answer.running_on.is_empty());
    match (there.is_empty(), idle.is_empty()) {
        (false, _) => there,
        (true, false) => idle,
        (true, true) => named,
    }
}

/// What would bring the resource where one would expect it; `None` if it is there.
fn advise(
    session: &Session<'_>,
    document: &Document,
    moment: Moment,
    asker: &Asker<'_>,
    (name, named): (&str, &[RscIdx]),
    only: Option<&NodeId>,
) -> Option<Advice> {
    let status = &asker.transition().status;
    let wishes = wishes(status, name, named, only);
    let anyway = follow(document.clone(), moment);
    // What is so now may be about to end.
    let (reached, lacking): (Vec<&Wish>, Vec<&Wish>) =
        wishes.iter().partition(|wish| is_reached(&wish.goal, &anyway, moment));
    if lacking.is_empty() {
        let wish = reached.into_iter().find(|wish| !wish.goal.is_reached(status))?;
        return Some(Advice { goal: wish.words.clone(), is_under_way: true, found: Found::default() });
    }
    let mut best: Option<Advice> = None;
    for wish in lacking {
        let has_some = only.is_none() && wish.goal.copies > 1 && wish.goal.count(status) > 0;
        let found = search(session, document, moment, &wish.goal, &anyway);
        let is_found = !found.verified.is_empty();
        // Fewer copies than there might be, and nothing to undo: so it was meant.
        if is_found || (best.is_none() && !(has_some && found.n_tried == 0)) {
            best = Some(Advice { goal: wish.words.clone(), is_under_way: false, found });
        }
        if is_found {
            break;
        }
    }
    best
}

/// Looks for the smallest change of a CIB after which `goal` is reached.
fn search(session: &Session<'_>, document: &Document, moment: Moment, goal: &Goal, anyway: &Course) -> Found {
    let mut search = Search {
        moment,
        make: &mut |document, remedy| rehearse::make_remedy(session, document, remedy),
        max_tried: MAX_TRIED,
        max_found: MAX_FOUND,
    };
    search.run(document, goal, anyway)
}

/// Something one would expect of a resource.
struct Wish {
    goal: Goal,
    words: String,
}

/// What one would expect of a resource, the most important first.
fn wishes(status: &Status<'_>, name: &str, named: &[RscIdx], only: Option<&NodeId>) -> Vec<Wish> {
    let goal = |copies: u32, promoted: bool| Goal {
        resource: name.to_owned(),
        node: only.map(NodeId::to_string),
        promoted,
        copies,
    };
    let wish = |copies, promoted, words: String| Wish { goal: goal(copies, promoted), words };
    let is_promotable = named.iter().any(|rsc| is_promotable(status, *rsc));
    if let Some(node) = only {
        let mut wishes = vec![wish(1, false, format!("{name} runs on {node}"))];
        if is_promotable {
            wishes.push(wish(1, true, format!("{name} is promoted on {node}")));
        }
        return wishes;
    }
    let (wanted, promoted_wanted) = match named {
        [rsc] => asked_for(status, *rsc),
        instances => {
            let whole = instances.first().map_or(0, |rsc| asked_for(status, status.top_of(*rsc)).0);
            (whole, 0)
        }
    };
    let now = named.iter().map(|rsc| copies(status, *rsc, None, false)).sum::<u32>();
    let mut wishes = Vec::new();
    if wanted == 1 {
        wishes.push(wish(1, false, format!("{name} runs")));
    } else {
        wishes.push(wish(wanted, false, format!("{wanted} copies of {name} run")));
        if now + 1 < wanted {
            wishes.push(wish(now + 1, false, format!("another copy of {name} runs")));
        }
    }
    if promoted_wanted > 0 {
        let words = match promoted_wanted {
            1 => format!("a copy of {name} is promoted"),
            n => format!("{n} copies of {name} are promoted"),
        };
        wishes.push(wish(promoted_wanted, true, words));
    }
    wishes
}

fn is_promotable(status: &Status<'_>, rsc: RscIdx) -> bool {
    let inner = status.rsc(rsc).bundle().and_then(|bundle| bundle.inner);
    status.rsc(rsc).is_promotable || inner.is_some_and(|inner| status.rsc(inner).is_promotable)
}

/// How many copies there should be, and how many promoted.
fn asked_for(status: &Status<'_>, rsc: RscIdx) -> (u32, u32) {
    let resource = status.rsc(rsc);
    match (resource.clone_data(), resource.bundle()) {
        (Some(clone), _) => (clone.max, if resource.is_promotable { clone.promoted_max } else { 0 }),
        (_, Some(bundle)) => {
            let promoted = if is_promotable(status, rsc) { bundle.promoted_max } else { 0 };
            (u32::try_from(bundle.replicas.len()).unwrap_or(u32::MAX), promoted)
        }
        _ => (u32::from(resource.removed.is_none()), 0),
    }
}
