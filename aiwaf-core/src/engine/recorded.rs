//! What the engine would have worked out of a request that only a log remembers.

use std::time::Duration;

use smallvec::SmallVec;

use super::Engine;
use crate::access_log::{AccessRecord, LoggedClient};
use crate::behavior::ClientEvent;
use crate::client::ClientKey;
use crate::detect::{INLINE_PATH, is_known_path};
use crate::protection::Protection;
use crate::request::Request;
use crate::request_line::origin_form;

/// Where the normal forms of recorded requests are written; reused from one to the next.
#[derive(Debug, Default)]
pub struct RecordBuffers {
    path: SmallVec<[u8; INLINE_PATH]>,
}

/// A request of a log, as the engine sees requests.
#[derive(Debug)]
#[non_exhaustive]
pub struct RecordedRequest<'b> {
    /// Whom it counts for; clients that the log names instead of giving their addresses have keys of their own.
    pub client: ClientKey,
    /// The client's address, if the log has it.
    pub has_address: bool,
    /// What [`features`](crate::features) and [`ClientHistory`](crate::ClientHistory) want to know. A log does not say
    /// whether a page caused the request: that is for the caller to find out.
    pub event: ClientEvent<'b>,
    /// Whether `ai_anomaly` would have seen the answer: not of exempt paths, nor of requests that were denied.
    pub is_observed: bool,
    /// Whether the client is whitelisted.
    pub is_whitelisted: bool,
}

