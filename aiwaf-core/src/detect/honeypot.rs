//! `honeypot`: forms that come back faster than a person can type, or that were never loaded.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Inspection, Observation, asked_by_another_site};
use crate::client::ClientKey;
use crate::decode::{Buffer, normalize_path};
use crate::protection::{Mode, Protection};
use crate::request::Request;
use crate::settings::seconds;
use crate::state::{BoundedMap, hash_text};
use crate::timestamp::Timestamp;
use crate::verdict::{BanWeight, Finding, Reason};

/// `[honeypot]`: how long a person takes to fill in a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoneypotSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many forms sent too quickly within `bans.window` ban the client; 0 is never. A form that was not loaded is
    /// weaker proof (a restart forgets page loads): it takes at least 3. Default: 1.
    pub ban_after: u32,
    /// The least time between loading a form and sending it, in seconds, 0 to 3,600 (`AIWAF_MIN_FORM_TIME`). Default: 2.
    #[serde(with = "seconds")]
    pub min_form_time: Duration,
    /// How long a loaded form may be sent, in seconds, 60 to 604,800 (`AIWAF_MAX_PAGE_TIME`). Default: 86,400.
    #[serde(with = "seconds")]
    pub max_page_time: Duration,
    /// Most page loads that are remembered at the same time; about 120 bytes each. Default: 250,000.
    pub max_pages: usize,
}

impl Default for HoneypotSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            min_form_time: Duration::from_secs(2),
            max_page_time: Duration::from_hours(24),
            max_pages: 250_000,
        }
    }
}

/// Knows which client loaded which page when, and judges forms by it.
///
/// **What is a form**: a `POST` with one of the three content types that an HTML form can have.
///
/// **What is a page load**: a `GET` that a person navigated to and that showed a page (2xx, 304, 401 or 403), and the
/// answer to a form (2xx or 4xx), for that shows the form again with its errors.
///
/// **Which page holds the form**: the path that it is sent to, or the path of the `Referer`. The host in there is not
/// compared, for many proxies rewrite `Host`, and what counts is that this client has loaded that path here. A browser
/// that hides the path (`Referrer-Policy`) or has changed it by script still says that the form is from this
/// site: then any page that the client loaded will do.
///
/// **When is it too fast**: several people may share an address, so neither the first nor the latest load of a page
/// says when *this* person loaded it. Every form therefore uses up one load, the oldest one, and that must be
/// `min_form_time` old. A bot that loads, sends, loads, sends is too fast each time; one person's load does not make
/// another's form too fast. The price: a bot that loads the page once more than it sends forms, and long before, passes.
/// If all loads are used up (somebody went back to the form, which loads nothing) the time since the last form counts.
/// A second click within a second of an accepted form passes, once.
///
/// **What is not judged by time**: a form that a script sends, for scripts may do that as soon as they run; the client
/// must have loaded some page, though. And a form that comes from a page of another site is not judged at all, unless it
/// goes to a path that shows a page here: that is how banks and identity providers return people, and how pages use an
/// API on a host of its own; they may not have seen a page of this site yet.
pub(crate) struct Honeypot {
    pages: BoundedMap<(ClientKey, u64), Page>,
    /// Paths that showed a page to anybody: where a form of this site may stand, so no address for those of others.
    own_forms: BoundedMap<u64, ()>,
    min_form_time: Duration,
    max_page_time: Duration,
}

impl Honeypot {
    pub(crate) fn new(settings: &HoneypotSettings) -> Self {
        Self {
            pages: BoundedMap::new(settings.max_pages),
            own_forms: BoundedMap::new(MAX_OWN_FORMS),
            min_form_time: settings.min_form_time,
            max_page_time: settings.max_page_time,
        }
    }

