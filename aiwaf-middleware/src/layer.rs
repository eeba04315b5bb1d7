//! The layers.

use tower_layer::Layer;

use crate::service::{AiwafService, HeadOnlyService};
use crate::waf::Aiwaf;

/// Puts an [`Aiwaf`] around a service. Requests pass untouched or not at all; the service gets their bodies as
/// [`InspectedBody`](crate::InspectedBody).
///
/// - A client that is banned, or over its limit, is refused before anything of its body is read.
/// - Of bodies that a protection reads, the first `attack_signatures.max_body_bytes` are judged before the service is
///   called, and the rest chunk by chunk, before the service sees it. A match in flight ends the body with an error; the
///   response is the blocked one, if none has begun.
/// - Where request and response are one conversation (gRPC over HTTP/2, `CONNECT`), nothing is read ahead: each side might
///   wait for the other. Such bodies are judged in flight.
/// - Memory: the bytes that are read ahead and one frame, and at most 256 KiB of what the readers keep. A client that sends
///   slowly is waited for, as the service would wait for it otherwise: put a timeout around both.
#[derive(Debug, Clone)]
pub struct AiwafLayer {
    waf: Aiwaf,
    limit: Option<usize>,
}

impl AiwafLayer {
    /// The layer of this firewall.
    pub fn new(waf: Aiwaf) -> Self {
        Self { waf, limit: None }
    }

    /// Judges heads of requests only: attacks in bodies pass unseen. For services whose bodies mean nothing to what reads
    /// them.
    pub fn without_body_inspection(self) -> HeadOnlyLayer {
        HeadOnlyLayer { waf: self.waf }
    }

    /// Reads the first `limit` bytes of every body before the service is called, whether a protection reads it or not.
    #[must_use]
    pub fn always(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

impl<S> Layer<S> for AiwafLayer {
    type Service = AiwafService<S>;

    fn layer(&self, inner: S) -> AiwafService<S> {
        AiwafService::new(inner, self.waf.clone(), self.limit)
    }
}

/// As [`AiwafLayer`], but looks at no bodies; by [`AiwafLayer::without_body_inspection`].
#[derive(Debug, Clone)]
pub struct HeadOnlyLayer {
    waf: Aiwaf,
}

impl<S> Layer<S> for HeadOnlyLayer {
    type Service = HeadOnlyService<S>;

    fn layer(&self, inner: S) -> HeadOnlyService<S> {
        HeadOnlyService::new(inner, self.waf.clone())
    }
}
