//! What fuzz targets and measurements need beside the public interface; nothing here is promised to stay.

use crate::body::{self, BodyHead, BodyLimits, BodyReader};
use crate::decode::{
    FormSet, Forms, Kinds, Parameter, Part, Place, cookie_parameters, urlencoded_parameters,
};

/// The ways in which a value is decoded, by where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A query: `+` is a blank.
    Query,
    /// A part of a body whose own encoding is undone already.
    Content,
}

/// Decodes, with memory that is used again.
#[derive(Default)]
pub struct Decoder {
    forms: Forms,
}

impl Decoder {
    /// Shows each form of a value: its name, and the form.
    pub fn forms(&mut self, value: &[u8], source: Source, show: &mut dyn FnMut(&str, &[u8])) {
        let place = match source {
            Source::Query => Place::Query,
            Source::Content => Place::Content,
        };
        for (form, text) in self.forms.of(value, Kinds::of(value), place, FormSet::ALL).iter() {
            show(&format!("{form:?}"), text);
        }
    }

    /// Takes a query apart, and gives the number of bytes of all forms of all names and values.
    pub fn query(&mut self, query: &[u8]) -> usize {
        let mut total = 0;
        urlencoded_parameters(query, Place::Query, BodyLimits::default().max_fields, &mut |parameter| {
            total += self.judge(&parameter);
        });
        total
    }

    /// Takes a `Cookie` header apart, and gives the number of bytes of all forms of all names and values.
    pub fn cookie(&mut self, header: &[u8]) -> usize {
        let mut total = 0;
        cookie_parameters(header, BodyLimits::default().max_fields, &mut |parameter| {
            total += self.judge(&parameter);
        });
        total
    }

    /// Takes a body apart, and gives the number of bytes of all forms of all names and values.
    pub fn body(&mut self, content_type: Option<&[u8]>, body: &[u8]) -> usize {
        let mut total = 0;
        body::fields(content_type, body, &BodyLimits::default(), &mut |parameter| {
            total += self.judge(&parameter);
        });
        total
    }

    fn judge(&mut self, parameter: &Parameter<'_>) -> usize {
        self.forms
            .of(parameter.value, Kinds::of(parameter.value), parameter.place, FormSet::ALL)
            .iter()
            .map(|(_, text)| text.len())
            .sum()
    }
}

/// Takes a body apart with given limits (fields, levels, bytes of a file): shows name and value of what is found, and
/// returns the number of bytes of all values. Each chunk ends where `cuts` says, a distance from the last cut; what follows
/// all cuts is one chunk.
pub fn body_fields(
    content_type: Option<&[u8]>,
    body: &[u8],
    [max_fields, max_depth, max_file_bytes]: [usize; 3],
    cuts: &[usize],
    show: &mut dyn FnMut(&[u8], &[u8]),
) -> usize {
    let limits = BodyLimits { max_fields, max_depth, max_file_bytes };
    let mut total = 0;
    let mut visit = |parameter: Parameter<'_>| {
        if parameter.part != Part::Name {
            total += parameter.value.len();
        }
        show(parameter.name, parameter.value);
    };
    let mut reader = BodyReader::new(BodyHead::new(content_type), &limits);
    let mut rest = body;
    for cut in cuts {
        let (chunk, after) = rest.split_at((*cut).min(rest.len()));
        reader.feed(chunk, &mut visit);
        rest = after;
    }
    reader.finish_with(rest, &mut visit);
    total
}
