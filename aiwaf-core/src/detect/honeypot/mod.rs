//! `honeypot`: forms that come back faster than a person can type, or that were never loaded.

mod page;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::page::Pages;
use self::page::{ANY_PAGE, Timing};
use crate::bans::ledger::Evidence;
use crate::check::{SettingsError, seconds_within, within};
use crate::decode::{Buffer, normalize_path};
use crate::detect::{BuiltIn, Detector, DetectorError, Facts, Head, Inputs, Response};
use crate::protection::{Mode, Protection};
use crate::seconds;
use crate::state::hash_text;
use crate::timestamp::Timestamp;
use crate::verdict::{Finding, Reason};

/// `[honeypot]`: how long a person takes to fill in a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoneypotSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// Number of matches within `bans.window` that ban the client, whatever their evidence; 0 never bans. Default: not
    /// set, which is by evidence.
    #[serde(with = "crate::bans::ban_after")]
    pub ban_after: Option<u32>,
    /// The least time between loading a form and sending it, in seconds, 0 to 3,600 (`AIWAF_MIN_FORM_TIME`). Default: 2.
    #[serde(with = "seconds")]
    pub min_form_time: Duration,
    /// How long a loaded form may be sent, in seconds, 60 to 604,800 (`AIWAF_MAX_PAGE_TIME`). Default: 86,400.
    #[serde(with = "seconds")]
    pub max_page_time: Duration,
    /// Has no effect any more: page loads are part of the client's record, see `client.max_clients`. Default: 250,000.
    pub max_pages: usize,
}

impl HoneypotSettings {
    /// Checks every value's range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        seconds_within("honeypot.min_form_time", self.min_form_time, 0..=3600)?;
        seconds_within("honeypot.max_page_time", self.max_page_time, 60..=7 * 86_400)?;
        within("honeypot.max_pages", self.max_pages, 1_000..=100_000_000)
    }
}

impl Default for HoneypotSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: None,
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
/// compared, for many proxies rewrite `Host`, and what counts is that this client has loaded that path here. Browsers hide
/// the path (`Referrer-Policy`) or have changed it by script: then any page that the client loaded will do.
///
/// **When is it too fast**: several people may share an address, so neither the first nor the latest load of a page
/// says when *this* person loaded it. Every form therefore uses up one load, the oldest one, and that must be
/// `min_form_time` old. A bot that loads, sends, loads, sends is too fast each time; one person's load does not make
/// another's form too fast. The price: a bot that loads the page once more than it sends forms, and long before, passes.
/// If all loads are used up (somebody went back to the form, which loads nothing) the time since the last form counts.
/// A second click within a second of an accepted form passes, once.
///
/// **When is it not loaded**: if this client has loaded no page here at all and brings no cookies of this site. Restarts,
/// deployments and changing addresses forget page loads, so this is weak evidence and never more. A program that invents a
/// cookie passes this check; the others still see it.
///
/// **What is not judged by time**: a form that a script sends, for scripts may do that as soon as they run; the client
/// must have loaded some page, though. And a form that comes from a page of another site is not judged at all, unless it
/// goes to a path that shows a page here: that is how banks and identity providers return people, and how pages use an
/// API on a host of its own; they may not have seen a page of this site yet.
pub(crate) struct Honeypot {
    min_form_time: Duration,
    max_page_time: Duration,
}

impl Honeypot {
    pub(crate) fn new(settings: &HoneypotSettings) -> Self {
        Self { min_form_time: settings.min_form_time, max_page_time: settings.max_page_time }
    }

    /// A form of `page` comes back; `None` if the client did not load it, or too long ago.
    fn send(&self, client: &mut Pages, page: u64, now: Timestamp) -> Option<Timing> {
        let page = client.find(page)?;
        page.forget(now, self.max_page_time);
        page.send(now, self.min_form_time)
    }
}

impl BuiltIn for Honeypot {
    type Settings = HoneypotSettings;

    fn build(settings: &HoneypotSettings, _: &Inputs<'_>) -> Result<Self, DetectorError> {
        Ok(Self::new(settings))
    }
}

impl Detector for Honeypot {
    type Client = Pages;
    type Request = ();

    /// Judges a form.
    fn head(&self, head: &Head<'_>, client: &mut Pages, (): &mut ()) -> Option<Finding> {
        let facts = head.facts;
        if !facts.has(Facts::FORM) {
            return None;
        }
        let (path, now) = (head.context.path_hash, head.context.time);
        if facts.has(Facts::FROM_OTHER_SITE) && !head.site.shows_page(path) {
            return None;
        }
        if facts.has(Facts::SENT_BY_SCRIPT) {
            let loaded = client.find(ANY_PAGE).is_some_and(|page| page.is_fresh(now, self.max_page_time));
            return (!loaded && !facts.has(Facts::COOKIES)).then(not_loaded);
        }
        let own = self.send(client, path, now);
        if own == Some(Timing::Accepted) {
            return None;
        }
        let referring = head
            .headers
            .referer()
            .and_then(url_path)
            .map(page_hash)
            // One form uses up one load: a page that sends to itself is not asked twice.
            .filter(|referring| *referring != path)
            .and_then(|referring| self.send(client, referring, now));
        let timing = match (referring, own) {
            (Some(timing), _) | (None, Some(timing)) => Some(timing),
            (None, None) => self.send(client, ANY_PAGE, now),
        };
        match timing {
            Some(Timing::Accepted) => None,
            Some(Timing::TooFast(after)) => {
                let finding = Finding::block(Protection::Honeypot, Reason::FormTooFast(after));
                Some(finding.with_evidence(Evidence::FAST_FORM))
            }
            None => (!facts.has(Facts::COOKIES)).then(not_loaded),
        }
    }

    /// Notes a page that was shown.
    fn response(&self, response: &Response<'_>, client: &mut Pages) {
        if shows_page(response.context.facts, response.outcome.status) {
            client.load(response.context.path_hash, response.time(), self.max_page_time);
        }
    }
}

/// Reports whether a person was shown a page: by a navigation, or by the answer to a form, which shows the form again
/// with its errors.
pub(crate) fn shows_page(facts: Facts, status: u16) -> bool {
    if facts.has(Facts::NAVIGATION) {
        matches!(status, 200..=299 | 304 | 401 | 403)
    } else {
        facts.has(Facts::FORM) && !facts.has(Facts::SENT_BY_SCRIPT) && matches!(status, 200..=299 | 400..=499)
    }
}

fn not_loaded() -> Finding {
    Finding::block(Protection::Honeypot, Reason::FormNotLoaded).with_evidence(Evidence::LOW)
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
