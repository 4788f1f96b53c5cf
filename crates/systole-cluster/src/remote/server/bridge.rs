//! A tool of ours in a stock cluster: what it asks is put to Pacemaker's services, one question after another.

mod cleanup;

use std::collections::{BTreeMap, VecDeque};
use systole_wire::{
    api::{Call, Refusal, RefusalKind, Reply, Request, Response},
    remote::{
        ProxyBody,
        proxy::{PROXIED, WANTS_RESPONSE},
        stock::ask::{Question, Step, change_told, next, subscription},
    },
};

/// How many requests a tool may wait for at once.
const MAX_PENDING: usize = 64;

/// One tool's side of it.
#[derive(Debug, Default)]
pub(super) struct Bridge {
    /// Services there is a session with.
    open: BTreeMap<&'static str, Session>,
    pending: Vec<Pending>,
    last_id: i32,
    /// The request by which the tool wants to hear of changes.
    subscription: Option<Request>,
}

/// A session with a service.
///
/// Pacemaker's end of it remembers the last question only, and gives its number to the next response: with a second question
/// under way, the response to the first would pass for the second's. Each therefore waits until the one before is answered.
#[derive(Debug, Default)]
struct Session {
    /// The question under way.
    asked: Option<i32>,
    waiting: VecDeque<(i32, ProxyBody)>,
}

/// A request under way.
#[derive(Debug)]
struct Pending {
    request: Request,
    /// What services have answered so far.
    answers: Vec<String>,
    /// Who is asked now, and under which number.
    service: &'static str,
    id: i32,
    by_event: bool,
}

/// What comes of a message.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// For a service.
    pub to_cluster: Vec<(&'static str, ProxyBody)>,
    /// For the tool.
    pub to_tool: Vec<Response>,
}

