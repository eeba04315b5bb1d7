//! The detectors: one file per protection, each with its settings, its state and its tests.

pub(crate) mod ai_anomaly;
pub(crate) mod attack_signatures;
pub(crate) mod geo_block;
pub(crate) mod header_validation;
pub(crate) mod honeypot;
pub(crate) mod ip_keyword_block;
pub(crate) mod rate_limit;
pub(crate) mod uuid_tamper;

use crate::client::ClientKey;
use crate::request::{Outcome, Request};

/// What every detector may look at: the request, and what the engine worked out about it once for all of them.
pub(crate) struct Inspection<'r> {
    /// The request as received.
    pub(crate) request: &'r Request<'r>,
    /// Whom it counts for.
    pub(crate) client: ClientKey,
    /// The path in normal form: decoded, without tricks, in lower case.
    pub(crate) path: &'r [u8],
}

/// Whether a browser says that a page of another site made it ask.
pub(crate) fn asked_by_another_site(request: &Request<'_>) -> bool {
    matches!(request.header("sec-fetch-site"), Some(b"cross-site" | b"same-site"))
}

/// What every detector may look at after the service has answered.
pub(crate) struct Observation<'r> {
    /// What was known when the request came in.
    pub(crate) inspection: Inspection<'r>,
    /// Whether the site is known to answer this path: a route is registered for it, or several clients got it.
    pub(crate) known_path: bool,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// How many different blocked keywords stand in path and query.
    pub(crate) keyword_hits: u32,
}

#[cfg(test)]
pub(crate) mod tests {
    //! What the detectors' tests are written with: requests and their answers in one line.

    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::{Inspection, Observation};
    use crate::client::ClientKey;
    use crate::request::{Outcome, Request};
    use crate::timestamp::Timestamp;

    /// The client with this number.
    pub(crate) fn client(number: u32) -> ClientKey {
        ClientKey::new(address(number), 64)
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | number))
    }

    /// A request in the making.
    #[derive(Clone)]
    pub(crate) struct Exchange {
        method: &'static str,
        path: String,
        client: u32,
        time: Timestamp,
        headers: Vec<(&'static str, String)>,
        keyword_hits: u32,
        known_path: bool,
    }

    impl Exchange {
        pub(crate) fn get(path: &str) -> Self {
            Self {
                method: "GET",
                path: path.to_owned(),
                client: 1,
                time: Timestamp::from_unix_seconds(1.7e9),
                headers: Vec::new(),
                keyword_hits: 0,
                known_path: false,
            }
        }

        pub(crate) fn post(path: &str) -> Self {
            Self { method: "POST", ..Self::get(path) }
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

        pub(crate) fn keyword_hits(self, keyword_hits: u32) -> Self {
            Self { keyword_hits, ..self }
        }

        pub(crate) fn known(self) -> Self {
            Self { known_path: true, ..self }
        }

        pub(crate) fn inspect<R>(&self, inspect: impl FnOnce(&Inspection<'_>) -> R) -> R {
            let request = Request::new(address(self.client), self.time)
                .with_method(self.method)
                .with_path(&self.path)
                .with_headers(&self.headers);
            inspect(&Inspection {
                request: &request,
                client: client(self.client),
                path: self.path.as_bytes(),
            })
        }

        pub(crate) fn observe<R>(&self, status: u16, observe: impl FnOnce(&Observation<'_>) -> R) -> R {
            let request = Request::new(address(self.client), self.time)
                .with_method(self.method)
                .with_path(&self.path)
                .with_headers(&self.headers);
            observe(&Observation {
                inspection: Inspection {
                    request: &request,
                    client: client(self.client),
                    path: self.path.as_bytes(),
                },
                known_path: self.known_path,
                outcome: Outcome::new(status, Duration::from_millis(5)),
                keyword_hits: self.keyword_hits,
            })
        }
    }
}
