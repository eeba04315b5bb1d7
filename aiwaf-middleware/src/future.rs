//! The futures of responses.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::body::{InspectedBody, ReadAhead};
use crate::response::ResponseBody;
use crate::service::inspect_rest;
use crate::waf::{HttpTransaction, InFlight};

pin_project! {
    /// The response of a service behind the firewall.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F> {
        // The transaction is taken when the response is there.
        Calling { #[pin] future: F, held: Option<Held> },
        Refused { response: Option<Response<Bytes>> },
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn calling(future: F, held: Held) -> Self {
        Self { kind: Kind::Calling { future, held: Some(held) } }
    }

    pub(crate) fn refused(response: Response<Bytes>) -> Self {
        Self { kind: Kind::Refused { response: Some(response) } }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Calling { future, held } => {
                let response = match ready!(future.poll(context)) {
                    Ok(response) => response,
                    Err(error) => {
                        // A service that fails because its body was blocked has not failed.
                        return Poll::Ready(match held.take().and_then(Held::refused) {
                            Some(refusal) => Ok(refusal.map(ResponseBody::denied)),
                            None => Err(error),
                        });
                    }
                };
                Poll::Ready(Ok(match held.take().and_then(|held| held.answered(&response)) {
                    Some(refusal) => refusal.map(ResponseBody::denied),
                    None => response.map(ResponseBody::service),
                }))
            }
            KindProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(ResponseBody::denied))),
                // Polled again after it was ready: there is nothing to say, as of any future.
                None => Poll::Pending,
            },
        }
    }
}

/// A transaction while the service answers.
#[expect(clippy::large_enum_variant, reason = "a box would allocate for every request")]
pub(crate) enum Held {
    /// The body was judged, or nobody wants to see it.
    Owned(HttpTransaction),
    /// The rest of the body is judged in flight.
    Shared(Arc<InFlight>),
}

impl Held {
    fn answered<B: Body>(self, response: &Response<B>) -> Option<Response<Bytes>> {
        match self {
            Self::Owned(mut transaction) => {
                transaction.answered(response);
                None
            }
            Self::Shared(in_flight) => in_flight.answered(response),
        }
    }

    fn refused(self) -> Option<Response<Bytes>> {
        match self {
            Self::Owned(_) => None,
            Self::Shared(in_flight) => in_flight.refused(),
        }
    }
}

pin_project! {
    /// The response of an [`AiwafService`](crate::AiwafService).
    #[must_use = "futures do nothing unless polled"]
    pub struct AiwafFuture<S, B>
    where
        S: Service<Request<InspectedBody<B>>>,
        B: Body<Data = Bytes>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<Request<InspectedBody<B>>>,
        B: Body<Data = Bytes>,
    {
        Reading {
            service: S,
            request: Option<(request::Parts, HttpTransaction)>,
            body: ReadAhead<B>,
        },
        Answering { #[pin] future: ResponseFuture<S::Future> },
    }
}

impl<S, B> AiwafFuture<S, B>
where
    S: Service<Request<InspectedBody<B>>>,
    B: Body<Data = Bytes>,
{
    pub(crate) fn new(
        service: S,
        head: request::Parts,
        transaction: HttpTransaction,
        body: ReadAhead<B>,
    ) -> Self {
        Self { state: State::Reading { service, request: Some((head, transaction)), body } }
    }

    /// Of a request whose body is not waited for.
    pub(crate) fn answering(future: ResponseFuture<S::Future>) -> Self {
        Self { state: State::Answering { future } }
    }
}

impl<S, B, R> Future for AiwafFuture<S, B>
where
    S: Service<Request<InspectedBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes> + Unpin,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut state = self.as_mut().project().state;
            match state.as_mut().project() {
                StateProjection::Reading { service, request, body } => {
                    let body = ready!(body.poll_read(context));
                    // Both are there until the state changes below.
                    let (Some(body), Some((parts, mut transaction))) = (body, request.take()) else {
                        return Poll::Pending;
                    };
                    transaction.read_ahead(&parts, &body);
                    let future = if transaction.is_allowed() {
                        let wants_body = transaction.wants_body();
                        let (inspected, kept) = inspect_rest(body, &parts, transaction, wants_body);
                        ResponseFuture::calling(service.call(Request::from_parts(parts, inspected)), kept)
                    } else {
                        ResponseFuture::refused(transaction.refuse(&parts))
                    };
                    state.set(State::Answering { future });
                }
                StateProjection::Answering { future } => return future.poll(context),
            }
        }
    }
}
