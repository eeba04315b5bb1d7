//! Whether the clients in the log look like clients, or all like one proxy.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::Path;

use aiwaf_core::{LineParser, Settings};

use super::Check;

/// So much of the end of the log is looked at, in bytes.
const TAIL: u64 = 1024 * 1024;

/// From fewer requests nothing follows.
const ENOUGH: usize = 50;

pub(super) fn check(settings: &Settings) -> Check {
    let proxies = &settings.client.trusted_proxies;
    let clients = latest_clients(&Path::new(&settings.logging.dir).join("access.log"));
    let total: usize = clients.values().sum();
    let most = clients.iter().max_by_key(|(_, count)| **count);
    if let Some((address, count)) = most
        && total >= ENOUGH
        && count * 20 >= total * 19
        && is_inside(*address)
    {
        let found =
            format!("{count} of the last {total} requests come from {address}, which looks like a proxy");
        let mend = if proxies.is_empty() {
            format!(
                "if it is one, name it in client.trusted_proxies (AIWAF_TRUSTED_PROXIES={address}): else all clients \
                 count as one"
            )
        } else {
            "if it is one, name it in client.trusted_proxies too, and let it set X-Forwarded-For".to_owned()
        };
        return Check::warning("proxies", found, mend);
    }
    if proxies.is_empty() {
        return Check::ok("proxies", "none are trusted: the address of the connection counts");
    }
    let names: Vec<String> = proxies.iter().map(|proxy| String::from(*proxy)).collect();
    Check::ok("proxies", format!("trusted: {}", names.join(", ")))
}

/// Who sent the last requests, and how many.
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

/// An address that no visitor from the internet has.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
