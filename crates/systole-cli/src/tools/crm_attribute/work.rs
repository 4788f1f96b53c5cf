//! Carrying requests out.

use super::{Command, Request, Section, place::Target};
use crate::{
    Cluster, Exit, Failed, Session,
    edit::{self, Pair, PairSpec, Sums},
    report::Report,
};
use regex_lite::Regex;
use systole_cib::xml::Document;
use systole_output::tree::Tree;
use systole_wire::api::AttributeUpdate;

/// Carries a request out.
///
/// # Errors
/// If there is no such attribute or node, or the change cannot be made.
pub fn perform(session: &mut Session<'_>, request: Request) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let document = cluster.cib()?;
    let target = Target::of(session, &mut cluster, &document, &request)?;
    check(&request)?;
    let is_transient = request.section == Section::Status && !request.utilization;
    if cluster.is_live() && is_transient && request.command != Command::Query {
        return tell_daemon(&mut cluster, request, target);
    }
    let mut work = Work { cluster, document, target, request };
    match work.request.command.clone() {
        Command::Query => work.query(),
        Command::Update(value) => work.update(&value),
        Command::Delete => work.delete(),
    }
}

fn check(request: &Request) -> anyhow::Result<()> {
    let what = match request.command {
        Command::Query => None,
        Command::Update(_) => Some("update"),
        Command::Delete => Some("delete"),
    };
    match (what, &request.name, &request.pattern) {
        (Some(what), None, None) => {
            Err(Failed::usage(format!("Error: must specify attribute name or pattern to {what}")))
        }
        (_, Some(_), Some(_)) => {
            Err(Failed::usage("Error: --name and --pattern cannot be used at the same time"))
        }
        _ => Ok(()),
    }
}

/// Transient attributes of a running cluster are the daemon's to change (but not capacities, of which it knows nothing).
fn tell_daemon(cluster: &mut Cluster, request: Request, target: Target) -> anyhow::Result<Report> {
    let is_pattern = request.pattern.is_some();
    let value = match request.command {
        Command::Update(value) => Some(value),
        Command::Query | Command::Delete => None,
    };
    cluster.update_attribute(AttributeUpdate {
        node: target.node.unwrap_or_default(),
        name: request.pattern.or(request.name).unwrap_or_default(),
        pattern: is_pattern,
        value,
        set: request.set_id,
        ..AttributeUpdate::default()
    })?;
    Ok(Report::silent())
}

/// A request about the CIB.
struct Work {
    cluster: Cluster,
    document: Document,
    target: Target,
    request: Request,
}

impl Work {
    /// Attributes of that name; all of them if there is none.
    fn named(&self, name: Option<&str>) -> Vec<Pair> {
        edit::find_pairs(
            &self.document,
            &self.target.owner,
            &PairSpec {
                sets: self.target.sets.to_owned(),
                set_id: self.request.set_id.clone(),
                pair_id: self.request.pair_id.clone().filter(|_| self.request.pattern.is_none()),
                name: name.map(str::to_owned),
            },
        )
    }

    /// Names that the pattern fits. One that is no regular expression fits none.
    fn matching(&self, found: &[Pair]) -> Vec<Pair> {
        let regex = self.request.pattern.as_deref().and_then(|pattern| Regex::new(pattern).ok());
        found
            .iter()
            .filter(|pair| regex.as_ref().is_some_and(|it| it.is_match(&pair.name)))
            .cloned()
            .collect()
    }

    fn query(&self) -> anyhow::Result<Report> {
        let found = self.named(self.request.name.as_deref());
        let shown = if self.request.pattern.is_some() { self.matching(&found) } else { found.clone() };
        let mut report = Report::silent();
        match (&self.request.default, found.as_slice()) {
            (Some(value), []) => {
                let name = self.request.name.as_deref().or(self.request.pattern.as_deref());
                self.tell(&mut report, name.unwrap_or(""), value);
            }
            // Pacemaker's tool says nothing of a single attribute that the pattern does not fit.
            (_, [_]) => {}
            _ if shown.is_empty() => return Err(nothing()),
            _ => {}
        }
        shown.iter().for_each(|pair| self.tell(&mut report, &pair.name, &pair.value));
        Ok(report)
    }

    fn tell(&self, report: &mut Report, name: &str, value: &str) {
        let request = &self.request;
        let scope = request.section.name();
        let id = request.pair_id.as_deref();
        report.text.push_str(&if request.quiet {
            format!("{value}\n")
        } else {
            let id = id.map_or(String::new(), |id| format!("id={id} "));
            format!("scope={scope} {id}name={name} value={}\n", escaped(value))
        });
        let tree = Tree::new("attribute").attr("name", name).attr("value", value);
        report.trees.push(tree.attr("scope", scope).maybe("id", id));
    }

