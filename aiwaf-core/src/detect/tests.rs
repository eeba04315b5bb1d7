//! What the detectors' tests are written with: requests and their responses in one line.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Duration;

use super::{Applied, Context, Detector, Facts, Head, KnownHeaders, Response};
use crate::client::ClientKey;
use crate::country::CountryCode;
use crate::lists::{KeywordEntry, Lists, Snapshot, SnapshotSettings};
use crate::protection::ProtectionSet;
use crate::request::{Outcome, Request};
use crate::site_paths::SitePaths;
use crate::state::hash_text;
use crate::timestamp::Timestamp;
use crate::verdict::Finding;

/// The client with this number.
pub(crate) fn client(number: u32) -> ClientKey {
    ClientKey::new(address(number), 64)
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | number))
}

/// A detector with what it remembers of each client, as the engine keeps it.
pub(crate) struct Kept<D: Detector> {
    pub(crate) detector: D,
    pub(crate) clients: HashMap<ClientKey, D::Client>,
}

impl<D: Detector> Kept<D> {
    pub(crate) fn new(detector: D) -> Self {
        Self { detector, clients: HashMap::new() }
    }

    pub(crate) fn head(&mut self, exchange: &Exchange) -> Option<Finding> {
        let client = self.clients.entry(client(exchange.client)).or_default();
        exchange.head(|head| self.detector.head(head, client, &mut D::Request::default()))
    }

    /// Shows the response to the detector, and gives the keywords that it learned.
    pub(crate) fn response(&mut self, exchange: &Exchange, status: u16) -> Vec<KeywordEntry> {
        let client = self.clients.entry(client(exchange.client)).or_default();
        exchange.response(status, |response| {
            self.detector.response(response, client);
            response.learned.take()
        })
    }
}

/// The head of `request`, as the engine shows it to detectors.
pub(crate) fn head_of<R>(request: &Request<'_>, look: impl FnOnce(&Head<'_>) -> R) -> R {
    let context = context_of(request, 0);
    look(&Head {
        request,
        client: context.client,
        path: &context.path,
        context: &context,
        headers: request.headers.map(KnownHeaders::read).unwrap_or_default(),
        facts: context.facts,
        route: request.route,
        country: None,
        lists: &NO_LISTS,
        site: &SitePaths::new(100),
    })
}

fn context_of(request: &Request<'_>, rule: u16) -> Context {
    Context {
        client: ClientKey::new(request.client, 64),
        address: request.client,
        peer: None,
        identity: request.identity,
        time: request.time,
        path: request.path.into(),
        path_hash: hash_text(request.path),
        rule,
        route: None,
        applied: Applied { protections: ProtectionSet::ALL, blacklist_only: false, asset: false },
        facts: Facts::of(request, &request.headers.map(KnownHeaders::read).unwrap_or_default()),
    }
}

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Exchange {
    method: &'static str,
    uri: Vec<u8>,
    client: u32,
    time: Timestamp,
    headers: Vec<(&'static str, String)>,
    route: Option<String>,
    country: Option<CountryCode>,
    lists: &'static Snapshot,
    rule: u16,
    is_known: bool,
    is_asset: bool,
}

static NO_LISTS: LazyLock<Snapshot> =
    LazyLock::new(|| Snapshot::new(&Lists::default(), &SnapshotSettings::default()));

impl Exchange {
    pub(crate) fn get(uri: impl AsRef<[u8]>) -> Self {
        Self {
            method: "GET",
            uri: uri.as_ref().to_owned(),
            client: 1,
            time: Timestamp::from_unix_seconds(1.7e9),
            headers: Vec::new(),
            route: None,
            country: None,
            lists: &NO_LISTS,
            rule: 0,
            is_known: false,
            is_asset: false,
        }
    }

    pub(crate) fn post(uri: impl AsRef<[u8]>) -> Self {
        Self { method: "POST", ..Self::get(uri) }
    }

    pub(crate) fn from(self, client: u32) -> Self {
        Self { client, ..self }
    }

    /// Seconds after the tests' beginning of time.
    pub(crate) fn at(self, seconds: f64) -> Self {
        self.at_time(Timestamp::from_unix_seconds(1.7e9 + seconds))
    }

    pub(crate) fn at_time(self, time: Timestamp) -> Self {
        Self { time, ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// For a path that is exempt as an asset, or not.
    pub(crate) fn asset(self, is_asset: bool) -> Self {
        Self { is_asset, ..self }
    }

    /// For a path that the site has answered to several clients.
    pub(crate) fn known(self) -> Self {
        Self { is_known: true, ..self }
    }

    pub(crate) fn country(self, country: Option<CountryCode>) -> Self {
        Self { country, ..self }
    }

    pub(crate) fn rule(self, rule: u16) -> Self {
        Self { rule, ..self }
    }

    pub(crate) fn lists(self, lists: &'static Snapshot) -> Self {
        Self { lists, ..self }
    }

    /// Answered by a route of this pattern.
    pub(crate) fn route(self, route: impl Into<String>) -> Self {
        Self { route: Some(route.into()), ..self }
    }

    pub(crate) fn head<R>(&self, look: impl FnOnce(&Head<'_>) -> R) -> R {
        self.request(|request, context| {
            look(&Head {
                request,
                client: context.client,
                path: &context.path,
                context,
                headers: KnownHeaders::read(&self.headers),
                facts: context.facts,
                route: self.route.as_deref(),
                country: self.country,
                lists: self.lists,
                site: &self.site(context.path_hash),
            })
        })
    }

    pub(crate) fn response<R>(&self, status: u16, look: impl FnOnce(&Response<'_>) -> R) -> R {
        self.request(|request, context| {
            look(&Response {
                request,
                context,
                outcome: Outcome::new(status, Duration::from_millis(5)),
                route: self.route.as_deref(),
                lists: self.lists,
                site: &self.site(context.path_hash),
                is_new_path: true,
                learned: RefCell::default(),
                finding: RefCell::default(),
            })
        })
    }

    fn site(&self, path: u64) -> SitePaths {
        let site = SitePaths::new(100);
        for number in 0..u32::from(self.is_known) * 2 {
            site.note(path, client(number), true, true);
        }
        site
    }

    fn request<R>(&self, look: impl FnOnce(&Request<'_>, &Context) -> R) -> R {
        let request = Request::new(address(self.client), self.time)
            .with_method(self.method)
            .with_uri(&self.uri)
            .with_headers(&self.headers)
            .with_route(self.route.as_deref());
        let mut context = context_of(&request, self.rule);
        context.applied.asset = self.is_asset;
        look(&request, &context)
    }
}
