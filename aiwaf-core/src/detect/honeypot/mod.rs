//! `honeypot`: forms that come back faster than a person can type, or that were never loaded.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::ClientKey;
use crate::decode::{Buffer, normalize_path};
use crate::detect::{Inspection, Observation, asked_by_another_site};
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
mod tests;
