//! What the homes of the lists cost with a million bans.
#![allow(clippy::expect_used)] // a measurement that can't begin has no result

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use aiwaf_benches::START;
use aiwaf_core::{BanSource, BlacklistEntry, ListChange, Protection};
use aiwaf_storage::{CsvStore, SqliteStore, Store};
use criterion::{Criterion, criterion_group, criterion_main};

const BANS: u32 = 1_000_000;

/// Three quarters IPv4, one quarter IPv6; half with an end.
fn ban(number: u32) -> ListChange {
    let address = match number % 4 {
        3 => IpAddr::V6(Ipv6Addr::from(
            0x2001_0db8_u128 << 96 | u128::from(number.wrapping_mul(0x9E37_79B1)) << 64,
        )),
        _ => IpAddr::V4(Ipv4Addr::from(number.wrapping_mul(0x9E37_79B1))),
    };
    ListChange::AddBlacklist(BlacklistEntry {
        source: BanSource::Protection(Protection::RateLimit),
        expires: number.is_multiple_of(2).then(|| START + Duration::from_hours(24)),
        ..BlacklistEntry::manual(address.into(), "rate_limit: more than 100 requests in 10 s", START)
    })
}

fn measure(criterion: &mut Criterion, name: &str, store: &dyn Store) {
    let bans: Vec<ListChange> = (0..BANS).map(ban).collect();
    store.apply(&bans).expect("a new store can be written");
    drop(bans);
    let mut group = criterion.benchmark_group(format!("{name}, {BANS} bans"));
    group.sample_size(10);
    group.bench_function("load", |bencher| {
        bencher.iter_with_large_drop(|| store.load().expect("what was written can be read"));
    });
    group
        .bench_function("revision", |bencher| bencher.iter(|| store.revision().expect("the store is there")));
    let mut number = BANS;
    group.bench_function("add one", |bencher| {
        bencher.iter(|| {
            number += 1;
            store.apply(&[ban(number)]).expect("the store can be written")
        });
    });
    group.finish();
}

fn storage(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("there is room for temporary files");
    let sqlite = SqliteStore::open(directory.path().join("aiwaf.db")).expect("a new file can be created");
    measure(criterion, "SQLite", &sqlite);
    let csv = CsvStore::open(directory.path().join("data")).expect("a new directory can be created");
    measure(criterion, "CSV", &csv);
}

criterion_group!(benches, storage);
criterion_main!(benches);
