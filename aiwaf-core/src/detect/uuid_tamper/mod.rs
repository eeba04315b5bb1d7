//! `uuid_tamper`: identifiers that are no UUIDs, or that are being guessed.

mod guesses;
mod identifier;

use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use self::guesses::Guesses;
use self::identifier::{Span, parameters, parse_uuid, percent_decoded, route_values, segments};
use crate::client::ClientKey;
use crate::detect::{Inspection, Observation};
use crate::protection::{Mode, Protection};
use crate::request::Request;
use crate::state::BoundedMap;
use crate::verdict::{Field, Finding, Match, Reason};

/// `[uuid_tamper]`: where UUIDs are expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UuidTamperSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many hits within `bans.window` ban the client; 0 is never. Default: 1.
    pub ban_after: u32,
    /// Query parameters and route segments (`/items/{uuid}`) that must hold a UUID, by name, in any case.
    /// Default: uuid.
    pub parameters: Vec<String>,
    /// How many different well-formed identifiers that were not found, within `bans.window`, count as guessing; 0 is
    /// never. Default: 20.
    pub guess_limit: u32,
    /// Most clients whose guesses are counted at the same time; about 100 bytes each and 8 bytes a guess.
    /// Default: 50,000.
    pub max_clients: usize,
}

impl Default for UuidTamperSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            parameters: vec!["uuid".into()],
            guess_limit: 20,
            max_clients: 50_000,
        }
    }
}

/// Objects to identifiers that are no UUIDs where one is expected, and to clients that guess them.
///
/// A UUID is expected in the configured query parameters and in the segments that the route's pattern gives such a
/// name; an empty value is a form field that was left out. A client guesses if many different well-formed UUIDs, in
/// such a place or as any segment of a path, were answered with 403, 404 or 410: one stale bookmark, however often it
/// is opened, is one. Then its requests that carry a UUID are denied until its guesses have left the window; its other
/// requests are not, because others may share the address.
///
/// Cost: one pass over path and query; no allocation unless it objects or notes a guess.
pub(crate) struct UuidTamper {
    /// In lower case.
    parameters: Box<[Box<str>]>,
    guess_limit: u32,
    window: Duration,
    guesses: BoundedMap<ClientKey, Guesses>,
    hasher: RandomState,
}

impl UuidTamper {
    /// Judges by `settings`; guesses count for `window`, in whole seconds.
    pub(crate) fn new(settings: &UuidTamperSettings, window: Duration) -> Self {
        Self {
            parameters: settings
                .parameters
                .iter()
                .map(|name| name.trim().to_ascii_lowercase().into())
                .collect(),
            guess_limit: settings.guess_limit,
            window,
            guesses: BoundedMap::new(settings.max_clients),
            hasher: RandomState::default(),
        }
    }

    /// Objects to a tampered identifier, and to any identifier of a client that guesses.
    pub(crate) fn inspect(&self, inspection: &Inspection<'_>) -> Option<Finding> {
        let request = inspection.request;
        if let Some(matched) = self.tampered_parameter(request).or_else(|| self.tampered_segment(request)) {
            return Some(Finding::block(Protection::UuidTamper, Reason::UuidTampering).with_match(matched));
        }
        if self.guess_limit == 0 {
            return None;
        }
        self.identity(request)?;
        let count = self
            .guesses
            .get(&inspection.client, |guesses| guesses.count(request.time, self.window))
            .and_then(|count| u32::try_from(count).ok())?;
        (count >= self.guess_limit)
            .then(|| Finding::block(Protection::UuidTamper, Reason::UuidGuessing(count)))
    }

    /// Notes a well-formed identifier that was not found, or not for this client.
    pub(crate) fn observe(&self, observation: &Observation<'_>) {
        if self.guess_limit == 0 || !matches!(observation.outcome.status, 403 | 404 | 410) {
            return;
        }
        let request = observation.inspection.request;
        let Some(identity) = self.identity(request) else { return };
        let limit = usize::try_from(self.guess_limit).unwrap_or(usize::MAX);
        self.guesses.update(observation.inspection.client, Guesses::default, |guesses| {
            guesses.add(identity, request.time, self.window, limit);
        });
    }

    fn tampered_parameter(&self, request: &Request<'_>) -> Option<Match> {
        parameters(request.query).find_map(|(name, value)| {
            let name = self.expected(name)?;
            is_tampered(&value).then(|| {
                Match::new(Field::QueryParameter(name.into()), request.query, value.start, value.end())
            })
        })
    }

    fn tampered_segment(&self, request: &Request<'_>) -> Option<Match> {
        route_values(request.route?, request.path).find_map(|(name, value)| {
            self.expected(name.as_bytes())?;
            is_tampered(&value).then(|| Match::new(Field::Path, request.path, value.start, value.end()))
        })
    }

