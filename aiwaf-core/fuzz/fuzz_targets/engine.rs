//! Arbitrary requests through all protections: nothing panics, and every verdict is consistent with itself.

#![no_main]

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aiwaf_core::{
    Action, AnomalyModel, CountryCode, CountryLookup, Engine, KeywordEntry, KeywordSource, Lists, Mode,
    Outcome, PathExemptionEntry, PathRule, Protection, RateLimitOverride, Request, RoutePolicy, Settings,
    Timestamp,
};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // An input that ends early is a shorter one.
    let _ = run(&mut Unstructured::new(data));
});

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let mut time: i64 = 1_700_000_000_000_000;
    while !input.is_empty() {
        time = if input.ratio(1, 50)? {
            input.arbitrary()?
        } else {
            time.saturating_add(input.arbitrary::<u32>()?.into())
        };
        exchange(input, Timestamp::from_unix_micros(time))?;
    }
    Ok(())
}

fn exchange(input: &mut Unstructured<'_>, time: Timestamp) -> Result<()> {
    let client = if input.ratio(1, 10)? {
        Ipv6Addr::from(input.arbitrary::<u128>()?).into()
    } else {
        IpAddr::from([203, 0, 113, input.arbitrary()?])
    };
    let method = *input.choose(&["GET", "POST", "HEAD", "OPTIONS", "", "G\u{e9}T"])?;
    let protocol = *input.choose(&["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "", "\0"])?;
    let uri: &[u8] = input.arbitrary()?;
    let mut headers: Vec<(&str, &[u8])> = Vec::new();
    for _ in 0..input.int_in_range(0..=8)? {
        let name = if input.ratio(1, 4)? { input.arbitrary()? } else { *input.choose(&HEADERS)? };
        headers.push((name, input.arbitrary()?));
    }
    let body: &[u8] = input.arbitrary()?;
    let request = Request::new(client, time)
        .with_method(method)
        .with_uri(uri)
        .with_protocol(protocol)
        .with_headers(&headers)
        .with_body(body);
    let outcome = Outcome::new(input.arbitrary()?, Duration::from_micros(input.arbitrary::<u32>()?.into()));
    for engine in [&*ENFORCING, &*MONITORING] {
        let verdict = engine.inspect(&request);
        assert_eq!(verdict.is_allowed(), verdict.finding.is_none());
        if let Some(finding) = &verdict.finding {
            assert_eq!(finding.action, verdict.action);
            assert!(!finding.reason.to_string().is_empty());
        }
        assert!(verdict.ban.is_none() || verdict.action == Action::Block);
        if verdict.is_allowed() {
            engine.observe(&request, &outcome);
        }
    }
    Ok(())
}

const HEADERS: [&str; 14] = [
    "host",
    "User-Agent",
    "accept",
    "accept-language",
    "accept-encoding",
    "connection",
    "content-type",
    "referer",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "x-requested-with",
    "upgrade",
    "via",
];

static ENFORCING: LazyLock<Engine> = LazyLock::new(|| engine(Mode::Enforce));
static MONITORING: LazyLock<Engine> = LazyLock::new(|| engine(Mode::Monitor));

fn engine(mode: Mode) -> Engine {
    let mut settings = Settings::default();
    settings.bans.duration = Duration::from_secs(60);
    settings.path_rules = vec![PathRule {
        prefix: "/api/".into(),
        disable: vec![Protection::HeaderValidation],
        rate_limit: Some(RateLimitOverride { max: Some(10), ..RateLimitOverride::default() }),
    }];
    let keyword =
        |keyword: &str, source| KeywordEntry { keyword: keyword.into(), count: 1, source, added: None };
    let exempt = |path: &str| PathExemptionEntry { path: path.into(), reason: String::new(), added: None };
    let lists = Lists {
        keywords: vec![
            keyword("union select", KeywordSource::Manual),
            keyword("../", KeywordSource::Manual),
            keyword("cgi-bin", KeywordSource::Learned),
        ],
        path_exemptions: vec![exempt("/open/"), exempt("/*/x*y")],
        ..Lists::default()
    };
    let builder =
        Protection::ALL.into_iter().fold(Engine::builder().settings(settings), |b, p| b.mode(p, mode));
    builder
        .lists(lists)
        .countries(Arc::new(Countries))
        .model(Box::new(Model))
        .route("/items/{uuid}", RoutePolicy::default())
        .route("/files/{*path}", RoutePolicy::exempt_from([Protection::RateLimit]))
        .route("/admin", RoutePolicy::require_protection([Protection::RateLimit]))
        .build()
        .expect("the settings are fine")
}

struct Countries;

impl CountryLookup for Countries {
    fn country(&self, address: IpAddr) -> Option<CountryCode> {
        address.is_ipv6().then(|| "XX".parse().expect("two letters"))
    }
}

struct Model;

impl AnomalyModel for Model {
    fn score(&self, features: &[f64; aiwaf_core::FEATURE_COUNT]) -> f64 {
        assert!(features.iter().all(|feature| feature.is_finite()));
        0.7
    }

    fn threshold(&self) -> f64 {
        0.6
    }
}