impl Bridge {
    /// Services there is a session with.
    pub fn services(&self) -> impl Iterator<Item = &'static str> {
        self.open.keys().copied()
    }

    /// The tool asks something.
    pub fn ask(&mut self, request: Request, user: &str) -> Said {
        let mut said = Said::default();
        if request.call == Call::Subscribe {
            // With a session that hears of changes already, it is only under this number that they are told from now on.
            let is_heard = self.subscription.replace(request.clone()).is_some()
                && self.open.contains_key(subscription().service);
            if !is_heard {
                self.put(&request, subscription(), user, &mut said);
            }
            return said;
        }
        if self.pending.len() >= MAX_PENDING {
            said.to_tool.push(refusal(&request, RefusalKind::Busy, "too many requests at once"));
            return said;
        }
        self.go_on(request, Vec::new(), user, &mut said);
        said
    }

    /// A service says something.
    pub fn hear(&mut self, service: &str, body: ProxyBody, user: &str) -> Said {
        let mut said = Said::default();
        if let ProxyBody::Response { id, .. } = &body {
            self.ask_next(service, *id, &mut said);
        }
        let is_answer = |pending: &Pending| {
            pending.service == service
                && match &body {
                    ProxyBody::Response { id, .. } => !pending.by_event && pending.id == *id,
                    ProxyBody::Event { xml } => pending.by_event && xml.contains(&reference(pending.id)),
                    _ => false,
                }
        };
        match &body {
            ProxyBody::Response { xml, .. } | ProxyBody::Event { xml } => {
                let Some(idx) = self.pending.iter().position(is_answer) else {
                    said.to_tool.extend(self.notice(change_told(xml)));
                    return said;
                };
                let mut pending = self.pending.remove(idx);
                pending.answers.push(xml.clone());
                self.go_on(pending.request, pending.answers, user, &mut said);
            }
            ProxyBody::Destroy => {
                self.open.remove(service);
                let (lost, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
                    .into_iter()
                    .partition(|pending| pending.service == service);
                self.pending = rest;
                let answer = |pending: Pending| {
                    refusal(&pending.request, RefusalKind::NotReady, "the cluster's service has gone away")
                };
                said.to_tool.extend(lost.into_iter().map(answer));
                // What changes meanwhile is not told: it has to look again, and with that comes a new session.
                if service == subscription().service {
                    said.to_tool.extend(self.notice(Some(Reply::Changed { version: String::new() })));
                }
            }
            _ => {}
        }
        said
    }

    /// What a tool that wants to hear of changes is told.
    fn notice(&self, reply: Option<Reply>) -> Option<Response> {
        Some(Response { id: self.subscription.as_ref()?.id, reply: reply? })
    }

    fn go_on(&mut self, request: Request, answers: Vec<String>, user: &str, said: &mut Said) {
        if let (Call::Cleanup { .. }, [cib]) = (&request.call, answers.as_slice()) {
            return match cleanup::questions(&request.call, cib, self.last_id) {
                Ok(questions) => self.put_all(request, answers, questions, user, said),
                Err(reply) => said.to_tool.push(Response { id: request.id, reply: *reply }),
            };
        }
        let id = self.last_id.checked_add(1).unwrap_or(1);
        let question = match next(&request.call, id, &answers) {
            Step::Ask(question) => question,
            Step::Done(reply) => return said.to_tool.push(Response { id: request.id, reply }),
        };
        let (service, by_event) = (question.service, question.by_event);
        let id = self.put(&request, question, user, said);
        self.pending.push(Pending { request, answers, service, id, by_event });
    }

    /// Puts questions to their services. That the last one was heard is the answer.
    fn put_all(
        &mut self,
        request: Request,
        answers: Vec<String>,
        questions: Vec<Question>,
        user: &str,
        said: &mut Said,
    ) {
        let mut last = None;
        for question in questions {
            let service = question.service;
            last = Some((service, self.put(&request, question, user, said)));
        }
        match last {
            Some((service, id)) => {
                self.pending.push(Pending { request, answers, service, id, by_event: false });
            }
            None => said.to_tool.push(Response { id: request.id, reply: Reply::Done }),
        }
    }

    /// Puts a question to its service; its number.
    fn put(&mut self, request: &Request, question: Question, user: &str, said: &mut Said) -> i32 {
        let service = question.service;
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let id = self.last_id;
        self.open_session(service, request, user, said);
        // As with the API, only root speaks for others.
        let meant = request.user.as_deref().filter(|_| user == "root").unwrap_or(user).to_owned();
        let ask = ProxyBody::Request {
            id,
            flags: WANTS_RESPONSE | PROXIED,
            client: request.client.clone(),
            user: meant,
            xml: question.xml,
        };
        let session = self.open.entry(service).or_default();
        if session.asked.is_none() {
            session.asked = Some(id);
            said.to_cluster.push((service, ask));
        } else {
            session.waiting.push_back((id, ask));
        }
        id
    }

    /// Opens a session for a request if there is none. Who heard of changes in the one before does so in this one, before
    /// anything is asked, so that no change goes by in between.
    fn open_session(&mut self, service: &'static str, request: &Request, user: &str, said: &mut Said) {
        if self.open.contains_key(service) {
            return;
        }
        self.open.insert(service, Session::default());
        said.to_cluster.push((service, ProxyBody::New { service: service.to_owned() }));
        let may_tell = service == subscription().service && request.call != Call::Subscribe;
        if let Some(subscribed) = self.subscription.clone().filter(|_| may_tell) {
            self.put(&subscribed, subscription(), user, said);
        }
    }

    /// With the response to a question, the next one for the same service is put.
    fn ask_next(&mut self, service: &str, answered: i32, said: &mut Said) {
        let Some((&service, session)) = self.open.iter_mut().find(|(open, _)| **open == service) else {
            return;
        };
        if session.asked != Some(answered) {
            return;
        }
        let next = session.waiting.pop_front();
        session.asked = next.as_ref().map(|(id, _)| *id);
        said.to_cluster.extend(next.map(|(_, ask)| (service, ask)));
    }
}

