//! Who is banned, and who is only blocked: the evidence ledger through the engine.

use aiwaf_core::{Engine, Evidence, ListChange, Lists, Protection, RoutePolicy};

use crate::visit::{Visit, client, only, program, second, standard};

const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// Number of visits, a second apart, until one bans.
fn visits_until_ban(engine: &Engine, visits: impl Iterator<Item = Visit>) -> Option<usize> {
    visits.zip(1..).find_map(|(visit, number)| {
        let seconds = f64::from(u32::try_from(number).unwrap());
        visit.at(seconds).exchange(engine, 404).ban.map(|_| number)
    })
}

/// What a browser says about a request that a page of another site makes it send.
fn cross_site(visit: Visit) -> Visit {
    visit.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "no-cors")
}

#[test]
fn no_single_get_bans() {
    let browser = |path: &str| Visit::get(path);
    let modern = |path: &str| {
        let visit = Visit::get(path).header("sec-fetch-site", "none").header("sec-fetch-mode", "navigate");
        visit.header("sec-fetch-dest", "document")
    };
    let crawler = |path: &str| program(path).header("user-agent", GOOGLEBOT);
    let paths = [
        "/index.php",
        "/.env",
        "/wp-login.php",
        "/.git/config",
        "/search?q=1'+or+1=1--+",
        "/a?f=../../etc/passwd",
    ];
    for path in paths {
        for visit in [browser(path), modern(path), crawler(path), cross_site(browser(path))] {
            let engine = standard();
            let verdict = visit.exchange(&engine, 404);
            assert!(verdict.ban.is_none(), "{path}: {verdict:?}");
            assert!(Visit::get("/").at(1.0).inspect(&engine).is_allowed(), "{path}");
        }
    }
}

#[test]
fn articles_about_attacks_are_read() {
    for path in
        ["/blog/wp-admin-tips", "/docs/.env.example", "/blog/what-is-xmlrpc", "/docs/wp-config-explained"]
    {
        assert_eq!(Visit::get(path).objection(&only(&[Protection::IpKeywordBlock])), None, "{path}");
    }
}

#[test]
fn known_path_is_never_blocked_by_built_in_keyword() {
    let engine = Engine::builder().route("/legacy.php", RoutePolicy::default()).build().unwrap();
    assert_eq!(Visit::get("/legacy.php").objection(&engine), None);
    // A link to a script that a proxied application has: pages may ask for it, so it becomes known.
    let linked =
        |number| Visit::get("/index.php").from(client(number)).header("sec-fetch-site", "same-origin");
    for number in [1, 2] {
        assert!(linked(number).exchange(&engine, 200).is_allowed());
    }
    assert_eq!(Visit::get("/index.php").from(client(3)).objection(&engine), None, "typed");
}

#[test]
fn scanners_are_banned_within_ten_requests() {
    const PROBES: [&str; 10] = [
        "/.env",
        "/wp-login.php",
        "/.git/config",
        "/phpmyadmin/",
        "/actuator/env",
        "/cgi-bin/luci",
        "/backup.sql",
        "/xmlrpc.php",
        "/vendor/phpunit",
        "/.aws/credentials",
    ];
    assert!(visits_until_ban(&standard(), PROBES.iter().map(program)).unwrap() <= 4);
    assert!(
        visits_until_ban(&standard(), PROBES.iter().map(Visit::get)).unwrap() <= 9,
        "disguised as a browser"
    );
    let misses = PROBES.iter().filter(|path| !path.contains('.') && !path.contains("php")).cycle().zip(0..);
    let misses = misses.take(12).map(|(path, number)| program(format!("{path}/{number}")));
    assert!(visits_until_ban(&standard(), misses).unwrap() <= 10, "probe paths without a keyword");
}

#[test]
fn repeated_injections_ban() {
    let attack =
        |number: u32| format!("/search?q={number}'+union+select+password+from+users+where+id={number}--");
    assert_eq!(visits_until_ban(&standard(), (1..20).map(attack).map(program)), Some(3));
    assert!(visits_until_ban(&standard(), (1..20).map(attack).map(Visit::get)).unwrap() <= 6);
    let form = |number: u32| Visit::get(attack(number)).method("DELETE");
    assert_eq!(visits_until_ban(&standard(), (1..20).map(form)), Some(3), "no page can send it");
}

