//! The one way in which these tests make requests: what a browser sends, unless a test says otherwise.

use std::net::IpAddr;
use std::time::Duration;

use aiwaf_core::{Engine, Outcome, Protection, Request, Settings, Timestamp, Verdict};

pub(crate) const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// A request in the making: a `GET` by Firefox from 203.0.113.1 at second 0.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    client: IpAddr,
    time: Timestamp,
    method: &'static str,
    uri: Vec<u8>,
    protocol: &'static str,
    headers: Vec<(String, Vec<u8>)>,
}

/// The point in time that tests count seconds from.
pub(crate) fn second(seconds: f64) -> Timestamp {
    Timestamp::from_unix_seconds(1.7e9 + seconds)
}

/// The client with this number.
pub(crate) fn client(number: u8) -> IpAddr {
    [203, 0, 113, number].into()
}

impl Visit {
    pub(crate) fn get(uri: impl AsRef<[u8]>) -> Self {
        let headers = [
            ("host", "www.example.com"),
            ("user-agent", FIREFOX),
            ("accept", "text/html,application/xhtml+xml"),
            ("accept-language", "en-US,en;q=0.5"),
            ("accept-encoding", "gzip, deflate, br"),
            ("connection", "keep-alive"),
        ];
        Self {
            client: client(1),
            time: second(0.0),
            method: "GET",
            uri: uri.as_ref().to_owned(),
            protocol: "HTTP/1.1",
            headers: headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_owned())).into(),
        }
    }

    /// A form that is sent.
    pub(crate) fn form(uri: impl AsRef<[u8]>) -> Self {
        Self { method: "POST", ..Self::get(uri) }.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn from(self, client: IpAddr) -> Self {
        Self { client, ..self }
    }

    pub(crate) fn at(self, seconds: f64) -> Self {
        self.at_time(second(seconds))
    }

    pub(crate) fn at_time(self, time: Timestamp) -> Self {
        Self { time, ..self }
    }

    pub(crate) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn protocol(self, protocol: &'static str) -> Self {
        Self { protocol, ..self }
    }

    /// Sets a header in place of what is there by this name.
    pub(crate) fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).and_header(name, value)
    }

    /// Adds a header, whether it is there or not.
    pub(crate) fn and_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn bare(self) -> Self {
        Self { headers: Vec::new(), ..self }
    }

    /// All header names changed by `change`.
    pub(crate) fn with_names(mut self, change: impl Fn(&str) -> String) -> Self {
        for (name, _) in &mut self.headers {
            *name = change(name);
        }
        self
    }

    fn request<R>(&self, ask: impl FnOnce(&Request<'_>) -> R) -> R {
        let request = Request::new(self.client, self.time)
            .with_method(self.method)
            .with_uri(&self.uri)
            .with_protocol(self.protocol)
            .with_headers(&self.headers);
        ask(&request)
    }

    pub(crate) fn inspect(&self, engine: &Engine) -> Verdict {
        self.request(|request| engine.inspect(request))
    }

    /// Asks the engine and, if the request may pass, answers it with `status`, as an adapter does.
    pub(crate) fn exchange(&self, engine: &Engine, status: u16) -> Verdict {
        self.request(|request| {
            let mut transaction = engine.begin(request);
            engine.request_head(&mut transaction, request);
            engine.response(&mut transaction, request, &Outcome::new(status, Duration::from_millis(5)));
            transaction.into_verdict()
        })
    }

    /// What the engine objects to; `None` if nothing.
    pub(crate) fn objection(&self, engine: &Engine) -> Option<String> {
        reason(&self.inspect(engine))
    }
}

pub(crate) fn reason(verdict: &Verdict) -> Option<String> {
    verdict.finding.as_ref().map(|finding| finding.reason.to_string())
}

/// An engine in which only these protections run.
pub(crate) fn only(protections: &[Protection]) -> Engine {
    Engine::builder().only(protections.iter().copied()).build().unwrap()
}

/// Settings of a person who wants the first keyword hit to ban, and parameters named `uuid` to hold one everywhere: for
/// tests of what bans do, not of when they come.
pub(crate) fn strict_settings() -> Settings {
    let mut settings = Settings::default();
    settings.ip_keyword_block.ban_after = Some(1);
    settings.bans.duration = Duration::from_hours(24);
    settings.uuid_tamper.parameters = vec!["uuid".into()];
    settings
}

/// An engine with [`strict_settings`].
pub(crate) fn strict() -> Engine {
    Engine::builder().settings(strict_settings()).build().unwrap()
}

/// A visit by a program that is no browser: no page can cause it.
pub(crate) fn program(uri: impl AsRef<[u8]>) -> Visit {
    Visit::get(uri).without("accept-language").header("user-agent", "Mozilla/5.0 (compatible; example)")
}

/// An engine with all defaults.
pub(crate) fn standard() -> Engine {
    Engine::builder().build().unwrap()
}
