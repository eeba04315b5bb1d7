//! Forms of people and of bots.

use proptest::prelude::*;

use super::*;
use crate::detect::ClientMemory;
use crate::detect::tests::{Exchange, Kept, client};
use crate::timestamp::Timestamp;

const FORM: &str = "application/x-www-form-urlencoded";

fn honeypot() -> Kept<Honeypot> {
    Kept::new(Honeypot::new(&HoneypotSettings::default()))
}

fn page(path: &str) -> Exchange {
    Exchange::get(path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
}

fn form(path: &str) -> Exchange {
    Exchange::post(path).header("content-type", FORM).header("accept", "text/html,*/*;q=0.8")
}

impl Kept<Honeypot> {
    fn load(&mut self, exchange: &Exchange) {
        self.response(exchange, 200);
    }

    fn judge(&mut self, exchange: &Exchange) -> Option<Reason> {
        self.head(exchange).map(|finding| finding.reason)
    }
}

#[test]
fn a_form_takes_a_person_some_time() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/contact").at(0.0));
    let too_fast = Reason::FormTooFast(Duration::from_millis(1500));
    assert_eq!(honeypot.judge(&form("/contact").at(1.5)), Some(too_fast));
    honeypot.load(&page("/contact").at(10.0));
    assert_eq!(honeypot.judge(&form("/contact").at(12.0)), None);
    let charset = Exchange::post("/contact").header("content-type", "Multipart/Form-Data; boundary=x");
    assert_eq!(honeypot.judge(&charset.at(30.0)), None);
}

#[test]
fn original_defect_16_two_people_behind_one_address() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/login").at(0.0)); // B
    honeypot.load(&page("/login").at(60.0)); // A
    assert_eq!(honeypot.judge(&form("/login").at(61.0)), None); // B
    assert_eq!(honeypot.judge(&form("/login").at(70.0)), None); // A
    // Another page that was just loaded says nothing about this form.
    honeypot.load(&page("/login").at(100.0));
    honeypot.load(&page("/news").at(109.0));
    assert_eq!(honeypot.judge(&form("/login").at(110.0)), None);
}

#[test]
fn original_defect_16_who_never_loads_the_form_does_not_pass() {
    let mut honeypot = honeypot();
    let plain = Exchange::post("/login").header("content-type", FORM).header("accept", "*/*");
    assert_eq!(honeypot.judge(&plain), Some(Reason::FormNotLoaded));
    // Not even as a script, or with the names of pages that it has not loaded.
    let script = plain.clone().header("x-requested-with", "XMLHttpRequest");
    assert_eq!(honeypot.judge(&script), Some(Reason::FormNotLoaded));
    let forged =
        form("/login").header("referer", "https://example.com/").header("origin", "https://example.com");
    assert_eq!(honeypot.judge(&forged), Some(Reason::FormNotLoaded));
    // What somebody else loaded does not help.
    honeypot.load(&page("/login").from(2).at(-60.0));
    assert_eq!(honeypot.judge(&plain), Some(Reason::FormNotLoaded));
    // What is too old does not help either.
    honeypot.load(&page("/login").at(-90_000.0));
    assert_eq!(honeypot.judge(&plain), Some(Reason::FormNotLoaded));
}

#[test]
fn a_bot_that_reloads_all_the_time_is_too_fast_all_the_time() {
    let mut honeypot = honeypot();
    for round in 0..100 {
        let time = f64::from(round) * 0.7;
        honeypot.load(&page("/login").at(time));
        let reason = honeypot.judge(&form("/login").at(time + 0.1));
        assert!(matches!(reason, Some(Reason::FormTooFast(_))), "{round}: {reason:?}");
    }
}

#[test]
fn a_bot_that_loads_once_and_hammers_never_gets_in() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/login").at(0.0));
    for attempt in 1..100 {
        let reason = honeypot.judge(&form("/login").at(f64::from(attempt) * 0.3));
        assert!(matches!(reason, Some(Reason::FormTooFast(_))), "{attempt}: {reason:?}");
    }
}

#[test]
fn a_form_may_be_sent_to_another_path() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/").at(0.0));
    honeypot.load(&page("/Über uns").at(0.0));
    let post = form("/login").header("referer", "https://example.com/?from=mail");
    assert!(matches!(honeypot.judge(&post.clone().at(0.5)), Some(Reason::FormTooFast(_))));
    honeypot.load(&page("/").at(10.0));
    assert_eq!(honeypot.judge(&post.at(13.0)), None);
    honeypot.load(&page("/a b").at(10.0));
    assert_eq!(honeypot.judge(&form("/send").header("referer", "http://h:8080/A%20b#top").at(13.0)), None);
}

