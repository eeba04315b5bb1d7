//! HTTP/1.1 over a plain socket, with requests sent exactly as given. Only for servers on this machine.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A server on this machine, from a URL such as `http://127.0.0.1:3000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// As `Host` names it.
    pub(crate) authority: String,
}

impl Server {
    /// Reads `url`.
    ///
    /// # Errors
    /// Says what is wrong, in particular if any address of the host is not a loopback address: attacks are only for
    /// services of one's own.
    pub(crate) fn from_url(url: &str) -> Result<Self, String> {
        let authority = url
            .strip_prefix("http://")
            .map(|rest| rest.strip_suffix('/').unwrap_or(rest))
            .filter(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', '@']))
            .ok_or_else(|| {
                format!("{url:?} is not allowed: give http://HOST:PORT, such as http://127.0.0.1:3000")
            })?;
        let after_brackets = authority.rsplit(']').next().unwrap_or_default();
        let with_port =
            if after_brackets.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        let addresses: Vec<SocketAddr> = with_port
            .to_socket_addrs()
            .map_err(|error| format!("{url:?}: the host can't be found: {error}"))?
            .collect();
        match addresses.first() {
            Some(first) if addresses.iter().all(|address| address.ip().is_loopback()) => {
                Ok(Self { address: *first, authority: authority.to_owned() })
            }
            _ => Err(format!(
                "{url:?} is not on this machine: requests are only sent to loopback addresses such as 127.0.0.1"
            )),
        }
    }
}

/// How a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The beginning of the body.
    pub(crate) body: Vec<u8>,
    stays_open: bool,
}

/// A client that keeps its connection as long as the server does.
pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Sends `request`, the bytes of a whole request, and reads the answer. `head_only` says that the answer has no
    /// body (the method is HEAD).
    ///
    /// A connection that the server had closed before it read the request is replaced once.
    ///
    /// # Errors
    /// If there is no connection, no answer within ten seconds, or one that is no HTTP/1.
    pub(crate) fn send(&mut self, request: &[u8], head_only: bool) -> io::Result<Answer> {
        if let Some(mut connection) = self.connection.take() {
            match exchange(&mut connection, request, head_only) {
                Ok(answer) => return Ok(self.keep(connection, answer)),
                Err(error) if is_closed(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let stream = TcpStream::connect_timeout(&self.address, TIME_LIMIT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIME_LIMIT))?;
        stream.set_write_timeout(Some(TIME_LIMIT))?;
        let mut connection = BufReader::new(stream);
        let answer = exchange(&mut connection, request, head_only)?;
        Ok(self.keep(connection, answer))
    }

    fn keep(&mut self, connection: BufReader<TcpStream>, answer: Answer) -> Answer {
        self.connection = answer.stays_open.then_some(connection);
        answer
    }
}

/// A server that takes longer hangs.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Most bytes of a line or of all header lines of an answer.
const MAX_HEAD: u64 = 64 * 1024;

/// Most bytes of a body that are read, and that are kept.
const MAX_BODY: u64 = 64 * 1024 * 1024;
const KEPT_BODY: usize = 64 * 1024;

fn exchange(connection: &mut BufReader<TcpStream>, request: &[u8], head_only: bool) -> io::Result<Answer> {
    // A server may refuse a request before it has read all of it, and close: then the answer is what counts.
    let sent = connection.get_mut().write_all(request);
    match (read_answer(connection, head_only), sent) {
        (Ok(answer), Ok(())) => Ok(answer),
        (Ok(answer), Err(_)) => Ok(Answer { stays_open: false, ..answer }),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};

    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// Reads an answer; those that only announce another one (1xx) are skipped.
fn read_answer(connection: &mut impl BufRead, head_only: bool) -> io::Result<Answer> {
    for _ in 0..8 {
        let head = read_head(connection)?;
        if !(100..200).contains(&head.status) {
            return read_body(connection, &head, head_only);
        }
    }
    Err(bad("more than eight interim answers"))
}

struct Head {
    status: u16,
    length: Option<u64>,
    chunked: bool,
    stays_open: bool,
}

fn read_head(connection: &mut impl BufRead) -> io::Result<Head> {
    let first = read_line(connection)?;
    let version = first.get(..9).filter(|version| version.starts_with("HTTP/1."));
    let status = first.get(9..12).and_then(|digits| digits.parse().ok());
    let (Some(version), Some(status)) = (version, status) else {
        return Err(bad(format!("{first:?} is no status line")));
    };
    let mut head = Head { status, length: None, chunked: false, stays_open: version != "HTTP/1.0 " };
    let mut read = 0;
    loop {
        let line = read_line(connection)?;
        read += line.len() as u64;
        if line.is_empty() {
            return Ok(head);
        }
        if read > MAX_HEAD {
            return Err(bad("the head of the answer is too long"));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad(format!("{line:?} is no header")))?;
        let value = value.trim().to_ascii_lowercase();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                head.length = Some(value.parse().map_err(|_| bad("content-length is no number"))?);
            }
            "transfer-encoding" => head.chunked = value == "chunked",
            "connection" => head.stays_open &= value != "close",
            _ => {}
        }
    }
}

