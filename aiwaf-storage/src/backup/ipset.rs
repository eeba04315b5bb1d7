//! Bans as sets for the firewall of Linux.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use aiwaf_core::{BlacklistEntry, Lists, Timestamp};
use ipnet::IpNet;

use super::BackupError;
use super::remaining::remaining_bans;

/// Writes the bans in force at `time` for `ipset restore`, into the sets `NAME-v4` and `NAME-v6`.
///
/// The sets are created if they are missing, and emptied, so that bans that were lifted leave them. A ban that ends has
/// a timeout of what is left of it at `time`, at most the 2,147,483 seconds (24 days) that ipset allows: export again
/// before that. Whitelisted clients are cut out of the networks. Reasons are left out.
///
/// # Errors
/// [`BackupError`] if `out` fails, or `name` is not 1 to 28 letters, digits, `-` and `_`.
///
/// ```
/// use aiwaf_core::{BlacklistEntry, Lists, Timestamp, parse_network};
/// use std::time::Duration;
///
/// let now = Timestamp::UNIX_EPOCH;
/// let ban = BlacklistEntry::manual(parse_network("203.0.113.0/24")?, "scan", now);
/// let ban = BlacklistEntry { expires: Some(now + Duration::from_secs(60)), ..ban };
/// let lists = Lists { blacklist: vec![ban], ..Lists::default() };
/// let mut out = Vec::new();
/// aiwaf_storage::export_ipset(&lists, "aiwaf", now, &mut out)?;
/// assert_eq!(String::from_utf8(out)?, "\
/// create aiwaf-v4 hash:net family inet maxelem 65536 timeout 0 -exist
/// flush aiwaf-v4
/// create aiwaf-v6 hash:net family inet6 maxelem 65536 timeout 0 -exist
/// flush aiwaf-v6
/// add aiwaf-v4 203.0.113.0/24 timeout 60 -exist
/// ");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export_ipset(lists: &Lists, name: &str, time: Timestamp, out: impl Write) -> Result<(), BackupError> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=28).contains(&name.len()) || !name.bytes().all(is_fine) || name.starts_with('-') {
        return Err(BackupError::SetName(crate::error::shorten(name)));
    }
    // Where networks of several bans are the same, the longest counts.
    let mut timeouts: BTreeMap<IpNet, u64> = BTreeMap::new();
    for (ban, networks) in remaining_bans(lists, time) {
        let new = timeout(ban, time);
        for network in networks {
            timeouts
                .entry(network)
                .and_modify(|old| *old = if new == 0 || *old == 0 { 0 } else { new.max(*old) })
                .or_insert(new);
        }
    }
    let mut out = BufWriter::new(out);
    write(name, &timeouts, &mut out).and_then(|()| out.flush()).map_err(BackupError::Write)
}

/// The longest timeout of ipset, in seconds.
const MAX_TIMEOUT: u64 = 2_147_483;

/// What is left of a ban in seconds, rounded up; 0 is without an end.
fn timeout(ban: &BlacklistEntry, time: Timestamp) -> u64 {
    ban.expires.map_or(0, |end| {
        let left = end.since(time);
        (left.as_secs() + u64::from(left.subsec_nanos() > 0)).clamp(1, MAX_TIMEOUT)
    })
}

fn write(name: &str, timeouts: &BTreeMap<IpNet, u64>, out: &mut impl Write) -> std::io::Result<()> {
    let family = |network: &IpNet| if network.addr().is_ipv4() { "v4" } else { "v6" };
    for (set, inet) in [("v4", "inet"), ("v6", "inet6")] {
        let elements = timeouts.keys().filter(|network| family(network) == set).count();
        let room = elements.next_power_of_two().max(65_536);
        writeln!(out, "create {name}-{set} hash:net family {inet} maxelem {room} timeout 0 -exist")?;
        writeln!(out, "flush {name}-{set}")?;
    }
    for (network, timeout) in timeouts {
        let set = family(network);
        if *timeout == 0 {
            writeln!(out, "add {name}-{set} {network} -exist")?;
        } else {
            writeln!(out, "add {name}-{set} {network} timeout {timeout} -exist")?;
        }
    }
    Ok(())
}
