//! A publisher and a consumer of a quorum queue, by way of Pika, Debian's AMQP client for Python.
//!
//! A client of another make tells more than one of our own would, and the crates for it bring an async runtime along.

use super::writer::{Promise, Store};
use crate::{
    lab::{Lab, wait_until},
    shell,
};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// Debian's Python: another one would not have its modules.
const PYTHON: &str = "/usr/bin/python3";

const CLIENT: &str = include_str!("rabbitmq.py");

/// The client, which connects to every node's own address: OpenStack's services know all three.
fn client(lab: &Lab, verb: &str) -> Result<Command> {
    let mut command = Command::new(PYTHON);
    command.args(["-c", CLIENT, verb]);
    command.args(lab.nodes()?.iter().map(|node| node.address.to_string()));
    Ok(command)
}

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Publishes to the queue.
pub struct Publisher {
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    _process: Process,
}

impl Publisher {
    /// The publisher of a new, empty queue.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(lab: &Lab) -> Result<Self> {
        shell::output(&mut client(lab, "new")?)?;
        let mut process = client(lab, "publish")?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let requests = process.stdin.take().context("no pipe")?;
        let answers = BufReader::new(process.stdout.take().context("no pipe")?);
        Ok(Publisher { requests, answers, _process: Process(process) })
    }
}

impl Store for Publisher {
    fn write(&mut self, number: u64) -> Result<Promise> {
        writeln!(self.requests, "{number}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(answer.trim() == "acknowledged", "{}", answer.trim());
        Ok(Promise::Kept)
    }
}

/// Consumes from the queue.
pub struct Consumer {
    received: Arc<Mutex<BTreeSet<u64>>>,
    _process: Process,
}

impl Consumer {
    /// Starts to consume.
    ///
    /// # Errors
    /// If the client cannot be started.
    pub fn start(lab: &Lab) -> Result<Self> {
        // What it says of broken connections is no news in these tests.
        let mut process = client(lab, "consume")?.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let lines = BufReader::new(process.stdout.take().context("no pipe")?).lines();
        let received = Arc::new(Mutex::new(BTreeSet::new()));
        let noted = Arc::clone(&received);
        thread::spawn(move || {
            for number in lines.map_while(Result::ok).filter_map(|line| line.parse().ok()) {
                noted.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
            }
        });
        Ok(Consumer { received, _process: Process(process) })
    }

    /// Waits until every message of `sent` was received.
    ///
    /// # Errors
    /// If one is not in time.
    pub fn wait_for(&self, sent: &BTreeSet<u64>, patience: Duration) -> Result<()> {
        wait_until("the consumer has every message", patience, || {
            super::nothing_lost(sent, &self.received.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .map(drop)
    }
}
