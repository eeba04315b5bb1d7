//! Bans as rules for nginx.

use std::io::{BufWriter, Write};

use aiwaf_core::{Lists, Timestamp, display_network};

use super::remaining::remaining_bans;
use super::{BackupError, comment};

/// Writes the bans in force at `time` as `deny` rules, to be included into a `http`, `server` or `location` of nginx.
///
/// Whitelisted clients are cut out of the networks, for an `allow` rule would let them past later rules of the server as
/// well. Reasons stand in comments, which nothing in them can end.
///
/// # Errors
/// [`BackupError::Write`] if `out` fails.
///
/// ```
/// use aiwaf_core::{BlacklistEntry, Lists, Timestamp, parse_network};
///
/// let ban = BlacklistEntry::manual(parse_network("203.0.113.0/24")?, "scan;\r\nallow all;", Timestamp::UNIX_EPOCH);
/// let lists = Lists { blacklist: vec![ban], ..Lists::default() };
/// let mut out = Vec::new();
/// aiwaf_storage::export_nginx_deny(&lists, Timestamp::UNIX_EPOCH, &mut out)?;
/// assert_eq!(String::from_utf8(out)?, "deny 203.0.113.0/24; # scan;  allow all;\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export_nginx_deny(lists: &Lists, time: Timestamp, out: impl Write) -> Result<(), BackupError> {
    let mut out = BufWriter::new(out);
    write(lists, time, &mut out).and_then(|()| out.flush()).map_err(BackupError::Write)
}

fn write(lists: &Lists, time: Timestamp, out: &mut impl Write) -> std::io::Result<()> {
    for (ban, networks) in remaining_bans(lists, time) {
        let reason = comment(&ban.reason);
        for network in &networks {
            let network = display_network(network);
            if reason.is_empty() {
                writeln!(out, "deny {network};")?;
            } else {
                writeln!(out, "deny {network}; # {reason}")?;
            }
        }
    }
    Ok(())
}