    /// The configured parameter of this name, in any case of ASCII.
    fn expected(&self, encoded_name: &[u8]) -> Option<&str> {
        let plain = !encoded_name.iter().any(|byte| matches!(byte, b'%' | b'+'));
        self.parameters.iter().map(|parameter| &**parameter).find(|parameter| {
            if plain {
                return encoded_name.eq_ignore_ascii_case(parameter.as_bytes());
            }
            percent_decoded(encoded_name).map(|byte| byte.to_ascii_lowercase()).eq(parameter.bytes())
        })
    }

    /// A hash of all UUIDs that the request carries; `None` if there are none. All of them make one guess: a page below
    /// the client's own identifier does not count double, nor does a page that lists many.
    fn identity(&self, request: &Request<'_>) -> Option<u64> {
        // Anything shorter can't be one, and most paths and queries are.
        let room_for_one = |field: &'_ [u8]| field.len() >= SHORTEST;
        if !room_for_one(request.path) && !room_for_one(request.query) {
            return None;
        }
        let in_query = parameters(request.query)
            .filter(|(name, _)| self.expected(name).is_some())
            .map(|(_, value)| value);
        let in_path = segments(request.path).filter(|segment| room_for_one(segment.bytes));
        let mut hasher = self.hasher.build_hasher();
        let mut found = false;
        for uuid in in_path.chain(in_query).filter_map(|value| parse_uuid(value.bytes)) {
            uuid.hash(&mut hasher);
            found = true;
        }
        found.then(|| hasher.finish())
    }
}

/// The length of a UUID's text.
const SHORTEST: usize = 36;

