//! Plain lists: one address or network a line, with comments.

use std::io::{BufWriter, Write};

use aiwaf_core::{BanSource, BlacklistEntry, ListName, Lists, Timestamp, WhitelistEntry, display_network};

use super::validate::Draft;
use super::{Backup, BackupError, comment};
use crate::error::shorten;

/// What a plain list is for, and what is not written in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainList {
    kind: Kind,
    reason: String,
    added: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whitelist,
    Blacklist { expires: Option<Timestamp> },
}

impl PlainList {
    /// A list of clients to whitelist. The reason of each is `reason` and the comment behind it.
    pub fn whitelist(reason: impl Into<String>, added: Timestamp) -> Self {
        Self { kind: Kind::Whitelist, reason: reason.into(), added }
    }

    /// A list of clients to ban until somebody ends it. The reason of each is `reason` and the comment behind it.
    pub fn blacklist(reason: impl Into<String>, added: Timestamp) -> Self {
        Self { kind: Kind::Blacklist { expires: None }, reason: reason.into(), added }
    }

    /// Lets the bans end at `expires`; of no effect on a whitelist.
    #[must_use]
    pub fn with_expiry(mut self, expires: Timestamp) -> Self {
        if let Kind::Blacklist { expires: end } = &mut self.kind {
            *end = Some(expires);
        }
        self
    }

    fn list(&self) -> ListName {
        match self.kind {
            Kind::Whitelist => ListName::Whitelist,
            Kind::Blacklist { .. } => ListName::Blacklist,
        }
    }

    fn put(&self, draft: &mut Draft, network: ipnet::IpNet, comment: &str) {
        let texts = [self.reason.as_str(), comment].into_iter().filter(|text| !text.is_empty());
        let reason = texts.collect::<Vec<_>>().join(": ");
        let added = Some(self.added);
        match self.kind {
            Kind::Whitelist => draft.put_whitelist(WhitelistEntry { network, reason, added }),
            Kind::Blacklist { expires } => draft.put_blacklist(BlacklistEntry {
                source: BanSource::Import,
                expires,
                ..BlacklistEntry::manual(network, reason, self.added)
            }),
        }
    }
}

/// Reads and checks a list. Bytes that are no UTF-8 do no harm in comments.
pub(super) fn read(text: &[u8], list: &PlainList) -> Backup {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let place = list.list().name();
    let mut draft = Draft::default();
    for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
        let end = line.iter().position(|byte| matches!(byte, b'#' | b';')).unwrap_or(line.len());
        let (entry, rest) = line.split_at_checked(end).unwrap_or((line, b""));
        let entry = entry.trim_ascii();
        if entry.is_empty() {
            continue;
        }
        let entry = String::from_utf8_lossy(entry.get(..MAX_ENTRY).unwrap_or(entry));
        if let Some(what) = misshapen(&entry) {
            draft.refuse(place, Some(number), format!("{:?} {what}", shorten(&entry)));
        } else if let Some(network) = draft.network(place, Some(number), &entry) {
            let rest = rest.get(1..MAX_COMMENT.min(rest.len())).unwrap_or_default();
            list.put(&mut draft, network, String::from_utf8_lossy(rest).trim());
        }
    }
    draft.finish(vec![list.list()])
}

/// More than the longest address; the rest of a longer text is not looked at, for it is none.
const MAX_ENTRY: usize = 200;
/// As much of a comment as can become part of a reason.
const MAX_COMMENT: usize = 4 * crate::fit::MAX_REASON;

/// What is wrong with a text that is a little more than an address.
fn misshapen(entry: &str) -> Option<&'static str> {
    if entry.contains('-') {
        Some("is a range: give it as one or more networks, such as 203.0.113.0/24")
    } else if entry.contains([',', ' ', '\t']) {
        Some("is more than one address or network: give one a line, and begin comments with `#`")
    } else {
        None
    }
}

/// Writes the whitelist, or the bans in force at `time`, one a line, each with its reason in a comment.
///
/// [`Backup::from_plain_list`] reads it back; sources and ends of bans are not in it. Reasons can't begin a new line.
///
/// # Errors
/// [`BackupError::Write`] if `out` fails.
///
/// ```
/// use aiwaf_core::{BlacklistEntry, Lists, Timestamp, parse_network};
///
/// let ban = BlacklistEntry::manual(parse_network("203.0.113.9")?, "scan\n10.0.0.1", Timestamp::UNIX_EPOCH);
/// let lists = Lists { blacklist: vec![ban], ..Lists::default() };
/// let mut out = Vec::new();
/// aiwaf_storage::export_plain_list(&lists, aiwaf_storage::ExportedList::Blacklist, Timestamp::UNIX_EPOCH, &mut out)?;
/// assert_eq!(String::from_utf8(out)?, "203.0.113.9 # scan 10.0.0.1\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export_plain_list(
    lists: &Lists,
    list: ExportedList,
    time: Timestamp,
    out: impl Write,
) -> Result<(), BackupError> {
    let whitelist = lists.whitelist.iter().map(|entry| (&entry.network, &entry.reason));
    let bans = lists.blacklist.iter().filter(|ban| ban.is_active(time));
    let mut out = BufWriter::new(out);
    let written = match list {
        ExportedList::Whitelist => write(whitelist, &mut out),
        ExportedList::Blacklist => write(bans.map(|ban| (&ban.network, &ban.reason)), &mut out),
    };
    written.and_then(|()| out.flush()).map_err(BackupError::Write)
}

/// The lists that can be written as plain lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportedList {
    /// Clients that bypass every protection.
    Whitelist,
    /// Clients that are turned away.
    Blacklist,
}

fn write<'a>(
    entries: impl Iterator<Item = (&'a ipnet::IpNet, &'a String)>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    for (network, reason) in entries {
        let reason = comment(reason);
        let network = display_network(network);
        if reason.is_empty() {
            writeln!(out, "{network}")?;
        } else {
            writeln!(out, "{network} # {reason}")?;
        }
    }
    Ok(())
}
