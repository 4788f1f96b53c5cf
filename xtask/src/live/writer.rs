//! Clients that write through a virtual address, again and again, and note what was acknowledged.

use crate::{lab::Lab, shell};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeSet,
    fmt,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a write may take before it counts as failed.
const WRITE_WITHIN: Duration = Duration::from_secs(2);

/// The internal address of `examples/openstack.xml`, where the database is.
pub const GALERA: Ipv4Addr = Ipv4Addr::new(10, 77, 7, 52);

/// And that of Redis.
const REDIS: Ipv4Addr = Ipv4Addr::new(10, 77, 7, 53);

/// Something that can be written to.
pub trait Store: Send + 'static {
    /// Writes `number`; when this returns, it was acknowledged.
    ///
    /// # Errors
    /// If it was not.
    fn write(&mut self, number: u64) -> Result<()>;
}

/// A table in the database.
pub struct Galera;

impl Galera {
    /// What lists every number in the table.
    pub const ALL: &'static str = "SELECT n FROM lab.written";

    /// The table, empty.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(lab: &Lab) -> Result<Self> {
        const SETUP: &str = "CREATE DATABASE IF NOT EXISTS lab; \
            CREATE TABLE IF NOT EXISTS lab.written (n BIGINT PRIMARY KEY) ENGINE=InnoDB; \
            DELETE FROM lab.written; \
            CREATE USER IF NOT EXISTS writer IDENTIFIED BY 'example'; \
            GRANT ALL ON lab.* TO writer";
        let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
        let container = lab.container(&node.name, "galera-bundle")?;
        lab.exec(&node.name, &["podman", "exec", &container, "mysql", "-e", SETUP])?;
        Ok(Galera)
    }
}

impl Store for Galera {
    fn write(&mut self, number: u64) -> Result<()> {
        let mut command = Command::new("timeout");
        command.args([&WRITE_WITHIN.as_secs().to_string(), "mysql", "--no-defaults"]);
        command.args(["--host", &GALERA.to_string(), "--user=writer", "--password=example"]);
        command.args([
            "--connect-timeout=1",
            "--execute",
            &format!("INSERT INTO lab.written VALUES ({number})"),
        ]);
        shell::output(command.stdin(Stdio::null())).map(drop)
    }
}

/// A key in Redis.
pub struct Redis {
    connection: Option<BufReader<TcpStream>>,
}

impl Redis {
    /// Not connected yet.
    pub fn new() -> Self {
        Redis { connection: None }
    }

    /// Whether a new client can write.
    ///
    /// # Errors
    /// If not.
    pub fn takes_writes() -> Result<()> {
        Redis::new().write(0)
    }

    fn connect() -> Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&SocketAddr::from((REDIS, 6379)), WRITE_WITHIN)?;
        stream.set_read_timeout(Some(WRITE_WITHIN))?;
        Ok(BufReader::new(stream))
    }

    fn ask(connection: &mut BufReader<TcpStream>, number: u64) -> Result<()> {
        connection.get_mut().write_all(format!("SET written {number}\r\n").as_bytes())?;
        let mut answer = String::new();
        connection.read_line(&mut answer)?;
        ensure!(answer.trim() == "+OK", "Redis says {answer:?}");
        Ok(())
    }
}

impl Store for Redis {
    fn write(&mut self, number: u64) -> Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Self::connect()?,
        };
        Self::ask(&mut connection, number)?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// A client at work.
pub struct Writer {
    stop: Arc<AtomicBool>,
    written: Arc<Mutex<Written>>,
    thread: Option<JoinHandle<()>>,
}

/// What a client got written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The numbers that were acknowledged.
    pub acknowledged: BTreeSet<u64>,
    /// How many writes failed.
    pub n_failures: usize,
    /// The longest time between two acknowledged writes.
    pub longest_gap: Duration,
    last: Instant,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} writes acknowledged, {} failed, none for {:.1} s at most",
            self.acknowledged.len(),
            self.n_failures,
            self.longest_gap.as_secs_f64()
        )
    }
}

impl Writer {
    /// Starts to write 1, 2, 3, ... to `store`.
    pub fn start(mut store: impl Store) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(Mutex::new(Written {
            acknowledged: BTreeSet::new(),
            n_failures: 0,
            longest_gap: Duration::ZERO,
            last: Instant::now(),
        }));
        let (stopped, noted) = (Arc::clone(&stop), Arc::clone(&written));
        let thread = thread::spawn(move || {
            for number in 1.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let acknowledged = store.write(number).is_ok();
                noted.lock().expect("no thread panics with the lock held").note(number, acknowledged);
                thread::sleep(PAUSE);
            }
        });
        Writer { stop, written, thread: Some(thread) }
    }

    /// Waits until another write is acknowledged.
    ///
    /// # Errors
    /// If none is in time.
    pub fn wait_for_more(&self, patience: Duration) -> Result<()> {
        let before = self.so_far().acknowledged.len();
        crate::lab::wait_until("a write is acknowledged", patience, || {
            ensure!(self.so_far().acknowledged.len() > before, "none was");
            Ok(())
        })
        .map(drop)
    }

    fn so_far(&self) -> Written {
        self.written.lock().expect("no thread panics with the lock held").clone()
    }

    /// Ends the client and returns what it got written.
    pub fn stop(mut self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.so_far()
    }
}

impl Written {
    fn note(&mut self, number: u64, acknowledged: bool) {
        if !acknowledged {
            self.n_failures += 1;
            return;
        }
        self.longest_gap = self.longest_gap.max(self.last.elapsed());
        self.last = Instant::now();
        self.acknowledged.insert(number);
    }
}
