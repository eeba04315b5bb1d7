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
use crate::waf::{Aiwaf, Ticket};

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
        // The ticket is taken when the answer is there.
        Calling { #[pin] future: F, ticket: Option<Ticket> },
        Denied { response: Option<Response<Bytes>> },
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn calling(future: F, ticket: Ticket) -> Self {
        Self { kind: Kind::Calling { future, ticket: Some(ticket) } }
    }

    pub(crate) fn denied(response: Response<Bytes>) -> Self {
        Self { kind: Kind::Denied { response: Some(response) } }
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
            KindProjection::Calling { future, ticket } => {
                let response = ready!(future.poll(context))?;
                if let Some(ticket) = ticket.take() {
                    ticket.answered(&response);
                }
                Poll::Ready(Ok(response.map(ResponseBody::service)))
            }
            KindProjection::Denied { response } => match response.take() {
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
        Reading { service: S, waf: Aiwaf, head: Option<request::Parts>, body: ReadAhead<B>, limit: usize },
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
        body: ReadAhead<B>,
        limit: usize,
    ) -> Self {
        Self { state: State::Reading { service, waf, head: Some(head), body, limit } }
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
                StateProjection::Reading { service, waf, head, body, limit } => {
                    let body = ready!(body.poll_read(context));
                    // Both are there until the state changes below.
                    let (Some(body), Some(head)) = (body, head.take()) else { return Poll::Pending };
                    let ticket = waf.judge_with_body(&(&head).into(), &body.prefix(*limit), *limit);
                    let future = if ticket.is_allowed() {
                        ResponseFuture::calling(service.call(Request::from_parts(head, body)), ticket)
                    } else {
                        ResponseFuture::denied(ticket.deny(&head))
                    };
                    state.set(State::Answering { future });
                }
                StateProjection::Answering { future } => return future.poll(context),
            }
        }
    }
}