    /// Judges a form.
    pub(crate) fn inspect(&self, inspection: &Inspection<'_>) -> Option<Finding> {
        let request = inspection.request;
        if !is_form(request) {
            return None;
        }
        let client = inspection.client;
        let path = hash_text(inspection.path);
        if asked_by_another_site(request) && self.own_forms.get(&path, |()| ()).is_none() {
            return None;
        }
        if is_sent_by_script(request) {
            let loaded =
                self.pages.get(&(client, ANY_PAGE), |page| page.is_fresh(request.time, self.max_page_time));
            return (loaded != Some(true)).then(|| objection(Reason::FormNotLoaded));
        }
        let own = self.send(client, path, request.time);
        if own == Some(Timing::Accepted) {
            return None;
        }
        let referring = request
            .header("referer")
            .and_then(url_path)
            .map(page_hash)
            // One form uses up one load: a page that sends to itself is not asked twice.
            .filter(|referring| *referring != path)
            .and_then(|referring| self.send(client, referring, request.time));
        let timing = match (referring, own) {
            (Some(timing), _) | (None, Some(timing)) => Some(timing),
            (None, None) if says_same_site(request) => self.send(client, ANY_PAGE, request.time),
            (None, None) => None,
        };
        match timing {
            Some(Timing::Accepted) => None,
            Some(Timing::TooFast { after, is_first }) => {
                // Whoever corrects a form, or clicks once too often, is merely quick.
                let weight = if is_first { BanWeight::Full } else { BanWeight::Light };
                Some(objection(Reason::FormTooFast(after)).with_weight(weight))
            }
            None => Some(objection(Reason::FormNotLoaded)),
        }
    }

    /// Takes note of a page that was shown.
    pub(crate) fn observe(&self, observation: &Observation<'_>) {
        let inspection = &observation.inspection;
        let request = inspection.request;
        let status = observation.outcome.status;
        let shown = match request.method {
            "GET" => matches!(status, 200..=299 | 304 | 401 | 403) && is_navigation(request),
            "POST" => {
                matches!(status, 200..=299 | 400..=499) && is_form(request) && !is_sent_by_script(request)
            }
            _ => false,
        };
        if shown {
            if request.method == "GET" {
                self.own_forms.update(hash_text(inspection.path), || (), |()| ());
            }
            for page in [hash_text(inspection.path), ANY_PAGE] {
                self.pages.update((inspection.client, page), Page::new, |page| {
                    page.forget(request.time, self.max_page_time);
                    page.load(request.time);
                });
            }
        }
    }

    /// A form of `page` comes back; `None` if the client did not load it, or too long ago.
    fn send(&self, client: ClientKey, page: u64, now: Timestamp) -> Option<Timing> {
        self.pages
            .get(&(client, page), |page| {
                page.forget(now, self.max_page_time);
                page.send(now, self.min_form_time)
            })
            .flatten()
    }
}

fn objection(reason: Reason) -> Finding {
    let finding = Finding::block(Protection::Honeypot, reason);
    match finding.reason {
        Reason::FormNotLoaded => finding.with_weight(BanWeight::Light),
        _ => finding,
    }
}

/// Stands for whatever page the client loaded; no attacker can find a path with this hash.
const ANY_PAGE: u64 = 0;

/// The second click of a double click comes within this time.
const DOUBLE_CLICK: Duration = Duration::from_secs(1);

/// A time that lies further ahead than this is that of a clock that was set back since.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

/// Paths that are remembered as pages of this site.
const MAX_OWN_FORMS: usize = 10_000;

/// So many people behind one address may have a form open before their loads are counted together.
const MAX_LOADS: usize = 6;

/// What one client did with one page.
struct Page {
    /// The loads that no form has used up, oldest first.
    loads: [Timestamp; MAX_LOADS],
    loaded: u8,
    /// So many more loads there were, none of them later than the last one that is kept.
    surplus: u8,
    /// Whether the one second click that may follow has come.
    clicked_twice: bool,
    /// When a form was last accepted, or refused with no load left.
    last_form: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timing {
    Accepted,
    TooFast {
        after: Duration,
        /// No form of this page was accepted from this client before.
        is_first: bool,
    },
}

impl Page {
    fn new() -> Self {
        Self {
            loads: [Timestamp::UNIX_EPOCH; MAX_LOADS],
            loaded: 0,
            surplus: 0,
            clicked_twice: false,
            last_form: None,
        }
    }

    fn waiting(&self) -> &[Timestamp] {
        self.loads.get(..usize::from(self.loaded)).unwrap_or_default()
    }

    fn is_fresh(&self, now: Timestamp, max_page_time: Duration) -> bool {
        self.waiting()
            .last()
            .copied()
            .max(self.last_form)
            .is_some_and(|last| now.since(last) <= max_page_time)
    }

