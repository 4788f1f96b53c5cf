//! Tools beside the daemon, of both kinds, in our clusters and in Pacemaker's.

use super::*;

fn connected(tool: ToolId, service: ToolService) -> server::Event {
    server::Event::ToolConnected { tool, user: "root".into(), service }
}

/// A daemon that a cluster of Pacemaker's drives.
fn driven_by_a_stock_cluster() -> RemoteServer {
    let mut server = RemoteServer::new();
    server.handle(Now::default(), server::Event::Started { identity: "far".into(), start_state: None });
    server.handle(Now::default(), server::Event::Connected(CLIENT));
    let (client, protocol) = ("node".to_owned(), "1.1".to_owned());
    let call = Call::Register { client, protocol, is_provider: true, speaks_api: false };
    let message = ToRemote { id: 1, call };
    server.handle(Now::default(), server::Event::Received { client: CLIENT, message });
    server
}

/// What goes to the cluster of what comes of an event.
fn to_cluster(server: &mut RemoteServer, event: server::Event) -> Vec<ProxyMessage> {
    let effects = server.handle(Now::default(), event);
    let said = effects.into_iter().filter_map(|effect| match effect {
        server::Effect::Send { message: FromRemote::Proxy(message), .. } => Some(message),
        _ => None,
    });
    said.collect()
}

fn from_cluster(server: &mut RemoteServer, session: &str, body: ProxyBody) -> Vec<server::Effect> {
    let message = ProxyMessage { session: session.to_owned(), body };
    let message = ToRemote { id: 2, call: Call::Forward(message) };
    server.handle(Now::default(), server::Event::Received { client: CLIENT, message })
}