#[test]
fn forged_hint_lowers_points_and_never_to_zero() {
    let attack = |number: u32| format!("/{number}?q=1'+union+select+password+from+users+where+id={number}--");
    for forge in [
        cross_site as fn(Visit) -> Visit,
        |visit| visit.header("sec-fetch-site", "same-origin").header("sec-fetch-dest", "image"),
        |visit| visit.header("referer", "https://elsewhere.example/"),
    ] {
        let until = visits_until_ban(&standard(), (1..40).map(attack).map(Visit::get).map(forge));
        assert!(until.is_some_and(|number| number <= 20), "{until:?}");
    }
}

#[test]
fn hostile_page_bans_its_readers_for_minutes_at_most() {
    let over_https =
        |number: u32| cross_site(Visit::get(format!("/{number}/.env"))).header("sec-fetch-dest", "image");
    let over_http = |number: u32| {
        Visit::get(format!("/{number}/.env"))
            .header("accept", "image/*")
            .header("referer", "http://hostile.example/")
    };
    for image in [&over_https as &dyn Fn(u32) -> Visit, &over_http] {
        let engine = standard();
        let mut bans = 0;
        for round in 0..5u32 {
            let start = f64::from(round) * 3600.0;
            for number in 0..50u32 {
                let visit = image(number).at(start + f64::from(number) * 0.01);
                if let Some(ban) = visit.exchange(&engine, 404).ban {
                    assert!(ban.expires.unwrap() <= second(start + 0.5 + 600.0) && ban.offences == 1);
                    bans += 1;
                }
            }
            assert!(Visit::get("/").at(start + 602.0).inspect(&engine).is_allowed());
        }
        assert!(bans <= 5);
    }
}

#[test]
fn what_is_gone_bans_no_crawler() {
    let crawler = |path: String| program(path).header("user-agent", GOOGLEBOT);
    let engine = standard();
    for number in 0..600u32 {
        let path = if number % 10 == 0 { format!("/{number}.php") } else { format!("/articles/{number}") };
        let verdict = crawler(path).at(f64::from(number) * 1.5).exchange(&engine, 404);
        assert!(verdict.ban.is_none() && verdict.is_allowed() == (number % 10 != 0), "{number}: {verdict:?}");
    }
}

#[test]
fn title_taught_beside_a_probe_blocks_no_reader() {
    let engine = standard();
    for number in 1..=5 {
        Visit::get("/typo3/black-friday").from(client(number)).exchange(&engine, 404);
    }
    assert_eq!(Visit::get("/news/black-friday").from(client(9)).at(2.0).objection(&engine), None);
}

fn teach(engine: &Engine) {
    for number in 1..=3 {
        Visit::get("/cgi-bin/badloader").from(client(number)).exchange(engine, 404);
    }
}

#[test]
fn learned_keyword_blocks_where_it_dominates_bans_nobody_and_expires() {
    let engine = standard();
    teach(&engine);
    let visit = |path: &str, seconds: f64| Visit::get(path).from(client(9)).at(seconds);
    assert!(!visit("/x/badloader", 1.0).inspect(&engine).is_allowed());
    assert!(visit("/badloader/removal-guide", 2.0).inspect(&engine).is_allowed(), "not the last segment");
    let own = visit("/x/badloader", 3.0).header("referer", "https://www.example.com/list");
    assert!(own.inspect(&engine).is_allowed(), "a page of this site links to it");
    for number in 0..50u32 {
        let verdict =
            program(format!("/{number}/badloader")).from(client(8)).at(f64::from(number)).inspect(&engine);
        assert!(!verdict.is_allowed() && verdict.ban.is_none(), "{number}");
    }
    let day = 86_400.0;
    // Seen again, it counts for another week.
    assert!(!visit("/x/badloader", 6.0 * day).inspect(&engine).is_allowed());
    assert!(!visit("/x/badloader", 12.0 * day).inspect(&engine).is_allowed());
    assert!(visit("/x/badloader", 19.1 * day).inspect(&engine).is_allowed());
}