impl Engine {
    /// Works out of a record what [`observe`](Self::observe) works out of a request, by the same code, and takes note of
    /// the paths that the site answers. Nobody is judged. For training; costs about as much as `observe`.
    ///
    /// ```
    /// use aiwaf_core::{Engine, LogFormat, RecordBuffers};
    ///
    /// let engine = Engine::builder().build()?;
    /// let line = br#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET /%2e%67it/config HTTP/1.1" 404 - "-" "x""#;
    /// let record = LogFormat::Combined.parse_line(line)?;
    /// let mut buffers = RecordBuffers::default();
    /// let recorded = engine.recorded(&record, &mut buffers);
    /// assert_eq!((recorded.event.path, recorded.event.keyword_hits), (&b"/.git/config"[..], 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recorded<'b>(
        &self,
        record: &AccessRecord<'_>,
        buffers: &'b mut RecordBuffers,
    ) -> RecordedRequest<'b> {
        let snapshot = self.lists.snapshot();
        let address = record.client.address();
        let method = std::str::from_utf8(&record.method).unwrap_or_default();
        let target = origin_form(&record.target);
        let request = Request::new(address.unwrap_or(crate::client::UNKNOWN_CLIENT), record.time)
            .with_method(method)
            .with_uri(target);
        let context = self.context(&request, &snapshot);
        let client = match &record.client {
            LoggedClient::Address(_) => context.client,
            LoggedClient::Name(name) => ClientKey::of_name(name),
        };
        let keyword_hits = snapshot.keywords.count(&context.path, request.query);
        let route = self.route_of(&context, &request);
        let known_path = is_known_path(route, &self.site, &context);
        let denied = record.block.as_ref().is_some_and(|mark| !mark.monitored);
        let is_observed = !denied && context.applied.protections.contains(Protection::AiAnomaly);
        if !denied {
            let is_success = method == "GET" && (200..400).contains(&record.status);
            self.site.note(context.path_hash, client, is_success, false);
        }
        let is_whitelisted = address.is_some() && snapshot.is_whitelisted(context.address);
        buffers.path = context.path;
        RecordedRequest {
            client,
            has_address: address.is_some(),
            is_whitelisted,
            is_observed,
            event: ClientEvent {
                time: record.time,
                path: &buffers.path,
                status: record.status,
                response_time: record.response_time.unwrap_or(Duration::ZERO),
                keyword_hits,
                known_path,
                from_own_site: false,
                embedded: false,
            },
        }
    }

    /// Whether `text`, a path or a part of one in normal form, holds a blocked keyword.
    pub fn holds_keyword(&self, text: &str) -> bool {
        self.lists.snapshot().keywords.count(text.as_bytes(), b"") > 0
    }

    /// Whether `word`, in lower case, is itself a keyword.
    pub fn has_keyword(&self, word: &str) -> bool {
        self.lists.snapshot().keywords.contains(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_log::LogFormat;
    use crate::behavior::ClientHistory;
    use crate::detect::ai_anomaly::AnomalyModel;
    use crate::features::{FEATURE_COUNT, features};
    use crate::request::Outcome;
    use crate::timestamp::Timestamp;
    use std::sync::{Arc, Mutex};

    /// Keeps what it is asked.
    struct Witness(Arc<Mutex<Vec<[f64; FEATURE_COUNT]>>>);

    impl AnomalyModel for Witness {
        fn score(&self, row: &[f64; FEATURE_COUNT]) -> f64 {
            self.0.lock().unwrap().push(*row);
            0.0
        }

        fn threshold(&self) -> f64 {
            1.0
        }
    }

    /// Training and serving used other status codes, keywords and response times.
    #[test]
    fn original_defect_28_a_log_gives_the_rows_that_serving_scores() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let only = [Protection::AiAnomaly];
        let serving =
            Engine::builder().only(only).model(Box::new(Witness(Arc::clone(&seen)))).build().unwrap();
        let training = Engine::builder().only(only).build().unwrap();
        let mut history = ClientHistory::new(serving.settings().ai_anomaly.window);
        let mut buffers = RecordBuffers::default();
        let mut rows = Vec::new();
        let targets = [
            "/shop",
            "/wp-admin/x.php",
            "/a%2Fb?c=d",
            "/.env",
            "/old/backup.sql",
            "/shop",
            "/.git/config",
            "/pma/",
        ];
        for (number, target) in (0u32..).zip(targets) {
            let (time, taken) =
                (Timestamp::from_unix_seconds(1.7e9 + f64::from(number)), Duration::from_millis(7));
            let status = if target == "/shop" { 200 } else { 404 };
            let request =
                Request::new("192.0.2.7".parse().unwrap(), time).with_method("GET").with_uri(target);
            serving.observe(&request, &Outcome::new(status, taken));

            let mut record = AccessRecord::new(time, "192.0.2.7".parse().unwrap());
            record.method = b"GET".into();
            record.target = target.as_bytes().into();
            record.status = status;
            record.response_time = Some(taken);
            let mut line = Vec::new();
            LogFormat::Combined.write(&record, &mut line);
            let record = LogFormat::Combined.parse_line(&line).unwrap();
            let recorded = training.recorded(&record, &mut buffers);
            assert!(recorded.is_observed);
            rows.push(features(&recorded.event, &history));
            history.record(&recorded.event);
        }
        let seen = seen.lock().unwrap();
        assert!(seen.len() >= 2, "the model was asked");
        for row in seen.iter() {
            assert!(rows.contains(row), "{row:?} is not in {rows:?}");
        }
    }

    #[test]
    fn denied_and_exempt_requests_are_not_observed() {
        let engine = Engine::builder().build().unwrap();
        let mut buffers = RecordBuffers::default();
        let read = |line: &str, buffers: &mut RecordBuffers| {
            engine.recorded(&LogFormat::Combined.parse_line(line.as_bytes()).unwrap(), buffers).is_observed
        };
        let line = |target: &str, tail: &str| {
            format!(
                r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET {target} HTTP/1.1" 403 7 "-" "x" {tail}"#
            )
        };
        assert!(read(&line("/a", r#"1ms - "-""#), &mut buffers));
        assert!(read(&line("/a", r#"1ms MONITORED "x""#), &mut buffers));
        assert!(!read(&line("/a", r#"1ms BLOCKED "x""#), &mut buffers));
        assert!(!read(&line("/health", r#"1ms - "-""#), &mut buffers));
    }

    #[test]
    fn targets_of_proxies_are_cut_to_their_paths() {
        for (target, expected) in [
            ("http://a.example:80/b?c", "/b?c"),
            ("https://a.example", "/"),
            ("https://a.example?x", "?x"),
            ("/http://x", "/http://x"),
            ("*", "*"),
        ] {
            assert_eq!(origin_form(target.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn original_defect_28_paths_that_the_site_answers_are_known() {
        let engine = Engine::builder().route("/items/{id}", crate::RoutePolicy::default()).build().unwrap();
        let mut buffers = RecordBuffers::default();
        let mut known = |client: &str, target: &str, status: u16| {
            let line =
                format!(r#"{client} - - [14/Sep/2025:15:02:41 +0000] "GET {target} HTTP/1.1" {status} 7"#);
            let record = LogFormat::Common.parse_line(line.as_bytes()).unwrap();
            engine.recorded(&record, &mut buffers).event.known_path
        };
        assert!(known("192.0.2.7", "/items/7", 404), "a route is registered");
        assert!(!known("192.0.2.7", "/shop", 200));
        assert!(!known("a.host.example", "/shop", 200), "only one client has it so far");
        assert!(known("192.0.2.9", "/shop", 404));
    }
}
