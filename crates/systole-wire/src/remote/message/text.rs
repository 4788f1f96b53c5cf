//! Messages as text: an XML element each, with its data in attributes.

use super::{
    Call, Done, FromRemote, Handled, Notice, ORIGIN, Recurring, Registered, Reply, Run, ToRemote, op, option,
};
use crate::remote::{
    proxy::ProxyMessage,
    xml::{Attributes, Builder, MessageError},
};
use std::collections::BTreeMap;
use systole_cib::xml::{Document, Element};

impl ToRemote {
    /// The call as text.
    pub fn to_text(&self) -> String {
        if let Call::Forward(message) = &self.call {
            let element = message.element().set("lrmd_op", op::FORWARD);
            return element.set("lrmd_remote_msg_id", self.id).set("lrmd_remote_msg_type", "request").text();
        }
        let command = |operation: &str| {
            Builder::new("lrmd_command")
                .set("t", "lrmd")
                .set("lrmd_op", operation)
                .set("lrmd_remote_msg_id", self.id)
                .set("lrmd_remote_msg_type", "request")
        };
        let with = |operation: &str, timeout_ms: u64, options: u32| {
            command(operation).set("lrmd_timeout", timeout_ms).set("lrmd_callopt", options)
        };
        let about = |operation: &str, options: u32, resource: &str| {
            let call = with(operation, 0, options).inside("lrmd_calldata").inside("lrmd_rsc");
            call.set("lrmd_origin", ORIGIN).set("lrmd_rsc_id", resource)
        };
        let builder = match &self.call {
            Call::Register { client, protocol, is_provider, speaks_api } => command(op::REGISTER)
                .set("lrmd_clientname", client)
                .set("lrmd_protocol_version", protocol)
                .set_some("lrmd_is_ipc_provider", is_provider.then_some(true))
                .set_some("lrmd_origin", speaks_api.then_some(ORIGIN)),
            Call::RegisterResource { resource, class, provider, agent, drops_recurring } => {
                let options = if *drops_recurring { option::DROP_RECURRING } else { 0 };
                about(op::REGISTER_RESOURCE, options, resource)
                    .set("lrmd_class", class)
                    .set_some("lrmd_provider", provider.as_ref())
                    .set("lrmd_type", agent)
            }
            Call::UnregisterResource { resource } => about(op::UNREGISTER_RESOURCE, 0, resource),
            Call::Info { resource } => about(op::INFO, 0, resource),
            Call::Run(run) => {
                let options = if run.changes_only { option::CHANGES_ONLY } else { 0 };
                let call = with(op::RUN, run.timeout_ms, options).inside("lrmd_calldata").inside("lrmd_rsc");
                run.write(call.set("lrmd_origin", ORIGIN))
            }
            Call::Cancel { resource, operation, interval_ms } => about(op::CANCEL, 0, resource)
                .set("lrmd_rsc_action", operation)
                .set("lrmd_rsc_interval", interval_ms),
            Call::Poke => {
                with(op::POKE, 0, 0).inside("lrmd_calldata").inside("lrmd_rsc").set("lrmd_origin", ORIGIN)
            }
            Call::Recurring { resource: None } => with(op::RECURRING, 0, 0),
            Call::Recurring { resource: Some(resource) } => about(op::RECURRING, 0, resource),
            Call::Alert { id, path, timeout_ms, parameters } => {
                let call = with(op::ALERT, *timeout_ms, 2).inside("lrmd_calldata").inside("lrmd_alert");
                let call = call.set("lrmd_alert_id", id).set("lrmd_alert_path", path);
                write_parameters(call.set("lrmd_timeout", timeout_ms), parameters)
            }
            Call::Check { watchdog } => with(op::CHECK, 0, 0)
                .inside("lrmd_calldata")
                .inside("lrmd_op")
                .set("lrmd_origin", ORIGIN)
                .set_some("lrmd_watchdog", watchdog.as_ref()),
            Call::Forward(_) => unreachable!("handled above"),
        };
        builder.text()
    }

