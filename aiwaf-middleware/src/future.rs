//! The futures of the answers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::body::{BufferedBody, ReadAhead};
use crate::response::ResponseBody;
use crate::waf::{Aiwaf, HttpTransaction};

pin_project! {
    /// The answer of an [`AiwafService`](crate::AiwafService).
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
        Calling { #[pin] future: F, transaction: Option<HttpTransaction> },
        Refused { response: Option<Response<Bytes>> },
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn calling(future: F, transaction: HttpTransaction) -> Self {
        Self { kind: Kind::Calling { future, transaction: Some(transaction) } }
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
            KindProjection::Calling { future, transaction } => {
                let response = ready!(future.poll(context))?;
                if let Some(transaction) = transaction.take() {
                    transaction.answered(&response);
                }
                Poll::Ready(Ok(response.map(ResponseBody::service)))
            }
            KindProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(ResponseBody::denied))),
                // Polled again after it was ready: there is nothing to say, as of any future.
                None => Poll::Pending,
            },
        }
    }
}

pin_project! {
    /// The answer of an [`InspectingService`](crate::InspectingService).
    #[must_use = "futures do nothing unless polled"]
    pub struct InspectingFuture<S, B>
    where
        S: Service<Request<BufferedBody<B>>>,
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
        S: Service<Request<BufferedBody<B>>>,
        B: Body<Data = Bytes>,
    {
        Reading {
            service: S,
            waf: Aiwaf,
            request: Option<(request::Parts, HttpTransaction)>,
            body: ReadAhead<B>,
            limit: usize,
        },
        Answering { #[pin] future: ResponseFuture<S::Future> },
    }
}

impl<S, B> InspectingFuture<S, B>
where
    S: Service<Request<BufferedBody<B>>>,
    B: Body<Data = Bytes>,
{
    pub(crate) fn new(
        service: S,
        waf: Aiwaf,
        head: request::Parts,
        transaction: HttpTransaction,
        body: ReadAhead<B>,
        limit: usize,
    ) -> Self {
        Self { state: State::Reading { service, waf, request: Some((head, transaction)), body, limit } }
    }

    /// Of a request whose body is not waited for.
    pub(crate) fn answering(future: ResponseFuture<S::Future>) -> Self {
        Self { state: State::Answering { future } }
    }
}

impl<S, B, R> Future for InspectingFuture<S, B>
where
    S: Service<Request<BufferedBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes> + Unpin,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut state = self.as_mut().project().state;
            match state.as_mut().project() {
                StateProjection::Reading { service, waf, request, body, limit } => {
                    let body = ready!(body.poll_read(context));
                    // Both are there until the state changes below.
                    let (Some(body), Some((head, mut transaction))) = (body, request.take()) else {
                        return Poll::Pending;
                    };
                    waf.judge_body(&mut transaction, &head, &body.prefix(*limit), *limit);
                    let future = if transaction.is_allowed() {
                        ResponseFuture::calling(service.call(Request::from_parts(head, body)), transaction)
                    } else {
                        ResponseFuture::refused(transaction.refuse(&head))
                    };
                    state.set(State::Answering { future });
                }
                StateProjection::Answering { future } => return future.poll(context),
            }
        }
    }
}