/// The mark by which an event is known as the answer to the question with this number.
fn reference(id: i32) -> String {
    format!("\"node-info-systole-{id}\"")
}

fn refusal(request: &Request, kind: RefusalKind, message: &str) -> Response {
    let reply = Reply::Refused(Refusal { kind, message: message.to_owned() });
    Response { id: request.id, reply }
}

#[cfg(test)]
mod tests {
    use super::*;
    use systole_wire::api::Call;

    fn request(id: u64, call: Call) -> Request {
        Request { id, client: "tool".into(), user: Some("somebody".into()), call }
    }

    /// Who is asked what number.
    fn asked(said: &Said) -> Vec<(&'static str, i32)> {
        let questions = said.to_cluster.iter().filter_map(|(service, body)| match body {
            ProxyBody::Request { id, .. } => Some((*service, *id)),
            _ => None,
        });
        questions.collect()
    }

    #[test]
    fn a_request_takes_as_many_questions_as_it_needs() {
        let mut bridge = Bridge::default();
        let said = bridge.ask(request(9, Call::Node), "root");
        assert_eq!(said.to_cluster[0], ("crmd", ProxyBody::New { service: "crmd".into() }));
        assert_eq!(asked(&said), [("crmd", 1)]);
        let ack = ProxyBody::Response { id: 1, xml: "<ack/>".into() };
        assert_eq!(bridge.hear("crmd", ack, "root"), Said::default(), "the answer is an event");
        let info = r#"<r reference="node-info-systole-1"><crm_xml><node uname="far"/></crm_xml></r>"#;
        let said = bridge.hear("crmd", ProxyBody::Event { xml: info.into() }, "root");
        assert_eq!(asked(&said), [("cib_rw", 2)]);
        let cib = r#"<cib-reply cib_rc="0"><cib_calldata><cib/></cib_calldata></cib-reply>"#;
        let said = bridge.hear("cib_rw", ProxyBody::Response { id: 2, xml: cib.into() }, "root");
        assert!(matches!(&said.to_tool[..], [Response { id: 9, reply: Reply::Node(_) }]), "{said:?}");
        assert_eq!(bridge.services().collect::<Vec<_>>(), ["cib_rw", "crmd"]);
    }

    #[test]
    fn who_waits_for_a_service_that_goes_away_is_told() {
        let mut bridge = Bridge::default();
        bridge.ask(request(1, Call::Cib), "root");
        bridge.ask(request(2, Call::WriteAttributes), "root");
        let said = bridge.hear("cib_rw", ProxyBody::Destroy, "root");
        assert!(matches!(&said.to_tool[..], [Response { id: 1, reply: Reply::Refused(_) }]), "{said:?}");
        let again = bridge.ask(request(3, Call::Cib), "root");
        assert!(matches!(again.to_cluster[0], ("cib_rw", ProxyBody::New { .. })), "a new session");
    }