#[test]
fn a_referrer_policy_is_no_reason_to_be_denied() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/contact").at(0.0));
    let hidden = form("/contact/send").header("sec-fetch-site", "same-origin").header("origin", "null");
    assert_eq!(honeypot.judge(&hidden.at(8.0)), None);
    let unknown = form("/contact/send").from(2).header("sec-fetch-site", "same-origin");
    assert_eq!(honeypot.judge(&unknown.at(8.0)), Some(Reason::FormNotLoaded));
}

#[test]
fn a_double_click_passes_and_a_salvo_does_not() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/order").at(0.0));
    assert_eq!(honeypot.judge(&form("/order").at(9.0)), None);
    honeypot.load(&form("/order").at(9.0)); // its answer
    assert_eq!(honeypot.judge(&form("/order").at(9.3)), None);
    for click in 0..10 {
        let reason = honeypot.judge(&form("/order").at(9.4 + f64::from(click) * 0.1));
        assert!(matches!(reason, Some(Reason::FormTooFast(_))), "{click}: {reason:?}");
    }
}

#[test]
fn a_corrected_form_and_one_that_was_gone_back_to_pass() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/signup").at(0.0));
    assert_eq!(honeypot.judge(&form("/signup").at(20.0)), None);
    honeypot.response(&form("/signup").at(20.0), 422);
    assert_eq!(honeypot.judge(&form("/signup").at(25.0)), None);
    honeypot.response(&form("/signup").at(25.0), 303);
    // Back, without loading anything, and once more.
    assert_eq!(honeypot.judge(&form("/signup").at(40.0)), None);
}

#[test]
fn scripts_may_send_at_once() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/shop").at(0.0));
    let json = Exchange::post("/api/items").header("content-type", "application/json").at(0.1);
    assert_eq!(honeypot.judge(&json), None);
    let script = form("/shop").header("sec-fetch-mode", "cors").header("sec-fetch-dest", "empty");
    assert_eq!(honeypot.judge(&script.at(0.1)), None);
    let beacon =
        Exchange::post("/seen").header("content-type", "text/plain;charset=UTF-8").header("accept", "*/*");
    assert_eq!(honeypot.judge(&beacon.at(0.1)), None);
}

#[test]
fn what_frameworks_take_for_a_form_is_one() {
    for kind in [
        "application/x-www-form-urlencodedx",
        "Application/X-WWW-Form-Urlencoded, a",
        "multipart/form-data-x",
    ] {
        let post = Exchange::post("/login").header("content-type", kind);
        assert_eq!(honeypot().judge(&post), Some(Reason::FormNotLoaded), "{kind}");
    }
    let json = Exchange::post("/login").header("content-type", "application/json");
    assert_eq!(honeypot().judge(&json), None);
}

#[test]
fn a_form_of_this_site_is_judged_whatever_site_it_claims_to_come_from() {
    let mut honeypot = honeypot();
    // Other clients were shown a page there.
    let post = form("/login").known().header("sec-fetch-site", "cross-site");
    assert_eq!(honeypot.judge(&post), Some(Reason::FormNotLoaded));
}

#[test]
fn a_refused_form_uses_up_one_load_and_says_how_long_it_took() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/login").at(0.0));
    let post = form("/login").header("referer", "https://example.com/login").at(1.5);
    assert_eq!(honeypot.judge(&post), Some(Reason::FormTooFast(Duration::from_millis(1500))));
}

#[test]
fn form_corrected_quickly_costs_points() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/login").at(0.0));
    assert_eq!(honeypot.judge(&form("/login").at(3.0)), None);
    honeypot.load(&form("/login").at(3.0));
    let mut evidence = |second| honeypot.head(&form("/login").at(second)).map(|finding| finding.evidence);
    assert_eq!(evidence(4.5), Some(Evidence::FAST_FORM));
}

#[test]
fn many_people_behind_one_address_may_open_a_form_at_once() {
    let mut honeypot = honeypot();
    for _ in 0..10 {
        honeypot.load(&page("/login").at(0.0));
    }
    for person in 0..10 {
        assert_eq!(honeypot.judge(&form("/login").at(2.1)), None, "{person}");
    }
}

