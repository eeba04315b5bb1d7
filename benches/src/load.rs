//! A load generator: keep-alive HTTP/1.1 on loopback, as fast as the server answers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::BROWSER_HEADERS;

/// Browsers that visit one server over a few connections, as behind a proxy: each request names its client in
/// `X-Forwarded-For`, and the clients take turns.
pub struct Load {
    connections: Vec<TcpStream>,
    request: Vec<u8>,
    /// Where the four numbers of the client's address stand in `request`.
    octets: [usize; 4],
    clients: u32,
    next_client: u32,
    /// As long as an answer, which is always the same.
    answer: Vec<u8>,
}

/// The body that every answer must have.
const BODY: &[u8] = b"hello";

impl Load {
    /// Connects to `server`, which must answer `GET /` with 200 and "hello", on behalf of up to 65,536 `clients`.
    ///
    /// # Errors
    /// If a connection or the first request fails.
    pub fn connect(server: SocketAddr, connections: usize, clients: u32) -> io::Result<Self> {
        let connections = (0..connections)
            .map(|_| {
                let stream = TcpStream::connect(server)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(10)))?;
                Ok(stream)
            })
            .collect::<io::Result<Vec<_>>>()?;
        let mut request = b"GET / HTTP/1.1\r\n".to_vec();
        for (name, value) in BROWSER_HEADERS {
            request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        request.extend_from_slice(b"x-forwarded-for: ");
        let address = request.len();
        request.extend_from_slice(b"100.100.100.100\r\n\r\n");
        let octets = [0, 4, 8, 12].map(|offset| address + offset);
        let mut load = Self { connections, request, octets, clients, next_client: 0, answer: Vec::new() };
        load.learn_answer()?;
        Ok(load)
    }

    /// Sends `requests` requests, rounded up so that each connection gets as many, and returns how many it were.
    ///
    /// # Errors
    /// If the connection breaks or an answer is anything but 200 and "hello".
    pub fn send(&mut self, requests: u32) -> io::Result<u32> {
        let per_round = u32::try_from(self.connections.len()).unwrap_or(u32::MAX).max(1);
        let rounds = requests.div_ceil(per_round);
        for _ in 0..rounds {
            for index in 0..self.connections.len() {
                self.choose_client();
                if let Some(connection) = self.connections.get_mut(index) {
                    connection.write_all(&self.request)?;
                }
            }
            for connection in &mut self.connections {
                connection.read_exact(&mut self.answer)?;
                check(&self.answer)?;
            }
        }
        Ok(rounds * per_round)
    }

    /// Asks once, to know how long an answer is.
    fn learn_answer(&mut self) -> io::Result<()> {
        let Some(connection) = self.connections.first_mut() else { return Ok(()) };
        connection.write_all(&self.request)?;
        let mut byte = [0];
        while !self.answer.ends_with(&[b"\r\n\r\n", BODY].concat()) {
            connection.read_exact(&mut byte)?;
            self.answer.extend_from_slice(&byte);
        }
        check(&self.answer)
    }

    /// Writes the next client's address into the request. All numbers have three digits, so that it never grows.
    fn choose_client(&mut self) {
        self.next_client = (self.next_client + 1) % self.clients.max(1);
        let [high, low] = [self.next_client / 256, self.next_client % 256];
        let address = [100 + low % 128, 100 + low / 128, 100 + high % 128, 100 + high / 128];
        for (at, number) in self.octets.into_iter().zip(address) {
            let digits = [number / 100, number / 10 % 10, number % 10];
            for (offset, digit) in digits.into_iter().enumerate() {
                if let Some(byte) = self.request.get_mut(at + offset) {
                    *byte = b'0' + u8::try_from(digit).unwrap_or(0);
                }
            }
        }
    }
}

/// Anything but a plain 200 would make the figures meaningless.
fn check(answer: &[u8]) -> io::Result<()> {
    if answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(BODY) {
        Ok(())
    } else {
        let shown = String::from_utf8_lossy(answer);
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a request was not answered with 200: {shown}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::TcpListener;

    use super::*;

    /// Answers so many requests on one connection with `status`, and says which clients asked.
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
                // In one piece: the parts of an answer would wait for each other's acknowledgement.
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\nhello");
                stream.write_all(answer.as_bytes()).unwrap();
            }
            clients
        });
        (address, handle)
    }

    #[test]
    fn every_client_has_an_address_of_its_own() {
        let (address, handle) = server(1001, "200 OK");
        let mut load = Load::connect(address, 1, 700).unwrap();
        assert_eq!(load.send(1000).unwrap(), 1000);
        let clients = handle.join().unwrap();
        assert_eq!(clients.len(), 700);
        assert!(clients.iter().all(|client| client.parse::<std::net::Ipv4Addr>().is_ok()), "{clients:?}");
    }

    #[test]
    fn an_answer_that_is_no_200_is_an_error() {
        let (address, handle) = server(2, "429 No");
        let error = Load::connect(address, 1, 10).unwrap().send(1).unwrap_err();
        assert!(error.to_string().contains("429"), "{error}");
        handle.join().unwrap();
    }
}
