//! One configuration, and the requests of a log one after the other.

use std::sync::Arc;

use aiwaf_core::{AccessRecord, CountryLookup, Engine, Lists, Outcome, Request, Settings};
use std::time::Duration;

use super::outcome::Replayed;
use crate::engine;

/// An engine, and what it said so far.
pub(super) struct Replay {
    engine: Engine,
    replayed: Replayed,
}

/// What every browser sends, in place of the headers that a log does not keep.
const UNKNOWN_HEADERS: [(&str, &[u8]); 4] = [
    ("host", b"localhost"),
    ("accept", b"text/html,*/*;q=0.8"),
    ("accept-language", b"en"),
    ("accept-encoding", b"gzip"),
];

impl Replay {
    /// An engine with these settings and lists.
    pub(super) fn new(settings: &Settings, lists: &Lists) -> anyhow::Result<Self> {
        let mut settings = settings.clone();
        // What a log does not keep can't be missing.
        let headers = &mut settings.header_validation;
        headers.required_headers = vec!["user-agent".to_owned()];
        headers.required_headers_by_method.clear();
        headers.min_quality_score = 0;
        let mut lists = lists.clone();
        lists.blacklist.retain(|ban| !ban.source.is_automatic());
        let mut builder = Engine::builder().lists(lists);
        if let Some(countries) = engine::countries(&settings)? {
            builder = builder.countries(Arc::new(countries) as Arc<dyn CountryLookup>);
        }
        if let Some(model) = engine::model(&settings)? {
            builder = builder.model(Box::new(model));
        }
        let engine = engine::build(builder, settings)?;
        Ok(Self { engine, replayed: Replayed::default() })
    }

    /// Judges a request, and learns from its answer if it is let in.
    pub(super) fn request(&mut self, record: &AccessRecord<'_>) {
        let Some(client) = record.client.address() else {
            self.replayed.without_address += 1;
            return;
        };
        let method = std::str::from_utf8(&record.method).unwrap_or_default();
        let protocol = std::str::from_utf8(&record.protocol).unwrap_or_default();
        let mut headers: Vec<(&str, &[u8])> = UNKNOWN_HEADERS.to_vec();
        if let Some(agent) = &record.user_agent {
            headers.push(("user-agent", agent));
        }
        if let Some(referer) = &record.referer {
            headers.push(("referer", referer));
        }
        let request = Request::new(client, record.time)
            .with_method(method)
            .with_uri(record.path_and_query())
            .with_protocol(protocol);
        // A log that keeps no agents says nothing about headers at all.
        let request = if record.user_agent.is_some() { request.with_headers(&headers) } else { request };
        let mut transaction = self.engine.begin(&request);
        self.engine.request_head(&mut transaction, &request);
        let was_denied = record.block.as_ref().is_some_and(|block| !block.monitored);
        // The answer to a request that was denied then is ours, and not the site's.
        if !was_denied {
            let taken = record.response_time.unwrap_or(Duration::ZERO);
            self.engine.response(&mut transaction, &request, &Outcome::new(record.status, taken));
        }
        let settings = &self.engine.settings().client;
        let network = settings.key_of(client).network(settings.ipv6_prefix);
        self.replayed.add(network, record.time, transaction.verdict(), was_denied);
    }

    /// What came of it.
    pub(super) fn finish(self) -> Replayed {
        self.replayed
    }
}
