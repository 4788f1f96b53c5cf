//! The protocol of Pacemaker Remote: what real daemons sent, and what nobody should send.

use proptest::prelude::*;
use systole_wire::remote::{
    Call, Decoder, Done, Frame, FrameError, FromRemote, MAX_MESSAGE_BYTES, Notice, ProxyBody, ProxyMessage,
    Recurring, Registered, Reply, Run, ToRemote, frame::HEADER_BYTES, message::Handled,
};

fn run() -> Run {
    Run {
        resource: "d".into(),
        operation: "start".into(),
        timeout_ms: 20_000,
        note: "1:2:0:aaaa".into(),
        ..Run::default()
    }
}

/// Messages as a stock 2.1.5 daemon sent them.
#[test]
fn what_a_stock_daemon_says_is_understood() {
    let uuid = "67f779f9-cf0b-4fe2-a6c3-8ed38190e4f7";
    let register = format!(
        r#"<lrmd_reply lrmd_origin="process_lrmd_signon" lrmd_rc="0" lrmd_callid="1" lrmd_op="register" lrmd_clientid="{uuid}" lrmd_protocol_version="1.1" lrmd_remote_msg_id="1" lrmd_remote_msg_type="reply"/>"#
    );
    let registered =
        Registered { protocol: "1.1".into(), client: uuid.into(), uptime: None, start_state: None };
    let table = [
        (
            register.as_str(),
            FromRemote::Reply(Reply { id: 1, call: 1, registered: Some(registered), ..Reply::default() }),
        ),
        (
            r#"<lrmd_notify lrmd_origin="send_generic_notify" lrmd_rc="0" lrmd_callid="3" lrmd_op="lrmd_rsc_register" lrmd_rsc_id="d" lrmd_remote_msg_id="0" lrmd_remote_msg_type="notify"/>"#,
            FromRemote::Notice(Notice::Handled {
                handled: Handled::RegisterResource,
                resource: Some("d".into()),
                rc: 0,
                call: 3,
            }),
        ),
        (
            r#"<lrmd_notify lrmd_origin="send_cmd_complete_notify" lrmd_timeout="20000" lrmd_rsc_interval="0" lrmd_rsc_start_delay="0" lrmd_exec_rc="0" lrmd_exec_op_status="0" lrmd_callid="5" lrmd_rsc_deleted="0" lrmd_run_time="1795612621" lrmd_rcchange_time="0" lrmd_exec_time="25" lrmd_queue_time="0" lrmd_op="lrmd_rsc_exec" lrmd_rsc_id="d" lrmd_rsc_action="start" lrmd_rsc_userdata_str="1:2:0:aaaa" lrmd_remote_msg_id="0" lrmd_remote_msg_type="notify"><attributes/></lrmd_notify>"#,
            FromRemote::Notice(Notice::Done(Box::new(Done {
                run: run(),
                call: 5,
                run_at: 1_795_612_621,
                exec_ms: 25,
                ..Done::default()
            }))),
        ),
        (
            r#"<lrmd_reply lrmd_origin="process_lrmd_get_recurring" lrmd_rc="0" lrmd_callid="7" lrmd_remote_msg_id="7" lrmd_remote_msg_type="reply"><lrmd_rsc lrmd_rsc_id="d"><lrmd_rsc_op lrmd_rsc_action="monitor" lrmd_rsc_interval="1000" lrmd_timeout="20000"/></lrmd_rsc></lrmd_reply>"#,
            FromRemote::Reply(Reply {
                id: 7,
                call: 7,
                recurring: vec![Recurring {
                    resource: "d".into(),
                    operation: "monitor".into(),
                    interval_ms: 1000,
                    timeout_ms: 20_000,
                }],
                ..Reply::default()
            }),
        ),
    ];
    for (text, message) in table {
        assert_eq!(FromRemote::parse(text).expect("readable"), message);
        assert_eq!(FromRemote::parse(&message.to_text()).expect("readable"), message, "round trip");
    }
}

#[test]
fn every_call_survives_the_round_trip() {
    let parameters = [("a".to_owned(), "<&\"'\n".to_owned()), ("0 b".to_owned(), "x".to_owned())].into();
    let proxy = |body| Call::Forward(ProxyMessage { session: "s".into(), body });
    let xml = r#"<a b="&lt;"><c/></a>"#.to_owned();
    for call in [
        Call::Register { client: "a".into(), protocol: "1.1".into(), is_provider: true, speaks_api: true },
        Call::Register { client: "a".into(), protocol: "1.1".into(), is_provider: false, speaks_api: false },
        Call::RegisterResource {
            resource: "r:0".into(),
            class: "systemd".into(),
            provider: None,
            agent: "x".into(),
            drops_recurring: true,
        },
        Call::UnregisterResource { resource: "r".into() },
        Call::Info { resource: "r".into() },
        Call::Run(Box::new(Run { changes_only: true, parameters, interval_ms: 5, ..run() })),
        Call::Cancel { resource: "r".into(), operation: "monitor".into(), interval_ms: 10_000 },
        Call::Poke,
        Call::Recurring { resource: None },
        Call::Recurring { resource: Some("r".into()) },
        Call::Alert {
            id: "a".into(),
            path: "/x".into(),
            timeout_ms: 5,
            parameters: [("k".to_owned(), "v".to_owned())].into(),
        },
        Call::Check { watchdog: Some("10".into()) },
        proxy(ProxyBody::New { service: "cib_rw".into() }),
        proxy(ProxyBody::Request {
            id: 4,
            flags: 0x8000_0300,
            client: "cibadmin".into(),
            user: "root".into(),
            xml: xml.clone(),
        }),
        proxy(ProxyBody::Response { id: 4, xml: xml.clone() }),
        proxy(ProxyBody::Event { xml }),
        proxy(ProxyBody::Destroy),
    ] {
        let message = ToRemote { id: 77, call };
        assert_eq!(ToRemote::parse(&message.to_text()).expect("readable"), message);
    }
}

