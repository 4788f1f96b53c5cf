//! Members that speak different versions of the protocol.

use super::*;
use crate::message::{
    ConnectionReport, Hello, LEVEL_OF_DIGESTS, LEVEL_OF_FEATURE_SET, LEVEL_OF_MEANINGS, LEVEL_OF_NOTICES,
    LEVEL_OF_REFUSALS,
};
use systole_cib::ops::{CibAction, CibCall, CibOptions, Scope};
use systole_types::FEATURE_SET;
use systole_wire::{
    ProtocolVersion,
    api::{Call, RefusalKind, Reply, Request},
    exec::Digest,
};

/// A member `b` that speaks the protocol up to a minor part says hello. Its executor does not come.
pub(super) fn join(bench: &mut Bench, minor: u16) {
    join_since(bench, minor, 5);
}

/// The same; it has been a member since this view, and is the DC if that is an earlier one than 5.
pub(super) fn join_since(bench: &mut Bench, minor: u16, since: u64) {
    let protocol = ProtocolVersion { minor, ..PROTOCOL };
    join_as(bench, 5, (2, "b"), |hello| Hello { protocol, since, ..hello });
}

/// One other member joins in this view, and says hello.
pub(super) fn join_as(
    bench: &mut Bench,
    view: u64,
    (id, name): (u32, &str),
    says: impl FnOnce(Hello) -> Hello,
) {
    let members = vec![(1, "a".to_owned()), (id, name.to_owned())];
    bench.tell(Event::View(View { number: view, own_id: 1, members, has_quorum: true }));
    let hello = says(Hello {
        protocol: PROTOCOL,
        name: name.into(),
        boot_id: format!("boot-of-{name}"),
        since: view,
        live: false,
        version: "0.0.0".into(),
        generation: 0,
        fingerprint: String::new(),
        disk_error: None,
    });
    let envelope = Envelope { view, number: 1, message: Message::Hello(hello) };
    let payload = serde_json::to_string(&envelope).expect("a message");
    bench.tell(Event::Delivered { from: id, payload });
    assert!(bench.machine.group.is_settled());
}

#[test]
fn histories_are_of_the_feature_set_that_every_member_writes() {
    for (minor, feature_set) in [(PROTOCOL.minor, FEATURE_SET), (LEVEL_OF_FEATURE_SET - 1, "3.20.2")] {
        for is_pending in [true, false] {
            let mut bench = Bench::start();
            join(&mut bench, minor);
            bench.hangs_from = is_pending.then_some("start");
            bench.wait(90);
            let start =
                format!("operation_key=\"r_start_0\" operation=\"start\" crm_feature_set=\"{feature_set}\"");
            let text = bench.machine.cib().to_text();
            assert_eq!(text.contains("rc-code=\"193\""), is_pending);
            assert!(text.contains(&start), "beside one that speaks 1.{minor}: {text}");
        }
    }
}

/// Whether a result with a digest is said with it.
fn tells_digests(bench: &mut Bench) -> bool {
    bench.wait(90);
    let perform =
        bench.casts.iter().rev().find(|payload| payload.contains("perform")).expect("something is done");
    let envelope: Envelope = serde_json::from_str(perform).expect("a message");
    let Message::Perform(perform) = envelope.message else { panic!("{:?}", envelope.message) };
    let mut result = bench.result(perform.operation, true);
    let digest = Digest { names: " a ".into(), digest: "0123456789abcdef".into() };
    result.operation.digests.restart = Some(digest);
    bench.casts.clear();
    bench.tell(Event::Executor(FromExecutor::Result(Box::new(result))));
    let record = bench.casts.iter().find(|payload| payload.contains("record")).expect("it is recorded");
    record.contains("0123456789abcdef")
}

#[test]
fn what_a_member_cannot_read_is_said_by_nobody() {
    for (minor, are_told) in
        [(PROTOCOL.minor, true), (LEVEL_OF_DIGESTS - 1, false), (PROTOCOL.minor + 1, true)]
    {
        let mut bench = Bench::start();
        join(&mut bench, minor);
        assert_eq!(tells_digests(&mut bench), are_told, "beside one that speaks 1.{minor}");
    }
}

#[test]
fn what_follows_an_operation_is_said_to_those_who_keep_it_in_mind() {
    let resource = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let clone = r#"<clone id="c"><meta_attributes id="cm"><nvpair id="cm1" name="notify" value="true"/></meta_attributes>
        <primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/></clone>"#;
    for (minor, is_said) in [(PROTOCOL.minor, true), (LEVEL_OF_NOTICES - 1, false)] {
        let mut bench = Bench::with(&CIB.replace(resource, clone));
        join(&mut bench, minor);
        bench.wait(90);
        assert!(bench.ran.iter().any(|key| key == "r_post_notify_start_0"), "{:?}", bench.ran);
        let start = bench.casts.iter().find(|payload| payload.contains("r_start_0")).expect("it is started");
        assert_eq!(start.contains("r_post_notify_start_0"), is_said, "beside one that speaks 1.{minor}");
    }
}