    /// Forgets loads and forms that are older than `max_page_time`.
    fn forget(&mut self, now: Timestamp, max_page_time: Duration) {
        let old = self.waiting().iter().take_while(|load| now.since(**load) > max_page_time).count();
        self.drop_oldest(old);
        self.last_form = self.last_form.filter(|form| now.since(*form) <= max_page_time);
    }

    fn drop_oldest(&mut self, count: usize) {
        self.loads.rotate_left(count.min(MAX_LOADS));
        self.loaded = self.loaded.saturating_sub(u8::try_from(count).unwrap_or(u8::MAX));
        if self.loaded == 0 {
            self.surplus = 0;
        }
    }

    /// A form uses up the oldest load; of those that are counted together, the last one stays until all are used up.
    fn use_up_oldest(&mut self) {
        if self.loaded == 1 && self.surplus > 0 {
            self.surplus -= 1;
        } else {
            self.drop_oldest(usize::from(self.loaded > 0));
        }
    }

    /// Beyond `MAX_LOADS` the newest load is replaced and counted: the old ones are what shows that people had time.
    fn load(&mut self, now: Timestamp) {
        let at = usize::from(self.loaded).min(MAX_LOADS - 1);
        if let Some(load) = self.loads.get_mut(at) {
            *load = now;
            self.surplus = self.surplus.saturating_add(u8::from(usize::from(self.loaded) == MAX_LOADS));
            self.loaded = u8::try_from(at + 1).unwrap_or(u8::MAX);
        }
    }

    fn send(&mut self, now: Timestamp, min_form_time: Duration) -> Option<Timing> {
        let since = |time: Timestamp| {
            // The clock was set back: nobody knows how long it took.
            if time > now + CLOCK_TOLERANCE { Duration::MAX } else { now.since(time) }
        };
        let reference = self.waiting().first().copied().or(self.last_form)?;
        let waiting = since(reference);
        if waiting >= min_form_time {
            self.use_up_oldest();
            self.last_form = Some(now);
            self.clicked_twice = false;
            return Some(Timing::Accepted);
        }
        if !self.clicked_twice && self.last_form.is_some_and(|form| since(form) <= DOUBLE_CLICK) {
            self.clicked_twice = true;
            return Some(Timing::Accepted);
        }
        // The load that belongs to this form, the newest, is used up as well, and without loads the time since this
        // attempt will count: or a bot would only have to go on for two seconds.
        let is_first = self.last_form.is_none();
        if self.surplus > 0 {
            self.surplus -= 1;
        } else {
            self.loaded = self.loaded.saturating_sub(1);
        }
        if self.loaded == 0 {
            self.last_form = Some(now);
            self.clicked_twice = true;
        }
        Some(Timing::TooFast { after: waiting, is_first })
    }
}

/// Whether it is something that an HTML form sends, or that a framework takes for it: some look only at how the content
/// type begins.
fn is_form(request: &Request<'_>) -> bool {
    const TYPES: [&[u8]; 3] = [b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"];
    let begins_with = |media: &[u8], form: &[u8]| {
        media.get(..form.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(form))
    };
    request.method == "POST"
        && media_type(request).is_some_and(|media| TYPES.iter().any(|form| begins_with(media, form)))
}

fn media_type<'r>(request: &Request<'r>) -> Option<&'r [u8]> {
    let content_type = request.header("content-type")?;
    content_type.split(|&byte| byte == b';').next().map(<[u8]>::trim_ascii)
}

/// Whether a person sees the answer as a page. Browsers say so; of others it is believed, unless the `Accept` header
/// asks for something else than a page (an image, a style sheet).
fn is_navigation(request: &Request<'_>) -> bool {
    if accepts_html(request) {
        return true;
    }
    match request.header("sec-fetch-mode") {
        Some(mode) => mode == b"navigate",
        None => request.header("accept").is_none_or(|accept| accept.trim_ascii() == b"*/*"),
    }
}

fn accepts_html(request: &Request<'_>) -> bool {
    request
        .header("accept")
        .is_some_and(|accept| accept.windows(9).any(|word| word.eq_ignore_ascii_case(b"text/html")))
}

/// Whether a script of a page sends the form: it says so itself, or it is text that no HTML form would expect to be
/// answered by anything but a page (a beacon of a browser that says nothing about it).
fn is_sent_by_script(request: &Request<'_>) -> bool {
    match request.header("sec-fetch-mode") {
        Some(mode) if mode != b"navigate" => return true,
        Some(_) => return false,
        None => {}
    }
    request.header("x-requested-with").is_some()
        || (media_type(request).is_some_and(|media| media.eq_ignore_ascii_case(b"text/plain"))
            && request.header("accept").is_some()
            && !accepts_html(request))
}

