//! The clients: connections that each have one request under way, all on this thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::Failure;

const REQUEST: &[u8] =
    b"GET /users/42 HTTP/1.1\r\nhost: shop.example:8080\r\nuser-agent: bench/1.0\r\naccept: */*\r\n\r\n";

/// When a connection sends the next request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As soon as the one before is answered.
    Saturation,
    /// All connections together so many each second, evenly spread.
    Steady(f64),
    /// The same, from clients whose timers are those of tokio and many load generators: on whole milliseconds, and up to one
    /// more late. Each time, several send at once. What they wait for their timer is part of their latencies.
    Timers(f64),
}

impl Pace {
    /// Between two requests of one of so many connections.
    fn interval(self, connections: usize) -> Duration {
        match self {
            Self::Saturation => Duration::ZERO,
            Self::Steady(rate) | Self::Timers(rate) => Duration::from_secs_f64(connections as f64 / rate),
        }
    }

    /// When a timer for this time fires.
    fn fires(self, time: Duration) -> Duration {
        match self {
            Self::Timers(_) => Duration::from_millis(time.as_nanos().div_ceil(1_000_000) as u64),
            Self::Saturation | Self::Steady(_) => time,
        }
    }

    /// Since when a request counts that is sent now.
    fn since(self, due: Instant, now: Instant) -> Instant {
        match self {
            Self::Timers(_) => due,
            Self::Saturation | Self::Steady(_) => now,
        }
    }
}

/// Connections to one server.
pub struct Load {
    epoll: OwnedFd,
    events: Vec<Event>,
    connections: Vec<Connection>,
    pace: Pace,
    /// Between two requests of one connection.
    interval: Duration,
    /// What timers count from.
    origin: Instant,
    response_len: usize,
}

struct Connection {
    stream: TcpStream,
    received: usize,
    /// Since when a request is under way.
    since: Option<Instant>,
    /// When the next one is to be sent.
    due: Instant,
}

/// What the clients saw.
#[derive(Debug)]
pub struct Seen {
    pub elapsed: Duration,
    /// Of all responses, sorted.
    pub latencies: Vec<Duration>,
}

