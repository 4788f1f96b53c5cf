//! What a tool on a remote node may say to a service of the cluster: by the first byte, to which, and what the answer is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_wire::{
    api::{AttributeOnNode, Refusal, RefusalKind, Reply},
    remote::{
        proxy::WANTS_RESPONSE,
        stock::{Service, Wish, read},
    },
};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let services = [Service::Cib, Service::Attributes, Service::Controller, Service::Fencing];
    let service = services[usize::from(choice) % services.len()];
    let flags = if choice & 0x80 == 0 { WANTS_RESPONSE } else { 0 };
    let Ok(wish) = read(service, "session", "far", (1, flags), text) else { return };
    if let Wish::Ask(_, pending) = wish {
        for reply in replies() {
            // A call of the CIB that does not wait is answered twice: that it was heard, and with an event.
            assert!(pending.at_once().len() <= 1 && pending.answer(&reply).len() <= 2);
        }
    }
});

fn replies() -> Vec<Reply> {
    let refusal = Refusal { kind: RefusalKind::NotFound, message: "there is no such thing".to_owned() };
    let value = AttributeOnNode { node: "far".into(), name: "a".into(), value: "1".into() };
    vec![
        Reply::Done,
        Reply::Refused(refusal),
        Reply::Applied { version: "1.2.3".into(), output: Some("<nvpair id=\"x\" value=\"1\"/>".into()) },
        Reply::Applied { version: "1.2.3".into(), output: Some("no XML".into()) },
        Reply::Cib { xml: "<cib/>".into() },
        Reply::Attributes(vec![value]),
    ]
}
