//! Request bodies, judged before the service sees them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::waf::InFlight;

pin_project! {
    /// A request body on its way through the firewall.
    ///
    /// Its beginning was judged before the service got it; the rest is judged chunk by chunk, before the service sees it.
    /// Data, trailers and errors come as the original body had them, in the same order; only what came in many small frames
    /// is copied. If an attack is found in flight, the body ends with [`BodyError::Blocked`].
    #[derive(Debug)]
    pub struct InspectedBody<B: Body<Data = Bytes>> {
        chunks: VecDeque<Bytes>,
        buffered: u64,
        // What came after the chunks while reading, if that was not data.
        end: End<B::Error>,
        // Judges the rest; `None` if nobody wants to see it.
        inspection: Option<Arc<InFlight>>,
        #[pin]
        rest: B,
    }
}

/// An error of a request body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError<E> {
    /// The error of the original body.
    #[error(transparent)]
    Body(E),
    /// The firewall has found an attack in the body; the response is the blocked one, if none has begun.
    #[error("the request body was blocked")]
    Blocked,
}

/// How reading ahead came to an end.
#[derive(Debug)]
enum End<E> {
    /// There may be more.
    Open,
    /// The body is at its end.
    Ended,
    /// Trailers came, after which there may be more, which is nothing to us.
    Trailers(HeaderMap),
    /// Reading failed.
    Failed(E),
}

impl<B: Body<Data = Bytes>> InspectedBody<B> {
    /// A body of which nothing is read yet.
    pub(crate) fn new(rest: B) -> Self {
        Self { chunks: VecDeque::new(), buffered: 0, end: End::Open, inspection: None, rest }
    }

    /// Judges what comes after the chunks that were read ahead.
    pub(crate) fn inspected_by(self, inspection: Arc<InFlight>) -> Self {
        Self { inspection: Some(inspection), ..self }
    }

    /// Reports whether all of the body was read.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.end, End::Ended | End::Trailers(_))
    }

    /// What was read ahead.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &Bytes> {
        self.chunks.iter()
    }
}

impl<B: Body<Data = Bytes>> Body for InspectedBody<B> {
    type Data = Bytes;
    type Error = BodyError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.project();
        if let Some(chunk) = this.chunks.pop_front() {
            *this.buffered -= chunk.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match std::mem::replace(this.end, End::Ended) {
            End::Open => {}
            End::Ended => return Poll::Ready(None),
            End::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            End::Failed(error) => return Poll::Ready(Some(Err(BodyError::Body(error)))),
        }
        *this.end = End::Open;
        let frame = ready!(this.rest.poll_frame(context));
        if let Some(inspection) = this.inspection {
            let allowed = match &frame {
                None => inspection.judge(b"", true),
                Some(Ok(frame)) => frame
                    .data_ref()
                    .map_or_else(|| inspection.judge(b"", true), |data| inspection.judge(data, false)),
                Some(Err(_)) => true,
            };
            if !allowed {
                *this.end = End::Ended;
                return Poll::Ready(Some(Err(BodyError::Blocked)));
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Body)))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
            && match self.end {
                // The end has to be judged, too.
                End::Open => self.inspection.is_none() && self.rest.is_end_stream(),
                End::Ended => true,
                End::Trailers(_) | End::Failed(_) => false,
            }
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = match self.end {
            End::Open => self.rest.size_hint(),
            End::Ended | End::Trailers(_) => SizeHint::with_exact(0),
            // Nobody knows what would have come.
            End::Failed(_) => SizeHint::new(),
        };
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(self.buffered));
        }
        hint.set_lower(hint.lower().saturating_add(self.buffered));
        hint
    }
}

/// Reads a body until `limit` bytes are there or it ends.
///
/// Holds at most `limit` bytes and one frame more; frames without data can't make it wait for ever, for each counts as a
/// byte.
pub(crate) struct ReadAhead<B: Body<Data = Bytes>> {
    body: Option<InspectedBody<B>>,
    /// What came in more than [`MAX_CHUNKS`] frames.
    tail: BytesMut,
    empty_frames: u64,
    limit: usize,
}

/// So many frames are kept as they came. Further ones are put together, or a body that comes byte by byte would take
/// forty times its size.
const MAX_CHUNKS: usize = 16;

impl<B: Body<Data = Bytes> + Unpin> ReadAhead<B> {
    pub(crate) fn new(body: B, limit: usize) -> Self {
        Self { body: Some(InspectedBody::new(body)), tail: BytesMut::new(), empty_frames: 0, limit }
    }