#[test]
fn messages_come_whole_however_they_were_cut() {
    let texts = ["<a/>", "", "<b c=\"ü\"/>"];
    let bytes: Vec<u8> = texts
        .iter()
        .flat_map(|text| {
            let frame = Frame::new(1, text);
            [frame.header.to_vec(), frame.payload].concat()
        })
        .collect();
    for size in 1..bytes.len() {
        let mut decoder = Decoder::default();
        let mut found = Vec::new();
        for part in bytes.chunks(size) {
            decoder.push(part);
            while let Some(text) = decoder.next().expect("well formed") {
                found.push(text);
            }
        }
        assert_eq!(found, texts);
        assert!(!decoder.is_inside_message());
    }
}

/// The header and payload of a message as given, in either byte order.
fn bytes(is_little: bool, numbers: [u32; 4], payload: &[u8]) -> Vec<u8> {
    let [total, offset, compressed, uncompressed] = numbers;
    let mut bytes = Vec::new();
    for number in [0xBADA_DBBD, 1, 0, 0, 0, 0, total, offset, compressed, uncompressed] {
        bytes.extend(if is_little { u32::to_le_bytes(number) } else { u32::to_be_bytes(number) });
    }
    bytes.extend(payload);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Option<String>, FrameError> {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    decoder.next()
}

fn compress(text: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut out = Vec::new();
    bzip2::read::BzEncoder::new(text, bzip2::Compression::best()).read_to_end(&mut out).expect("memory");
    out
}

#[test]
fn peers_of_the_other_byte_order_and_compressed_messages_are_understood() {
    assert_eq!(decode(&bytes(false, [45, 40, 0, 5], b"<a/>\0")), Ok(Some("<a/>".to_owned())));
    let long = [vec![b'x'; 100_000], vec![0]].concat();
    let packed = compress(&long);
    let length = u32::try_from(packed.len()).expect("small");
    let message = bytes(true, [40 + length, 40, length, 100_001], &packed);
    assert_eq!(decode(&message).map(|text| text.map(|text| text.len())), Ok(Some(100_000)));
}

#[test]
fn what_is_no_message_is_refused() {
    let bomb = compress(&vec![0; 50_000_000]);
    let length = u32::try_from(bomb.len()).expect("small");
    let too_long = u32::try_from(MAX_MESSAGE_BYTES).expect("small") + 1;
    for (message, error) in [
        (vec![b'x'; 40], FrameError::Mark(0x7878_7878)),
        (bytes(true, [45, 44, 0, 5], b""), FrameError::Lengths),
        (bytes(true, [46, 40, 0, 5], b""), FrameError::Lengths),
        (bytes(true, [40, 40, 0, 0], b""), FrameError::Lengths),
        (bytes(true, [u32::MAX, 40, 0, u32::MAX - 40], b""), FrameError::TooLong(u64::from(u32::MAX))),
        (bytes(true, [too_long, 40, 0, too_long - 40], b""), FrameError::TooLong(u64::from(too_long))),
        (bytes(true, [40 + length, 40, length, 100], &bomb), FrameError::Compression),
        (bytes(true, [44, 40, 4, 100], b"junk"), FrameError::Compression),
        (bytes(true, [45, 40, 0, 5], b"<a/>x"), FrameError::Text),
        (bytes(true, [42, 40, 0, 2], b"\xff\0"), FrameError::Text),
    ] {
        assert_eq!(decode(&message), Err(error));
    }
    assert_eq!(decode(&bytes(true, [45, 40, 0, 5], b"<a/>")), Ok(None), "cut off: more may come");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for text in [
        "",
        "<a/>",
        "<lrmd_command t=\"lrmd\" lrmd_op=\"other\"/>",
        "<lrmd_command t=\"x\" lrmd_op=\"register\"/>",
        "<lrmd_command t=\"lrmd\" lrmd_op=\"lrmd_rsc_exec\"/>",
        "<lrmd_ipc_proxy lrmd_ipc_op=\"request\" lrmd_ipc_session=\"1\"/>",
        "<lrmd_ipc_proxy lrmd_ipc_op=\"other\"/>",
    ] {
        assert!(ToRemote::parse(text).is_err(), "{text}");
        assert!(FromRemote::parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_crash_the_decoder(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
        has_mark in any::<bool>(),
    ) {
        let mut decoder = Decoder::default();
        if has_mark {
            decoder.push(&0xBADA_DBBD_u32.to_le_bytes());
        }
        for part in parts {
            decoder.push(&part);
            while let Ok(Some(_)) = decoder.next() {}
        }
    }

    #[test]
    fn a_damaged_message_is_refused_or_read(at in 0_usize..120, byte in any::<u8>()) {
        let frame = Frame::new(7, &ToRemote { id: 1, call: Call::Poke }.to_text());
        let mut bytes = [frame.header.to_vec(), frame.payload].concat();
        bytes[at] = byte;
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        if let Ok(Some(text)) = decoder.next() {
            let _ = ToRemote::parse(&text);
            let _ = FromRemote::parse(&text);
        }
        prop_assert!(bytes.len() > HEADER_BYTES);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(<lrmd_(command|notify|reply|ipc_proxy) )?[a-z_=\"<>/ ]{0,80}") {
        let _ = ToRemote::parse(&text);
        let _ = FromRemote::parse(&text);
    }
}
