//! What a cluster node that knows the key may ask of our remote daemon, a line a message, and what tools may say there. A
//! line's first character tells who speaks: a digit a client, `+` and `-` that one comes and goes, `T`, `t`,
//! `s` and `x` a tool.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Duration;
use systole_cluster::{
    executor::{self, ExecutorMachine},
    remote::server::{Effect, Event, RemoteClient, RemoteServer, StockRequest, ToolId, ToolService},
};
use systole_types::{Monotonic, Now, Timestamp};
use systole_wire::remote::ToRemote;

fuzz_target!(|text: &str| {
    let mut bench = Bench::new();
    for line in text.lines().take(200) {
        bench.hear(line);
        bench.now.mono = bench.now.mono + Duration::from_millis(700);
    }
    for client in 0..10 {
        bench.tell(Event::Gone(RemoteClient(client)));
    }
});

struct Bench {
    server: RemoteServer,
    executor: ExecutorMachine,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        let now = Now { mono: Monotonic(Duration::from_secs(1)), wall: Timestamp(1_000) };
        let mut bench = Self { server: RemoteServer::default(), executor: ExecutorMachine::new(), now };
        bench.tell_executor(executor::Event::Started { boot_id: "boot".into(), state: None });
        bench.tell(Event::Started { identity: "far".into(), start_state: None });
        bench
    }

    fn hear(&mut self, line: &str) {
        let mut characters = line.chars();
        let Some(first) = characters.next() else { return };
        let rest = characters.as_str();
        let number = rest.bytes().next().map_or(0, |byte| u64::from(byte % 10));
        match first {
            '+' => self.tell(Event::Connected(RemoteClient(number))),
            '-' => self.tell(Event::Gone(RemoteClient(number))),
            '!' => self.tell(Event::Terminate),
            'T' => {
                let service = if number < 5 { ToolService::Api } else { ToolService::Stock("cib_rw".to_owned()) };
                self.tell(Event::ToolConnected { tool: ToolId(number), user: rest.to_owned(), service });
            }
            't' => self.tell(Event::ToolSays { tool: ToolId(number), line: rest.to_owned() }),
            's' => {
                let request = StockRequest { id: 1, flags: 0x200, xml: rest.get(1..).unwrap_or_default().to_owned() };
                self.tell(Event::ToolAsks { tool: ToolId(number), request });
            }
            'x' => self.tell(Event::ToolGone(ToolId(number))),
            digit if digit.is_ascii_digit() => {
                let client = RemoteClient(u64::from(digit as u8 - b'0'));
                if let Ok(message) = ToRemote::parse(rest) {
                    self.tell(Event::Received { client, message });
                }
            }
            _ => {}
        }
        if self.server.next_deadline().is_some_and(|at| at <= self.now.mono) {
            self.tell(Event::DeadlineReached);
        }
        if self.executor.next_deadline().is_some_and(|at| at <= self.now.mono) {
            self.tell_executor(executor::Event::DeadlineReached);
        }
    }

    fn tell(&mut self, event: Event) {
        let effects = self.server.handle(self.now, event);
        assert!(effects.len() < 10_000);
        for effect in effects {
            match effect {
                Effect::ToExecutor(message) => self.tell_executor(executor::Event::Messages(vec![message])),
                Effect::Send { message, .. } => _ = message.to_text(),
                _ => {}
            }
        }
    }

    fn tell_executor(&mut self, event: executor::Event) {
        let effects = self.executor.handle(self.now, event);
        assert!(effects.len() < 10_000);
        for effect in effects {
            match effect {
                executor::Effect::Send(message) => self.tell(Event::Executor(message)),
                executor::Effect::Execute { run, .. } => {
                    let exit = executor::AgentExit {
                        rc: systole_types::OcfRc::Ok,
                        status: systole_types::OpStatus::Done,
                        exit_reason: String::new(),
                    };
                    self.tell_executor(executor::Event::Exited { run, exit });
                }
                _ => {}
            }
        }
    }
}