    /// The body with what was read of it; `None` if it was given away before.
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Option<InspectedBody<B>>> {
        let Self { body: Some(body), tail, empty_frames, limit } = self else { return Poll::Ready(None) };
        while body.buffered + *empty_frames < *limit as u64 {
            match ready!(Pin::new(&mut body.rest).poll_frame(context)) {
                None => body.end = End::Ended,
                Some(Err(error)) => body.end = End::Failed(error),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        body.buffered += data.len() as u64;
                        if data.is_empty() {
                            *empty_frames += 1;
                        } else if body.chunks.len() < MAX_CHUNKS {
                            body.chunks.push_back(data);
                        } else {
                            tail.extend_from_slice(&data);
                        }
                        continue;
                    }
                    Err(frame) => match frame.into_trailers() {
                        Ok(trailers) => body.end = End::Trailers(trailers),
                        // A kind of frame that this version does not know says nothing about the content.
                        Err(_) => continue,
                    },
                },
            }
            break;
        }
        if !tail.is_empty() {
            body.chunks.push_back(std::mem::take(tail).freeze());
        }
        Poll::Ready(self.body.take())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body_util::{BodyExt, Full};
    use proptest::prelude::*;
    use tokio::runtime::Builder;

    use super::*;

    /// A body of given frames.
    #[derive(Debug)]
    struct Frames(VecDeque<Result<Frame<Bytes>, &'static str>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            Poll::Ready(self.0.pop_front())
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        Builder::new_current_thread().build().unwrap().block_on(future)
    }

    async fn read<B: Body<Data = Bytes> + Unpin>(body: B, limit: usize) -> InspectedBody<B> {
        let mut reader = ReadAhead::new(body, limit);
        poll_fn(|context| reader.poll_read(context)).await.unwrap()
    }

    fn read_ahead<B: Body<Data = Bytes>>(body: &InspectedBody<B>) -> Vec<u8> {
        body.chunks().flatten().copied().collect()
    }

    fn trailers() -> HeaderMap {
        HeaderMap::from_iter([(http::header::ETAG, "x".parse().unwrap())])
    }

    #[test]
    fn the_size_is_that_of_the_whole() {
        run(async {
            for limit in [0, 1, 100] {
                let body = read(Full::new(Bytes::from_static(b"hello")), limit).await;
                assert_eq!(body.size_hint().exact(), Some(5));
                assert!(!body.is_end_stream());
                assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
            }
            let empty = read(Full::new(Bytes::new()), 10).await;
            assert!(empty.is_end_stream());
            assert_eq!(empty.size_hint().exact(), Some(0));
        });
    }

    #[test]
    fn errors_come_where_they_came() {
        run(async {
            let frames = [Ok(Frame::data(Bytes::from_static(b"ab"))), Err("broken")];
            let mut body = read(Frames(frames.into()), 10).await;
            assert_eq!(read_ahead(&body), b"ab");
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
            assert!(matches!(body.frame().await.unwrap().unwrap_err(), BodyError::Body("broken")));
            assert!(body.frame().await.is_none());
        });
    }

    #[test]
    fn a_body_that_never_says_anything_is_bounded() {
        run(async {
            let nothing = std::iter::repeat_with(|| Ok(Frame::data(Bytes::new()))).take(1000);
            let body = read(Frames(nothing.collect()), 16).await;
            assert_eq!(body.chunks.len(), 0);
            assert_eq!(body.rest.0.len(), 984);
        });
    }

    #[test]
    fn a_body_that_comes_byte_by_byte_is_read_as_far_and_kept_in_one_piece() {
        run(async {
            let bytes = (0..=255).map(|byte| Ok(Frame::data(Bytes::copy_from_slice(&[byte]))));
            let body = read(Frames(bytes.collect()), 200).await;
            assert_eq!(read_ahead(&body), (0..200).collect::<Vec<u8>>());
            assert_eq!(body.chunks.len(), MAX_CHUNKS + 1);
            assert_eq!(body.collect().await.unwrap().to_bytes(), (0..=255).collect::<Vec<u8>>());
        });
    }

    proptest! {
        #[test]
        fn nothing_is_lost(chunks: Vec<Vec<u8>>, with_trailers: bool, limit in 0usize..64) {
            run(async {
                let all = chunks.concat();
                let mut frames: VecDeque<_> =
                    chunks.into_iter().map(|chunk| Ok(Frame::data(Bytes::from(chunk)))).collect();
                frames.extend(with_trailers.then(|| Ok(Frame::trailers(trailers()))));
                let body = read(Frames(frames), limit).await;
                prop_assert!(all.starts_with(&read_ahead(&body)));
                let collected = body.collect().await.unwrap();
                prop_assert_eq!(collected.trailers().cloned(), with_trailers.then(trailers));
                prop_assert_eq!(&collected.to_bytes()[..], &all[..]);
                Ok(())
            })?;
        }
    }
}