const CONNECTION: &str = r#"<primitive id="r" class="ocf" provider="pacemaker" type="remote">
    <instance_attributes id="p"><nvpair id="p1" name="fake" value="1"/>
    <nvpair id="p2" name="server" value="192.0.2.7"/></instance_attributes></primitive>"#;

const METADATA: &str = r#"<resource-agent name="remote" version="2.0"><version>1.1</version>
  <parameters><parameter name="server"/><parameter name="fake" reloadable="1"/></parameters>
  <actions><action name="reload-agent" timeout="20s"/></actions></resource-agent>"#;

/// What was said of starts of connections.
fn reported_starts(bench: &Bench) -> Vec<ConnectionReport> {
    let envelopes = bench.casts.iter().map(|payload| serde_json::from_str(payload).expect("a message"));
    let reports = envelopes.flat_map(|envelope: Envelope| match envelope.message {
        Message::Connection { reports } => reports,
        _ => Vec::new(),
    });
    reports.filter(|report| report.result.operation.operation == "start").collect()
}

#[test]
fn what_became_of_connections_is_said_as_a_member_can_read_it_and_once() {
    let resource = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    for (minor, is_told) in [(PROTOCOL.minor, true), (LEVEL_OF_DIGESTS - 1, false)] {
        let mut bench = Bench::with(&CIB.replace(resource, CONNECTION));
        bench.metadata = Some(METADATA.into());
        join(&mut bench, minor);
        bench.wait(90);
        let starts = reported_starts(&bench);
        let has_digest = |report: &ConnectionReport| report.result.operation.digests.restart.is_some();
        assert_eq!(
            starts.iter().map(has_digest).collect::<Vec<_>>(),
            [is_told],
            "beside one that speaks 1.{minor}"
        );
        bench.casts.clear();
        bench.view(6);
        assert_eq!(reported_starts(&bench), [], "beside one that speaks 1.{minor}");
    }
}

/// A tool asks for a change, whatever the CIB has.
fn ask(bench: &mut Bench, action: CibAction, scope: Scope, xml: Option<&str>) {
    bench.casts.clear();
    let change = CibCall { action, scope, xml: xml.map(str::to_owned), options: CibOptions::default() };
    let call = Call::Apply { change, force: false };
    let request = Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: crate::ClientId(7), request, groups: Vec::new() });
}

#[test]
fn a_change_that_older_members_would_make_otherwise_is_refused() {
    for (minor, is_made) in [(PROTOCOL.minor, true), (LEVEL_OF_MEANINGS - 1, false)] {
        let mut bench = Bench::start();
        join(&mut bench, minor);
        bench.wait(90);
        let scope = Scope::XPath("//primitive[@id='r']/@provider".to_owned());
        ask(&mut bench, CibAction::Delete, scope, None);
        assert_eq!(bench.casts.iter().any(|payload| payload.contains("provider")), is_made, "1.{minor}");
        let is_too_early =
            |reply: &Reply| matches!(reply, Reply::Refused(it) if it.kind == RefusalKind::NotReady);
        assert_eq!(bench.replies.iter().any(is_too_early), !is_made, "{:?}", bench.replies);
    }
}

#[test]
fn what_older_members_would_not_refuse_is_refused_before_it_is_said() {
    for (minor, is_said) in [(PROTOCOL.minor, true), (LEVEL_OF_REFUSALS - 1, false)] {
        let mut bench = Bench::start();
        join(&mut bench, minor);
        bench.wait(90);
        let cib = CIB.replace("<status/>", "").replace("<configuration>", "<status/><configuration>");
        let newer = cib.replace("epoch=\"5\"", "epoch=\"99\"");
        let another_state = r#"<status><node_state id="1" uname="a" in_ccm="false"/></status>"#;
        for (what, scope) in [(newer.as_str(), Scope::All), (another_state, Scope::Section("status".into()))]
        {
            let before = bench.machine.replica.cib().clone();
            bench.replies.clear();
            ask(&mut bench, CibAction::Replace, scope, Some(what));
            assert_eq!(bench.casts.iter().any(|payload| payload.contains("replace")), is_said, "1.{minor}");
            assert!(matches!(bench.replies[..], [Reply::Refused(_)]), "1.{minor}: {:?}", bench.replies);
            assert_eq!(*bench.machine.replica.cib(), before);
        }
    }
}