fn is_tampered(value: &Span<'_>) -> bool {
    let mut bytes = percent_decoded(value.bytes);
    !bytes.all(|byte| byte == b' ' || byte == b'\t') && parse_uuid(value.bytes).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Outcome;
    use crate::timestamp::Timestamp;

    const UUID: &str = "123e4567-e89b-12d3-a456-426614174000";
    const WINDOW: Duration = Duration::from_mins(10);

    fn detector() -> UuidTamper {
        UuidTamper::new(&UuidTamperSettings::default(), WINDOW)
    }

    fn with<R>(uri: &str, route: Option<&str>, second: i64, look: impl FnOnce(Inspection<'_>) -> R) -> R {
        let time = Timestamp::from_unix_micros((1_700_000_000 + second) * 1_000_000);
        let request = Request::new("203.0.113.9".parse().unwrap(), time)
            .with_method("GET")
            .with_uri(uri)
            .with_route(route);
        let client = ClientKey::new(request.client, 64);
        look(Inspection { request: &request, client, path: b"" })
    }

    fn judge(uri: &str, route: Option<&str>) -> Option<Finding> {
        with(uri, route, 0, |inspection| detector().inspect(&inspection))
    }

    fn visit(detector: &UuidTamper, uri: &str, second: i64, status: u16) -> Option<Reason> {
        with(uri, None, second, |inspection| {
            let finding = detector.inspect(&inspection);
            if finding.is_none() {
                let outcome = Outcome::new(status, Duration::ZERO);
                detector.observe(&Observation { inspection, known_path: false, outcome, keyword_hits: 0 });
            }
            finding.map(|finding| finding.reason)
        })
    }

    fn item(number: u32) -> String {
        format!("/items/00000000-0000-4000-8000-{number:012x}")
    }

    #[test]
    fn parameters_must_hold_a_uuid() {
        for good in [
            format!("/x?uuid={UUID}"),
            format!("/x?UUID={}", UUID.to_uppercase()),
            format!("/x?a=1&uuid={UUID}%20&uuid={UUID}"),
            "/x?uuid=&b=2".into(),
            "/x?uuid".into(),
            "/x?uuid=%20+".into(),
            "/x?other=7&uuids=7&myuuid=7".into(),
            "/x".into(),
            String::new(),
        ] {
            assert_eq!(judge(&good, None), None, "{good}");
        }
        for bad in [
            "/x?uuid=7".to_owned(),
            "/x?a=1&Uuid=not-a-uuid".into(),
            "/x?%75uid=7".into(),
            format!("/x?uuid={UUID}&uuid=7"),
            format!("/x?uuid={UUID}'--"),
            "/x?uuid=../../etc/passwd".into(),
        ] {
            assert_eq!(judge(&bad, None).unwrap().reason, Reason::UuidTampering, "{bad}");
        }
        let matched = judge("/x?a=1&UUID=7'--&b", None).unwrap().matched.unwrap();
        assert_eq!(matched.field, Field::QueryParameter("uuid".into()));
        assert_eq!((matched.start, matched.end, &*matched.text), (9, 13, "7'--"));
    }

    #[test]
    fn segments_of_a_known_route_must_hold_a_uuid() {
        let route = Some("/items/{uuid}");
        assert_eq!(judge(&format!("/items/{UUID}"), route), None);
        let matched = judge("/items/7", route).unwrap().matched.unwrap();
        assert_eq!((matched.field, matched.start, matched.end), (Field::Path, 7, 8));
        for other in [None, Some("/items/{id}"), Some("/items/{*uuid}"), Some("/items")] {
            assert_eq!(judge("/items/7", other), None, "{other:?}");
        }
    }

    #[test]
    fn original_defect_17_strict_in_syntax_and_not_in_case() {
        let dashes = "-".repeat(36);
        assert_eq!(judge(&format!("/x?uuid={dashes}"), None).unwrap().reason, Reason::UuidTampering);
        assert_eq!(judge(&format!("/x?uuid={}", UUID.to_uppercase()), None), None);
        let route = Some("/items/{uuid}");
        assert_eq!(judge(&format!("/items/{dashes}"), route).unwrap().reason, Reason::UuidTampering);
        assert_eq!(judge(&format!("/items/{}", UUID.to_uppercase()), route), None);
    }

    #[test]
    fn guessing_is_denied_while_the_window_lasts() {
        let detector = detector();
        for number in 0..20 {
            assert_eq!(visit(&detector, &item(number), i64::from(number), 404), None, "{number}");
        }
        assert_eq!(visit(&detector, &item(20), 20, 404), Some(Reason::UuidGuessing(20)));
        assert_eq!(visit(&detector, &format!("/x?uuid={UUID}"), 21, 200), Some(Reason::UuidGuessing(20)));
        assert_eq!(visit(&detector, "/", 22, 200), None);
        assert_eq!(visit(&detector, &item(20), 599, 404), Some(Reason::UuidGuessing(20)));
        assert_eq!(visit(&detector, &item(20), 600, 404), None);
        // One old guess went, one new one came.
        assert_eq!(visit(&detector, &item(21), 600, 404), Some(Reason::UuidGuessing(20)));
        assert_eq!(visit(&detector, &item(22), 2000, 404), None);
    }

    #[test]
    fn people_do_not_guess() {
        let detector = detector();
        for visit_number in 0..200 {
            // A stale bookmark, a page whose parts are all missing, items that exist, pages that don't.
            let number = u32::try_from(visit_number).unwrap();
            let time = visit_number;
            assert_eq!(visit(&detector, &item(0), time, 404), None);
            assert_eq!(visit(&detector, &format!("{}/part/{number}", item(1)), time, 404), None);
            assert_eq!(visit(&detector, &item(number), time, 200), None);
            assert_eq!(visit(&detector, &format!("/missing/{number}"), time, 404), None);
        }
    }

    #[test]
    fn guesses_in_parameters_and_with_any_denial_count() {
        let detector = detector();
        for number in 0..20u32 {
            let uri = format!("/x?uuid=00000000-0000-4000-8000-{number:012x}");
            let status = [403, 404, 410][number as usize % 3];
            assert_eq!(visit(&detector, &uri, 0, status), None);
        }
        assert_eq!(visit(&detector, &item(0), 0, 200), Some(Reason::UuidGuessing(20)));
    }

    #[test]
    fn a_limit_of_zero_never_counts() {
        let settings = UuidTamperSettings { guess_limit: 0, ..UuidTamperSettings::default() };
        let detector = UuidTamper::new(&settings, WINDOW);
        for number in 0..100 {
            assert_eq!(visit(&detector, &item(number), 0, 404), None);
        }
        assert_eq!(detector.guesses.len(), 0);
    }

    #[test]
    fn the_clients_that_are_remembered_are_bounded() {
        let settings = UuidTamperSettings { max_clients: 64, ..UuidTamperSettings::default() };
        let detector = UuidTamper::new(&settings, WINDOW);
        let uri = item(1);
        for last in 0..=255 {
            let request = Request::new([203, 0, 113, last].into(), Timestamp::UNIX_EPOCH).with_uri(&uri);
            let client = ClientKey::new(request.client, 64);
            let inspection = Inspection { request: &request, client, path: b"" };
            let outcome = Outcome::new(404, Duration::ZERO);
            detector.observe(&Observation { inspection, known_path: false, outcome, keyword_hits: 0 });
        }
        assert!(detector.guesses.len() <= 64);
    }

    proptest::proptest! {
        #[test]
        fn any_request_is_judged(uri: Vec<u8>, tail: Vec<u8>, route in "[/{}a-z]{0,20}") {
            let uri = [&uri[..], b"?uuid=", &tail].concat();
            let request = Request::new("203.0.113.9".parse().unwrap(), Timestamp::UNIX_EPOCH)
                .with_uri(&uri)
                .with_route(Some(&route));
            let client = ClientKey::new(request.client, 64);
            let inspection = Inspection { request: &request, client, path: b"" };
            if let Some(matched) = detector().inspect(&inspection).and_then(|finding| finding.matched) {
                proptest::prop_assert!(matched.start < matched.end);
            }
        }
    }
}
