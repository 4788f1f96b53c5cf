//! Tools that are connected to the API socket.

use std::collections::BTreeMap;
use systole_cib::acl::is_privileged;
use systole_cluster::{ClientId, Event};
use systole_link::{Connection, Limits, LinkError, Listener, Poll, Ready};
use systole_wire::api::{Refusal, RefusalKind, Reply, Request, Response};

/// Bounds of each connection. A CIB travels as one line.
const LIMITS: Limits = Limits { line: 64 << 20, unsent: 16 << 20 };

/// How many tools may be connected at once.
const MAX_CLIENTS: usize = 256;

/// Everyone who is connected.
pub(crate) struct Clients {
    listener: Listener,
    connected: BTreeMap<ClientId, Client>,
    last_id: u64,
}

struct Client {
    connection: Connection,
    /// The user by the kernel's word; the number, where there is no name.
    user: String,
    /// Whether it may speak for others: root and the cluster's own user.
    trusted: bool,
}

impl Clients {
    pub(crate) fn new(listener: Listener) -> Self {
        Self { listener, connected: BTreeMap::new(), last_id: 0 }
    }

    /// Adds the listener and every client to what the loop waits for.
    pub(crate) fn add_to<'a>(&'a self, poll: &mut Poll<'a>) -> (usize, Vec<(ClientId, usize)>) {
        let listener = poll.add(&self.listener);
        (listener, self.connected.iter().map(|(&id, c)| (id, poll.add_connection(&c.connection))).collect())
    }

    /// Takes what came in, as events for the machine.
    pub(crate) fn serve(
        &mut self,
        ready: &Ready,
        listener: usize,
        clients: &[(ClientId, usize)],
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for &(id, idx) in clients {
            if ready.has(idx) {
                self.serve_one(id, &mut events);
            }
        }
        if ready.has(listener) {
            self.accept();
        }
        events
    }

    fn accept(&mut self) {
        for mut connection in self.listener.accept(LIMITS) {
            self.last_id += 1;
            if self.connected.len() >= MAX_CLIENTS {
                let message = format!("{MAX_CLIENTS} tools are connected already; try again");
                let _ = connection.send(&refusal(0, RefusalKind::Busy, message));
                continue;
            }
            // Whoever is not known is nobody: without a name, a request would be taken for the daemon's own.
            let Ok(uid) = connection.peer_uid() else { continue };
            let user = systole_link::user_name(uid).unwrap_or_else(|| uid.to_string());
            let trusted = uid == 0 || uid == rustix::process::geteuid().as_raw();
            self.connected.insert(ClientId(self.last_id), Client { connection, user, trusted });
        }
    }

    fn serve_one(&mut self, id: ClientId, events: &mut Vec<Event>) {
        let Some(client) = self.connected.get_mut(&id) else { return };
        let mut lines = Vec::new();
        let mut fate = client.connection.flush().and_then(|()| client.connection.receive(&mut lines));
        for line in lines {
            match client.read(&line) {
                Ok(request) => events.push(request_event(id, request)),
                Err(response) => fate = fate.and(client.connection.send(&*response)),
            }
        }
        if let Err(error) = fate {
            if let LinkError::TooLong { limit } = error {
                let message = format!("a request may have {limit} bytes at most");
                let _ = client.connection.send(&refusal(0, RefusalKind::Usage, message));
            }
            self.connected.remove(&id);
            events.push(Event::ClientGone(id));
        }
    }

    /// Sends `response`; false if the client was lost over it.
    pub(crate) fn reply(&mut self, id: ClientId, response: &Response) -> bool {
        let Some(client) = self.connected.get_mut(&id) else { return true };
        let sent = client.connection.send(response).is_ok();
        if !sent {
            self.connected.remove(&id);
        }
        sent
    }

    /// Whether some answer is not out yet.
    pub(crate) fn is_sending(&self) -> bool {
        self.connected.values().any(|client| client.connection.is_sending())
    }

    /// Sends what can be sent now.
    pub(crate) fn flush(&mut self) {
        self.connected.retain(|_, client| client.connection.flush().is_ok());
    }
}

impl Client {
    /// The request on `line`, with the user it really comes from.
    fn read(&self, line: &[u8]) -> Result<Request, Box<Response>> {
        let mut request: Request = systole_wire::decode(line).map_err(|error| {
            let message = format!("this is no request: {}", error.source);
            Box::new(refusal(number_of(line), RefusalKind::Usage, message))
        })?;
        if request.user.as_deref().is_none_or(str::is_empty) || !self.trusted {
            request.user = Some(self.user.clone());
        }
        Ok(request)
    }
}

/// A tool's request, with the groups its user is in.
pub(crate) fn request_event(client: ClientId, request: Request) -> Event {
    let user = request.user.as_deref().filter(|user| !is_privileged(user));
    let groups = user.map(systole_link::groups_of).unwrap_or_default();
    Event::Request { client, request, groups }
}

fn refusal(id: u64, kind: RefusalKind, message: String) -> Response {
    Response { id, reply: Reply::Refused(Refusal { kind, message }) }
}

/// The number of a request that has something else wrong with it; 0 if it cannot be told.
fn number_of(line: &[u8]) -> u64 {
    serde_json::from_slice::<serde_json::Value>(line)
        .ok()
        .and_then(|value| value.get("id").and_then(serde_json::Value::as_u64))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_request_is_answered_under_its_number() {
        for (line, id) in
            [(&b"{\"id\":7,\"call\":\"fly\"}"[..], 7), (b"{\"id\":\"x\"}", 0), (b"\xff", 0), (b"[]", 0)]
        {
            assert_eq!(number_of(line), id);
        }
    }
}
