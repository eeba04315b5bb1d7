//! Checks that clients can be told apart: that the service knows its proxies.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::Path;

use aiwaf_core::{LineParser, Settings};

use super::Check;

/// Maximum number of bytes at the end of the access log that are read.
const TAIL: u64 = 1024 * 1024;

/// Minimum number of requests from which something follows.
const ENOUGH: usize = 50;

pub(super) fn check(settings: &Settings) -> Check {
    let logs = Path::new(&settings.logging.dir);
    let warnings = latest_warnings(&logs.join("aiwaf.log"));
    if let Some(proxy) = warnings.unknown_proxy.filter(|proxy| !is_trusted(*proxy, settings)) {
        let found = format!(
            "{proxy} forwards requests of others and is not trusted, so no client behind it is identified or banned"
        );
        return Check::warning("proxies", found, remedy(proxy, settings));
    }
    if warnings.is_peer_unknown {
        return Check::warning(
            "proxies",
            "the service does not know the addresses of its peers, so no client is identified or banned",
            "serve with into_make_service_with_connect_info::<SocketAddr>(), or insert a PeerAddress into each request",
        );
    }
    let clients = latest_clients(&logs.join("access.log"));
    let total: usize = clients.values().sum();
    let most = clients.iter().max_by_key(|(_, count)| **count);
    if let Some((address, count)) = most
        && total >= ENOUGH
        && count * 20 >= total * 19
        && is_inside(*address)
    {
        let found =
            format!("{count} of the last {total} requests come from {address}, which looks like a proxy");
        let mend = if is_trusted(*address, settings) {
            "let it name its clients in X-Forwarded-For (client.forwarding_headers)".to_owned()
        } else {
            remedy(*address, settings)
        };
        return Check::warning("proxies", found, mend);
    }
    let proxies = &settings.client.trusted_proxies;
    if proxies.is_empty() {
        return Check::ok("proxies", "none are trusted: the address of the connection counts");
    }
    let names: Vec<String> = proxies.iter().map(|proxy| String::from(*proxy)).collect();
    Check::ok("proxies", format!("trusted: {}", names.join(", ")))
}

/// The setting that is missing if the client at `proxy` is a proxy.
fn remedy(proxy: IpAddr, settings: &Settings) -> String {
    let trusted = settings.client.trusted_proxies.iter().map(|proxy| String::from(*proxy));
    let all: Vec<String> = trusted.chain([proxy.to_string()]).collect();
    format!(
        "if it is your proxy, add it to client.trusted_proxies (AIWAF_TRUSTED_PROXIES={}), and let it set X-Forwarded-For",
        all.join(",")
    )
}

fn is_trusted(address: IpAddr, settings: &Settings) -> bool {
    settings.client.trusted_proxies.iter().any(|proxy| proxy.0.contains(&address))
}

/// Warnings of the service that was started last.
#[derive(Default)]
struct Warnings {
    /// A proxy that is not trusted.
    unknown_proxy: Option<IpAddr>,
    is_peer_unknown: bool,
}

/// Reads all of `aiwaf.log`, line by line, since a service warns only once.
fn latest_warnings(path: &Path) -> Warnings {
    let mut warnings = Warnings::default();
    let Ok(file) = File::open(path) else { return warnings };
    let mut log = BufReader::new(file);
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let event = std::str::from_utf8(&line).ok().and_then(|line| line.split_once(" event="));
        // A finding has no event of its own, and may have the word in what the client sent.
        match event.filter(|(before, _)| !before.contains(' ')).map(|(_, event)| event.trim_end()) {
            Some(event) if event.starts_with("startup ") => warnings = Warnings::default(),
            Some(event) if event.starts_with("unknown_peer ") => warnings.is_peer_unknown = true,
            Some(event) if event.starts_with("unknown_proxy ") => {
                let proxy = event.split(' ').find_map(|word| word.strip_prefix("proxy="));
                warnings.unknown_proxy = proxy.and_then(|proxy| proxy.parse().ok());
            }
            _ => {}
        }
        line.clear();
    }
    warnings
}

/// Number of requests of each client at the end of the log.
fn latest_clients(path: &Path) -> HashMap<IpAddr, usize> {
    let mut clients = HashMap::new();
    let Ok(tail) = tail(path) else { return clients };
    let lines: Vec<&[u8]> = tail.split(|byte| *byte == b'\n').skip(1).collect();
    let sample = lines.get(..lines.len().min(100)).unwrap_or_default();
    let Some(mut parser) = LineParser::detect(sample) else { return clients };
    for line in lines {
        if let Ok(Some(record)) = parser.parse(line)
            && let Some(address) = record.client.address()
        {
            *clients.entry(address).or_default() += 1;
        }
    }
    clients
}

/// The end of a file, with a line before it that may be cut.
fn tail(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut tail = if length > TAIL { Vec::new() } else { b"\n".to_vec() };
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(tail)
}

/// Reports whether no client from the internet has this address.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_carrier_grade = v4.to_bits() >> 22 == 0x6440_0000 >> 22;
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_carrier_grade
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
