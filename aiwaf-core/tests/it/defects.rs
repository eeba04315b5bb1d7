//! What the original gets wrong, as far as it shows at the engine.

use aiwaf_core::{
    Action, Engine, KeywordEntry, KeywordSource, Lists, PathExemptionEntry, Protection, RoutePolicy,
    WhitelistEntry, parse_network,
};

use crate::visit::{FIREFOX, Visit, client, standard, strict, strict_settings};

fn whitelisting(network: &str) -> Lists {
    let network = parse_network(network).unwrap();
    Lists {
        whitelist: vec![WhitelistEntry { network, reason: String::new(), added: None }],
        ..Lists::default()
    }
}

#[test]
fn original_defect_01_the_sender_is_banned_and_not_whom_a_header_names() {
    let engine = strict();
    let ban = Visit::get("/x.php").header("x-forwarded-for", "8.8.8.8").inspect(&engine).ban.unwrap();
    assert_eq!(ban.network.to_string(), "203.0.113.1/32");
    assert!(Visit::get("/").from([8, 8, 8, 8].into()).inspect(&engine).is_allowed());
}

#[test]
fn original_defect_02_headers_neither_dodge_limits_nor_borrow_a_whitelisting() {
    let engine = Engine::builder().lists(whitelisting("10.0.0.1")).build().unwrap();
    let visit = |number: u32| {
        let mut visit = Visit::get("/").at(f64::from(number) * 0.05);
        for name in ["x-forwarded-for", "x-real-ip", "cf-connecting-ip", "forwarded"] {
            visit = visit.header(name, format!("10.0.{}.1", number % 3));
        }
        visit
    };
    assert_eq!((0..1000).filter(|number| visit(*number).inspect(&engine).is_allowed()).count(), 100);
}

#[test]
fn original_defect_04_networks_on_the_lists_match() {
    let engine = Engine::builder().lists(whitelisting("192.168.1.0/24")).build().unwrap();
    let verdict = |last| Visit::get("/.env").from([192, 168, 1, last].into()).inspect(&engine);
    assert!((0..=255).all(|last| verdict(last).is_allowed()));
}

fn learned(words: &[String]) -> Lists {
    let entry = |word: &String| KeywordEntry {
        keyword: word.clone(),
        count: 1,
        source: KeywordSource::Learned,
        added: None,
    };
    Lists { keywords: words.iter().map(entry).collect(), ..Lists::default() }
}

#[test]
fn original_defect_05_all_keywords_count_in_every_instance() {
    let words: Vec<_> = (0..60).map(|number| format!("attackword{number}")).collect();
    for _ in 0..5 {
        let engine = Engine::builder().lists(learned(&words)).build().unwrap();
        for (number, word) in (1..).zip(&words) {
            let objection = Visit::get(format!("/{word}")).from(client(number)).objection(&engine);
            assert_eq!(objection, Some(format!("Keyword block: {word}")));
        }
    }
}

#[test]
fn original_defect_06_nobody_closes_a_real_route_by_asking_for_it_elsewhere() {
    let engine = Engine::builder().route("/products", RoutePolicy::default()).build().unwrap();
    for number in 1..=20 {
        for path in ["/admin/products", "/cgi-bin/products", "/phpmyadmin.old/products"] {
            Visit::get(path).from(client(number)).exchange(&engine, 404);
        }
    }
    assert_eq!(Visit::get("/products").from(client(99)).at(5.0).objection(&engine), None);
}

#[test]
fn original_defect_07_readers_of_real_pages_are_left_alone() {
    let words = ["shell", "config", "hack"].map(str::to_owned);
    let engine = Engine::builder().lists(learned(&words)).build().unwrap();
    for path in
        ["/recipes/shellfish", "/docs/my.environment", "/hackathon", "/reconfigure", "/blog/phpstorm-tips"]
    {
        assert_eq!(Visit::get(path).objection(&engine), None, "{path}");
    }
}

#[test]
fn original_defect_08_default_exemptions_are_no_way_around() {
    for path in [
        "/wp-login.php/x.css",
        "/shell.php;.png",
        "/static/../.env",
        "/static/shell.php",
        "/favicon.ico/../.env",
        "/.well-known/../../.git/config",
        "/.env/x.css",
        "/.git/x.png",
    ] {
        assert!(!Visit::get(path).inspect(&standard()).is_allowed(), "{path}");
    }
    let applied = Visit::get("/admin.phpXcss").inspect(&standard()).applied;
    assert!(applied.contains(Protection::RateLimit), "the dot of *.css is a dot");
    let engine = strict();
    Visit::get("/.env").inspect(&engine);
    for path in ["/static/x.css", "/favicon.ico", "/health"] {
        assert!(!Visit::get(path).at(1.0).inspect(&engine).is_allowed(), "{path}");
    }
}

#[test]
fn original_defect_09_encoding_hides_no_keyword() {
    for path in ["/x%252ephp", "/.%00env", "/.e%00nv", "/%2eenv"] {
        assert!(!Visit::get(path).inspect(&standard()).is_allowed(), "{path}");
    }
}