#[test]
fn catch_all_route_teaches_nothing() {
    let engine = Engine::builder().route("/{*path}", RoutePolicy::default()).build().unwrap();
    teach(&engine);
    assert_eq!(Visit::get("/x/badloader").from(client(9)).at(1.0).objection(&engine), None);
}

#[test]
fn password_manager_is_blocked_once_and_machine_is_banned() {
    let engine = standard();
    Visit::get("/login").exchange(&engine, 200);
    let verdict = Visit::form("/login").at(0.8).inspect(&engine);
    assert!(!verdict.is_allowed() && verdict.ban.is_none());
    assert!(Visit::get("/").at(1.0).inspect(&engine).is_allowed());
    let engine = standard();
    let banned = (0..100u32).find(|round| {
        let start = f64::from(*round) * 0.7;
        Visit::get("/login").at(start).exchange(&engine, 200);
        Visit::form("/login").at(start + 0.1).inspect(&engine).ban.is_some()
    });
    assert!(banned.is_some_and(|round| round <= 15), "{banned:?}");
}

#[test]
fn form_of_a_person_whose_address_changed_passes() {
    let engine = standard();
    Visit::get("/contact").exchange(&engine, 200);
    let moved = Visit::form("/contact").from(client(2)).at(20.0).header("cookie", "session=1f2e");
    assert_eq!(moved.objection(&engine), None);
    let unknown = Visit::form("/contact").from(client(3));
    assert_eq!(visits_until_ban(&engine, std::iter::repeat_n(unknown, 50)), None, "weak evidence");
}

#[test]
fn parameter_that_happens_to_be_called_uuid_is_not_judged() {
    assert_eq!(Visit::get("/x?uuid=7").objection(&standard()), None);
}

#[test]
fn evidence_is_explained_and_forgiven() {
    let engine = standard();
    assert_eq!(engine.evidence_of(client(1), second(0.0)), None);
    for path in ["/.env", "/.git/config", "/.svn"] {
        program(path).inspect(&engine);
    }
    let report = engine.evidence_of(client(1), second(0.0)).unwrap();
    assert_eq!(format!("{:.1} of {} points", report.points, report.threshold), "7.5 of 10 points");
    assert_eq!((report.offences, report.matches.len(), report.matches[0].1), (0, 3, Evidence::MEDIUM));
    assert!((engine.evidence_of(client(1), second(600.0)).unwrap().points - 3.75).abs() < 0.01);
    assert!(program("/.aws").inspect(&engine).ban.is_some());
    assert_eq!(engine.evidence_of(client(1), second(1.0)).unwrap().offences, 1);
    assert!(!Visit::get("/").at(1.0).inspect(&engine).is_allowed());
    for network in ["203.0.113.1", "203.0.113.0/24"] {
        engine.forgive(aiwaf_core::parse_network(network).unwrap());
        let report = engine.evidence_of(client(1), second(2.0)).unwrap();
        assert_eq!((report.points.to_bits(), report.offences), (0, 0), "{network}");
        assert!(Visit::get("/").at(2.0).inspect(&engine).is_allowed(), "{network}");
    }
}

#[test]
fn forgiven_client_of_published_list_begins_anew() {
    let mut lists = Lists::default();
    let engine = standard();
    let scan = |start: f64| {
        ["/.env", "/.git/config", "/.svn", "/.aws", "/.ssh"]
            .into_iter()
            .find_map(|path| program(path).at(start).inspect(&engine).ban)
    };
    for round in 0..4u32 {
        let ban = scan(f64::from(round) * 60.0).unwrap();
        assert_eq!((ban.offences, ban.expires), (1, Some(second(f64::from(round) * 60.0 + 3600.0))));
        lists.apply(&[ListChange::AddBlacklist((*ban).clone())]);
        engine.publish(&lists, u64::MAX);
        lists.apply(&[ListChange::RemoveBlacklist(ban.network)]);
        engine.publish(&lists, u64::MAX);
    }
}