fn read_body(connection: &mut impl BufRead, head: &Head, head_only: bool) -> io::Result<Answer> {
    let mut answer = Answer { status: head.status, body: Vec::new(), stays_open: head.stays_open };
    if head_only || matches!(head.status, 204 | 304) {
        return Ok(answer);
    }
    if head.chunked {
        let mut total = 0;
        loop {
            let line = read_line(connection)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).map_err(|_| bad("a chunk has no size"))?;
            total += size.min(MAX_BODY + 1);
            if total > MAX_BODY {
                return Err(bad("the body of the answer is too long"));
            }
            if size == 0 {
                while !read_line(connection)?.is_empty() {}
                return Ok(answer);
            }
            read_exactly(connection, size, &mut answer.body)?;
            read_line(connection)?;
        }
    }
    match head.length {
        Some(length) if length <= MAX_BODY => read_exactly(connection, length, &mut answer.body)?,
        Some(_) => return Err(bad("the body of the answer is too long")),
        None => {
            answer.stays_open = false;
            let mut rest = Vec::new();
            connection.take(MAX_BODY).read_to_end(&mut rest)?;
            rest.truncate(KEPT_BODY);
            answer.body = rest;
        }
    }
    Ok(answer)
}

fn read_line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    connection.take(MAX_HEAD).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ends within its head"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Reads `length` bytes and keeps the first of them.
fn read_exactly(connection: &mut impl BufRead, length: u64, kept: &mut Vec<u8>) -> io::Result<()> {
    let room = KEPT_BODY.saturating_sub(kept.len()) as u64;
    let first = connection.take(length.min(room)).read_to_end(kept)? as u64;
    let rest = io::copy(&mut connection.take(length - first), &mut io::sink())?;
    if first + rest < length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ends within its body"));
    }
    Ok(())
}

fn bad(message: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], head_only: bool) -> (io::Result<Answer>, usize) {
        let mut rest = bytes;
        let answer = read_answer(&mut rest, head_only);
        (answer, rest.len())
    }

    #[test]
    fn only_this_machine() {
        for (url, address) in [
            ("http://127.0.0.1:3000", "127.0.0.1:3000"),
            ("http://127.0.0.1:3000/", "127.0.0.1:3000"),
            ("http://127.0.0.1", "127.0.0.1:80"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[::1]", "[::1]:80"),
        ] {
            assert_eq!(Server::from_url(url).unwrap().address, address.parse().unwrap(), "{url}");
        }
        for url in ["http://192.0.2.1:80", "http://0.0.0.0:80", "http://[2001:db8::1]:80"] {
            assert!(Server::from_url(url).unwrap_err().contains("loopback"), "{url}");
        }
        for url in
            ["https://127.0.0.1", "127.0.0.1:3000", "http://", "http://127.0.0.1/a", "http://u@127.0.0.1"]
        {
            assert!(Server::from_url(url).unwrap_err().contains("http://HOST:PORT"), "{url}");
        }
    }

    #[test]
    fn answers_of_every_framing_end_where_they_end() {
        for (bytes, head_only, status, body, open) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokNEXT", false, 200, "ok", true),
            (
                "HTTP/1.1 403 F\r\ncontent-length: 2\r\nConnection: Close\r\n\r\nnoNEXT",
                false,
                403,
                "no",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;x\r\n!\r\n0\r\n\r\nNEXT",
                false,
                200,
                "ok!",
                true,
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nNEXT", true, 200, "", true),
            ("HTTP/1.1 204 No\r\n\r\nNEXT", false, 204, "", true),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not\r\ncontent-length: 0\r\n\r\nNEXT",
                false,
                404,
                "",
                true,
            ),
        ] {
            let (answer, rest) = read(bytes.as_bytes(), head_only);
            let answer = answer.unwrap();
            assert_eq!(
                (answer.status, answer.body.as_slice(), answer.stays_open),
                (status, body.as_bytes(), open)
            );
            assert_eq!(rest, 4, "{bytes:?}");
        }
        let (answer, _) = read(b"HTTP/1.0 200 OK\r\n\r\nall the rest", false);
        let answer = answer.unwrap();
        assert_eq!((answer.body.as_slice(), answer.stays_open), (b"all the rest".as_slice(), false));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for bytes in [
            "",
            "SSH-2.0-x\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        ] {
            assert!(read(bytes.as_bytes(), false).0.is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_connection_that_was_closed_in_between_is_replaced() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = Client::new(listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 4];
                stream.read_exact(&mut request).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        });
        for _ in 0..2 {
            assert_eq!(client.send(b"GET ", false).unwrap().status, 200);
        }
        server.join().unwrap();
    }
}
