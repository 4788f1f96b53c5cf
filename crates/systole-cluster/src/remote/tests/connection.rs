//! The connection: who is let in, how it is lost, and how a daemon ends it.

use super::*;

#[test]
fn another_version_is_said() {
    for (rc, version) in [(-71, "1.1"), (0, "2.0")] {
        let mut world = World::new();
        world.is_cut = true;
        world.tell(Event::Connected);
        let registered = Registered { protocol: version.into(), ..Registered::default() };
        let reply = Reply { id: 1, rc, registered: Some(registered), ..Reply::default() };
        world.tell(Event::Received(FromRemote::Reply(reply)));
        let reason = world.loss().expect("lost");
        assert!(reason.contains(&format!("protocol {version}")), "{reason}");
    }
}

#[test]
fn a_daemon_that_cannot_be_reached_or_says_nothing_is_given_up() {
    for is_connected in [false, true] {
        let mut world = World::new();
        world.is_cut = true;
        if is_connected {
            world.tell(Event::Connected);
        }
        world.pass(9);
        assert_eq!(world.loss(), None);
        world.pass(2);
        assert!(world.loss().is_some());
        assert_eq!(world.session.next_deadline(), None);
    }
}

#[test]
fn a_loss_is_told_once_and_nothing_after_it() {
    let mut world = World::connected();
    world.tell(run(operation("db", "start", 0, 7)));
    world.tell(Event::Lost { reason: "reset".into() });
    world.tell(Event::Lost { reason: "again".into() });
    world.tell(run(operation("db", "stop", 0, 8)));
    world.agent_ends(OcfRc::Ok);
    assert_eq!((world.loss(), world.out.len()), (Some("reset"), 1), "{:?}", world.out);
}

#[test]
fn silence_is_loss() {
    let mut world = World::connected();
    world.pass(120);
    assert!(world.session.is_up(), "a daemon that answers is not lost");
    world.is_cut = true;
    world.pass(19);
    assert!(world.session.is_up());
    world.pass(10);
    assert_eq!(world.loss(), Some("no answer for 20 s"));
}

#[test]
fn a_stranger_is_refused() {
    let mut server = RemoteServer::new();
    server.handle(Now::default(), server::Event::Connected(CLIENT));
    let message = ToRemote { id: 3, call: Call::Poke };
    let effects = server.handle(Now::default(), server::Event::Received { client: CLIENT, message });
    let is_refused = |effect: &server::Effect| matches!(effect, server::Effect::Send { message: FromRemote::Reply(reply), .. } if reply.rc < 0);
    assert!(effects.iter().any(is_refused), "{effects:?}");
}

#[test]
fn connections_that_nobody_has_any_more_do_not_keep_a_cluster_node_out() {
    let mut server = RemoteServer::new();
    let at = |second| Now { mono: Monotonic(Duration::from_secs(second)), ..Now::default() };
    let mut dropped = Vec::new();
    let clients: Vec<RemoteClient> = (1..=20).map(RemoteClient).collect();
    for (second, &client) in (1..).zip(&clients) {
        let call = Call::Register {
            client: "node-1".into(),
            protocol: "1.2".into(),
            is_provider: true,
            speaks_api: true,
        };
        // The first goes on speaking, the others are never heard of again.
        let heard = [(client, ToRemote { id: 1, call }), (clients[0], ToRemote { id: 2, call: Call::Poke })];
        let heard = heard.map(|(client, message)| server::Event::Received { client, message });
        for event in [server::Event::Connected(client)].into_iter().chain(heard) {
            let effects = server.handle(at(second), event);
            dropped.extend(effects.into_iter().filter_map(|effect| match effect {
                server::Effect::Drop(client) => Some(client),
                _ => None,
            }));
        }
    }
    assert_eq!(dropped, clients[1..1 + clients.len() - server::MAX_CLIENTS]);
}

#[test]
fn a_daemon_that_is_told_to_end_asks_the_cluster_first() {
    let mut world = World::connected();
    for event in world.server(server::Event::Terminate) {
        world.tell(event);
    }
    assert!(world.out.iter().any(
        |effect| matches!(effect, Effect::Proxy(message) if message.body == ProxyBody::ShutdownRequest)
    ));
    assert!(!world.far.contains(&server::Effect::Exit));
    let ack = ProxyMessage { session: String::new(), body: ProxyBody::ShutdownAck };
    world.tell(Event::Proxy(ack));
    world.pass(60);
    assert!(!world.far.contains(&server::Effect::Exit), "not while the cluster is at it");
    world.disconnect();
    assert!(world.far.contains(&server::Effect::Exit));

    let mut alone = World::new();
    alone.server(server::Event::Terminate);
    assert!(alone.far.contains(&server::Effect::Exit));
}
