//! Lists as JSON, as the original's `aiwaf export` writes them, and more.

use std::io::Write;

use aiwaf_core::{BanSource, BlacklistEntry, Lists, Timestamp, display_network};
use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::BackupError;

/// The `format` of the backups that are written, and the latest that is read.
pub(super) const FORMAT: u64 = 1;

/// Writes `lists` as JSON that [`super::Backup::from_json`] reads back exactly.
///
/// The fields of the original stand as it writes them, so its `aiwaf import` takes the file and ignores the rest:
/// `whitelist` and `keywords` are arrays of texts, `blacklist` has a `timestamp` and a `reason` for each address,
/// `exported_at` is `time`, `storage_mode` is the kind of store. Beside them, bans have `source`, `expires`, `offences`
/// and `extended_request_info`; `whitelist_details` and `keyword_details` hold what the arrays can't;
/// `geo_blocked_countries` and `path_exemptions` are objects like `blacklist`. Times are in UTC; one that is not known
/// is empty.
///
/// # Errors
/// [`BackupError::Write`] if `out` fails.
pub fn export_json(
    lists: &Lists,
    storage_mode: &str,
    time: Timestamp,
    out: impl Write,
) -> Result<(), BackupError> {
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, out);
    let file = File {
        whitelist: Networks(lists),
        blacklist: Bans(lists),
        keywords: Keywords(lists),
        exported_at: time.to_string(),
        storage_mode,
        format: FORMAT,
        whitelist_details: WhitelistDetails(lists),
        keyword_details: KeywordDetails(lists),
        geo_blocked_countries: Countries(lists),
        path_exemptions: Paths(lists),
    };
    serde_json::to_writer_pretty(&mut out, &file).map_err(|error| BackupError::Write(error.into()))?;
    out.write_all(b"\n").and_then(|()| out.flush()).map_err(BackupError::Write)
}

#[derive(Serialize)]
struct File<'a> {
    whitelist: Networks<'a>,
    blacklist: Bans<'a>,
    keywords: Keywords<'a>,
    exported_at: String,
    storage_mode: &'a str,
    format: u64,
    whitelist_details: WhitelistDetails<'a>,
    keyword_details: KeywordDetails<'a>,
    geo_blocked_countries: Countries<'a>,
    path_exemptions: Paths<'a>,
}

/// Everything that is kept beside a key; what a list does not have is left out.
#[derive(Serialize, Default)]
struct Details<'a> {
    timestamp: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offences: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_request_info: Option<&'a str>,
}

impl<'a> Details<'a> {
    fn new(added: Option<Timestamp>) -> Self {
        Self { timestamp: Time(added), ..Self::default() }
    }

    fn of_ban(ban: &'a BlacklistEntry) -> Self {
        Self {
            reason: Some(&ban.reason),
            source: Some(BanSource::to_string(&ban.source)),
            expires: ban.expires.map(|time| Time(Some(time))),
            offences: Some(ban.offences),
            extended_request_info: ban.extended_request_info.as_deref(),
            ..Self::new(ban.added)
        }
    }
}

/// A time in full; one that is not known is empty.
#[derive(Default)]
struct Time(Option<Timestamp>);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_str(""),
        }
    }
}

/// As [`display_network`] writes it, without a text of its own for each of a million bans.
struct Address<'a>(&'a IpNet);

impl Serialize for Address<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.prefix_len() < self.0.max_prefix_len() {
            serializer.collect_str(self.0)
        } else {
            serializer.collect_str(&self.0.addr())
        }
    }
}

/// One part of the file each, written entry by entry.
macro_rules! parts {
    ($($name:ident: $collect:ident = |$lists:ident| $entries:expr;)*) => {
        $(
            struct $name<'a>(&'a Lists);

            impl Serialize for $name<'_> {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let $lists = self.0;
                    serializer.$collect($entries)
                }
            }
        )*
    };
}

parts! {
    Networks: collect_seq = |lists| lists.whitelist.iter().map(|entry| display_network(&entry.network));
    Bans: collect_map = |lists| lists.blacklist.iter().map(|ban| (Address(&ban.network), Details::of_ban(ban)));
    Keywords: collect_seq = |lists| lists.keywords.iter().map(|entry| &entry.keyword);
    WhitelistDetails: collect_map = |lists| lists.whitelist.iter().map(|entry| {
        (display_network(&entry.network), Details { reason: Some(&entry.reason), ..Details::new(entry.added) })
    });
    KeywordDetails: collect_map = |lists| lists.keywords.iter().map(|entry| {
        let source = Some(entry.source.name().to_owned());
        (&entry.keyword, Details { source, count: Some(entry.count), ..Details::new(entry.added) })
    });
    Countries: collect_map = |lists| lists.geo_blocked_countries.iter().map(|entry| {
        (entry.country.as_str(), Details::new(entry.added))
    });
    Paths: collect_map = |lists| lists.path_exemptions.iter().map(|entry| {
        (&entry.path, Details { reason: Some(&entry.reason), ..Details::new(entry.added) })
    });
}
