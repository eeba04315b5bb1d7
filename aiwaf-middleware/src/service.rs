//! The services that the layers make.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body;
use tower_service::Service;

use crate::body::{InspectedBody, ReadAhead};
use crate::future::{AiwafFuture, Held, ResponseFuture};
use crate::response::ResponseBody;
use crate::waf::{Aiwaf, HttpTransaction, InFlight};

/// A service behind an [`Aiwaf`] that judges heads of requests and no bodies. Its errors are those of the service itself: a
/// refusal is a response, not an error.
#[derive(Debug, Clone)]
pub struct HeadOnlyService<S> {
    inner: S,
    waf: Aiwaf,
}

impl<S> HeadOnlyService<S> {
    pub(crate) fn new(inner: S, waf: Aiwaf) -> Self {
        Self { inner, waf }
    }
}

impl<S, B, R> Service<Request<B>> for HeadOnlyService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let transaction = self.waf.begin(&(&request).into());
        if transaction.is_allowed() {
            return ResponseFuture::calling(self.inner.call(request), Held::Owned(transaction));
        }
        let (head, _) = request.into_parts();
        ResponseFuture::refused(transaction.refuse(&head))
    }
}

/// A service behind an [`Aiwaf`]. Its errors are those of the service itself: a refusal is a response, not an error.
#[derive(Debug, Clone)]
pub struct AiwafService<S> {
    inner: S,
    waf: Aiwaf,
    /// Number of bytes to read ahead of every body; `None` reads as many as are judged before the service is called.
    limit: Option<usize>,
}

impl<S> AiwafService<S> {
    pub(crate) fn new(inner: S, waf: Aiwaf, limit: Option<usize>) -> Self {
        Self { inner, waf, limit }
    }
}

impl<S, B, R> Service<Request<B>> for AiwafService<S>
where
    S: Service<Request<InspectedBody<B>>, Response = Response<R>> + Clone,
    B: Body<Data = Bytes> + Unpin,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = AiwafFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let head = (&request).into();
        let transaction = self.waf.begin(&head);
        if !transaction.is_allowed() {
            let (head, _) = request.into_parts();
            return AiwafFuture::answering(ResponseFuture::refused(transaction.refuse(&head)));
        }
        let limit = self.waf.read_ahead(&head, &transaction, self.limit);
        if limit == 0 || request.body().is_end_stream() {
            let wants_body = transaction.wants_body() && !request.body().is_end_stream();
            let (parts, body) = request.into_parts();
            let (body, kept) = inspect_rest(InspectedBody::new(body), &parts, transaction, wants_body);
            let future = self.inner.call(Request::from_parts(parts, body));
            return AiwafFuture::answering(ResponseFuture::calling(future, kept));
        }
        // The future gets the service that is ready; what stays here has to become ready again.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let (head, body) = request.into_parts();
        AiwafFuture::new(ready, head, transaction, ReadAhead::new(body, limit))
    }
}

/// Lets the rest of a body be judged in flight, if it is wanted.
pub(crate) fn inspect_rest<B: Body<Data = Bytes>>(
    body: InspectedBody<B>,
    head: &request::Parts,
    transaction: HttpTransaction,
    wants_body: bool,
) -> (InspectedBody<B>, Held) {
    if !wants_body {
        return (body, Held::Owned(transaction));
    }
    let in_flight = Arc::new(InFlight::new(head.clone(), transaction));
    (body.inspected_by(Arc::clone(&in_flight)), Held::Shared(in_flight))
}
