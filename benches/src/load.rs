//! Load generator: keep-alive HTTP/1.1 on loopback, a closed loop on each of many connections.
//!
//! The requests are those of browsers behind a proxy: each names its client in `X-Forwarded-For`, and the clients take
//! turns. Every connection sends its next request as soon as its response has arrived, independently of the others, so
//! the server always has one request per connection to work on.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::BROWSER_HEADERS;

/// Clients that visit one server over its connections.
pub(crate) struct Load {
    connections: Vec<TcpStream>,
    clients: u32,
    next_client: Cell<u32>,
    /// Bytes of a response, which is always the same length.
    response_length: usize,
}

/// Measurements of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadFigures {
    /// Requests that were answered.
    pub requests: u32,
    /// Time from the first request to the last response.
    pub elapsed: Duration,
    /// Median time from a request to its response.
    pub p50: Duration,
    /// Time from a request to its response that 99 % do not exceed.
    pub p99: Duration,
}

/// Body of every expected response.
const BODY: &[u8] = b"hello";

/// Longest run. A server that takes longer is broken.
const MAX_RUN_TIME: Duration = Duration::from_mins(2);

impl Load {
    /// Connects to `server`, which must answer `GET /` with 200 and "hello", on behalf of up to 65,536 `clients`.
    ///
    /// # Errors
    /// If a connection or the first request fails.
    pub(crate) async fn connect(server: SocketAddr, connections: usize, clients: u32) -> io::Result<Self> {
        let mut streams = Vec::new();
        for _ in 0..connections.max(1) {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let next_client = Cell::new(0);
        let mut load = Self { connections: streams, clients, next_client, response_length: 0 };
        load.response_length = load.first_response().await?;
        Ok(load)
    }

    /// Sends `requests` requests.
    ///
    /// # Errors
    /// If a connection breaks, a response is anything but 200 and "hello", or the run takes longer than two minutes.
    pub(crate) async fn send(&mut self, requests: u32) -> io::Result<LoadFigures> {
        let open = Cell::new(requests);
        let latencies = RefCell::new(Vec::with_capacity(requests as usize));
        let mut connections = std::mem::take(&mut self.connections);
        let this = &*self;
        let start = Instant::now();
        let loops = connections.iter_mut().map(|stream| this.closed_loop(stream, &open, &latencies));
        let all = futures_util::future::try_join_all(loops);
        tokio::time::timeout(MAX_RUN_TIME, all).await.map_err(io::Error::other)??;
        let elapsed = start.elapsed();
        self.connections = connections;
        let mut latencies = latencies.into_inner();
        latencies.sort_unstable();
        let quantile =
            |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default();
        Ok(LoadFigures { requests, elapsed, p50: quantile(50), p99: quantile(99) })
    }

    /// Sends requests over one connection until none is open.
    async fn closed_loop(
        &self,
        stream: &mut TcpStream,
        open: &Cell<u32>,
        latencies: &RefCell<Vec<Duration>>,
    ) -> io::Result<()> {
        let mut request = Request::new();
        let mut response = vec![0; self.response_length];
        while let Some(left) = open.get().checked_sub(1) {
            open.set(left);
            request.set_client(self.choose_client());
            let start = Instant::now();
            stream.write_all(&request.bytes).await?;
            stream.read_exact(&mut response).await?;
            latencies.borrow_mut().push(start.elapsed());
            check(&response)?;
        }
        Ok(())
    }

    /// Sends one request and returns the length of its response.
    async fn first_response(&mut self) -> io::Result<usize> {
        let mut request = Request::new();
        request.set_client(self.choose_client());
        let Some(connection) = self.connections.first_mut() else { return Ok(0) };
        connection.write_all(&request.bytes).await?;
        let end = [b"\r\n\r\n", BODY].concat();
        let mut response = Vec::new();
        while !response.ends_with(&end) {
            response.push(connection.read_u8().await?);
        }
        check(&response)?;
        Ok(response.len())
    }

    fn choose_client(&self) -> u32 {
        let next = (self.next_client.get() + 1) % self.clients.max(1);
        self.next_client.set(next);
        next
    }
}

/// A request whose client can be replaced.
struct Request {
    bytes: Vec<u8>,
    /// Offset of the client's address.
    address: usize,
}

impl Request {
    fn new() -> Self {
        let mut bytes = b"GET / HTTP/1.1\r\n".to_vec();
        for (name, value) in BROWSER_HEADERS {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"x-forwarded-for: ");
        let address = bytes.len();
        bytes.extend_from_slice(b"100.100.100.100\r\n\r\n");
        Self { bytes, address }
    }

    /// Writes the client's address. All its numbers have three digits, so that the request never grows.
    fn set_client(&mut self, client: u32) {
        let [high, low] = [client / 256, client % 256];
        let address = [100 + low % 128, 100 + low / 128, 100 + high % 128, 100 + high / 128];
        for (index, number) in address.into_iter().enumerate() {
            let digits = [number / 100, number / 10 % 10, number % 10];
            for (offset, digit) in digits.into_iter().enumerate() {
                if let Some(byte) = self.bytes.get_mut(self.address + index * 4 + offset) {
                    *byte = b'0' + u8::try_from(digit).unwrap_or(0);
                }
            }
        }
    }
}

/// Rejects anything but a plain 200, which would make the figures meaningless.
fn check(response: &[u8]) -> io::Result<()> {
    if response.starts_with(b"HTTP/1.1 200 OK\r\n") && response.ends_with(BODY) {
        Ok(())
    } else {
        let shown = String::from_utf8_lossy(response);
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("unexpected response, not 200: {shown}")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers `requests` requests on one connection, after the first with `status`, and returns their clients.
    fn server(
        requests: usize,
        status: &'static str,
    ) -> (SocketAddr, std::thread::JoinHandle<HashSet<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let handle = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut clients = HashSet::new();
            for number in 0..requests {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") {
                    stream.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                clients.insert(head.split("x-forwarded-for: ").nth(1).unwrap().trim().to_owned());
                let status = if number == 0 { "200 OK" } else { status };
                let response = format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\nhello");
                stream.write_all(response.as_bytes()).unwrap();
            }
            clients
        });
        (address, handle)
    }

    fn send(address: SocketAddr, clients: u32, requests: u32) -> io::Result<LoadFigures> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Load::connect(address, 1, clients).await?.send(requests).await })
    }

    #[test]
    fn each_client_has_its_own_address() {
        let (address, handle) = server(1001, "200 OK");
        let figures = send(address, 700, 1000).unwrap();
        assert_eq!(figures.requests, 1000);
        assert!(figures.p50 <= figures.p99 && figures.p99 <= figures.elapsed, "{figures:?}");
        let clients = handle.join().unwrap();
        assert_eq!(clients.len(), 700);
        assert!(clients.iter().all(|client| client.parse::<std::net::Ipv4Addr>().is_ok()), "{clients:?}");
    }

    #[test]
    fn other_status_is_an_error() {
        let (address, handle) = server(2, "429 No");
        let error = send(address, 10, 1).unwrap_err();
        assert!(error.to_string().contains("429"), "{error}");
        handle.join().unwrap();
    }
}
