//! The headers of a request: recognized if they were judged clean before, and judged otherwise.

use super::clean_values::CleanCookie;
use super::credentials;
use super::header_kind::{HeaderKind, USER_AGENT};
use super::keyed_hash::Tag;
use super::target::Target;
use super::{COOKIE, Judge, OTHER_NAME, OTHER_VALUE, REFERER, Value};
use crate::decode::{Forms, Place, cookie_parameters};
use crate::request::{Headers, Request};

/// What is known of the headers of a request once all were looked at.
struct Known {
    /// The tag of all common headers, in their order.
    common: Option<Tag>,
    /// The tag of all cookies.
    cookies: Option<Tag>,
    has_clean_common: bool,
    has_clean_cookies: bool,
}

impl Judge<'_> {
    /// Judges all headers. Those of a client that sends the same ones again cost a hash of them.
    pub(super) fn judge_headers(
        &mut self,
        request: &Request<'_>,
        cookie: &mut CleanCookie,
        forms: &mut Option<Forms>,
    ) {
        let Some(headers) = request.headers else { return };
        let clean = &self.signatures.clean;
        // What a program sends with each request is one text, of which there are as many as kinds of requests.
        let (mut common, mut cookies) = (clean.digest(), clean.digest());
        let mut has_others = false;
        headers.visit(&mut |name, value| match HeaderKind::of(name) {
            HeaderKind::Common(number) => common.add(number, value),
            HeaderKind::Cookie => cookies.add(COOKIE, value),
            HeaderKind::Secret => has_others = true,
            kind @ (HeaderKind::Referer | HeaderKind::Other) => {
                has_others |= !self.tag(kind, name, value).is_some_and(|tag| clean.contains(tag));
            }
        });
        let known = Known {
            common: common.tag(),
            cookies: cookies.tag(),
            has_clean_common: common.is_empty() || common.tag().is_some_and(|tag| clean.contains(tag)),
            has_clean_cookies: cookies.is_empty() || cookies.tag().is_some_and(|tag| cookie.is(tag)),
        };
        if has_others || !known.has_clean_common || !known.has_clean_cookies {
            self.judge_unknown_headers(headers, &known, cookie, forms);
        }
    }

    /// Judges the headers that are not known to be clean, in their order.
    #[cold]
    fn judge_unknown_headers(
        &mut self,
        headers: &dyn Headers,
        known: &Known,
        cookie: &mut CleanCookie,
        forms: &mut Option<Forms>,
    ) {
        let max = self.signatures.limits.max_fields;
        let (mut common_matches, mut cookie_matches) = (0, 0);
        headers.visit(&mut |name, value| {
            let before = self.matches;
            match HeaderKind::of(name) {
                HeaderKind::Cookie => {
                    if !known.has_clean_cookies {
                        cookie_parameters(value, max, &mut |parameter| {
                            self.judge_parameter(&parameter, forms);
                        });
                        cookie_matches += self.matches - before;
                    }
                }
                kind @ HeaderKind::Common(_) => {
                    if !known.has_clean_common {
                        self.judge_header(kind, name, value, forms);
                        common_matches += self.matches - before;
                    }
                }
                kind => self.judge_header(kind, name, value, forms),
            }
        });
        if self.is_decided() {
            return;
        }
        if let Some(tag) = known.common.filter(|_| !known.has_clean_common && common_matches == 0) {
            self.signatures.clean.insert(tag);
        }
        if let Some(tag) = known.cookies.filter(|_| !known.has_clean_cookies && cookie_matches == 0) {
            cookie.remember(tag);
        }
    }

    /// Judges one header unless it is known to be clean by itself.
    fn judge_header(&mut self, kind: HeaderKind, name: &str, value: &[u8], forms: &mut Option<Forms>) {
        let target = match kind {
            HeaderKind::Common(USER_AGENT) => Target::UserAgent,
            HeaderKind::Referer => Target::Referer,
            _ => Target::Header,
        };
        let tag = self.tag(kind, name, value);
        self.judge_unless_clean(tag, |judge| {
            judge.judge(Value { target, place: Place::Header, name: name.as_bytes(), text: value }, forms);
        });
        if kind == HeaderKind::Secret && credentials::is_header_of_credentials(name) {
            self.judge_credentials(name, value, forms);
        }
    }

    /// Judges the user's name and the password of Basic credentials.
    fn judge_credentials(&mut self, name: &str, value: &[u8], forms: &mut Option<Forms>) {
        let Some(decoded) = credentials::basic(value) else { return };
        for text in credentials::name_and_password(&decoded) {
            let value =
                Value { target: Target::Credential, place: Place::Content, name: name.as_bytes(), text };
            self.judge(value, forms);
        }
    }

    /// The tag of a header that is judged by itself, if it may be remembered.
    fn tag(&self, kind: HeaderKind, name: &str, value: &[u8]) -> Option<Tag> {
        let clean = &self.signatures.clean;
        match kind {
            HeaderKind::Common(number) => clean.tag(number, value),
            HeaderKind::Referer => clean.tag(REFERER, value),
            HeaderKind::Other => {
                let mut digest = clean.digest();
                digest.add(OTHER_NAME, name.as_bytes());
                digest.add(OTHER_VALUE, value);
                digest.tag()
            }
            HeaderKind::Secret | HeaderKind::Cookie => None,
        }
    }
}
