//! Facts about a request's head, found in one pass over its headers.

use crate::request::{Headers, Request, names_host};

/// The headers that several detectors read, found in one pass.
#[derive(Clone, Copy, Default)]
pub(crate) struct KnownHeaders<'r> {
    accept: Option<&'r [u8]>,
    accept_language: Option<&'r [u8]>,
    content_type: Option<&'r [u8]>,
    cookie: Option<&'r [u8]>,
    host: Option<&'r [u8]>,
    origin: Option<&'r [u8]>,
    referer: Option<&'r [u8]>,
    fetch_dest: Option<&'r [u8]>,
    fetch_mode: Option<&'r [u8]>,
    fetch_site: Option<&'r [u8]>,
    requested_with: Option<&'r [u8]>,
    user_agent: Option<&'r [u8]>,
}

impl<'r> KnownHeaders<'r> {
    /// Finds the headers; of a repeated one the first counts.
    pub(crate) fn read(headers: &'r dyn Headers) -> Self {
        let mut known = Self::default();
        headers.visit(&mut |name, value| {
            if let Some(slot) = known.slot(name.as_bytes())
                && slot.is_none()
            {
                *slot = Some(value);
            }
        });
        known
    }

    /// The length tells most names apart, and this runs for every header of every request.
    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<&'r [u8]>> {
        let (slot, wanted): (_, &[u8]) = match name.len() {
            4 => (&mut self.host, b"host"),
            6 => match name.first().map(|byte| byte | 0x20) {
                Some(b'a') => (&mut self.accept, b"accept"),
                Some(b'c') => (&mut self.cookie, b"cookie"),
                _ => (&mut self.origin, b"origin"),
            },
            7 => (&mut self.referer, b"referer"),
            10 if name.first().is_some_and(|byte| byte | 0x20 == b'u') => {
                (&mut self.user_agent, b"user-agent")
            }
            12 => (&mut self.content_type, b"content-type"),
            14 => match name.last().map(|byte| byte | 0x20) {
                Some(b't') => (&mut self.fetch_dest, b"sec-fetch-dest"),
                Some(b'e') if name.get(10).is_some_and(|byte| byte | 0x20 == b'm') => {
                    (&mut self.fetch_mode, b"sec-fetch-mode")
                }
                _ => (&mut self.fetch_site, b"sec-fetch-site"),
            },
            15 => (&mut self.accept_language, b"accept-language"),
            16 => (&mut self.requested_with, b"x-requested-with"),
            _ => return None,
        };
        // Servers give names in lower case.
        (name == wanted || name.eq_ignore_ascii_case(wanted)).then_some(slot)
    }

    /// The `Referer` header.
    pub(crate) fn referer(&self) -> Option<&'r [u8]> {
        self.referer
    }
}

/// Facts about a request that detectors ask for before and after the answer; a machine word, so that the transaction
/// carries them without the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Facts(u16);

impl Facts {
    /// The method is `GET`.
    pub(crate) const GET: Self = Self(1);
    /// A page of another site made the browser send it, says the browser.
    pub(crate) const FROM_OTHER_SITE: Self = Self(1 << 1);
    /// A page of any site made the browser send it, says the browser.
    pub(crate) const FROM_PAGE: Self = Self(1 << 2);
    /// A page of this site sent the client here, as far as one can believe it: the browser says so, or the referer's
    /// host is ours.
    pub(crate) const FROM_OWN_SITE: Self = Self(1 << 3);
    /// A page embeds it, as an image or a script.
    pub(crate) const EMBEDDED: Self = Self(1 << 4);
    /// A person sees the answer as a page.
    pub(crate) const NAVIGATION: Self = Self(1 << 5);
    /// A `POST` of something that an HTML form sends.
    pub(crate) const FORM: Self = Self(1 << 6);
    /// A script of a page sends it.
    pub(crate) const SENT_BY_SCRIPT: Self = Self(1 << 7);
    /// The headers look like those of a browser: its kind of agent, and a language or fetch metadata, which no page can
    /// make it leave out.
    pub(crate) const BROWSER: Self = Self(1 << 8);
    /// The request brings cookies.
    pub(crate) const COOKIES: Self = Self(1 << 9);
    /// The referer is a page of another site.
    pub(crate) const FOREIGN_REFERER: Self = Self(1 << 11);
    /// A `POST` of something that an HTML form can't send.
    pub(crate) const OTHER_CONTENT: Self = Self(1 << 10);