    #[test]
    fn who_wants_to_hear_of_changes_hears_of_each_and_of_the_end_of_the_service() {
        let notice = r#"<notify t="cib_notify"><cib_update_result><diff><version>
            <target admin_epoch="0" epoch="7" num_updates="2"/></version></diff></cib_update_result></notify>"#;
        let notice = || ProxyBody::Event { xml: notice.into() };
        let changed = |version: &str| {
            let reply = Reply::Changed { version: version.into() };
            Said { to_tool: vec![Response { id: 5, reply }], ..Said::default() }
        };
        let mut bridge = Bridge::default();
        let asked_for_notices = |said: &Said| {
            let is_it = |body: &ProxyBody| matches!(body, ProxyBody::Request { xml, .. } if xml.contains("cib_diff_notify"));
            said.to_cluster.iter().filter(|(_, body)| is_it(body)).count()
        };
        let said = bridge.ask(request(5, Call::Subscribe), "root");
        assert_eq!(said.to_cluster[0], ("cib_rw", ProxyBody::New { service: "cib_rw".into() }));
        assert_eq!((asked_for_notices(&said), said.to_tool), (1, vec![]));
        let heard = ProxyBody::Response { id: 1, xml: "<ack/>".into() };
        assert_eq!(bridge.hear("cib_rw", heard, "root"), Said::default());
        assert_eq!(bridge.hear("cib_rw", notice(), "root"), changed("0.7.2"));
        // Asking goes on beside it.
        assert_eq!(asked_for_notices(&bridge.ask(request(6, Call::Cib), "root")), 0);
        assert_eq!(bridge.hear("cib_rw", notice(), "root"), changed("0.7.2"));
        let cib = r#"<cib-reply cib_rc="0"><cib_calldata><cib/></cib_calldata></cib-reply>"#;
        let said = bridge.hear("cib_rw", ProxyBody::Response { id: 2, xml: cib.into() }, "root");
        assert!(matches!(&said.to_tool[..], [Response { id: 6, reply: Reply::Cib { .. } }]), "{said:?}");

        assert_eq!(bridge.hear("cib_rw", ProxyBody::Destroy, "root"), changed(""));
        let said = bridge.ask(request(7, Call::Cib), "root");
        assert_eq!(asked_for_notices(&said), 1, "with the new session");
    }

    #[test]
    fn a_question_waits_until_the_service_has_answered_the_one_before() {
        let mut bridge = Bridge::default();
        assert_eq!(asked(&bridge.ask(request(1, Call::Subscribe), "root")), [("cib_rw", 1)]);
        assert_eq!(asked(&bridge.ask(request(2, Call::Cib), "root")), []);
        assert_eq!(asked(&bridge.ask(request(3, Call::WriteAttributes), "root")), [("attrd", 3)]);
        assert_eq!(asked(&bridge.ask(request(4, Call::Cib), "root")), []);
        let ack = || ProxyBody::Response { id: 1, xml: "<ack/>".into() };
        let said = bridge.hear("cib_rw", ack(), "root");
        assert_eq!((asked(&said), said.to_tool), (vec![("cib_rw", 2)], vec![]));
        assert_eq!(bridge.hear("cib_rw", ack(), "root"), Said::default(), "said twice");
        let cib = r#"<cib-reply cib_rc="0"><cib_calldata><cib/></cib_calldata></cib-reply>"#;
        let said = bridge.hear("cib_rw", ProxyBody::Response { id: 2, xml: cib.into() }, "root");
        assert_eq!(asked(&said), [("cib_rw", 4)]);
        assert!(matches!(&said.to_tool[..], [Response { id: 2, reply: Reply::Cib { .. } }]), "{said:?}");
    }

    #[test]
    fn a_tool_cannot_ask_without_end() {
        let mut bridge = Bridge::default();
        let said: Vec<Said> = (0..100).map(|id| bridge.ask(request(id, Call::Cib), "root")).collect();
        assert_eq!(said.iter().filter(|said| said.to_tool.is_empty()).count(), MAX_PENDING);
    }

    #[test]
    fn wanting_to_hear_of_changes_again_is_no_further_question() {
        let mut bridge = Bridge::default();
        bridge.ask(request(1, Call::Cib), "root");
        for id in 2..1000 {
            bridge.ask(request(id, Call::Subscribe), "root");
        }
        assert_eq!(bridge.open["cib_rw"].waiting.len(), 1);
        bridge.hear("cib_rw", ProxyBody::Destroy, "root");
        let said = bridge.ask(request(1000, Call::Subscribe), "root");
        assert_eq!((asked(&said).len(), bridge.open["cib_rw"].waiting.len()), (1, 0));
    }

    #[test]
    fn only_root_speaks_for_others() {
        for (user, expected) in [("root", "somebody"), ("guest", "guest")] {
            let said = Bridge::default().ask(request(1, Call::Cib), user);
            let (_, ProxyBody::Request { user, .. }) = &said.to_cluster[1] else { panic!("{said:?}") };
            assert_eq!(user, expected);
        }
    }
}
