//! What clients do over minutes: attackers are stopped, people and crawlers are not.

use std::time::Duration;

use aiwaf_core::{Engine, Protection, Verdict};

use crate::visit::{Visit, client, only, standard};

#[test]
fn client_that_never_repeats_a_path_is_limited_and_misses_alone_are_no_proof() {
    let scan = |engine: &Engine| -> Vec<Verdict> {
        (0..300)
            .map(|number| {
                Visit::get(format!("/old/{number}")).at(f64::from(number) * 0.2).exchange(engine, 404)
            })
            .collect()
    };
    let limited = scan(&only(&[Protection::RateLimit]));
    assert_eq!(limited.iter().filter(|verdict| verdict.is_allowed()).count(), 100);

    // A search engine, a link checker, a registry, a build tool that looks into several repositories.
    let engine = only(&[Protection::IpKeywordBlock, Protection::AiAnomaly]);
    assert!(scan(&engine).iter().all(|verdict| verdict.is_allowed() && verdict.ban.is_none()));
}

#[test]
fn a_few_scanning_paths_are_enough() {
    let engine = standard();
    let probes = [
        "/cgi-bin/luci",
        "/actuator/env",
        "/vendor/phpunit",
        "/solr/admin",
        "/boaform/admin",
        "/manager/html",
    ];
    let passed = probes
        .iter()
        .cycle()
        .zip(0..60)
        .filter(|(path, number)| {
            Visit::get(format!("{path}/{number}")).at(f64::from(*number)).exchange(&engine, 404).is_allowed()
        })
        .count();
    assert!(passed <= 10, "{passed}");
}

#[test]
fn learned_keywords_are_in_force_and_leave_what_the_site_has_alone() {
    let engine = standard();
    for number in [11, 12] {
        Visit::get("/evilshell/guide").from(client(number)).exchange(&engine, 200);
    }
    for number in 1..=3 {
        let probe = Visit::get("/cgi-bin/tests/badloader").from(client(number));
        assert!(probe.exchange(&engine, 404).is_allowed());
        Visit::get("/cgi-bin/evilshell").from(client(number)).at(1.0).exchange(&engine, 404);
    }
    let next = Visit::get("/anywhere/badloader").from(client(4)).at(2.0);
    assert_eq!(next.objection(&engine).as_deref(), Some("Keyword block: badloader"));
    assert_eq!(Visit::get("/evilshell/guide").from(client(5)).at(2.0).objection(&engine), None);
}

/// What a browser says about a request on behalf of a page.
fn embedded(visit: Visit, destination: &str) -> Visit {
    visit
        .header("accept", "*/*")
        .header("referer", "https://www.example.com/articles/1")
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-mode", "no-cors")
        .header("sec-fetch-dest", destination)
}

fn navigation(visit: Visit) -> Visit {
    visit
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document")
}

#[test]
fn an_hour_of_a_real_visitor_passes() {
    let engine = standard();
    let mut requests = 0;
    let mut pass = |visit: Visit, status| {
        requests += 1;
        let verdict = visit.exchange(&engine, status);
        assert!(verdict.is_allowed(), "{visit:?}: {verdict:?}");
    };
    for page in 0..20 {
        let start = f64::from(page) * 180.0;
        pass(navigation(Visit::get(format!("/articles/{page}?ref=home")).at(start)), 200);
        pass(embedded(Visit::get("/assets/site.css").at(start + 0.05), "style"), 200);
        pass(embedded(Visit::get("/assets/app.js").at(start + 0.06), "script"), 304);
        pass(embedded(Visit::get(format!("/media/{page}")).at(start + 0.1), "image"), 200);
        pass(embedded(Visit::get("/favicon.ico").at(start + 0.2), "image"), 404);
        pass(embedded(Visit::get("/apple-touch-icon.png").at(start + 0.2), "image"), 404);
        let api =
            |uri: String, time| embedded(Visit::get(uri).at(time), "empty").header("sec-fetch-mode", "cors");
        pass(api(format!("/api/comments/{page}"), start + 0.4), if page % 7 == 0 { 404 } else { 200 });
        pass(
            api(format!("/api/views/{page}"), start + 0.4)
                .method("POST")
                .header("content-type", "application/json"),
            204,
        );
        pass(navigation(Visit::get("/contact").at(start + 30.0)), 200);
        pass(
            navigation(Visit::form("/contact").at(start + 60.0))
                .header("referer", "https://www.example.com/contact"),
            303,
        );
    }
    assert_eq!(requests, 200);
}

#[test]
fn a_page_with_forty_broken_images_is_fine() {
    for modern in [true, false] {
        let engine = standard();
        for number in 0..40 {
            let image =
                Visit::get(format!("/uploads/2019/photo-{number}")).at(0.5 + f64::from(number) * 0.02);
            let image = if modern {
                embedded(image, "image")
            } else {
                image.header("accept", "image/*").header("referer", "http://www.example.com/articles/1")
            };
            assert!(image.exchange(&engine, 404).is_allowed(), "{number}");
        }
        assert_eq!(Visit::get("/articles/2").at(20.0).objection(&engine), None);
    }
}

#[test]
fn a_crawl_by_googlebot_passes() {
    let engine = standard();
    let googlebot = |path: String, time: f64| {
        Visit::get(path)
            .from([66, 249, 66, 1].into())
            .at(time)
            .header("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
            .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
            .header("from", "googlebot(at)googlebot.com")
            .without("accept-language")
    };
    assert!(googlebot("/robots.txt".into(), 0.0).exchange(&engine, 404).is_allowed());
    for number in 0..400 {
        // A tenth of what it remembers is gone by now.
        let status = if number % 10 == 3 { 404 } else { 200 };
        let visit = googlebot(format!("/articles/{number}"), 2.0 + f64::from(number) * 1.5);
        let verdict = visit.exchange(&engine, status);
        assert!(verdict.is_allowed(), "{number}: {verdict:?}");
    }
}

#[test]
fn a_flag_ends_with_its_window_if_nothing_bans() {
    let mut settings = aiwaf_core::Settings::default();
    settings.ai_anomaly.ban_after = Some(0);
    let engine = Engine::builder().settings(settings).only([Protection::AiAnomaly]).build().unwrap();
    for number in 0..5 {
        Visit::get(format!("/cgi-bin/{number}")).at(f64::from(number)).exchange(&engine, 404);
    }
    let window = Duration::from_mins(5).as_secs_f64();
    assert!(!Visit::get("/").at(4.0 + window - 1.0).inspect(&engine).is_allowed());
    assert!(Visit::get("/").at(4.0 + window).inspect(&engine).is_allowed());
}