#[test]
fn tools_talk_to_the_cluster_through_the_connection() {
    let mut world = World::connected();
    let tool = ToolId(5);
    for event in world.server(connected(tool, ToolService::Api)) {
        world.tell(event);
    }
    for event in world.server(server::Event::ToolSays { tool, line: r#"{"id":1,"call":"cib"}"#.into() }) {
        world.tell(event);
    }
    let said: Vec<ProxyMessage> = world
        .out
        .iter()
        .filter_map(|effect| match effect {
            Effect::Proxy(message) => Some(message.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(said[0].body, ProxyBody::New { service: "systole".into() });
    let ProxyBody::Request { xml, user, .. } = &said[1].body else { panic!("{said:?}") };
    assert_eq!(user, "root");
    assert_eq!(systole_wire::remote::proxy::line_of(xml).as_deref(), Some(r#"{"id":1,"call":"cib"}"#));

    let xml = systole_wire::remote::proxy::wrap_line("{\"id\":1}");
    let session = said[0].session.clone();
    world.tell(Event::Proxy(ProxyMessage { session: session.clone(), body: ProxyBody::Event { xml } }));
    assert!(world.far.contains(&server::Effect::ToTool { tool, line: "{\"id\":1}".into() }));

    world.disconnect();
    assert!(world.far.contains(&server::Effect::DropTool(tool)));
    world.server(connected(ToolId(6), ToolService::Api));
    assert!(world.far.contains(&server::Effect::DropTool(ToolId(6))), "no cluster, no answer");
}

#[test]
fn what_stock_tools_say_is_passed_on_as_it_is() {
    let mut server = driven_by_a_stock_cluster();
    let tool = ToolId(5);
    let said = to_cluster(&mut server, connected(tool, ToolService::Stock("attrd".into())));
    assert_eq!(said[0].body, ProxyBody::New { service: "attrd".into() });
    let session = said[0].session.clone();
    let request = StockRequest { id: 9, flags: 0x200, xml: r#"<a t="attrd"/>"#.into() };
    let said = to_cluster(&mut server, server::Event::ToolAsks { tool, request });
    let ProxyBody::Request { id: 9, flags: 0x300, user, xml, .. } = &said[0].body else { panic!("{said:?}") };
    assert_eq!((user.as_str(), xml.as_str()), ("root", r#"<a t="attrd"/>"#));
    let (response, event) =
        (ProxyBody::Response { id: 9, xml: "<ack/>".into() }, ProxyBody::Event { xml: "<news/>".into() });
    for (body, answers, xml) in [(response, Some(9), "<ack/>"), (event, None, "<news/>")] {
        let effects = from_cluster(&mut server, &session, body);
        assert!(
            effects.contains(&server::Effect::ToStockTool { tool, answers, xml: xml.into() }),
            "{effects:?}"
        );
    }
    let effects = from_cluster(&mut server, &session, ProxyBody::Destroy);
    assert!(effects.contains(&server::Effect::DropTool(tool)));
}

#[test]
fn tools_of_others_leave_room_for_those_of_root() {
    let mut server = driven_by_a_stock_cluster();
    let mut is_let_in = |number: usize, user: &str| {
        let tool = ToolId(number as u64);
        let service = ToolService::Stock("attrd".into());
        let event = server::Event::ToolConnected { tool, user: user.into(), service };
        !server.handle(Now::default(), event).contains(&server::Effect::DropTool(tool))
    };
    let n_let_in = (0..server::MAX_TOOLS).filter(|number| is_let_in(*number, "hacluster")).count();
    assert!((1..server::MAX_TOOLS).contains(&n_let_in), "{n_let_in}");
    let more = (server::MAX_TOOLS..2 * server::MAX_TOOLS).filter(|number| is_let_in(*number, "root")).count();
    assert_eq!(n_let_in + more, server::MAX_TOOLS);
}

#[test]
fn a_tool_is_heard_by_the_cluster_node_it_began_with() {
    let mut server = driven_by_a_stock_cluster();
    let (early, late) = (ToolId(5), ToolId(6));
    let service = || ToolService::Stock("attrd".into());
    to_cluster(&mut server, connected(early, service()));
    let newer = RemoteClient(2);
    server.handle(Now::default(), server::Event::Connected(newer));
    let (client, protocol) = ("other".to_owned(), "1.1".to_owned());
    let call = Call::Register { client, protocol, is_provider: true, speaks_api: false };
    let message = ToRemote { id: 1, call };
    server.handle(Now::default(), server::Event::Received { client: newer, message });
    for is_connected in [false, true] {
        assert_eq!((server.listener_of(early), server.listener_of(late)), (Some(CLIENT), Some(newer)));
        if !is_connected {
            to_cluster(&mut server, connected(late, service()));
        }
    }
}

#[test]
fn a_stock_tool_that_says_no_xml_is_dropped_and_the_cluster_told() {
    let mut server = driven_by_a_stock_cluster();
    let tool = ToolId(5);
    to_cluster(&mut server, connected(tool, ToolService::Stock("attrd".into())));
    let request = StockRequest { id: 1, flags: 0, xml: "<a".into() };
    let effects = server.handle(Now::default(), server::Event::ToolAsks { tool, request });
    assert!(effects.contains(&server::Effect::DropTool(tool)));
    let is_told = |effect: &server::Effect| matches!(effect, server::Effect::Send { message: FromRemote::Proxy(message), .. } if message.body == ProxyBody::Destroy);
    assert!(effects.iter().any(is_told), "{effects:?}");
}

#[test]
fn our_tools_work_in_a_stock_cluster() {
    let mut server = driven_by_a_stock_cluster();
    let tool = ToolId(5);
    assert_eq!(to_cluster(&mut server, connected(tool, ToolService::Api)), []);
    let line = r#"{"id":4,"client":"cibadmin","call":"cib"}"#.to_owned();
    let said = to_cluster(&mut server, server::Event::ToolSays { tool, line });
    assert_eq!(said[0].body, ProxyBody::New { service: "cib_rw".into() });
    let ProxyBody::Request { id, .. } = said[1].body else { panic!("{said:?}") };
    let xml = r#"<cib-reply cib_rc="0"><cib_calldata><cib/></cib_calldata></cib-reply>"#.to_owned();
    let effects = from_cluster(&mut server, &said[1].session, ProxyBody::Response { id, xml });
    let line = r#"{"id":4,"reply":{"cib":{"xml":"<cib/>"}}}"#.to_owned();
    assert!(effects.contains(&server::Effect::ToTool { tool, line }), "{effects:?}");
    let said = to_cluster(&mut server, server::Event::ToolGone(tool));
    assert_eq!(said[0].body, ProxyBody::Destroy);
}

#[test]
fn sessions_of_different_daemons_have_different_names() {
    let names = ["one", "two"].map(|identity| {
        let mut server = driven_by_a_stock_cluster();
        let started = server::Event::Started { identity: identity.into(), start_state: None };
        server.handle(Now::default(), started);
        to_cluster(&mut server, connected(ToolId(5), ToolService::Stock("attrd".into())))[0].session.clone()
    });
    assert_ne!(names[0], names[1]);
}
