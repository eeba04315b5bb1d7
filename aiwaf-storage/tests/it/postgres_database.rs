//! PostgreSQL databases as people, failures and other versions leave them.

use aiwaf_core::{BanSource, ListChange};
use aiwaf_storage::{PostgresStore, Store, StoreError};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

use crate::postgres_server::{Server, new_database};
use crate::support::*;

/// Does what a person does with a tool.
fn edit(url: &str, script: &str) {
    PgConnection::establish(url).unwrap().batch_execute(script).unwrap();
}

fn bans(store: &PostgresStore) -> Vec<String> {
    let lists = store.load().unwrap().lists;
    lists.blacklist.iter().map(|ban| aiwaf_core::display_network(&ban.network)).collect()
}

#[test]
fn an_edit_by_hand_is_noticed_and_has_defaults() {
    let Some(url) = new_database() else { return };
    let store = PostgresStore::open(&url).unwrap();
    let before = store.revision().unwrap();
    assert_eq!(store.revision().unwrap(), before);
    edit(&url, "INSERT INTO aiwaf_blacklist (network) VALUES ('203.0.113.0/24')");
    while store.revision().unwrap() == before {
        std::thread::yield_now();
    }
    let ban = store.load().unwrap().lists.blacklist.remove(0);
    assert_eq!((ban.source, ban.offences, ban.expires), (BanSource::Manual, 1, None));
    assert_eq!(store.apply(&[add_ban("10.0.0.1")]).unwrap(), [true]);
    assert_eq!(bans(&store), ["203.0.113.0/24", "10.0.0.1"]);
    let before = store.revision().unwrap();
    edit(&url, "TRUNCATE aiwaf_blacklist");
    while store.revision().unwrap() == before {
        std::thread::yield_now();
    }
    assert_eq!(bans(&store), [""; 0]);
}

#[test]
fn an_edit_by_hand_and_a_change_wait_for_each_other() {
    let Some(url) = new_database() else { return };
    let store = PostgresStore::open(&url).unwrap();
    let mut person = PgConnection::establish(&url).unwrap();
    person.batch_execute("BEGIN; INSERT INTO aiwaf_blacklist (network) VALUES ('10.0.0.1')").unwrap();
    std::thread::scope(|scope| {
        let change =
            scope.spawn(|| store.apply(&[add_ban("10.0.0.1"), ListChange::RemoveBlacklist(net("10.0.0.2"))]));
        person.batch_execute("INSERT INTO aiwaf_blacklist (network) VALUES ('10.0.0.2'); COMMIT").unwrap();
        assert_eq!(change.join().unwrap().unwrap(), [true, true]);
    });
    assert_eq!(store.load().unwrap().lists.blacklist, [ban("10.0.0.1")]);
}

#[test]
fn a_server_that_went_away_is_an_error_until_it_is_back() {
    if new_database().is_none() {
        return;
    }
    let server = Server::start().unwrap();
    let url = server.new_database();
    let store = PostgresStore::open(&url).unwrap();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    let before = store.revision().unwrap();
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()";
    edit(&url, end_all);
    while store.revision().unwrap() == before {
        std::thread::yield_now();
    }
    edit(&url, end_all);
    store.apply(&[add_ban("10.0.0.2")]).unwrap();

    server.control("stop");
    let error = store.load().unwrap_err();
    assert!(error.to_string().contains("start the server"), "{error}");
    assert!(store.apply(&[add_ban("10.0.0.3")]).is_err() && store.revision().is_err());
    server.control("start");
    assert_eq!(bans(&store), ["10.0.0.1", "10.0.0.2"]);
    store.revision().unwrap();
}

#[test]
fn original_defect_12_a_database_that_fails_is_no_empty_store() {
    let Some(url) = new_database() else { return };
    let store = PostgresStore::open(&url).unwrap();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    edit(&url, "ALTER TABLE aiwaf_keywords RENAME TO lost");
    let error = store.load().unwrap_err();
    assert!(error.to_string().contains("something else changed the tables"), "{error}");
    edit(&url, "ALTER TABLE lost RENAME TO aiwaf_keywords");
    assert_eq!(bans(&store), ["10.0.0.1"]);
}

#[test]
fn errors_say_how_to_mend_and_no_password() {
    let Some(url) = new_database() else { return };
    let server = url.split_once('@').unwrap().1.split_once('/').unwrap().0;
    for (url, remedy) in [
        (format!("postgres://postgres:secret@{server}/missing"), "create the database"),
        (format!("postgres://nobody:secret@{server}/postgres"), "check the user"),
        (format!("postgres://postgres:secret@{server}/postgres?sslmode=require"), "sslmode"),
        (format!("postgres://postgres:secret@{server}/postgres?sslmod=require"), "check the URL"),
        (format!("postgres://postgres:secret/more@{server}/postgres"), "special characters"),
        (format!("postgres://postgres:sec@ret@{server}/postgres"), "special characters"),
        ("postgres://postgres:secret@127.0.0.1:1/postgres".to_owned(), "start the server"),
    ] {
        let error = PostgresStore::open(&url).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(remedy) && !text.contains("secret") && !text.contains("ret@"), "{text}");
        assert!(!text.contains("  ") && !text.contains(" ;"), "{text}");
    }
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let Some(url) = new_database() else { return };
    PostgresStore::open(&url).unwrap().apply(&[add_ban("10.0.0.1")]).unwrap();
    edit(&url, "UPDATE aiwaf_meta SET schema_version = 99");
    let error = PostgresStore::open(&url).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");
    edit(&url, "UPDATE aiwaf_meta SET schema_version = 1");
    assert_eq!(bans(&PostgresStore::open(&url).unwrap()), ["10.0.0.1"]);
}
