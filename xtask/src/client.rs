//! A client on the lab's network that keeps fetching a page, and notes when it got an answer and from whom.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a request may take before the client tries again.
const PATIENCE: Duration = Duration::from_millis(250);

/// Fetches `http://ADDRESS:PORT/` and returns the page.
pub fn fetch(address: Ipv4Addr, port: u16) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, port)), PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("GET / HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, page) = answer.split_once("\r\n\r\n")?;
    (head.split_whitespace().nth(1) == Some("200")).then(|| page.trim().to_owned())
}

/// A client at work.
pub struct Client {
    stop: Arc<AtomicBool>,
    answers: Arc<Mutex<Answers>>,
    thread: Option<JoinHandle<()>>,
}

/// What a client got.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Pages fetched.
    pub n_answers: usize,
    /// Requests without an answer.
    pub n_failures: usize,
    /// The longest time between two answers.
    pub longest_gap: Duration,
    last: Instant,
}

impl Client {
    /// Starts to fetch `http://ADDRESS/` again and again.
    pub fn start(address: Ipv4Addr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answers = Arc::new(Mutex::new(Answers {
            n_answers: 0,
            n_failures: 0,
            longest_gap: Duration::ZERO,
            last: Instant::now(),
        }));
        let (stopped, noted) = (Arc::clone(&stop), Arc::clone(&answers));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let page = fetch(address, 80);
                noted.lock().expect("no thread panics with the lock held").note(page.is_some());
                thread::sleep(PAUSE);
            }
        });
        Client { stop, answers, thread: Some(thread) }
    }

    /// What the client got up to now.
    pub fn so_far(&self) -> Answers {
        self.answers.lock().expect("no thread panics with the lock held").clone()
    }

    /// Ends the client and returns what it got.
    pub fn stop(mut self) -> Answers {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let mut answers = self.so_far();
        // Silence up to the end counts too.
        answers.longest_gap = answers.longest_gap.max(answers.last.elapsed());
        answers
    }
}

impl Answers {
    fn note(&mut self, answered: bool) {
        if !answered {
            self.n_failures += 1;
            return;
        }
        self.longest_gap = self.longest_gap.max(self.last.elapsed());
        self.last = Instant::now();
        self.n_answers += 1;
    }
}
