//! Settings, as a person types them.

pub(crate) mod seconds;