#[test]
fn pages_of_other_sites_may_send_forms_here() {
    for (mode, site) in [("navigate", "cross-site"), ("cors", "same-site"), ("no-cors", "cross-site")] {
        let post = form("/saml/acs").header("sec-fetch-mode", mode).header("sec-fetch-site", site);
        assert_eq!(honeypot().judge(&post), None, "{mode} {site}");
    }
}

#[test]
fn what_is_no_page_is_no_page_load() {
    let mut honeypot = honeypot();
    honeypot.load(&Exchange::get("/login").header("accept", "image/avif,image/webp,*/*;q=0.8"));
    honeypot.load(&Exchange::get("/login").header("sec-fetch-mode", "cors").header("accept", "*/*"));
    honeypot.response(&page("/login"), 404);
    honeypot.response(&page("/login"), 302);
    assert_eq!(honeypot.judge(&form("/login").at(60.0)), Some(Reason::FormNotLoaded));
    honeypot.response(&page("/login"), 401);
    assert_eq!(honeypot.judge(&form("/login").at(60.0)), None);
}

#[test]
fn a_clock_that_is_set_back_denies_nobody() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/login").at(3600.0));
    assert_eq!(honeypot.judge(&form("/login").at(10.0)), None);
}

#[test]
fn many_people_behind_one_address_may_have_a_form_open() {
    let mut honeypot = honeypot();
    for person in 0..40 {
        honeypot.load(&page("/exam").at(f64::from(person) * 3.0));
    }
    for person in 0..40 {
        assert_eq!(honeypot.judge(&form("/exam").at(600.0 + f64::from(person) * 3.0)), None, "{person}");
    }
}

#[test]
fn pages_of_one_client_are_bounded() {
    let mut honeypot = honeypot();
    assert!(size_of::<Pages>() <= 24, "{}", size_of::<Pages>());
    honeypot.load(&page("/form").at(0.0));
    for number in 0..127 {
        honeypot.load(&page(&format!("/page/{number}")).at(f64::from(number)));
    }
    assert_eq!(honeypot.judge(&form("/form").at(200.0)), None);
    for number in 0..20_000 {
        honeypot.load(&page(&format!("/page/{number}")).at(300.0));
    }
    assert!(honeypot.clients[&client(1)].heap_bytes() < 10_000);
    assert_eq!(honeypot.judge(&form("/form").at(400.0)), None, "any page will do");
}

#[test]
fn client_that_the_site_has_seen_may_send_any_form() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/").at(0.0));
    assert_eq!(honeypot.judge(&form("/newsletter/subscribe").at(30.0)), None);
    // Another address of the same person, or the same one after a restart.
    let moved = form("/login").from(2).header("cookie", "session=1f2e");
    assert_eq!(honeypot.judge(&moved.at(30.0)), None);
    assert_eq!(
        honeypot.judge(&form("/login").from(3).header("cookie", " ").at(30.0)),
        Some(Reason::FormNotLoaded)
    );
}

#[test]
fn header_of_scripts_alone_switches_no_timing_off() {
    let mut honeypot = honeypot();
    honeypot.load(&page("/login").at(0.0));
    let claimed = form("/login").header("x-requested-with", "XMLHttpRequest").at(0.2);
    assert!(matches!(honeypot.judge(&claimed), Some(Reason::FormTooFast(_))));
    honeypot.load(&page("/login").at(10.0));
    let script = form("/login")
        .header("x-requested-with", "XMLHttpRequest")
        .header("host", "shop.example")
        .header("referer", "https://shop.example/login");
    assert_eq!(honeypot.judge(&script.at(10.2)), None);
}

proptest! {
    #[test]
    fn odd_times_headers_and_orders_never_panic(
        steps in prop::collection::vec((any::<bool>(), any::<i64>(), "[ -~]{0,30}"), 0..60),
    ) {
        let mut honeypot = honeypot();
        for (loads, time, text) in steps {
            let time = Timestamp::from_unix_micros(time);
            if loads {
                honeypot.load(&page("/f").at_time(time).header("sec-fetch-mode", &text));
            } else {
                honeypot.judge(&form("/f").at_time(time).header("referer", &text));
                honeypot.judge(&form("/f").at_time(time).header("referer", &format!("https://h/{text}")));
            }
        }
    }
}
