//! `crm_mon --external-agent`: a program that is told of each operation's result and, if asked for, of fencing.

use super::{Args, background::MARK, fencing::FencingWatch};
use crate::Exit;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use systole_cib::xml::{Document, Element};
use systole_output::words::op_status_text;
use systole_types::{OcfRc, OpStatus, OperationKey, TransitionMagic};

/// So many of the program may run at a time; then the one that has run longest is ended.
const MOST_RUNNING: usize = 32;

/// Node, resource as its history is called, and operation.
type Place = (String, String, String);

/// Looks for results that are new, and tells of them.
pub(super) struct Notifier {
    agent: Option<PathBuf>,
    recipient: Option<String>,
    /// By place, what answered which action; `None` before the first look.
    known: Option<BTreeMap<Place, String>>,
    /// With `--watch-fencing`.
    fencing: Option<FencingWatch>,
    running: Vec<Child>,
}

/// An operation's result as the program is told of it.
#[derive(Debug, PartialEq)]
struct Outcome {
    node: String,
    resource: String,
    task: String,
    rc: OcfRc,
    target_rc: OcfRc,
    status: OpStatus,
}

impl Notifier {
    pub fn new(args: &Args) -> Self {
        let (agent, recipient) = (args.external_agent.clone(), args.external_recipient.clone());
        let fencing = args.watch_fencing.then(FencingWatch::default);
        Self { agent, recipient, known: None, fencing, running: Vec::new() }
    }

    /// Tells of results that were not there at the last look; of none at the first.
    pub fn look(&mut self, document: &Document) {
        if self.agent.is_none() {
            return;
        }
        for result in self.news(document) {
            self.tell(result.variables());
        }
        let fenced = self.fencing.as_mut().map(|watch| watch.news(document)).unwrap_or_default();
        fenced.into_iter().for_each(|variables| self.tell(variables));
    }

    fn news(&mut self, document: &Document) -> Vec<Outcome> {
        let mut now = BTreeMap::new();
        let mut news = Vec::new();
        let status = document.root().child("status");
        for state in status.into_iter().flat_map(|status| status.children_named("node_state")) {
            for operation in state.descendants().filter(|element| element.is("lrm_rsc_op")) {
                let Some(magic) = operation.attr("transition-magic") else { continue };
                let place = place(state, operation);
                let is_known =
                    |known: &BTreeMap<Place, String>| known.get(&place).is_some_and(|m| m == magic);
                if self.known.as_ref().is_some_and(|known| !is_known(known)) {
                    let call = operation.attr("call-id").and_then(|id| id.parse::<i64>().ok());
                    news.extend(result(state, operation, magic).map(|result| (call, result)));
                }
                now.insert(place, magic.to_owned());
            }
        }
        self.known = Some(now);
        news.sort_by_key(|(call, _)| *call);
        // What was found not to run where it should not is nothing to tell.
        let is_telling = |result: &Outcome| {
            !(result.status == OpStatus::Done
                && result.rc == result.target_rc
                && result.rc == OcfRc::NotRunning)
        };
        news.into_iter().map(|(_, result)| result).filter(is_telling).collect()
    }

    fn tell(&mut self, variables: impl IntoIterator<Item = (&'static str, String)>) {
        let Some(agent) = &self.agent else { return };
        self.running.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        if self.running.len() >= MOST_RUNNING {
            let mut longest = self.running.remove(0);
            let _ = longest.kill();
            let _ = longest.wait();
        }
        let mut command = Command::new(agent);
        // Else a `crm_mon --daemonize` that the program starts would take itself for the one in the background.
        command.env_remove(MARK).envs(variables);
        if let Some(recipient) = &self.recipient {
            command.env("CRM_notify_recipient", recipient);
        }
        command.stdin(Stdio::null());
        // A program that is not there is not told of anything, as with Pacemaker's tool.
        self.running.extend(command.spawn().ok());
    }
}

fn place(state: Element<'_>, operation: Element<'_>) -> Place {
    let resource = operation.parent().and_then(Element::id);
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    (text(state.id()), text(resource), text(operation.id()))
}

fn result(state: Element<'_>, operation: Element<'_>, magic: &str) -> Option<Outcome> {
    let magic: TransitionMagic = magic.parse().ok()?;
    let key = operation.attr("operation_key").or(operation.id())?;
    let (resource, task, _) = OperationKey::split(key).ok()?;
    let node = operation.attr("on_node").or(state.attr("uname")).or(state.id())?;
    Some(Outcome {
        node: node.to_owned(),
        resource: resource.to_owned(),
        task: task.to_owned(),
        rc: magic.rc,
        target_rc: magic.key.target_rc,
        status: magic.status,
    })
}

impl Outcome {
    fn variables(&self) -> [(&'static str, String); 7] {
        let description = match self.status {
            OpStatus::Done if self.rc == self.target_rc => Exit::Ok.text().to_owned(),
            OpStatus::Done => in_words(self.rc).to_owned(),
            status => op_status_text(status).to_owned(),
        };
        [
            ("CRM_notify_node", self.node.clone()),
            ("CRM_notify_rsc", self.resource.clone()),
            ("CRM_notify_task", self.task.clone()),
            ("CRM_notify_desc", description),
            ("CRM_notify_rc", self.rc.code().to_string()),
            ("CRM_notify_target_rc", self.target_rc.code().to_string()),
            ("CRM_notify_status", self.status.code().to_string()),
        ]
    }
}

/// An agent's exit code in the words for a tool's.
fn in_words(rc: OcfRc) -> &'static str {
    let exit = Exit::ALL.iter().find(|exit| i32::from(exit.code()) == rc.code());
    exit.map_or("Unknown exit status", |exit| exit.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cib(results: &[(&str, &str)]) -> Document {
        let operations: String = results
            .iter()
            .enumerate()
            .map(|(n, (id, magic))| {
                format!("<lrm_rsc_op id=\"{id}\" call-id=\"{n}\" transition-magic=\"{magic}\"/>")
            })
            .collect();
        let text = format!(
            "<cib><configuration/><status><node_state id=\"1\" uname=\"alpha\"><lrm><lrm_resources><lrm_resource id=\"vip\">\
             {operations}</lrm_resource></lrm_resources></lrm></node_state></status></cib>"
        );
        Document::parse(text).expect("XML")
    }

    #[test]
    fn results_that_are_new_are_told_once_and_probes_that_found_nothing_never() {
        let args = Args::default();
        let mut notifier = Notifier::new(&args);
        let probe = ("vip_monitor_0", "0:7;1:0:7:uuid");
        let (start, failed) = (("vip_start_0", "0:0;2:1:0:uuid"), ("vip_monitor_10000", "2:1;3:1:0:uuid"));
        assert_eq!(notifier.news(&cib(&[start])), [], "at the first look nothing is new");
        assert_eq!(notifier.news(&cib(&[start, probe])), []);
        let news = notifier.news(&cib(&[start, probe, failed]));
        let told: Vec<String> = news.iter().flat_map(Outcome::variables).map(|(_, value)| value).collect();
        assert_eq!(told, ["alpha", "vip", "monitor", "Timed out", "1", "0", "2"]);
        assert_eq!(notifier.news(&cib(&[start, probe, failed])), []);
    }
}