impl Seen {
    pub fn percentile(&self, fraction: f64) -> Duration {
        let index = (self.latencies.len() as f64 * fraction) as usize;
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

impl Load {
    pub fn connect(server: SocketAddr, count: usize, pace: Pace) -> Result<Self, Failure> {
        // By default the system may wake this up to 50 microseconds late, and then two requests are sent at once.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let response_len = response_len(server)?;
        let (mut connections, origin) = (Vec::new(), Instant::now());
        for index in 0..count {
            let stream = TcpStream::connect(server)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            connections.push(Connection { stream, received: 0, since: None, due: origin });
        }
        let (events, interval) = (Vec::with_capacity(count), pace.interval(count));
        Ok(Self { epoll, events, connections, pace, interval, origin, response_len })
    }

    /// Sends for so long, and waits for the responses.
    pub fn run(&mut self, duration: Duration) -> Result<Seen, Failure> {
        let (start, count) = (Instant::now(), self.connections.len() as f64);
        let end = start + duration;
        // Anew for each run: at the end of the one before, all connections were due at once.
        for (index, connection) in self.connections.iter_mut().enumerate() {
            connection.due = start + self.interval.mul_f64(index as f64 / count);
        }
        let mut latencies = Vec::new();
        loop {
            let next = self.send_due(end)?;
            let now = Instant::now();
            let is_waiting = self.connections.iter().any(|connection| connection.since.is_some());
            if now >= end && !is_waiting {
                break;
            }
            let until = if now >= end { now + Duration::from_secs(10) } else { next.unwrap_or(end) };
            self.receive(until.saturating_duration_since(now), end, &mut latencies)?;
            if now >= end + Duration::from_secs(10) {
                return Err("the server does not answer".into());
            }
        }
        latencies.sort_unstable();
        Ok(Seen { elapsed: start.elapsed(), latencies })
    }

    /// Sends what is due, and says when something will be. After the end nothing is.
    fn send_due(&mut self, end: Instant) -> Result<Option<Instant>, Failure> {
        let mut next: Option<Instant> = None;
        let (pace, origin) = (self.pace, self.origin);
        for connection in self.connections.iter_mut().filter(|connection| connection.since.is_none()) {
            let now = Instant::now();
            if now >= end {
                break;
            }
            let fires = origin + pace.fires(connection.due - origin);
            if fires <= now {
                connection.stream.write_all(REQUEST)?;
                connection.since = Some(pace.since(connection.due, now));
                connection.due += self.interval;
            } else {
                next = Some(next.map_or(fires, |next| next.min(fires)));
            }
        }
        Ok(next)
    }

    fn receive(
        &mut self,
        timeout: Duration,
        end: Instant,
        latencies: &mut Vec<Duration>,
    ) -> Result<(), Failure> {
        self.events.clear();
        let timeout = Timespec::try_from(self.pace.fires(timeout))?;
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout))?;
        let mut buffer = [0; 4096];
        for event in &self.events {
            let connection = &mut self.connections[event.data.u64() as usize];
            let received = match connection.stream.read(&mut buffer) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            };
            if connection.received == 0 && !buffer.starts_with(b"HTTP/1.1 200") {
                return Err(
                    format!("the server says {:?}", String::from_utf8_lossy(&buffer[..received])).into()
                );
            }
            connection.received += received;
            if connection.received < self.response_len {
                continue;
            }
            connection.received = 0;
            let now = Instant::now();
            if let Some(since) = connection.since.take() {
                latencies.push(now - since);
            }
            // A response that came after the next request was due: that one has been waiting since then.
            let fires = self.origin + self.pace.fires(connection.due - self.origin);
            if !self.interval.is_zero() && fires < now && now < end {
                connection.stream.write_all(REQUEST)?;
                connection.since = Some(connection.due);
                connection.due += self.interval;
            }
        }
        Ok(())
    }
}

/// All are equally long.
fn response_len(server: SocketAddr) -> Result<usize, Failure> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(REQUEST)?;
    let (mut response, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let received = stream.read(&mut buffer)?;
        response.extend_from_slice(&buffer[..received]);
        let text = String::from_utf8_lossy(&response);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() == len.ok_or("a response without a length")?.parse::<usize>()? {
                return Ok(response.len());
            }
        }
        if received == 0 {
            return Err("the server closed the connection".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn connections_are_due_one_after_the_other_in_each_run() {
        let mut load = Load::connect(server(), 32, Pace::Steady(1000.0)).unwrap();
        for _ in 0..2 {
            load.run(Duration::from_millis(50)).unwrap();
            let first = load.connections.iter().map(|connection| connection.due).min().unwrap();
            // Whatever was sent: each sends once in 32 ms, a millisecond after the one before.
            let since_first = |connection: &Connection| connection.due - first + Duration::from_micros(500);
            let within: BTreeSet<u128> =
                load.connections.iter().map(|connection| since_first(connection).as_millis() % 32).collect();
            assert_eq!(within, (0..32).collect());
        }
    }

    #[test]
    fn what_a_request_waits_for_its_timer_is_part_of_its_latency() {
        assert_eq!(Pace::Timers(1.0).fires(Duration::from_micros(2001)), Duration::from_millis(3));
        let mut load = Load::connect(server(), 32, Pace::Timers(10_000.0)).unwrap();
        let seen = load.run(Duration::from_millis(200)).unwrap();
        // As they are due evenly, half of them wait for half a millisecond at least.
        assert!(seen.percentile(0.5) > Duration::from_micros(450), "{:?}", seen.percentile(0.5));
    }

    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || answer(stream.unwrap()));
            }
        });
        server
    }

    fn answer(mut stream: TcpStream) {
        let mut buffer = [0; 4096];
        while matches!(stream.read(&mut buffer), Ok(1..)) {
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nAda").is_err() {
                break;
            }
        }
    }
}
