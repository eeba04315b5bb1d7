//! Request bodies, taken apart into what they say.

mod limits;
mod outcome;

pub(crate) use limits::BodyLimits;
pub(crate) use outcome::{BodyFormat, BodyMark, BodyOutcome};

use crate::decode::{Parameter, Part, Place, urlencoded_parameters};

/// Visits every name and value of a body, of which at most `limits.max_bytes` are looked at.
///
/// `content_type` is the header's value, `body` the body or its beginning. What can't be taken apart, or lies beyond a
/// limit but for the first, comes as raw text; the outcome says so. Takes linear time.
pub(crate) fn fields(
    content_type: Option<&[u8]>,
    body: &[u8],
    limits: &BodyLimits,
    visit: &mut dyn FnMut(Parameter<'_>),
) -> BodyOutcome {
    let mut outcome = BodyOutcome::new(BodyFormat::Text);
    let inspected = body.get(..limits.max_bytes).unwrap_or(body);
    if body.len() >= limits.max_bytes {
        outcome.mark(BodyMark::Truncated);
    }
    if inspected.is_empty() {
        outcome.format = BodyFormat::Empty;
        return outcome;
    }
    let media_type = content_type.unwrap_or_default();
    if media_type.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded") {
        outcome.format = BodyFormat::UrlEncoded;
        if !urlencoded_parameters(inspected, Place::Form, limits.max_fields, visit) {
            outcome.mark(BodyMark::TooManyFields);
        }
    } else {
        visit(Parameter { name: b"", value: inspected, part: Part::Raw, place: Place::Content });
    }
    outcome
}
