//! What a denied request is answered.

use std::pin::Pin;
use std::task::{Context, Poll};

use aiwaf_core::{Action, Verdict};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode, request};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// Makes the answer to a denied request.
///
/// A function of the verdict and the request's head is one. The verdict is put into the answer's extensions and
/// the body of an answer to `HEAD` is dropped, whoever made it.
///
/// ```
/// use aiwaf_middleware::{Aiwaf, Verdict};
/// use bytes::Bytes;
///
/// let builder = Aiwaf::builder().deny_response(|verdict: &Verdict, _: &http::request::Parts| {
///     let mut response = http::Response::new(Bytes::from_static(b"<h1>Sorry</h1>"));
///     *response.status_mut() = match aiwaf_middleware::retry_after_seconds(verdict) {
///         Some(_) => http::StatusCode::TOO_MANY_REQUESTS,
///         None => http::StatusCode::FORBIDDEN,
///     };
///     response
/// });
/// # let _ = builder;
/// ```
pub trait DenyResponse: Send + Sync + 'static {
    /// The answer to the request with this head, which `verdict` denies.
    fn respond(&self, verdict: &Verdict, request: &request::Parts) -> Response<Bytes>;
}

impl<F> DenyResponse for F
where
    F: Fn(&Verdict, &request::Parts) -> Response<Bytes> + Send + Sync + 'static,
{
    fn respond(&self, verdict: &Verdict, request: &request::Parts) -> Response<Bytes> {
        self(verdict, request)
    }
}

/// The answer by default: 403 `{"error":"blocked"}`, or 429 `{"error":"too_many_requests"}` with `Retry-After`. It
/// does not say why, for that would teach attackers; the logs do.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonDenyResponse;

impl DenyResponse for JsonDenyResponse {
    fn respond(&self, verdict: &Verdict, _: &request::Parts) -> Response<Bytes> {
        let retry_after = retry_after_seconds(verdict);
        let (status, text) = match retry_after {
            Some(_) => (StatusCode::TOO_MANY_REQUESTS, r#"{"error":"too_many_requests"}"#),
            None => (StatusCode::FORBIDDEN, r#"{"error":"blocked"}"#),
        };
        let mut response = Response::new(Bytes::from_static(text.as_bytes()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// What `Retry-After` should say to a throttled client: whole seconds, rounded up, at least 1; `None` if it is blocked.
pub fn retry_after_seconds(verdict: &Verdict) -> Option<u64> {
    let Action::Throttle { retry_after } = verdict.action else { return None };
    Some(retry_after.as_secs().saturating_add(u64::from(retry_after.subsec_nanos() > 0)).max(1))
}

pin_project! {
    /// The body of the service's answer, or of the answer to a denied request.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<B> {
        Service { #[pin] body: B },
        Denied { body: Bytes },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn service(body: B) -> Self {
        Self { kind: Kind::Service { body } }
    }

    pub(crate) fn denied(body: Bytes) -> Self {
        Self { kind: Kind::Denied { body } }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Service { body } => body.poll_frame(context),
            KindProjection::Denied { body } => {
                let body = std::mem::take(body);
                Poll::Ready((!body.is_empty()).then(|| Ok(Frame::data(body))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Service { body } => body.is_end_stream(),
            Kind::Denied { body } => body.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Service { body } => body.size_hint(),
            Kind::Denied { body } => SizeHint::with_exact(body.len() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aiwaf_core::ProtectionSet;

    use super::*;

    #[test]
    fn original_defect_15_retry_after_is_whole_seconds_rounded_up() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_000, 59)] {
            let mut verdict = Verdict::allow(ProtectionSet::ALL);
            verdict.action = Action::Throttle { retry_after: Duration::from_millis(millis) };
            let (head, ()) = http::Request::new(()).into_parts();
            let response = JsonDenyResponse.respond(&verdict, &head);
            assert_eq!(response.headers()[RETRY_AFTER], seconds.to_string(), "{millis} ms");
            verdict.action = Action::Block;
            assert!(!JsonDenyResponse.respond(&verdict, &head).headers().contains_key(RETRY_AFTER));
        }
    }
}
