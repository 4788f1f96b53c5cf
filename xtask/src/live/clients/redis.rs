//! A set in Redis.

use super::writer::{Promise, Store, WRITE_WITHIN};
use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// The address of `examples/openstack.xml` that Redis is at.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 7, 53);

/// How many copies follow the promoted one.
const N_FOLLOWERS: u64 = 2;

/// How long these may take to say that they have a write; it is acknowledged anyhow.
const FOLLOW_WITHIN: Duration = Duration::from_millis(200);

/// The set.
pub struct Redis {
    connection: Option<BufReader<TcpStream>>,
}

impl Redis {
    /// Not connected yet.
    pub fn new() -> Self {
        Redis { connection: None }
    }

    /// The set, empty.
    ///
    /// # Errors
    /// If Redis does not take writes.
    pub fn emptied() -> Result<Self> {
        let mut connection = Self::connect()?;
        integer(&mut connection, "DEL written")?;
        Ok(Redis::new())
    }

    /// Whether a new client can write.
    ///
    /// # Errors
    /// If not.
    pub fn takes_writes() -> Result<()> {
        integer(&mut Self::connect()?, "DEL nothing").map(drop)
    }

    /// Adds a number by a connection of its own, on the promoted copy and on so many that follow it.
    ///
    /// # Errors
    /// If it is not acknowledged by all these.
    pub fn add(number: u64, n_followers: u64) -> Result<()> {
        let mut connection = Self::connect()?;
        integer(&mut connection, &format!("SADD written {number}"))?;
        let n_acknowledged =
            integer(&mut connection, &format!("WAIT {n_followers} {}", FOLLOW_WITHIN.as_millis()))?;
        ensure!(n_acknowledged >= n_followers, "{n_acknowledged} of {n_followers} copies follow");
        Ok(())
    }

    /// What the promoted copy has.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn members() -> Result<BTreeSet<u64>> {
        let mut connection = Self::connect()?;
        send(&mut connection, "SMEMBERS written")?;
        let n_members = number_after('*', &line(&mut connection)?)?;
        let mut members = BTreeSet::new();
        for _ in 0..n_members {
            // The length of what follows.
            number_after('$', &line(&mut connection)?)?;
            members.insert(line(&mut connection)?.parse().context("an odd member")?);
        }
        Ok(members)
    }

    fn connect() -> Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&SocketAddr::from((ADDRESS, 6379)), WRITE_WITHIN)?;
        stream.set_read_timeout(Some(WRITE_WITHIN))?;
        Ok(BufReader::new(stream))
    }
}

impl Store for Redis {
    fn write(&mut self, number: u64) -> Result<Promise> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Self::connect()?,
        };
        integer(&mut connection, &format!("SADD written {number}"))?;
        let wait = format!("WAIT {N_FOLLOWERS} {}", FOLLOW_WITHIN.as_millis());
        // The write is acknowledged by now, whatever becomes of this.
        let Ok(n_followers) = integer(&mut connection, &wait) else { return Ok(Promise::Hoped) };
        self.connection = Some(connection);
        Ok(if n_followers >= N_FOLLOWERS { Promise::Kept } else { Promise::Hoped })
    }
}

fn send(connection: &mut BufReader<TcpStream>, command: &str) -> Result<()> {
    connection.get_mut().write_all(format!("{command}\r\n").as_bytes()).map_err(Into::into)
}

/// The number Redis answers to a command.
fn integer(connection: &mut BufReader<TcpStream>, command: &str) -> Result<u64> {
    send(connection, command)?;
    number_after(':', &line(connection)?)
}

fn number_after(mark: char, line: &str) -> Result<u64> {
    match line.strip_prefix(mark).map(str::parse) {
        Some(Ok(number)) => Ok(number),
        _ => bail!("Redis says {line:?}"),
    }
}

fn line(connection: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    let n_bytes = connection.read_line(&mut line)?;
    ensure!(n_bytes > 0, "Redis hung up");
    Ok(line.trim_end().to_owned())
}
