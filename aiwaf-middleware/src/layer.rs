//! The layers.

use tower_layer::Layer;

use crate::service::{AiwafService, InspectingService};
use crate::waf::Aiwaf;

/// Puts an [`Aiwaf`] around a service. Requests pass untouched or not at all.
#[derive(Debug, Clone)]
pub struct AiwafLayer {
    waf: Aiwaf,
}

impl AiwafLayer {
    /// The layer of this firewall.
    pub fn new(waf: Aiwaf) -> Self {
        Self { waf }
    }

    /// Also shows the engine the beginning of bodies, which are read ahead before the request is judged; the service gets
    /// the whole body as a [`BufferedBody`](crate::BufferedBody).
    ///
    /// - Only requests are waited for of which a protection that applies to them looks at the body, and only for as many
    ///   bytes as it looks at; what is more streams through untouched. A client that is banned is denied at once.
    /// - Where request and answer are one conversation (gRPC, `CONNECT`), nothing is read ahead: each side might wait for
    ///   the other. Exempt other routes of that kind from the protections that look at bodies.
    /// - It costs up to so many bytes and one frame of memory for each request that is being read. A client that sends
    ///   slowly is waited for before the service sees the request, as the service would wait for it otherwise: put a
    ///   timeout around both.
    pub fn with_body_inspection(self) -> InspectingLayer {
        InspectingLayer { waf: self.waf, limit: None }
    }
}

impl<S> Layer<S> for AiwafLayer {
    type Service = AiwafService<S>;

    fn layer(&self, inner: S) -> AiwafService<S> {
        AiwafService::new(inner, self.waf.clone())
    }
}

/// As [`AiwafLayer`], but reads the beginning of bodies; by [`AiwafLayer::with_body_inspection`].
#[derive(Debug, Clone)]
pub struct InspectingLayer {
    waf: Aiwaf,
    limit: Option<usize>,
}

impl InspectingLayer {
    /// Waits for the first `limit` bytes of every body, whether a protection looks at it or not.
    ///
    /// For services that look at bodies through [`Aiwaf::engine`].
    #[must_use]
    pub fn always(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

impl<S> Layer<S> for InspectingLayer {
    type Service = InspectingService<S>;

    fn layer(&self, inner: S) -> InspectingService<S> {
        InspectingService::new(inner, self.waf.clone(), self.limit)
    }
}
