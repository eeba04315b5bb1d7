//! Request bodies of which the beginning was read before the service got them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// A body whose beginning was looked at: gives that again, then the rest as it comes.
    ///
    /// Data, trailers and errors come as the original body had them, in the same order. Only what came in many small
    /// frames is copied.
    #[derive(Debug)]
    pub struct BufferedBody<B: Body<Data = Bytes>> {
        chunks: VecDeque<Bytes>,
        buffered: u64,
        // What came after the chunks while reading, if that was not data.
        end: End<B::Error>,
        #[pin]
        rest: B,
    }
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

impl<B: Body<Data = Bytes>> BufferedBody<B> {
    /// A body of which nothing is read yet.
    pub(crate) fn new(rest: B) -> Self {
        Self { chunks: VecDeque::new(), buffered: 0, end: End::Open, rest }
    }

    /// The first `limit` bytes, as far as they were read: in one piece if they came in one.
    pub(crate) fn prefix(&self, limit: usize) -> Prefix {
        let mut chunks = self.chunks.iter();
        let first = chunks.next().cloned().unwrap_or_default();
        let Some(second) = chunks.next().filter(|_| first.len() < limit) else {
            let length = first.len().min(limit);
            return Prefix(first.slice(..length));
        };
        let mut all = Vec::with_capacity(limit.min(usize::try_from(self.buffered).unwrap_or(limit)));
        for chunk in [&first, second].into_iter().chain(chunks) {
            let room = limit - all.len();
            all.extend_from_slice(chunk.get(..chunk.len().min(room)).unwrap_or_default());
        }
        Prefix(all.into())
    }
}

/// The beginning of a body.
pub(crate) struct Prefix(Bytes);

impl AsRef<[u8]> for Prefix {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<B: Body<Data = Bytes>> Body for BufferedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if let Some(chunk) = this.chunks.pop_front() {
            *this.buffered -= chunk.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match std::mem::replace(this.end, End::Ended) {
            End::Open => {
                *this.end = End::Open;
                this.rest.poll_frame(context)
            }
            End::Ended => Poll::Ready(None),
            End::Trailers(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            End::Failed(error) => Poll::Ready(Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
            && match self.end {
                End::Open => self.rest.is_end_stream(),
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
    body: Option<BufferedBody<B>>,
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
        Self { body: Some(BufferedBody::new(body)), tail: BytesMut::new(), empty_frames: 0, limit }
    }

    /// The body with what was read of it; `None` if it was given away before.
    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Option<BufferedBody<B>>> {
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

    async fn read<B: Body<Data = Bytes> + Unpin>(body: B, limit: usize) -> BufferedBody<B> {
        let mut reader = ReadAhead::new(body, limit);
        poll_fn(|context| reader.poll_read(context)).await.unwrap()
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
            assert_eq!(body.prefix(10).as_ref(), b"ab");
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
            assert_eq!(body.frame().await.unwrap().unwrap_err(), "broken");
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
            assert_eq!(body.prefix(200).as_ref(), (0..200).collect::<Vec<u8>>());
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
                let prefix = body.prefix(limit);
                prop_assert!(all.starts_with(prefix.as_ref()) && prefix.as_ref().len() <= limit);
                let collected = body.collect().await.unwrap();
                prop_assert_eq!(collected.trailers().cloned(), with_trailers.then(trailers));
                prop_assert_eq!(&collected.to_bytes()[..], &all[..]);
                Ok(())
            })?;
        }
    }
}
