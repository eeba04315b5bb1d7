//! Databases of every released schema, as dumps of them: opening brings them to the newest, and nothing is lost.

use aiwaf_core::{
    BanSource, BlacklistEntry, CountryEntry, KeywordEntry, KeywordSource, ListChange, Lists,
    PathExemptionEntry, Protection, Timestamp, WhitelistEntry,
};
use aiwaf_storage::{PostgresStore, SqliteStore, Store};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};

use crate::support::*;

fn micros(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros)
}

/// What the dumps of schema 1 hold.
fn lists_of_schema_1() -> Lists {
    let white =
        |network, reason: &str, added| WhitelistEntry { network: net(network), reason: reason.into(), added };
    Lists {
        whitelist: vec![
            white("192.168.1.0/24", "office", Some(micros(1_700_000_000_000_000))),
            white("2001:db8:1::/48", "", None),
        ],
        blacklist: vec![
            BlacklistEntry {
                network: net("203.0.113.9"),
                reason: "Flood pattern; it's \"bad\", =1+1".into(),
                source: BanSource::Protection(Protection::RateLimit),
                added: Some(micros(1_700_000_000_123_456)),
                expires: Some(micros(1_700_086_400_123_456)),
                offences: 2,
                extended_request_info: Some(r#"{"path":"/x","agent":"a, b"}"#.into()),
            },
            BlacklistEntry {
                network: net("198.51.100.0/24"),
                reason: String::new(),
                source: BanSource::Import,
                added: None,
                expires: None,
                offences: 1,
                extended_request_info: None,
            },
            BlacklistEntry {
                network: net("2001:db8::/64"),
                reason: "\u{fc}\u{20ac}\u{1f600}".into(),
                source: BanSource::Trainer,
                added: Some(micros(1_700_000_001_000_000)),
                expires: None,
                offences: u32::MAX,
                extended_request_info: None,
            },
        ],
        keywords: vec![
            KeywordEntry {
                keyword: ".env".into(),
                count: i64::MAX as u64,
                source: KeywordSource::Learned,
                added: Some(micros(1_700_000_002_000_000)),
            },
            KeywordEntry {
                keyword: "union  select".into(),
                count: 1,
                source: KeywordSource::Manual,
                added: None,
            },
        ],
        geo_blocked_countries: vec![CountryEntry {
            country: "KP".parse().unwrap(),
            added: Some(micros(1_700_000_003_000_000)),
        }],
        path_exemptions: vec![
            PathExemptionEntry {
                path: "/health".into(),
                reason: "probe".into(),
                added: Some(micros(1_700_000_004_000_000)),
            },
            PathExemptionEntry { path: "*.css".into(), reason: String::new(), added: None },
        ],
    }
}

/// The lists are all there, and can be changed.
fn check(store: &dyn Store, mut expected: Lists) {
    assert_eq!(
        store.load().unwrap(),
        aiwaf_storage::Loaded { lists: expected.clone(), ..Default::default() }
    );
    let changes = [
        add_ban("203.0.113.9"),
        add_ban("10.0.0.1"),
        whitelist("10.0.0.2"),
        keyword(".env", 1, KeywordSource::Manual),
        keyword("new", 1, KeywordSource::Learned),
        country("DE"),
        exempt("/new"),
        ListChange::RemovePathExemption("/health".into()),
    ];
    assert_eq!(store.apply(&changes).unwrap(), expected.apply(&changes));
    assert_eq!(store.load().unwrap().lists, expected);
}

#[test]
fn sqlite_schema_1() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aiwaf.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute(include_str!("../data/sqlite_schema_1.sql")).unwrap();
    drop(connection);
    check(&SqliteStore::open_existing(&path).unwrap(), lists_of_schema_1());
}

#[test]
fn postgres_schema_1() {
    let Some(url) = crate::postgres_server::new_database() else { return };
    let mut connection = PgConnection::establish(&url).unwrap();
    connection.batch_execute(include_str!("../data/postgres_schema_1.sql")).unwrap();
    check(&PostgresStore::open(&url).unwrap(), lists_of_schema_1());
}