    /// Reads a call.
    ///
    /// # Errors
    /// If the text is none.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let document = Document::parse(text)?;
        let root = document.root();
        let id = root.number("lrmd_remote_msg_id");
        let operation = root.attr("lrmd_op").unwrap_or_default();
        if root.is("lrmd_ipc_proxy") {
            return Ok(Self { id, call: Call::Forward(ProxyMessage::read(root)?) });
        }
        let unknown =
            || MessageError::Unknown { element: root.name().to_owned(), operation: operation.to_owned() };
        if !root.is("lrmd_command") || root.attr("t") != Some("lrmd") {
            return Err(unknown());
        }
        let data = root.child("lrmd_calldata").and_then(|data| data.children().next());
        let data = data.unwrap_or(root);
        let resource = || data.need("lrmd_rsc_id").map(str::to_owned);
        let options: u32 = root.number("lrmd_callopt");
        let call = match operation {
            op::REGISTER => Call::Register {
                client: root.attr("lrmd_clientname").unwrap_or_default().to_owned(),
                protocol: root.attr("lrmd_protocol_version").unwrap_or_default().to_owned(),
                is_provider: root.attr("lrmd_is_ipc_provider") == Some("true"),
                speaks_api: root.attr("lrmd_origin") == Some(ORIGIN),
            },
            op::REGISTER_RESOURCE => Call::RegisterResource {
                resource: resource()?,
                class: data.need("lrmd_class")?.to_owned(),
                provider: data.attr("lrmd_provider").map(str::to_owned),
                agent: data.need("lrmd_type")?.to_owned(),
                drops_recurring: options & option::DROP_RECURRING != 0,
            },
            op::UNREGISTER_RESOURCE => Call::UnregisterResource { resource: resource()? },
            op::INFO => Call::Info { resource: resource()? },
            op::RUN => {
                let changes_only = options & option::CHANGES_ONLY != 0;
                Call::Run(Box::new(Run { changes_only, ..Run::read(data)? }))
            }
            op::CANCEL => Call::Cancel {
                resource: resource()?,
                operation: data.need("lrmd_rsc_action")?.to_owned(),
                interval_ms: data.number("lrmd_rsc_interval"),
            },
            op::POKE => Call::Poke,
            op::RECURRING => Call::Recurring { resource: data.attr("lrmd_rsc_id").map(str::to_owned) },
            op::ALERT => Call::Alert {
                id: data.need("lrmd_alert_id")?.to_owned(),
                path: data.need("lrmd_alert_path")?.to_owned(),
                timeout_ms: data.number("lrmd_timeout"),
                parameters: read_parameters(data),
            },
            op::CHECK => Call::Check { watchdog: data.attr("lrmd_watchdog").map(str::to_owned) },
            _ => return Err(unknown()),
        };
        Ok(Self { id, call })
    }
}

impl FromRemote {
    /// The message as text.
    pub fn to_text(&self) -> String {
        let builder = match self {
            Self::Reply(reply) => {
                reply.write().set("lrmd_remote_msg_id", reply.id).set("lrmd_remote_msg_type", "reply")
            }
            Self::Notice(notice) => notice.write(),
            Self::Proxy(message) => {
                message.element().set("lrmd_remote_msg_id", 0).set("lrmd_remote_msg_type", "notify")
            }
        };
        builder.text()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// If the text is none.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let document = Document::parse(text)?;
        let root = document.root();
        if root.is("lrmd_ipc_proxy") {
            return Ok(Self::Proxy(ProxyMessage::read(root)?));
        }
        match root.attr("lrmd_remote_msg_type") {
            Some("reply") => Ok(Self::Reply(Reply::read(root)?)),
            Some("notify") => Ok(Self::Notice(Notice::read(root)?)),
            _ => Err(MessageError::Attribute {
                element: root.name().to_owned(),
                attribute: "lrmd_remote_msg_type",
            }),
        }
    }
}

