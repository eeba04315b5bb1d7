//! Asking one whois server (RFC 3912).

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A whois server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    host: String,
    port: u16,
}

const PORT: u16 = 43;

/// The most of an answer that is read, in bytes.
const MAX_ANSWER: u64 = 1024 * 1024;

impl Server {
    /// Reads `host`, `host:port` or `[address]:port`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Self { host: address.ip().to_string(), port: address.port() });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self { host: address.to_string(), port: PORT });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, PORT),
        };
        let is_name = !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
            && !host.starts_with(['-', '.']);
        is_name.then(|| Self { host: host.to_ascii_lowercase(), port })
    }

    /// What to send for `target`.
    pub(super) fn query(&self, target: &str) -> String {
        // Only asked so, this one shows the network itself and not a list of its customers.
        let is_arin_network =
            self.host == "whois.arin.net" && target.starts_with(|first: char| first.is_ascii_digit());
        if is_arin_network { format!("n + {target}") } else { target.to_owned() }
    }

    /// Whether it is named by an address that is not of the internet, as in tests and laboratories.
    pub(super) fn is_inside(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok_and(is_inside)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == PORT { f.write_str(&self.host) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

/// Sends `query` and reads the answer, all within `timeout`. Addresses inside are only talked to if `inside` allows it:
/// a referral must not lead into our own network.
pub(super) fn ask(server: &Server, query: &str, timeout: Duration, inside: bool) -> anyhow::Result<String> {
    let deadline = Instant::now() + timeout;
    let offline = || {
        format!(
            "can't reach the whois server {server} over TCP port {}: check the connection to the internet, or name \
             another by --server",
            server.port
        )
    };
    let addresses = (server.host.as_str(), server.port).to_socket_addrs().with_context(offline)?;
    let mut failure = None;
    for address in addresses {
        if is_inside(address.ip()) && !inside {
            bail!("the whois server {server} has the address {}, which is not on the internet", address.ip());
        }
        match TcpStream::connect_timeout(&address, remaining(deadline)) {
            Ok(stream) => {
                return exchange(stream, query, deadline).with_context(|| {
                    format!("the whois server {server} does not answer within {} s", timeout.as_secs())
                });
            }
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
    Err(failure).with_context(offline)
}

fn exchange(mut stream: TcpStream, query: &str, deadline: Instant) -> std::io::Result<String> {
    stream.set_write_timeout(Some(remaining(deadline)))?;
    stream.write_all(format!("{query}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 8192];
    // One read at a time, for a server that sends a byte a second would reset the time-out of each.
    while (answer.len() as u64) < MAX_ANSWER {
        stream.set_read_timeout(Some(remaining(deadline)))?;
        match stream.read(&mut buffer)? {
            0 => break,
            read => answer.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
        if Instant::now() >= deadline {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What is left until the deadline; never zero, which would mean for ever.
fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read() {
        for (text, shown) in [
            ("whois.RIPE.net", "whois.ripe.net"),
            ("whois.example:4343", "whois.example:4343"),
            ("127.0.0.1:4343", "127.0.0.1:4343"),
            ("192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(Server::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "a b", "-x", "host:port", "host:99999", "http://x/"] {
            assert_eq!(Server::parse(text), None, "{text}");
        }
        assert_eq!(Server::parse("whois.arin.net").unwrap().query("192.0.2.1"), "n + 192.0.2.1");
    }

    #[test]
    fn a_referral_does_not_lead_inside() {
        let server = Server::parse("127.0.0.1:1").unwrap();
        let error = ask(&server, "x", Duration::from_secs(1), false).unwrap_err().to_string();
        assert!(error.contains("not on the internet"), "{error}");
    }
}
