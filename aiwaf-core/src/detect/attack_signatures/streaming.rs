//! Bodies, judged while they arrive.

use super::{AttackSignatures, Found, Judge, Target, Value};
use crate::body::{BodyHead, BodyOutcome, BodyReader};
use crate::decode::{Form, Forms, Parameter, Place};
use crate::detect::{Body, BodyStream};
use crate::protection::Protection;
use crate::request::Request;
use crate::verdict::{Finding, Reason};

use super::settings::BodyOverflow;

/// The body of one request, as far as it was read.
#[derive(Default)]
pub(super) struct Reading {
    /// `None` before the first chunk, and when no more of the body is read. Boxed, for most requests have no body.
    reader: Option<Box<BodyReader>>,
    /// Bytes that were read.
    length: usize,
    is_done: bool,
}

impl AttackSignatures {
    /// Judges the next chunk of a body. The findings do not depend on how the body is cut into chunks.
    pub(super) fn judge_chunk(&self, body: &Body<'_>, found: &mut Found) -> Option<Finding> {
        let [sent, decoded] = std::mem::take(&mut found.readings);
        let mut readings = [sent, decoded];
        let [sent, decoded] = &mut readings;
        let reading = if body.stream == BodyStream::Sent { sent } else { decoded };
        let finding = self.read(body, found, reading);
        found.readings = readings;
        finding
    }

    fn read(&self, body: &Body<'_>, found: &mut Found, reading: &mut Reading) -> Option<Finding> {
        let is_first = reading.length == 0;
        if reading.is_done || (is_first && body.is_end && body.chunk.is_empty()) {
            return None;
        }
        let room = match self.overflow {
            BodyOverflow::Inspect => usize::MAX,
            BodyOverflow::Block | BodyOverflow::Pass => self.max_body_bytes.saturating_sub(reading.length),
        };
        let overflows = body.chunk.len() > room;
        let chunk = body.chunk.get(..room).unwrap_or(body.chunk);
        reading.length = reading.length.saturating_add(chunk.len());
        let mut judge = self.judge(body.request, body.context, found);
        let mut forms: Option<Forms> = None;
        let mut visit = |parameter: Parameter<'_>| judge.judge_parameter(&parameter, &mut forms);
        let outcome = if body.is_end || overflows {
            reading.is_done = true;
            let reader = reading.reader.take().map_or_else(|| self.reader(body), |reader| *reader);
            if overflows { reader.cut_off(chunk, &mut visit) } else { reader.finish_with(chunk, &mut visit) }
        } else {
            let reader = reading.reader.get_or_insert_with(|| Box::new(self.reader(body)));
            reader.feed(chunk, &mut visit);
            reader.outcome()
        };
        judge.judge_marks(&outcome);
        self.verdict(found).or_else(|| overflows.then(|| self.overflow_finding()).flatten())
    }

    fn reader(&self, body: &Body<'_>) -> BodyReader {
        let mut head = BodyHead::default();
        // An encoded body is not what its type says: it is read as what it looks like.
        let is_encoded = body.stream == BodyStream::Sent && has_encoding(body.request);
        if let Some(headers) = body.request.headers.filter(|_| !is_encoded) {
            headers.visit(&mut |name, value| {
                if name.eq_ignore_ascii_case("content-type") {
                    head.add(value);
                }
            });
        }
        BodyReader::new(head, &self.limits)
    }

    /// The finding for a body whose rest is not inspected.
    fn overflow_finding(&self) -> Option<Finding> {
        let finding =
            Finding::block(Protection::AttackSignatures, Reason::BodyOverflow { limit: self.max_body_bytes });
        match self.overflow {
            BodyOverflow::Block => Some(finding),
            BodyOverflow::Pass => Some(finding.as_note()),
            BodyOverflow::Inspect => None,
        }
    }
}

/// Reports whether the body has a `Content-Encoding`.
fn has_encoding(request: &Request<'_>) -> bool {
    request.header("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity"))
}

impl Judge<'_> {
    /// Judges the properties of a body as a whole, which show in its content type.
    fn judge_marks(&mut self, outcome: &BodyOutcome) {
        let whole = Value { target: Target::BodyText, place: Place::Content, name: b"", text: b"" };
        let shown = self.request.header("content-type").unwrap_or_default();
        for mark in outcome.marks() {
            self.signatures
                .rules
                .judge_mark(mark, |rule| self.note(rule, whole, (Form::Sent, shown), 0..shown.len()));
        }
    }
}