#[test]
fn original_defect_13_whitelist_and_exemptions_hold_for_forms_and_identifiers() {
    let exemption = PathExemptionEntry { path: "/hooks/".into(), reason: String::new(), added: None };
    let engine = Engine::builder()
        .lists(Lists { path_exemptions: vec![exemption], ..whitelisting("203.0.113.1") })
        .route("/free", RoutePolicy::exempt_from([Protection::Honeypot, Protection::UuidTamper]))
        .build()
        .unwrap();
    for (path, number) in [("/login?uuid=7", 1), ("/hooks/x?uuid=7", 2), ("/free?uuid=7", 3)] {
        assert_eq!(Visit::form(path).from(client(number)).objection(&engine), None, "{path}");
    }
    assert!(!Visit::form("/login").from(client(4)).inspect(&engine).is_allowed());
}

#[test]
fn original_defect_13_bans_end() {
    let engine = strict();
    assert!(!Visit::get("/.env").inspect(&engine).is_allowed());
    assert!(!Visit::get("/").at(86_399.0).inspect(&engine).is_allowed());
    assert!(Visit::get("/").at(86_400.0).inspect(&engine).is_allowed());
}

#[test]
fn original_defect_14_500_paths_of_a_catalogue_are_500_requests() {
    let engine = standard();
    let visit = |number: u32| Visit::get(format!("/catalog/x{number}")).at(f64::from(number) * 0.1);
    assert_eq!((0..500).filter(|number| visit(*number).exchange(&engine, 200).is_allowed()).count(), 100);
}

#[test]
fn original_defect_15_a_throttled_client_is_told_when_to_come_back() {
    let engine = standard();
    for number in 0..100 {
        assert!(Visit::get("/").at(f64::from(number) * 0.1).inspect(&engine).is_allowed());
    }
    let Action::Throttle { retry_after } = Visit::get("/").at(20.0).inspect(&engine).action else { panic!() };
    assert!(Visit::get("/").at(20.0 + retry_after.as_secs_f64()).inspect(&engine).is_allowed());
}

#[test]
fn original_defect_16_two_people_behind_one_address_and_a_bot() {
    let engine = standard();
    Visit::get("/signup").exchange(&engine, 200);
    Visit::get("/signup").at(9.5).exchange(&engine, 200);
    assert_eq!(Visit::form("/signup").at(10.0).objection(&engine), None, "the first person's form");
    assert!(
        !Visit::form("/signup").from(client(2)).inspect(&engine).is_allowed(),
        "a bot that loads nothing"
    );
}

#[test]
fn original_defect_17_identifiers() {
    let uuid = "123E4567-E89B-12D3-A456-426614174000";
    let engine = Engine::builder().route("/items/{uuid}", RoutePolicy::default()).build().unwrap();
    for (path, good) in [
        (format!("/x?uuid={uuid}"), true),
        (format!("/x?uuid={}", "-".repeat(36)), false),
        (format!("/items/{uuid}"), true),
        (format!("/items/{uuid}'--"), false),
    ] {
        let engine_for_path = if good { &engine } else { &standard_with_items() };
        assert_eq!(Visit::get(&path).inspect(engine_for_path).is_allowed(), good, "{path}");
    }
}

fn standard_with_items() -> Engine {
    Engine::builder()
        .settings(strict_settings())
        .route("/items/{uuid}", RoutePolicy::default())
        .build()
        .unwrap()
}

#[test]
fn original_defect_18_the_order_is_fixed() {
    let everything_wrong = || Visit::form("/x.php?uuid=7").header("user-agent", "sqlmap/1.8");
    let order: Vec<_> = (0..5)
        .map(|disabled| {
            let disabled = Protection::ALL.into_iter().take(disabled);
            let engine = Engine::builder().settings(strict_settings()).disable(disabled).build().unwrap();
            everything_wrong().inspect(&engine).finding.unwrap().protection.name()
        })
        .collect();
    assert_eq!(
        order,
        ["ip_keyword_block", "header_validation", "header_validation", "header_validation", "uuid_tamper"]
    );
}

#[test]
fn original_defect_19_chrome_behind_an_http_1_0_proxy_passes() {
    let visit = Visit::get("/")
        .protocol("HTTP/1.0")
        .header("connection", "close")
        .header("x-forwarded-for", "198.51.100.7");
    assert_eq!(visit.objection(&standard()), None);
}

#[test]
fn original_defect_20_tools_are_known_whatever_else_they_claim_to_be() {
    for agent in ["sqlmap googlebot", "sqlmap/1.8#stable (https://sqlmap.org)", "Mozilla/5.00 (Nikto/2.5.0)"]
    {
        assert!(!Visit::get("/").header("user-agent", agent).inspect(&standard()).is_allowed(), "{agent}");
    }
    assert!(Visit::get("/").header("user-agent", FIREFOX).inspect(&standard()).is_allowed());
}

#[test]
fn original_defect_30_an_exempt_route_neither_feeds_nor_asks_a_protection() {
    let engine = Engine::builder()
        .route("/jobs/{id}", RoutePolicy::exempt_from([Protection::AiAnomaly, Protection::Logging]))
        .build()
        .unwrap();
    for number in 0..60 {
        let verdict = Visit::get(format!("/jobs/{number}")).at(f64::from(number)).exchange(&engine, 404);
        assert!(verdict.is_allowed() && !verdict.applied.contains(Protection::Logging));
    }
    assert_eq!(Visit::get("/elsewhere").at(61.0).objection(&engine), None);
}