impl Reply {
    fn write(&self) -> Builder {
        let builder = Builder::new("lrmd_reply").set("lrmd_origin", ORIGIN);
        let mut builder = builder.set("lrmd_rc", self.rc).set("lrmd_callid", self.call);
        if let Some(registered) = &self.registered {
            builder = builder
                .set("lrmd_op", op::REGISTER)
                .set("lrmd_clientid", &registered.client)
                .set("lrmd_protocol_version", &registered.protocol)
                .set_some("uptime", registered.uptime)
                .set_some("node_start_state", registered.start_state.as_ref());
        }
        if let Some((class, provider, agent)) = &self.agent {
            builder = builder
                .set("lrmd_class", class)
                .set_some("lrmd_provider", provider.as_ref())
                .set("lrmd_type", agent);
        }
        for recurring in &self.recurring {
            builder = builder
                .inside("lrmd_rsc")
                .set("lrmd_rsc_id", &recurring.resource)
                .inside("lrmd_rsc_op")
                .set("lrmd_rsc_action", &recurring.operation)
                .set("lrmd_rsc_interval", recurring.interval_ms)
                .set("lrmd_timeout", recurring.timeout_ms)
                .outside()
                .outside();
        }
        builder
    }

    fn read(root: Element<'_>) -> Result<Self, MessageError> {
        let rc = root.need("lrmd_rc")?;
        let rc = rc
            .parse()
            .map_err(|_| MessageError::Attribute { element: "lrmd_reply".into(), attribute: "lrmd_rc" })?;
        let is_register = root.attr("lrmd_op") == Some(op::REGISTER);
        let registered = is_register.then(|| Registered {
            // Said since 1.1.
            protocol: root.attr("lrmd_protocol_version").unwrap_or("1.0").to_owned(),
            client: root.attr("lrmd_clientid").unwrap_or_default().to_owned(),
            uptime: root.attr("uptime").and_then(|uptime| uptime.parse().ok()),
            start_state: root.attr("node_start_state").map(str::to_owned),
        });
        let agent = root.attr("lrmd_class").zip(root.attr("lrmd_type")).map(|(class, agent)| {
            (class.to_owned(), root.attr("lrmd_provider").map(str::to_owned), agent.to_owned())
        });
        let of_resource = |resource: Element<'_>| {
            let id = resource.attr("lrmd_rsc_id").unwrap_or_default().to_owned();
            let one = |operation: Element<'_>| Recurring {
                resource: id.clone(),
                operation: operation.attr("lrmd_rsc_action").unwrap_or_default().to_owned(),
                interval_ms: operation.number("lrmd_rsc_interval"),
                timeout_ms: operation.number("lrmd_timeout"),
            };
            resource.children_named("lrmd_rsc_op").map(one).collect::<Vec<_>>()
        };
        Ok(Self {
            id: root.number("lrmd_remote_msg_id"),
            rc,
            call: root.number("lrmd_callid"),
            registered,
            agent,
            recurring: root.children_named("lrmd_rsc").flat_map(of_resource).collect(),
        })
    }
}

impl Notice {
    fn write(&self) -> Builder {
        let builder = Builder::new("lrmd_notify")
            .set("lrmd_origin", ORIGIN)
            .set("lrmd_remote_msg_id", 0)
            .set("lrmd_remote_msg_type", "notify");
        match self {
            Self::Done(done) => done.write(builder.set("lrmd_op", op::RUN)),
            Self::Handled { handled, resource, rc, call } => builder
                .set("lrmd_op", handled.name())
                .set("lrmd_rc", rc)
                .set("lrmd_callid", call)
                .set_some("lrmd_rsc_id", resource.as_ref()),
            Self::NewClient => builder.set("lrmd_op", op::NEW_CLIENT),
        }
    }

    fn read(root: Element<'_>) -> Result<Self, MessageError> {
        let operation = root.attr("lrmd_op").unwrap_or_default();
        if let Some((handled, _)) = Handled::ALL.iter().find(|(_, name)| *name == operation) {
            return Ok(Self::Handled {
                handled: *handled,
                resource: root.attr("lrmd_rsc_id").map(str::to_owned),
                rc: root.number("lrmd_rc"),
                call: root.number("lrmd_callid"),
            });
        }
        match operation {
            op::RUN => Ok(Self::Done(Box::new(Done::read(root)?))),
            op::NEW_CLIENT => Ok(Self::NewClient),
            other => {
                Err(MessageError::Unknown { element: root.name().to_owned(), operation: other.to_owned() })
            }
        }
    }
}

