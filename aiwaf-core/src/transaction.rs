//! One request on its way through the firewall.

use std::net::IpAddr;

use crate::client::ClientKey;
use crate::detect::{Context, CustomRequests, Detector};
use crate::timestamp::Timestamp;
use crate::verdict::Verdict;

/// One request and its response, as far as the engine has seen them.
///
/// [`Engine::begin`](crate::Engine::begin) makes it. It borrows nothing, so that it can move with the request into a
/// future; for a request with a path of ordinary length it takes no memory of its own. The engine carries it through its
/// phases:
///
/// | phase | method | when |
/// |---|---|---|
/// | request head | [`Engine::request_head`](crate::Engine::request_head) | before anything of the body is read |
/// | request body | [`Engine::request_body`](crate::Engine::request_body) | for each chunk of it, if [`wants_body`](Self::wants_body) |
/// | response | [`Engine::response`](crate::Engine::response) | when its status is known |
///
/// After each phase, [`verdict`](Self::verdict) is the verdict so far. A transaction that is dropped early teaches
/// nothing.
pub struct Transaction {
    pub(crate) context: Context,
    pub(crate) judgement: Judgement,
}

/// What was found so far.
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    /// Whether the client passes everything.
    pub(crate) is_whitelisted: bool,
    /// Whether detectors are still interested in the body.
    pub(crate) wants_body: bool,
    /// Whether enforcing the protections in monitor mode would have blocked the request.
    pub(crate) is_shadow_blocked: bool,
    pub(crate) memory: RequestMemory,
}

/// Generates the memory of one request from the registration table of the detectors.
macro_rules! define_request_memory {
    ($($variant:ident $name:ident ($detector:ident, $settings:ident)
        presets [$($preset:ident)*] aliases [$($alias:literal)*] $description:literal;)*) => {
        /// What detectors remember of one request.
        #[derive(Default)]
        pub(crate) struct RequestMemory {
            $(pub(crate) $name: <crate::detect::$name::$detector as Detector>::Request,)*
            pub(crate) custom: CustomRequests,
        }
    };
}

for_each_detector!(define_request_memory);

impl Transaction {
    /// The verdict so far.
    pub fn verdict(&self) -> &Verdict {
        &self.judgement.verdict
    }

    /// Ends the transaction with its verdict.
    pub fn into_verdict(self) -> Verdict {
        self.judgement.verdict
    }

    /// Reports whether the request may pass so far.
    pub fn is_allowed(&self) -> bool {
        self.judgement.verdict.is_allowed()
    }

    /// Reports whether a detector wants to see the body, or more of it; never of a request that is refused already, nor
    /// of a whitelisted client.
    pub fn wants_body(&self) -> bool {
        self.judgement.wants_body
    }

    /// The key under which the client is counted.
    pub fn client(&self) -> ClientKey {
        self.context.client
    }

    /// The client's address.
    pub fn address(&self) -> IpAddr {
        self.context.address
    }

    /// When the request arrived.
    pub fn time(&self) -> Timestamp {
        self.context.time
    }

    /// The normalized path.
    pub fn path(&self) -> &[u8] {
        &self.context.path
    }
}
