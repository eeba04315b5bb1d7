//! Which protections run.

use std::net::IpAddr;
use std::sync::Arc;

use aiwaf_core::{
    CountryCode, CountryLookup, Engine, EngineBuilder, Mode, Preset, Protection, ProtectionSet, Settings,
};

use crate::visit::{Visit, strict, strict_settings};

fn names(builder: EngineBuilder) -> Vec<&'static str> {
    builder.build().unwrap().enabled_protections().iter().map(Protection::name).collect()
}

#[test]
fn the_builder_selects() {
    let all = Protection::ALL.map(Protection::name).to_vec();
    let build = Engine::builder;
    let rate_and_geo = [Protection::GeoBlock, Protection::RateLimit];
    for (builder, expected) in [
        (build(), all.clone()),
        (build().only(rate_and_geo), vec!["rate_limit", "geo_block"]),
        (build().only(rate_and_geo).disable([Protection::GeoBlock]), vec!["rate_limit"]),
        (build().disable(Protection::ALL), vec![]),
        (build().preset(Preset::Minimal), vec!["ip_keyword_block", "rate_limit", "logging"]),
        (
            build().preset(Preset::Minimal).disable([Protection::Logging]),
            vec!["ip_keyword_block", "rate_limit"],
        ),
        (build().preset(Preset::Minimal).only([Protection::Honeypot]), vec!["honeypot"]),
        (build().only([Protection::Honeypot]).mode(Protection::Honeypot, Mode::Off), vec![]),
        (build().only([Protection::Logging]).mode(Protection::Logging, Mode::Monitor), vec!["logging"]),
        (build().mode(Protection::UuidTamper, Mode::Monitor), all.clone()),
    ] {
        assert_eq!(names(builder), expected);
    }
}

#[cfg(feature = "toml")]
#[test]
fn variables_select_by_name_and_by_the_original_s_class_names() {
    for (name, value, expected) in [
        ("AIWAF_MIDDLEWARES", "rate_limit,HoneypotTimingMiddleware", &["rate_limit", "honeypot"][..]),
        ("AIWAF_PRESET", "ai_focused", &["rate_limit", "header_validation", "ai_anomaly", "logging"]),
        (
            "AIWAF_RATE_LIMIT_MODE",
            "off",
            &[
                "ip_keyword_block",
                "geo_block",
                "header_validation",
                "uuid_tamper",
                "honeypot",
                "ai_anomaly",
                "attack_signatures",
                "logging",
            ],
        ),
    ] {
        let settings = Settings::load(None, [(name.to_owned(), value.to_owned())]).unwrap();
        assert_eq!(names(Engine::builder().settings(settings)), expected, "{name}={value}");
    }
}

#[test]
fn an_engine_without_protections_allows_everything_and_logs_nothing() {
    let engine = Engine::builder().disable(Protection::ALL).build().unwrap();
    let verdict = Visit::get("/.env").bare().inspect(&engine);
    assert!(verdict.is_allowed() && verdict.applied == ProtectionSet::EMPTY);
}

struct Everywhere;

impl CountryLookup for Everywhere {
    fn country(&self, _: IpAddr) -> Option<CountryCode> {
        "XX".parse().ok()
    }
}

/// For each protection a request that it objects to, and besides it at most the signatures, after `warm_up` that nobody objects to.
fn offences() -> Vec<(Protection, Vec<Visit>, Visit)> {
    let burst = |count: u32| (0..count).map(|n| Visit::get("/").at(f64::from(n) * 0.01)).collect();
    vec![
        (Protection::IpKeywordBlock, vec![], Visit::get("/.git/config")),
        (Protection::RateLimit, burst(100), Visit::get("/").at(2.0)),
        (Protection::HeaderValidation, vec![], Visit::get("/").header("user-agent", "sqlmap/1.8")),
        (Protection::UuidTamper, vec![], Visit::get("/x?uuid=7'--")),
        (Protection::Honeypot, vec![], Visit::form("/login")),
        (Protection::AttackSignatures, vec![], Visit::get("/search?q=<script>alert(1)</script>")),
    ]
}

#[test]
fn each_protection_objects_to_its_own_and_to_nothing_else() {
    for (protection, before, offence) in offences() {
        // A scanner's agent and a quote in an identifier are signatures of attacks as well.
        let signatures = Protection::AttackSignatures;
        let others = || {
            Engine::builder()
                .settings(strict_settings())
                .disable((protection != signatures).then_some(signatures))
        };
        for (engine, denies) in [
            (strict(), true),
            (Engine::builder().settings(strict_settings()).only([protection]).build().unwrap(), true),
            (others().disable([protection]).build().unwrap(), false),
            (others().mode(protection, Mode::Monitor).build().unwrap(), false),
        ] {
            for visit in &before {
                assert!(visit.exchange(&engine, 200).is_allowed());
            }
            let verdict = offence.inspect(&engine);
            assert_eq!(!verdict.is_allowed(), denies, "{protection}: {verdict:?}");
            if denies {
                assert_eq!(verdict.finding.unwrap().protection, protection);
            }
        }
    }
}

#[test]
fn countries_need_a_look_up_and_a_list() {
    let mut settings = Settings::default();
    settings.geo_block.blocked_countries = vec!["xx".parse().unwrap()];
    let build = || Engine::builder().settings(settings.clone());
    let visit = Visit::get("/");
    assert!(visit.inspect(&build().build().unwrap()).is_allowed());
    let engine = build().countries(Arc::new(Everywhere)).build().unwrap();
    assert_eq!(visit.objection(&engine).as_deref(), Some("Geo blocked: XX"));
    assert_eq!(engine.country_of([192, 0, 2, 1].into()).unwrap().as_str(), "XX");
    let idle = Engine::builder().countries(Arc::new(Everywhere)).build().unwrap();
    assert!(visit.inspect(&idle).is_allowed());
}

#[test]
fn what_is_wrong_with_a_builder_is_said() {
    let mut settings = Settings::default();
    settings.rate_limit.max = 0;
    let error = Engine::builder().settings(settings).build().err().unwrap().to_string();
    assert_eq!(error, "rate_limit.max = 0 is not allowed: give 1 to 100000");
    let error = Engine::builder().route("items", aiwaf_core::RoutePolicy::exempt()).build().err().unwrap();
    assert!(error.to_string().contains("\"items\""), "{error}");
}
