//! Request bodies, taken apart into names and values as applications would.
//!
//! Nothing is built: what is found is shown to a visitor at once, while the body arrives. Everything is total (any bytes are
//! fine), takes linear time and bounded memory, and does not depend on how the body is cut into chunks. What can't be taken
//! apart is shown as raw text, so that nothing goes unseen.
//!
//! [`BodyReader`] chooses a format and feeds that format's reader. Each of those reads whole tokens from the bytes at hand,
//! and returns how many bytes it has read; [`Carry`](carry::Carry) puts the rest before the next chunk. A token that may be
//! long, such as a value, is collected in a [`Window`](window::Window), which shows it in pieces.

mod carry;
mod charset;
#[cfg(test)]
mod differential;
mod file;
mod head;
mod json;
mod limits;
mod multipart;
mod outcome;
mod parameters;
mod protobuf;
mod reader;
mod runnable;
mod sink;
mod sniff;
#[cfg(test)]
mod splits;
#[cfg(test)]
mod tests;
mod text_check;
mod urlencoded;
mod window;
mod xml;

pub(crate) use head::BodyHead;
pub(crate) use limits::BodyLimits;
pub(crate) use outcome::{BodyFormat, BodyMark, BodyOutcome};
pub(crate) use reader::BodyReader;

#[cfg(any(test, feature = "internals"))]
use crate::decode::Parameter;

/// Visits every name and value of a whole body with one content type.
#[cfg(any(test, feature = "internals"))]
pub(crate) fn fields(
    content_type: Option<&[u8]>,
    body: &[u8],
    limits: &BodyLimits,
    visit: &mut dyn FnMut(Parameter<'_>),
) -> BodyOutcome {
    BodyReader::new(BodyHead::new(content_type), limits).finish_with(body, visit)
}