impl Run {
    fn write(&self, builder: Builder) -> Builder {
        let builder = builder
            .set("lrmd_rsc_id", &self.resource)
            .set("lrmd_rsc_action", &self.operation)
            .set("lrmd_rsc_userdata_str", &self.note)
            .set("lrmd_rsc_interval", self.interval_ms)
            .set("lrmd_timeout", self.timeout_ms)
            .set("lrmd_rsc_start_delay", self.start_delay_ms);
        write_parameters(builder, &self.parameters)
    }

    fn read(element: Element<'_>) -> Result<Self, MessageError> {
        Ok(Self {
            resource: element.need("lrmd_rsc_id")?.to_owned(),
            operation: element.need("lrmd_rsc_action")?.to_owned(),
            interval_ms: element.number("lrmd_rsc_interval"),
            timeout_ms: element.number("lrmd_timeout"),
            start_delay_ms: element.number("lrmd_rsc_start_delay"),
            note: element.attr("lrmd_rsc_userdata_str").unwrap_or_default().to_owned(),
            changes_only: false,
            parameters: read_parameters(element),
        })
    }
}

impl Done {
    fn write(&self, builder: Builder) -> Builder {
        let builder = builder
            .set("lrmd_exec_rc", self.rc)
            .set("lrmd_exec_op_status", self.status)
            .set("lrmd_callid", self.call)
            .set("lrmd_rsc_deleted", i32::from(self.is_deleted))
            .set("lrmd_run_time", self.run_at)
            .set("lrmd_rcchange_time", self.changed_at)
            .set("lrmd_exec_time", self.exec_ms)
            .set("lrmd_queue_time", self.queue_ms)
            .set_some("lrmd_rsc_exit_reason", Some(&self.exit_reason).filter(|reason| !reason.is_empty()))
            .set_some("lrmd_rsc_output", Some(&self.output).filter(|output| !output.is_empty()));
        self.run.write(builder)
    }

    fn read(root: Element<'_>) -> Result<Self, MessageError> {
        Ok(Self {
            run: Run::read(root)?,
            call: root.number("lrmd_callid"),
            rc: root.number("lrmd_exec_rc"),
            status: root.number("lrmd_exec_op_status"),
            is_deleted: root.number::<i32>("lrmd_rsc_deleted") != 0,
            run_at: root.number("lrmd_run_time"),
            changed_at: root.number("lrmd_rcchange_time"),
            exec_ms: root.number("lrmd_exec_time"),
            queue_ms: root.number("lrmd_queue_time"),
            exit_reason: root.attr("lrmd_rsc_exit_reason").unwrap_or_default().to_owned(),
            output: root.attr("lrmd_rsc_output").unwrap_or_default().to_owned(),
        })
    }
}

/// Parameters are attributes of one element, but for names that XML does not allow there.
fn write_parameters(builder: Builder, parameters: &BTreeMap<String, String>) -> Builder {
    let mut builder = builder.inside("attributes");
    for (name, value) in parameters.iter().filter(|(name, _)| is_attribute_name(name)) {
        builder = builder.set(name, value);
    }
    for (name, value) in parameters.iter().filter(|(name, _)| !is_attribute_name(name)) {
        builder = builder.inside("param").set("name", name).set("value", value).outside();
    }
    builder.outside()
}

fn is_attribute_name(name: &str) -> bool {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let mut chars = name.chars();
    chars.next().is_some_and(is_start)
        && chars.all(|c| is_start(c) || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

fn read_parameters(element: Element<'_>) -> BTreeMap<String, String> {
    let Some(attributes) = element.child("attributes") else { return BTreeMap::new() };
    let plain = attributes.attrs().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let others = attributes
        .children_named("param")
        .filter_map(|param| Some((param.attr("name")?.to_owned(), param.attr("value")?.to_owned())));
    plain.chain(others).collect()
}
