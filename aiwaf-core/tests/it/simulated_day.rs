//! A day of traffic by an injected clock: people behind shared addresses, crawlers, scanners, and the readers of a hostile
//! page.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::visit::{Visit, program, second, standard};

const MINUTES: u32 = 24 * 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    SharedAddress,
    Crawler,
    Scanner,
    DisguisedScanner,
    HostilePageReader,
}

/// Addresses of each kind.
const KINDS: [(Kind, u32); 5] = [
    (Kind::SharedAddress, 4),
    (Kind::Crawler, 2),
    (Kind::Scanner, 40),
    (Kind::DisguisedScanner, 40),
    (Kind::HostilePageReader, 20),
];

/// Probe paths in another order for each scanner.
fn probe(scanner: u32, number: u32) -> String {
    const PROBES: [&str; 12] = [
        ".env",
        "wp-login.php",
        ".git/config",
        "phpmyadmin/index.php",
        "actuator/env",
        "cgi-bin/luci",
        "backup.sql",
        "xmlrpc.php",
        "vendor/phpunit/x",
        ".aws/credentials",
        "wp-admin/setup-config.php",
        "shell.php",
    ];
    format!("/{}", PROBES[((scanner * 5 + number * 7) % 12) as usize])
}

/// The requests of one address in one minute of the day, with the status that the site answers them with.
fn requests(kind: Kind, number: u32, minute: u32) -> Vec<(Visit, u16)> {
    match kind {
        Kind::SharedAddress if minute.is_multiple_of(4) => (0..40)
            .map(|person| match (person * 31 + minute * 7 + number) % 97 {
                // An old bookmark, a page that is gone, an article with an odd name.
                0 if minute.is_multiple_of(60) => (Visit::get("/index.php"), 404),
                1 | 2 => (Visit::get(format!("/gone/{person}/{minute}")), 404),
                3 => (Visit::get("/blog/wp-admin-tips"), 200),
                rest => (Visit::get(format!("/articles/{rest}")), 200),
            })
            .collect(),
        Kind::Crawler if minute % 4 == 1 => (0..30)
            .map(|page| {
                let path = format!("/old/{}", minute * 30 + page);
                let path = if page == 0 { format!("{path}.php") } else { path };
                (program(path), if page % 3 == 0 { 404 } else { 200 })
            })
            .collect(),
        // Each begins at its own minute and is done in one.
        Kind::Scanner if minute == number * 20 => {
            (0..12).map(|step| (program(probe(number, step)), 404)).collect()
        }
        Kind::DisguisedScanner if minute == number * 20 => {
            (0..12).map(|step| (Visit::get(probe(number, step)), 404)).collect()
        }
        Kind::HostilePageReader if minute % 240 == number => (0..60)
            .map(|image| {
                let visit = Visit::get(format!("/{image}/.env")).header("referer", "http://hostile.example/");
                (visit.header("accept", "image/*"), 404)
            })
            .collect(),
        Kind::HostilePageReader if minute % 30 == 15 => vec![(Visit::get("/articles/1"), 200)],
        _ => Vec::new(),
    }
}

#[derive(Debug, Default)]
struct Outcome {
    clients_banned: u32,
    most_requests_until_ban: u32,
    longest_ban_seconds: f64,
    ordinary_refused: u32,
}

#[test]
fn nobody_innocent_is_banned_and_scanners_are() {
    let engine = standard();
    let mut outcomes: BTreeMap<Kind, Outcome> = BTreeMap::new();
    let mut until_ban: BTreeMap<(Kind, u32), (u32, bool)> = BTreeMap::new();
    for minute in 0..MINUTES {
        for (kind, addresses) in KINDS {
            for number in 0..addresses {
                let address = IpAddr::V4(Ipv4Addr::new(10, kind as u8, 0, u8::try_from(number).unwrap()));
                let requests = requests(kind, number, minute);
                let gap = 59.0 / f64::from(u32::try_from(requests.len().max(1)).unwrap());
                for ((visit, status), step) in requests.into_iter().zip(0u32..) {
                    let time = f64::from(minute) * 60.0 + f64::from(step) * gap;
                    let verdict = visit.from(address).at(time).exchange(&engine, status);
                    let outcome = outcomes.entry(kind).or_default();
                    let (requests, is_banned) = until_ban.entry((kind, number)).or_default();
                    *requests += 1;
                    outcome.ordinary_refused += u32::from(status == 200 && !verdict.is_allowed());
                    if let Some(ban) = verdict.ban {
                        let length = ban.expires.unwrap().since(second(time)).as_secs_f64();
                        outcome.longest_ban_seconds = outcome.longest_ban_seconds.max(length);
                        if !*is_banned {
                            *is_banned = true;
                            outcome.clients_banned += 1;
                            outcome.most_requests_until_ban = outcome.most_requests_until_ban.max(*requests);
                        }
                    }
                }
            }
        }
    }
    for kind in [Kind::SharedAddress, Kind::Crawler] {
        let outcome = &outcomes[&kind];
        assert_eq!((outcome.clients_banned, outcome.ordinary_refused), (0, 0), "{kind:?}: {outcome:?}");
    }
    for kind in [Kind::Scanner, Kind::DisguisedScanner] {
        let outcome = &outcomes[&kind];
        assert!(
            outcome.clients_banned >= 38 && outcome.most_requests_until_ban <= 10,
            "{kind:?}: {outcome:?}"
        );
    }
    let readers = &outcomes[&Kind::HostilePageReader];
    assert!(readers.longest_ban_seconds <= 600.0, "{readers:?}");
}
