//! A collector that does what it is told, byte by byte.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What happens to one request.
#[derive(Debug, Clone)]
pub(crate) enum Reaction {
    /// The request is read, and this is the answer.
    Answer(String),
    /// The request is read and taken, if it has no more bytes than this; otherwise the collector is unavailable, with these
    /// headers.
    UpTo(usize, &'static str),
    /// The request is read, and the answer has so many bytes.
    Flood(usize),
    /// The request is read, and this is the answer, a byte a second.
    Dribble(String),
    /// A part of the request is read, then the connection is closed.
    CutRequest,
    /// The request is read, a part of the answer sent, then the connection is closed.
    CutAnswer,
    /// The request is read, and this is the answer, which ends with the connection.
    LastAnswer(&'static str),
    /// Everything is read and nothing is said.
    Silence,
}

impl Reaction {
    /// An answer without a body.
    pub(crate) fn status(status: &str, headers: &str) -> Self {
        Self::Answer(format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n"))
    }

    pub(crate) fn ok() -> Self {
        Self::status("200 OK", "")
    }
}

/// Reacts to the first request with the first reaction, and so on; to all that come later with the last.
#[derive(Debug)]
pub(crate) struct Scripted {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn start(script: &[Reaction]) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    pub(crate) fn listening(listener: TcpListener, script: &[Reaction]) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(AtomicUsize::new(0));
        let (script, count) = (Arc::new(script.to_vec()), Arc::clone(&requests));
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (script, count) = (Arc::clone(&script), Arc::clone(&count));
                std::thread::spawn(move || serve(connection, &script, &count));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn https(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Requests that began to come in.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Acquire)
    }
}

fn serve(mut connection: TcpStream, script: &[Reaction], count: &AtomicUsize) {
    let mut first = [0; 1];
    // A connection may carry several requests.
    while connection.read(&mut first).is_ok_and(|read| read == 1) {
        let index = count.fetch_add(1, Ordering::AcqRel);
        let reaction = script.get(index).or(script.last()).cloned().unwrap_or(Reaction::Silence);
        let done = match reaction {
            Reaction::Answer(answer) => {
                read_request(&mut connection).is_some() && connection.write_all(answer.as_bytes()).is_ok()
            }
            Reaction::LastAnswer(answer) => {
                read_request(&mut connection);
                let _ = connection.write_all(answer.as_bytes());
                false
            }
            Reaction::UpTo(most, headers) => {
                let length = read_request(&mut connection);
                let refusal = format!("503 Service Unavailable\r\n{headers}");
                let status = if length <= Some(most) { "200 OK\r\n" } else { &*refusal };
                let answer = format!("HTTP/1.1 {status}content-length: 0\r\n\r\n");
                length.is_some() && connection.write_all(answer.as_bytes()).is_ok()
            }
            Reaction::Flood(length) => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                read_request(&mut connection);
                let _ = connection.write_all(head.as_bytes());
                let piece = [b'x'; 1 << 16];
                (0..length / piece.len()).all(|_| connection.write_all(&piece).is_ok())
            }
            Reaction::Dribble(answer) => {
                read_request(&mut connection);
                answer.bytes().all(|byte| {
                    std::thread::sleep(Duration::from_secs(1));
                    connection.write_all(&[byte]).is_ok()
                })
            }
            Reaction::CutRequest => false,
            Reaction::CutAnswer => {
                read_request(&mut connection);
                let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
                false
            }
            Reaction::Silence => {
                let mut buffer = [0; 4096];
                while connection.read(&mut buffer).is_ok_and(|read| read > 0) {}
                false
            }
        };
        if !done {
            return;
        }
    }
}

/// The rest of a request whose first byte was read: how long its body is.
fn read_request(connection: &mut TcpStream) -> Option<usize> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    connection.read_exact(&mut body).ok()?;
    Some(length)
}

/// Passes everything on to a collector, until its connections die without a word: nothing is read from them, and they stay
/// open. Later ones are fine.
#[derive(Debug)]
pub(crate) struct DyingConnections {
    address: String,
    age: Arc<AtomicUsize>,
}

impl DyingConnections {
    pub(crate) fn to(collector: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let collector = collector.trim_start_matches("http://").to_owned();
        let age = Arc::new(AtomicUsize::new(0));
        let ages = Arc::clone(&age);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&collector).unwrap();
                let born = ages.load(Ordering::Acquire);
                for (from, to) in
                    [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
                {
                    let ages = Arc::clone(&ages);
                    std::thread::spawn(move || pass_on(from, to, || ages.load(Ordering::Acquire) == born));
                }
            }
        });
        Self { address, age }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn die(&self) {
        self.age.fetch_add(1, Ordering::AcqRel);
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, is_alive: impl Fn() -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(read) = from.read(&mut buffer) {
        if !is_alive() {
            // Held open.
            loop {
                std::thread::park();
            }
        }
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
