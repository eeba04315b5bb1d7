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

    /// Also shows the engine the first `limit` bytes of each request's body, which are read before the request is
    /// judged; the service gets the whole body as a [`BufferedBody`](crate::BufferedBody).
    ///
    /// None of today's protections looks at bodies, so this is for services that do so through
    /// [`Aiwaf::engine`]. It costs up to `limit` bytes and one frame of memory for each request that is being
    /// read, and a client that sends slowly is waited for before the service sees the request: put a timeout around it.
    pub fn with_body_inspection(self, limit: usize) -> InspectingLayer {
        InspectingLayer { waf: self.waf, limit }
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
    limit: usize,
}

impl<S> Layer<S> for InspectingLayer {
    type Service = InspectingService<S>;

    fn layer(&self, inner: S) -> InspectingService<S> {
        InspectingService::new(inner, self.waf.clone(), self.limit)
    }
}