    fn update(&mut self, value: &str) -> anyhow::Result<Report> {
        let names = match &self.request.pattern {
            None => self.request.name.iter().cloned().collect(),
            Some(_) => {
                let all = self.named(None);
                if all.is_empty() {
                    return Err(nothing());
                }
                self.matching(&all).into_iter().map(|pair| pair.name).collect::<Vec<_>>()
            }
        };
        for name in names {
            let found = self.named(Some(&name));
            if found.len() > 1 {
                return Ok(several(&name, &found, Exit::Multiple));
            }
            if let Err(error) = self.set(&name, found.first(), value) {
                return Ok(self.not_set(&name, value, &error));
            }
        }
        Ok(Report::silent())
    }

    fn not_set(&self, name: &str, value: &str, error: &anyhow::Error) -> Report {
        let exit = crate::exit::exit_of(error);
        let why = exit.call_text().map_or_else(|| format!("{error:#}"), str::to_owned);
        let (section, target) = (self.request.section.name(), &self.target);
        let set = self.request.set_id.as_ref().unwrap_or(&target.default_set);
        let errors = vec![
            format!("Error setting {name}={value} (section={section}, set={set}): {why}"),
            format!("crm_attribute: Error performing operation: {why}"),
        ];
        Report { errors, ..Report::default() }.ending(exit)
    }

    fn set(&mut self, name: &str, found: Option<&Pair>, value: &str) -> anyhow::Result<()> {
        let target = &self.target;
        if let Some(pair) = found {
            let pair = Pair { value: value.to_owned(), ..pair.clone() };
            return edit::modify_pair(&mut self.cluster, &target.owner, &pair, Sums::AreWorkedOut);
        }
        let set = self.request.set_id.as_deref().unwrap_or(&target.default_set);
        let id = self.request.pair_id.clone();
        let id = id.unwrap_or_else(|| edit::clean_id(&format!("{set}-{name}")));
        let pair = Pair { set: set.to_owned(), id, name: name.to_owned(), value: value.to_owned() };
        edit::create_pair(&mut self.cluster, &target.new_owner, target.new_sets, &pair)
    }

    fn delete(&mut self) -> anyhow::Result<Report> {
        let mut report = Report::silent();
        if let (None, Some(id)) = (&self.request.pattern, self.request.pair_id.clone()) {
            // Not looked for: what is not there is gone.
            let name = self.request.name.clone().unwrap_or_default();
            self.remove(&mut report, &Pair { set: String::new(), id, name, value: String::new() }, "(null)")?;
            return Ok(report);
        }
        let names: Vec<String> = match &self.request.pattern {
            None => self.request.name.iter().cloned().collect(),
            Some(_) => self.matching(&self.named(None)).into_iter().map(|pair| pair.name).collect(),
        };
        for name in names {
            match self.named(Some(&name)).as_slice() {
                [] => {}
                [pair] => self.remove(&mut report, pair, &pair.id)?,
                // Nothing is removed then, and that is no error.
                found => report.text.push_str(&several(&name, found, Exit::Ok).text),
            }
        }
        Ok(report)
    }

    fn remove(&mut self, report: &mut Report, pair: &Pair, shown_id: &str) -> anyhow::Result<()> {
        edit::delete_pair(&mut self.cluster, &self.target.owner, pair)?;
        let kind = if self.target.node.is_some() { "attribute" } else { "option" };
        let set = self.request.set_id.as_ref().map_or(String::new(), |set| format!(" set={set}"));
        let (section, name) = (self.request.section.name(), &pair.name);
        report.text.push_str(&format!("Deleted {section} {kind}: id={shown_id}{set} name={name}\n"));
        Ok(())
    }
}

fn nothing() -> anyhow::Error {
    Failed::no_such("Error performing operation: No such device or address")
}

/// A value on one line.
fn escaped(value: &str) -> String {
    value.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t").replace('"', "\\\"")
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

/// Several attributes fit where one is meant.
fn several(name: &str, found: &[Pair], exit: Exit) -> Report {
    let mut text = format!("Multiple attributes match name={name}\n");
    for pair in found {
        text.push_str(&format!("  Value: {} \t(id={})\n", pair.value, pair.id));
    }
    let mut report = Report { text, ..Report::default() };
    if exit != Exit::Ok {
        let hint = "Please choose from one of the matches below and supply the 'id' with --attr-id";
        report.errors.push(format!("crm_attribute: {hint}"));
    }
    report.ending(exit)
}
