//! Detectors that a service brings along.

use std::any::Any;

use super::{Body, ClientMemory, Detector, Head, Response};
use crate::protection::Protection;
use crate::verdict::Finding;

/// The service's own detectors, in the order in which they were added.
#[derive(Default)]
pub(crate) struct CustomDetectors(Vec<(Protection, Box<dyn Erased>)>);

/// What custom detectors remember of one client, in their order; empty until the first of them runs.
#[derive(Default)]
pub(crate) struct CustomMemory(Vec<Box<dyn ErasedMemory>>);

/// What custom detectors remember of one request, likewise.
#[derive(Default)]
pub(crate) struct CustomRequests(Vec<Box<dyn Any + Send>>);

/// A detector whose memory has no type.
trait Erased: Send + Sync {
    fn new_client(&self) -> Box<dyn ErasedMemory>;
    fn new_request(&self) -> Box<dyn Any + Send>;
    fn head(&self, head: &Head<'_>, client: &mut dyn ErasedMemory, request: &mut dyn Any) -> Option<Finding>;
    fn body(&self, body: &Body<'_>, request: &mut dyn Any) -> Option<Finding>;
    fn response(&self, response: &Response<'_>, client: &mut dyn ErasedMemory);
}

trait ErasedMemory: Send {
    fn as_any(&mut self) -> &mut dyn Any;
    fn bytes(&self) -> usize;
}

impl<M: ClientMemory> ErasedMemory for M {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn bytes(&self) -> usize {
        size_of::<M>() + self.heap_bytes()
    }
}

impl<D: Detector> Erased for D {
    fn new_client(&self) -> Box<dyn ErasedMemory> {
        Box::new(D::Client::default())
    }

    fn new_request(&self) -> Box<dyn Any + Send> {
        Box::new(D::Request::default())
    }

    // The memory at a detector's place is always its own: `CustomMemory` is filled in the detectors' order.
    fn head(&self, head: &Head<'_>, client: &mut dyn ErasedMemory, request: &mut dyn Any) -> Option<Finding> {
        Detector::head(self, head, client.as_any().downcast_mut()?, request.downcast_mut()?)
    }

    fn body(&self, body: &Body<'_>, request: &mut dyn Any) -> Option<Finding> {
        Detector::body(self, body, request.downcast_mut()?)
    }

    fn response(&self, response: &Response<'_>, client: &mut dyn ErasedMemory) {
        if let Some(client) = client.as_any().downcast_mut() {
            Detector::response(self, response, client);
        }
    }
}

impl CustomDetectors {
    /// Adds a detector for `protection`.
    pub(crate) fn push(&mut self, protection: Protection, detector: impl Detector) {
        self.0.push((protection, Box::new(detector)));
    }

    /// The protections that they run, in order.
    pub(crate) fn protections(&self) -> impl Iterator<Item = Protection> + '_ {
        self.0.iter().map(|(protection, _)| *protection)
    }

    /// Asks the detector at `index` about the head of a request.
    pub(crate) fn head(
        &self,
        index: usize,
        head: &Head<'_>,
        memory: &mut CustomMemory,
        requests: &mut CustomRequests,
    ) -> Option<Finding> {
        let (_, detector) = self.0.get(index)?;
        let request = self.request(index, requests)?;
        detector.head(head, self.client(index, memory)?, request)
    }

    /// Asks the detector at `index` about a chunk of a body.
    pub(crate) fn body(
        &self,
        index: usize,
        body: &Body<'_>,
        requests: &mut CustomRequests,
    ) -> Option<Finding> {
        let (_, detector) = self.0.get(index)?;
        detector.body(body, self.request(index, requests)?)
    }

    /// Shows a response to the detector at `index`.
    pub(crate) fn response(&self, index: usize, response: &Response<'_>, memory: &mut CustomMemory) {
        if let Some((_, detector)) = self.0.get(index)
            && let Some(client) = self.client(index, memory)
        {
            detector.response(response, client);
        }
    }

    fn request<'m>(&self, index: usize, requests: &'m mut CustomRequests) -> Option<&'m mut dyn Any> {
        if requests.0.is_empty() {
            requests.0 = self.0.iter().map(|(_, detector)| detector.new_request()).collect();
        }
        requests.0.get_mut(index).map(|request| &mut **request as &mut dyn Any)
    }

    fn client<'m>(
        &self,
        index: usize,
        memory: &'m mut CustomMemory,
    ) -> Option<&'m mut (dyn ErasedMemory + 'static)> {
        if memory.0.is_empty() {
            memory.0 = self.0.iter().map(|(_, detector)| detector.new_client()).collect();
        }
        memory.0.get_mut(index).map(|client| &mut **client)
    }
}

impl ClientMemory for CustomMemory {
    fn heap_bytes(&self) -> usize {
        self.0.iter().map(|client| size_of::<Box<dyn ErasedMemory>>() + client.bytes()).sum()
    }
}
