//! How much of a body is looked at.

/// How much of a body is looked at, so that no body takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_field_names)] // they are upper limits, all of them
pub(crate) struct BodyLimits {
    /// So many bytes of the body. An adapter buffers as many. Default: 65,536.
    pub(crate) max_bytes: usize,
    /// So many names and values, each pair counted once; what is more is judged in one piece. Default: 65,536.
    pub(crate) max_fields: usize,
    /// So many levels of JSON and XML; what is deeper is judged as raw text. Default: 128.
    pub(crate) max_depth: usize,
    /// So many bytes of each uploaded file. Default: 8,192.
    pub(crate) max_file_bytes: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { max_bytes: 64 * 1024, max_fields: 65_536, max_depth: 128, max_file_bytes: 8 * 1024 }
    }
}