    /// Works the facts out.
    pub(crate) fn of(request: &Request<'_>, headers: &KnownHeaders<'_>) -> Self {
        let mut facts = Self(0);
        facts.set(Self::GET, request.method == "GET");
        if let Some(site) = headers.fetch_site {
            facts.set(Self::FROM_OTHER_SITE, matches!(site, b"cross-site" | b"same-site"));
            facts.set(Self::FROM_PAGE, matches!(site, b"same-origin" | b"same-site" | b"cross-site"));
            facts.set(Self::FROM_OWN_SITE, matches!(site, b"same-origin" | b"same-site"));
        } else {
            let own_host = |referer| headers.host.and_then(|host| names_host(referer, host));
            let is_own = headers.referer.and_then(own_host);
            facts.set(Self::FROM_OWN_SITE, is_own == Some(true));
            facts.set(Self::FOREIGN_REFERER, is_own == Some(false));
        }
        let is_browsers = |agent: &[u8]| agent.starts_with(b"Mozilla/") || agent.starts_with(b"Opera/");
        let says_more = headers.accept_language.is_some() || headers.fetch_site.is_some();
        facts.set(Self::BROWSER, says_more && headers.user_agent.is_some_and(is_browsers));
        facts.set(Self::COOKIES, headers.cookie.is_some_and(|cookie| !cookie.trim_ascii().is_empty()));
        let embedded = |destination: &[u8]| !matches!(destination, b"document" | b"empty" | b"");
        facts.set(Self::EMBEDDED, headers.fetch_dest.is_some_and(embedded));
        match request.method {
            "GET" => facts.set(Self::NAVIGATION, is_navigation(headers)),
            "POST" => {
                let is_form = is_form(headers);
                facts.set(Self::FORM, is_form);
                facts.set(Self::OTHER_CONTENT, !is_form && headers.content_type.is_some());
                let is_own = facts.has(Self::FROM_OWN_SITE);
                let is_sent_by_script = is_sent_by_script(headers, is_own);
                facts.set(Self::SENT_BY_SCRIPT, is_sent_by_script);
            }
            _ => {}
        }
        facts
    }

    fn set(&mut self, fact: Self, holds: bool) {
        self.0 |= if holds { fact.0 } else { 0 };
    }

    /// Whether all of `facts` hold.
    pub(crate) const fn has(self, facts: Self) -> bool {
        self.0 & facts.0 == facts.0
    }
}

/// Whether it is something that an HTML form sends, or that a framework takes for it: some look only at how the content
/// type begins.
fn is_form(headers: &KnownHeaders<'_>) -> bool {
    const TYPES: [&[u8]; 3] = [b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"];
    let begins_with = |media: &[u8], form: &[u8]| {
        media.get(..form.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(form))
    };
    media_type(headers).is_some_and(|media| TYPES.iter().any(|form| begins_with(media, form)))
}

fn media_type<'r>(headers: &KnownHeaders<'r>) -> Option<&'r [u8]> {
    headers.content_type?.split(|&byte| byte == b';').next().map(<[u8]>::trim_ascii)
}

/// Whether a person sees the answer as a page. Browsers say so; of others it is believed, unless the `Accept` header
/// asks for something else than a page (an image, a style sheet).
fn is_navigation(headers: &KnownHeaders<'_>) -> bool {
    if accepts_html(headers) {
        return true;
    }
    match headers.fetch_mode {
        Some(mode) => mode == b"navigate",
        None => headers.accept.is_none_or(|accept| accept.trim_ascii() == b"*/*"),
    }
}

