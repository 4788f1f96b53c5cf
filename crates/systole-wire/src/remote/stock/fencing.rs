//! The service that fences. Status displays connect to it and go on without its history; nothing more is offered.

use super::Heard;
use crate::remote::xml::{Attributes, Builder, MessageError};
use systole_cib::xml::Element;
use systole_types::OpStatus;

pub(super) fn read(request: Element<'_>, session: &str) -> Result<Heard, MessageError> {
    Ok(match request.need("st_op")? {
        "register" => {
            let answer = Builder::new("reply").set("st_op", "register").set("st_clientid", session);
            Heard::Answer(answer.text())
        }
        // Who wants to hear of fencing hears of none.
        "st_notify" => Heard::Nothing { status: 0 },
        operation => {
            let answer = Builder::new("st-reply")
                .set("t", "stonith-ng")
                .set("st_op", operation)
                .set_some("st_callid", request.attr("st_callid"))
                .set_some("st_clientid", request.attr("st_clientid"))
                .set_some("st_callopt", request.attr("st_callopt"))
                .set("rc-code", 1)
                .set("op-status", OpStatus::NotSupported.code())
                .set("exit-reason", "remote nodes have no access to fencing");
            Heard::Answer(answer.text())
        }
    })
}
