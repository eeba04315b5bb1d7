//! The services that the layers make.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::body::{BufferedBody, ReadAhead};
use crate::future::{InspectingFuture, ResponseFuture};
use crate::response::ResponseBody;
use crate::waf::Aiwaf;

/// A service behind an [`Aiwaf`]. Its errors are those of the service itself: a denial is an answer, no error.
#[derive(Debug, Clone)]
pub struct AiwafService<S> {
    inner: S,
    waf: Aiwaf,
}

impl<S> AiwafService<S> {
    pub(crate) fn new(inner: S, waf: Aiwaf) -> Self {
        Self { inner, waf }
    }
}

impl<S, B, R> Service<Request<B>> for AiwafService<S>
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
            return ResponseFuture::calling(self.inner.call(request), transaction);
        }
        let (head, _) = request.into_parts();
        ResponseFuture::refused(transaction.refuse(&head))
    }
}

/// A service behind an [`Aiwaf`] that sees the beginning of bodies.
#[derive(Debug, Clone)]
pub struct InspectingService<S> {
    inner: S,
    waf: Aiwaf,
    /// So many bytes are waited for; as many as are looked at if it is not said.
    limit: Option<usize>,
}

impl<S> InspectingService<S> {
    pub(crate) fn new(inner: S, waf: Aiwaf, limit: Option<usize>) -> Self {
        Self { inner, waf, limit }
    }
}

impl<S, B, R> Service<Request<B>> for InspectingService<S>
where
    S: Service<Request<BufferedBody<B>>, Response = Response<R>> + Clone,
    B: Body<Data = Bytes> + Unpin,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = InspectingFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let head = (&request).into();
        let transaction = self.waf.begin(&head);
        if !transaction.is_allowed() {
            let (head, _) = request.into_parts();
            return InspectingFuture::answering(ResponseFuture::refused(transaction.refuse(&head)));
        }
        let limit = self.waf.read_ahead(&head, &transaction, self.limit);
        if limit == 0 || request.body().is_end_stream() {
            let future = self.inner.call(request.map(BufferedBody::new));
            return InspectingFuture::answering(ResponseFuture::calling(future, transaction));
        }
        // The future gets the service that is ready; what stays here has to become ready again.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let (head, body) = request.into_parts();
        InspectingFuture::new(ready, self.waf.clone(), head, transaction, ReadAhead::new(body, limit), limit)
    }
}
