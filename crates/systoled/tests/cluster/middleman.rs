//! Somebody between a cluster and a remote daemon, who passes TLS records on, and does harm to one when told to.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// How much of what is no TLS is sent at most, in bytes.
const FLOOD: usize = 64 << 20;

/// Where a record is on its way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToDaemon,
    ToCluster,
}

/// What is done to a record, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// One bit of it is another.
    Flip,
    /// It lacks its second half, and its length says so.
    Shorten,
    /// It breaks off in the middle, and so does the connection.
    BreakOff,
    /// It comes twice.
    Replay,
    /// It never comes; the next one does.
    Swallow,
    /// An alert comes before it that says, in plain text, that the session is over.
    ForgeEnd,
    /// Much comes instead that is no record, as long as it is taken.
    Flood,
    /// Neither it nor anything else comes, in either direction, and the connection stays open.
    Stall,
}

/// Harm that is still to be done.
type Plan = Arc<Mutex<Option<(Way, Harm)>>>;

/// Passes connections on until its process ends.
pub struct Middleman {
    pub port: u16,
    plan: Plan,
    n_connections: Arc<AtomicUsize>,
}

impl Middleman {
    /// Passes connections on to `port` on this host.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let middleman = Self {
            port: listener.local_addr().expect("bound").port(),
            plan: Plan::default(),
            n_connections: Arc::default(),
        };
        let (plan, count) = (Arc::clone(&middleman.plan), Arc::clone(&middleman.n_connections));
        thread::spawn(move || {
            for cluster in listener.incoming().flatten() {
                // The daemon may not be up yet: the cluster tries again.
                let Ok(daemon) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                count.fetch_add(1, Ordering::Relaxed);
                let two = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                let ends = [(two(&cluster), two(&daemon), Way::ToDaemon), (daemon, cluster, Way::ToCluster)];
                let is_stalled = Arc::new(AtomicBool::new(false));
                for (from, to, way) in ends {
                    let (plan, is_stalled) = (Arc::clone(&plan), Arc::clone(&is_stalled));
                    thread::spawn(move || pass_on(from, to, way, &plan, &is_stalled));
                }
            }
        });
        middleman
    }

    /// Does harm to the next record on its way.
    pub fn harm(&self, way: Way, harm: Harm) {
        *self.plan.lock().expect("no panic") = Some((way, harm));
    }

    /// Whether there is harm left to be done.
    pub fn is_waiting(&self) -> bool {
        self.plan.lock().expect("no panic").is_some()
    }

    /// How many connections there have been.
    pub fn n_connections(&self) -> usize {
        self.n_connections.load(Ordering::Relaxed)
    }
}

/// Passes records on until either end is gone. A connection that is stalled is left open, for good.
fn pass_on(mut from: TcpStream, mut to: TcpStream, way: Way, plan: &Plan, is_stalled: &AtomicBool) {
    while let Ok(record) = read_record(&mut from) {
        let harm = plan.lock().expect("no panic").take_if(|(planned, _)| *planned == way);
        if matches!(harm, Some((_, Harm::Stall))) {
            is_stalled.store(true, Ordering::Relaxed);
        }
        if is_stalled.load(Ordering::Relaxed) {
            // Dropped, they would be closed.
            return std::mem::forget((from, to));
        }
        let passed = match harm {
            Some((_, harm)) => do_harm(&mut to, record, harm),
            None => to.write_all(&record),
        };
        if passed.is_err() {
            break;
        }
    }
    for stream in [from, to] {
        // The other direction may have done so.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// A record with its header. Source: RFC 8446, section 5.1.
fn read_record(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut record = vec![0; 5];
    from.read_exact(&mut record)?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    from.read_exact(&mut record[5..])?;
    Ok(record)
}

/// Passes on what becomes of `record`; an error if the connection is over with that.
fn do_harm(to: &mut TcpStream, mut record: Vec<u8>, harm: Harm) -> io::Result<()> {
    let middle = 5 + (record.len() - 5) / 2;
    match harm {
        Harm::Flip => record[middle] ^= 1,
        Harm::Shorten => {
            record.truncate(middle);
            let length = u16::try_from(middle - 5).expect("a record is shorter").to_be_bytes();
            record[3..5].copy_from_slice(&length);
        }
        Harm::BreakOff => {
            to.write_all(&record[..middle])?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Harm::Replay => record = record.repeat(2),
        Harm::Swallow | Harm::Stall => return Ok(()),
        Harm::ForgeEnd => record = [&[21, 3, 3, 0, 2, 1, 0], record.as_slice()].concat(),
        Harm::Flood => {
            let noise: Vec<u8> =
                (0..1_u32 << 14).map(|i| i.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect();
            for _ in 0..FLOOD / noise.len() {
                to.write_all(&noise)?;
            }
        }
    }
    to.write_all(&record)
}
