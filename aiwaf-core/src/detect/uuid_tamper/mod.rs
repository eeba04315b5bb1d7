//! `uuid_tamper`: identifiers that are no UUIDs, or that are being guessed.

mod guesses;
mod identifier;
mod places;

use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use self::guesses::Guesses;
use self::identifier::{Span, parameters, parse_uuid, percent_decoded, route_values, segments};
use self::places::{Endpoint, Places};
use crate::bans::ledger::Evidence;
use crate::check::{SettingsError, within, words};
use crate::detect::{BuiltIn, ClientMemory, Detector, DetectorError, Head, Inputs, Response};
use crate::lists::MAX_KEYWORD;
use crate::protection::{Mode, Protection};
use crate::request::Request;
use crate::verdict::{Action, Field, Finding, Match, Reason};

/// `[uuid_tamper]`: where UUIDs are expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UuidTamperSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// Number of matches within `bans.window` that ban the client, whatever their evidence; 0 never bans. Default: not
    /// set, which is by evidence.
    #[serde(with = "crate::bans::ban_after")]
    pub ban_after: Option<u32>,
    /// Query parameters and route segments (`/items/{id}`) that must hold a UUID on every path, by name, in any case. A
    /// segment named `uuid` must hold one anyway, and other places must once many clients have shown that they do.
    /// Default: none.
    pub parameters: Vec<String>,
    /// How many different well-formed identifiers that were not found, within `bans.window`, count as guessing; 0 is
    /// never. Default: 20.
    pub guess_limit: u32,
    /// Has no effect any more: guesses are part of the client's record, see `client.max_clients`. Default: 50,000.
    pub max_clients: usize,
}

impl UuidTamperSettings {
    /// Checks every value's range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        words("uuid_tamper.parameters", &self.parameters, MAX_KEYWORD)?;
        within("uuid_tamper.guess_limit", self.guess_limit, 0..=1000)?;
        within("uuid_tamper.max_clients", self.max_clients, 1_000..=100_000_000)
    }
}

impl Default for UuidTamperSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: None,
            parameters: Vec::new(),
            guess_limit: 20,
            max_clients: 50_000,
        }
    }
}

/// Flags malformed UUIDs where one is expected, and clients that guess UUIDs.
///
/// A UUID is expected in the configured query parameters, in the segments that the route's pattern gives such a name or
/// the name `uuid`, and in query parameters and route segments that have shown themselves to hold UUIDs: the site has
/// answered at least 20 valid ones of at least 3 clients there, and nothing else. An empty value is a form field that was
/// left out. A client guesses if many different well-formed UUIDs, in
/// such a place or as any segment of a path, were answered with 403, 404 or 410: one stale bookmark, however often it
/// is opened, is one. Then its requests that carry a UUID are throttled until its guesses have left the window, and
/// nothing more, for a search engine that meets what is gone looks the same; its other requests are not, because others
/// may share the address.
///
/// Cost: one pass over path and query; no allocation unless it objects or notes a guess.
pub(crate) struct UuidTamper {
    /// In lower case.
    parameters: Box<[Box<str>]>,
    guess_limit: u32,
    window: Duration,
    hasher: RandomState,
    places: Places,
}

impl BuiltIn for UuidTamper {
    type Settings = UuidTamperSettings;

    fn build(settings: &UuidTamperSettings, inputs: &Inputs<'_>) -> Result<Self, DetectorError> {
        Ok(Self::new(settings, inputs.ban_window))
    }
}

impl Detector for UuidTamper {
    /// Boxed, for hardly any client guesses.
    type Client = Option<Box<Guesses>>;
    type Request = ();

    /// Flags a tampered identifier, and any identifier of a client that guesses.
    fn head(&self, head: &Head<'_>, client: &mut Self::Client, (): &mut ()) -> Option<Finding> {
        let request = head.request;
        let tampered = self
            .tampered_parameter(head.route, head.context.path_hash, request)
            .or_else(|| self.tampered_segment(head.route, request));
        if let Some(matched) = tampered {
            let finding = Finding::block(Protection::UuidTamper, Reason::UuidTampering).with_match(matched);
            return Some(finding.with_evidence(Evidence::LOW));
        }
        let guesses = client.as_deref_mut()?;
        self.identity(request)?;
        let count = u32::try_from(guesses.count(head.context.time, self.window)).ok()?;
        (self.guess_limit > 0 && count >= self.guess_limit).then(|| Finding {
            action: Action::Throttle { retry_after: self.window },
            ..Finding::block(Protection::UuidTamper, Reason::UuidGuessing(count))
        })
    }