/// Whether the browser says that the form is from this site, without saying from which page.
fn says_same_site(request: &Request<'_>) -> bool {
    match request.header("sec-fetch-site") {
        Some(site) => site == b"same-origin",
        None => request.header("origin").is_some(),
    }
}

/// The path of an absolute URL, as it stands there. Where a policy lets only the origin be sent it is `/`.
fn url_path(url: &[u8]) -> Option<&[u8]> {
    let scheme = url.windows(3).position(|part| part == b"://")?;
    let rest = url.get(scheme + 3..)?;
    let start = rest.iter().position(|&byte| byte == b'/')?;
    let path = rest.get(start..)?;
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(path.len());
    path.get(..end)
}

/// The path as it was when the page was loaded.
fn page_hash(path: &[u8]) -> u64 {
    let mut normal = Buffer::new();
    normalize_path(path, &mut normal);
    hash_text(&normal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::tests::Exchange;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn honeypot() -> Honeypot {
        Honeypot::new(&HoneypotSettings::default())
    }

    fn page(path: &str) -> Exchange {
        Exchange::get(path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
    }

    fn form(path: &str) -> Exchange {
        Exchange::post(path).header("content-type", FORM).header("accept", "text/html,*/*;q=0.8")
    }

    impl Honeypot {
        fn load(&self, exchange: &Exchange) {
            exchange.observe(200, |observation| self.observe(observation));
        }

        fn judge(&self, exchange: &Exchange) -> Option<Reason> {
            exchange.inspect(|inspection| self.inspect(inspection)).map(|finding| finding.reason)
        }
    }

    #[test]
    fn a_form_takes_a_person_some_time() {
        let honeypot = honeypot();
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
        let honeypot = honeypot();
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
        let honeypot = honeypot();
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
        let honeypot = honeypot();
        for round in 0..100 {
            let time = f64::from(round) * 0.7;
            honeypot.load(&page("/login").at(time));
            let reason = honeypot.judge(&form("/login").at(time + 0.1));
            assert!(matches!(reason, Some(Reason::FormTooFast(_))), "{round}: {reason:?}");
        }
    }

    #[test]
    fn a_bot_that_loads_once_and_hammers_never_gets_in() {
        let honeypot = honeypot();
        honeypot.load(&page("/login").at(0.0));
        for attempt in 1..100 {
            let reason = honeypot.judge(&form("/login").at(f64::from(attempt) * 0.3));
            assert!(matches!(reason, Some(Reason::FormTooFast(_))), "{attempt}: {reason:?}");
        }
    }

    #[test]
    fn a_form_may_be_sent_to_another_path() {
        let honeypot = honeypot();
        honeypot.load(&page("/").at(0.0));
        honeypot.load(&page("/Über uns").at(0.0));
        let post = form("/login").header("referer", "https://example.com/?from=mail");
        assert!(matches!(honeypot.judge(&post.clone().at(0.5)), Some(Reason::FormTooFast(_))));
        honeypot.load(&page("/").at(10.0));
        assert_eq!(honeypot.judge(&post.at(13.0)), None);
        honeypot.load(&page("/a b").at(10.0));
        assert_eq!(
            honeypot.judge(&form("/send").header("referer", "http://h:8080/A%20b#top").at(13.0)),
            None
        );
    }

    #[test]
    fn a_referrer_policy_is_no_reason_to_be_denied() {
        let honeypot = honeypot();
        honeypot.load(&page("/contact").at(0.0));
        let hidden = form("/contact/send").header("sec-fetch-site", "same-origin").header("origin", "null");
        assert_eq!(honeypot.judge(&hidden.at(8.0)), None);
        let unknown = form("/contact/send").from(2).header("sec-fetch-site", "same-origin");
        assert_eq!(honeypot.judge(&unknown.at(8.0)), Some(Reason::FormNotLoaded));
    }

    #[test]
    fn a_double_click_passes_and_a_salvo_does_not() {
        let honeypot = honeypot();
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
        let honeypot = honeypot();
        honeypot.load(&page("/signup").at(0.0));
        assert_eq!(honeypot.judge(&form("/signup").at(20.0)), None);
        form("/signup").at(20.0).observe(422, |observation| honeypot.observe(observation));
        assert_eq!(honeypot.judge(&form("/signup").at(25.0)), None);
        form("/signup").at(25.0).observe(303, |observation| honeypot.observe(observation));
        // Back, without loading anything, and once more.
        assert_eq!(honeypot.judge(&form("/signup").at(40.0)), None);
    }

    #[test]
    fn scripts_may_send_at_once() {
        let honeypot = honeypot();
        honeypot.load(&page("/shop").at(0.0));
        let json = Exchange::post("/api/items").header("content-type", "application/json").at(0.1);
        assert_eq!(honeypot.judge(&json), None);
        let script = form("/shop").header("sec-fetch-mode", "cors").header("sec-fetch-dest", "empty");
        assert_eq!(honeypot.judge(&script.at(0.1)), None);
        let beacon = Exchange::post("/seen")
            .header("content-type", "text/plain;charset=UTF-8")
            .header("accept", "*/*");
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
        let honeypot = honeypot();
        honeypot.load(&page("/login").from(9));
        let post = form("/login").header("sec-fetch-site", "cross-site");
        assert_eq!(honeypot.judge(&post), Some(Reason::FormNotLoaded));
    }

    #[test]
    fn a_refused_form_uses_up_one_load_and_says_how_long_it_took() {
        let honeypot = honeypot();
        honeypot.load(&page("/login").at(0.0));
        let post = form("/login").header("referer", "https://example.com/login").at(1.5);
        assert_eq!(honeypot.judge(&post), Some(Reason::FormTooFast(Duration::from_millis(1500))));
    }

    #[test]
    fn whoever_corrects_a_form_quickly_is_not_banned_at_once() {
        let honeypot = honeypot();
        honeypot.load(&page("/login").at(0.0));
        assert_eq!(honeypot.judge(&form("/login").at(3.0)), None);
        honeypot.load(&form("/login").at(3.0));
        let weight = |second| {
            form("/login")
                .at(second)
                .inspect(|inspection| honeypot.inspect(inspection).map(|finding| finding.weight))
        };
        assert_eq!(weight(4.5), Some(BanWeight::Light));
    }

    #[test]
    fn many_people_behind_one_address_may_open_a_form_at_once() {
        let honeypot = honeypot();
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
        let honeypot = honeypot();
        honeypot.load(&Exchange::get("/login").header("accept", "image/avif,image/webp,*/*;q=0.8"));
        honeypot.load(&Exchange::get("/login").header("sec-fetch-mode", "cors").header("accept", "*/*"));
        page("/login").observe(404, |observation| honeypot.observe(observation));
        page("/login").observe(302, |observation| honeypot.observe(observation));
        assert_eq!(honeypot.judge(&form("/login").at(60.0)), Some(Reason::FormNotLoaded));
        page("/login").observe(401, |observation| honeypot.observe(observation));
        assert_eq!(honeypot.judge(&form("/login").at(60.0)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_denies_nobody() {
        let honeypot = honeypot();
        honeypot.load(&page("/login").at(3600.0));
        assert_eq!(honeypot.judge(&form("/login").at(10.0)), None);
    }

    #[test]
    fn many_people_behind_one_address_may_have_a_form_open() {
        let honeypot = honeypot();
        for person in 0..40 {
            honeypot.load(&page("/exam").at(f64::from(person) * 3.0));
        }
        for person in 0..40 {
            assert_eq!(honeypot.judge(&form("/exam").at(600.0 + f64::from(person) * 3.0)), None, "{person}");
        }
    }

    #[test]
    fn memory_stays_within_its_bound() {
        let honeypot = Honeypot::new(&HoneypotSettings { max_pages: 1000, ..HoneypotSettings::default() });
        for number in 0..20_000 {
            honeypot.load(&page(&format!("/page/{number}")).from(number));
        }
        assert!(honeypot.pages.len() <= 1024);
        assert!(size_of::<((ClientKey, u64), Page)>() <= 96, "{}", size_of::<Page>());
    }

    proptest! {
        #[test]
        fn odd_times_headers_and_orders_never_panic(
            steps in prop::collection::vec((any::<bool>(), any::<i64>(), "[ -~]{0,30}"), 0..60),
        ) {
            let honeypot = honeypot();
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
}