fn accepts_html(headers: &KnownHeaders<'_>) -> bool {
    const HTML: &[u8] = b"text/html";
    headers.accept.is_some_and(|accept| {
        // Browsers name it first.
        accept.starts_with(HTML)
            || memchr::memchr2_iter(b't', b'T', accept)
                .filter_map(|start| accept.get(start..start + HTML.len()))
                .any(|word| word.eq_ignore_ascii_case(HTML))
    })
}

/// Whether a script of a page sends the form: the browser says so, the script says so and names a page of this site, or it
/// is text that no HTML form would expect to be answered by anything but a page (a beacon of a browser that says nothing
/// about it).
fn is_sent_by_script(headers: &KnownHeaders<'_>, is_from_own_site: bool) -> bool {
    match headers.fetch_mode {
        Some(mode) if mode != b"navigate" => return true,
        Some(_) => return false,
        None => {}
    }
    // Any program can send this header.
    (headers.requested_with.is_some() && is_from_own_site)
        || (media_type(headers).is_some_and(|media| media.eq_ignore_ascii_case(b"text/plain"))
            && headers.accept.is_some()
            && !accepts_html(headers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::UNKNOWN_CLIENT;
    use crate::timestamp::Timestamp;

    fn facts(method: &str, headers: &[(&str, &str)]) -> Facts {
        let headers = headers.to_vec();
        let request =
            Request::new(UNKNOWN_CLIENT, Timestamp::UNIX_EPOCH).with_method(method).with_headers(&headers);
        Facts::of(&request, &KnownHeaders::read(&headers))
    }

    #[test]
    fn every_known_header_has_its_slot_in_any_case() {
        for name in [
            "accept",
            "accept-language",
            "content-type",
            "cookie",
            "host",
            "origin",
            "referer",
            "sec-fetch-dest",
            "sec-fetch-mode",
            "sec-fetch-site",
            "user-agent",
            "x-requested-with",
        ] {
            for name in [name.to_owned(), name.to_uppercase()] {
                let mut known = KnownHeaders::default();
                assert!(known.slot(name.as_bytes()).is_some(), "{name}");
            }
        }
        for name in ["", "hose", "accepts", "connec", "sec-fetch-user", "sec-fetch-mote", "x-requested-witt"]
        {
            let mut known = KnownHeaders::default();
            assert!(known.slot(name.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn cause_is_read_from_fetch_metadata_before_the_referer() {
        let cross = facts("GET", &[("sec-fetch-site", "cross-site"), ("origin", "null")]);
        assert!(cross.has(Facts::FROM_OTHER_SITE) && cross.has(Facts::FROM_PAGE));
        assert!(!cross.has(Facts::FROM_OWN_SITE));
        let own = facts("GET", &[("host", "a.example"), ("referer", "https://A.example/x")]);
        assert!(own.has(Facts::FROM_OWN_SITE) && !own.has(Facts::FROM_PAGE));
        let other = facts("GET", &[("host", "a.example"), ("referer", "https://b.example/a.example")]);
        assert!(!other.has(Facts::FROM_OWN_SITE));
    }

    #[test]
    fn navigation_is_told_from_subresources() {
        for (accept, expected) in [
            (Some("text/html,*/*;q=0.8"), true),
            (Some("application/xhtml+xml, TEXT/HTML"), true),
            (Some("*/*"), true),
            (None, true),
            (Some("image/avif,*/*"), false),
            (Some("text/css"), false),
        ] {
            let headers: Vec<(&str, &str)> = accept.map(|accept| ("accept", accept)).into_iter().collect();
            assert_eq!(facts("GET", &headers).has(Facts::NAVIGATION), expected, "{accept:?}");
        }
        assert!(!facts("GET", &[("accept", "*/*"), ("sec-fetch-mode", "cors")]).has(Facts::NAVIGATION));
    }
}