    /// Notes a well-formed identifier that was not found, or not for this client.
    fn response(&self, response: &Response<'_>, client: &mut Self::Client) {
        if response.outcome.status < 400 {
            self.learn(response);
        }
        if self.guess_limit == 0 || !matches!(response.outcome.status, 403 | 404 | 410) {
            return;
        }
        let Some(identity) = self.identity(response.request) else { return };
        let limit = usize::try_from(self.guess_limit).unwrap_or(usize::MAX);
        client.get_or_insert_default().add(identity, response.time(), self.window, limit);
    }
}

impl ClientMemory for Option<Box<Guesses>> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, |guesses| guesses.heap_bytes())
    }
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
            hasher: RandomState::default(),
            places: Places::default(),
        }
    }

    fn tampered_parameter(&self, route: Option<&str>, path: u64, request: &Request<'_>) -> Option<Match> {
        let endpoint = Endpoint::new(route, path);
        parameters(request.query).find_map(|(name, value)| {
            let is_expected = self.expected(name).is_some()
                || (self.places.any_shown() && self.places.is_shown(endpoint.place(name)));
            (is_expected && is_tampered(&value)).then(|| {
                let name = percent_decoded(name).map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
                let name = String::from_utf8_lossy(&name).as_ref().into();
                Match::new(Field::QueryParameter(name), request.query, value.start, value.end())
            })
        })
    }

    /// Notes what the places of a request that was answered hold.
    fn learn(&self, response: &Response<'_>) {
        let request = response.request;
        let endpoint = Endpoint::new(response.route, response.context.path_hash);
        for (name, value) in parameters(request.query).take(MAX_LEARNED_PARAMETERS) {
            self.places.note(endpoint.place(name), response.client(), &value);
        }
        if let Some(route) = response.route {
            for (name, value) in route_values(route, request.path).take(MAX_LEARNED_PARAMETERS) {
                self.places.note(endpoint.place(name.as_bytes()), response.client(), &value);
            }
        }
    }

    fn tampered_segment(&self, route: Option<&str>, request: &Request<'_>) -> Option<Match> {
        let route = route?;
        let endpoint = Endpoint::new(Some(route), 0);
        route_values(route, request.path).find_map(|(name, value)| {
            let is_expected = name.eq_ignore_ascii_case("uuid")
                || self.expected(name.as_bytes()).is_some()
                || (self.places.any_shown() && self.places.is_shown(endpoint.place(name.as_bytes())));
            (is_expected && is_tampered(&value))
                .then(|| Match::new(Field::Path, request.path, value.start, value.end()))
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
        let in_query = parameters(request.query).map(|(_, value)| value);
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

/// Parameters of one request that are learned from.
const MAX_LEARNED_PARAMETERS: usize = 16;

/// The length of a UUID's text.
const SHORTEST: usize = 36;

fn is_tampered(value: &Span<'_>) -> bool {
    let mut bytes = percent_decoded(value.bytes);
    !bytes.all(|byte| byte == b' ' || byte == b'\t') && parse_uuid(value.bytes).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tests::{Exchange, Kept};

    const UUID: &str = "123e4567-e89b-12d3-a456-426614174000";
    const WINDOW: Duration = Duration::from_mins(10);

    fn detector() -> Kept<UuidTamper> {
        Kept::new(UuidTamper::new(
            &UuidTamperSettings { parameters: vec!["uuid".into()], ..UuidTamperSettings::default() },
            WINDOW,
        ))
    }

    fn judge(uri: &str, route: Option<&str>) -> Option<Finding> {
        let exchange = Exchange::get(uri);
        detector().head(&match route {
            Some(route) => exchange.route(route),
            None => exchange,
        })
    }

    fn visit(detector: &mut Kept<UuidTamper>, uri: &str, second: u32, status: u16) -> Option<Reason> {
        let exchange = Exchange::get(uri).at(f64::from(second));
        let finding = detector.head(&exchange);
        if finding.is_none() {
            detector.response(&exchange, status);
        }
        finding.map(|finding| finding.reason)
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
        let mut detector = detector();
        for number in 0..20 {
            assert_eq!(visit(&mut detector, &item(number), number, 404), None, "{number}");
        }
        assert_eq!(visit(&mut detector, &item(20), 20, 404), Some(Reason::UuidGuessing(20)));
        assert_eq!(visit(&mut detector, &format!("/x?uuid={UUID}"), 21, 200), Some(Reason::UuidGuessing(20)));
        assert_eq!(visit(&mut detector, "/", 22, 200), None);
        assert_eq!(visit(&mut detector, &item(20), 599, 404), Some(Reason::UuidGuessing(20)));
        assert_eq!(visit(&mut detector, &item(20), 600, 404), None);
        // One old guess went, one new one came.
        assert_eq!(visit(&mut detector, &item(21), 600, 404), Some(Reason::UuidGuessing(20)));
        assert_eq!(visit(&mut detector, &item(22), 2000, 404), None);
    }

    #[test]
    fn people_do_not_guess() {
        let mut detector = detector();
        for visit_number in 0..200 {
            // A stale bookmark, a page whose parts are all missing, items that exist, pages that don't.
            let (number, time) = (visit_number, visit_number);
            assert_eq!(visit(&mut detector, &item(0), time, 404), None);
            assert_eq!(visit(&mut detector, &format!("{}/part/{number}", item(1)), time, 404), None);
            assert_eq!(visit(&mut detector, &item(number), time, 200), None);
            assert_eq!(visit(&mut detector, &format!("/missing/{number}"), time, 404), None);
        }
    }

    #[test]
    fn guesses_in_parameters_and_with_any_denial_count() {
        let mut detector = detector();
        for number in 0..20u32 {
            let uri = format!("/x?uuid=00000000-0000-4000-8000-{number:012x}");
            let status = [403, 404, 410][number as usize % 3];
            assert_eq!(visit(&mut detector, &uri, 0, status), None);
        }
        assert_eq!(visit(&mut detector, &item(0), 0, 200), Some(Reason::UuidGuessing(20)));
    }

    #[test]
    fn a_limit_of_zero_never_counts() {
        let settings = UuidTamperSettings { guess_limit: 0, ..UuidTamperSettings::default() };
        let mut detector = Kept::new(UuidTamper::new(&settings, WINDOW));
        for number in 0..100 {
            assert_eq!(visit(&mut detector, &item(number), 0, 404), None);
        }
        assert!(detector.clients.values().all(Option::is_none));
    }

    #[test]
    fn places_that_hold_uuids_are_judged_once_they_have_shown_it() {
        let mut detector = Kept::new(UuidTamper::new(&UuidTamperSettings::default(), WINDOW));
        let odd = Exchange::get("/orders?uuid=7");
        let route = "/invoices/{id}";
        let odd_invoice = Exchange::get("/invoices/7").route(route);
        for number in 0..25u32 {
            assert_eq!(detector.head(&odd), None, "{number}");
            assert_eq!(detector.head(&odd_invoice).is_some(), number >= 20, "{number}");
            let uuid = format!("00000000-0000-4000-8000-{number:012x}");
            // Two clients are not enough.
            let order = Exchange::get(format!("/orders?uuid={uuid}")).from(number % 2);
            detector.response(&order, 200);
            let invoice = Exchange::get(format!("/invoices/{uuid}")).from(number % 3).route(route);
            detector.response(&invoice, 200);
        }
        detector.response(&Exchange::get(format!("/orders?uuid={UUID}")).from(9), 200);
        assert_eq!(detector.head(&odd).unwrap().reason, Reason::UuidTampering);
        assert_eq!(detector.head(&Exchange::get("/elsewhere?uuid=7")), None);
    }

    #[test]
    fn place_that_holds_other_things_too_is_not_judged() {
        let mut detector = Kept::new(UuidTamper::new(&UuidTamperSettings::default(), WINDOW));
        for number in 0..50 {
            if number == 1 {
                detector.response(&Exchange::get("/x?id=7"), 200);
            }
            detector.response(&Exchange::get(format!("/x?id={UUID}")).from(number), 200);
        }
        assert_eq!(detector.head(&Exchange::get("/x?id=7")), None);
    }

    proptest::proptest! {
        #[test]
        fn any_request_is_judged(uri: Vec<u8>, tail: Vec<u8>, route in "[/{}a-z]{0,20}") {
            let uri = [&uri[..], b"?uuid=", &tail].concat();
            let finding = detector().head(&Exchange::get(&uri).route(route));
            if let Some(matched) = finding.and_then(|finding| finding.matched) {
                proptest::prop_assert!(matched.start < matched.end);
            }
        }
    }
}
