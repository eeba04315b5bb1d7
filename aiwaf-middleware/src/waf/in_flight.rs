//! A transaction whose body goes on while the service answers.

use std::fmt;

use bytes::Bytes;
use http::{Response, request};
use parking_lot::Mutex;

use super::HttpTransaction;

/// A transaction that the body and the response's future share.
pub(crate) struct InFlight {
    /// The request's head, for what is judged and answered later.
    head: request::Parts,
    /// `None` once the request was refused.
    transaction: Mutex<Option<HttpTransaction>>,
}

impl InFlight {
    pub(crate) fn new(head: request::Parts, transaction: HttpTransaction) -> Self {
        Self { head, transaction: Mutex::new(Some(transaction)) }
    }

    /// Judges the next bytes of the body, and reports whether the service may see them.
    pub(crate) fn judge(&self, chunk: &[u8], is_end: bool) -> bool {
        self.transaction.lock().as_mut().is_none_or(|transaction| {
            transaction.body(&self.head, chunk, is_end);
            transaction.is_allowed()
        })
    }

    /// Takes note of the service's response; the response instead, if the body was blocked meanwhile.
    pub(crate) fn answered<B: http_body::Body>(&self, response: &Response<B>) -> Option<Response<Bytes>> {
        let mut slot = self.transaction.lock();
        let transaction = slot.as_mut()?;
        if transaction.is_allowed() {
            transaction.answered(response);
            return None;
        }
        slot.take().map(|transaction| transaction.refuse(&self.head))
    }

    /// The response if the body was blocked, for a service that has failed on it.
    pub(crate) fn refused(&self) -> Option<Response<Bytes>> {
        let mut slot = self.transaction.lock();
        if slot.as_ref()?.is_allowed() {
            return None;
        }
        slot.take().map(|transaction| transaction.refuse(&self.head))
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}
