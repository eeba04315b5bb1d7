//! Limits on what is taken apart of a body.

/// Limits on what is taken apart of a body. Its length is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_field_names)] // they are upper limits, all of them
pub(crate) struct BodyLimits {
    /// Maximum number of fields, each pair of name and value counted once; what follows is judged as raw text.
    /// Default: 65,536.
    pub(crate) max_fields: usize,
    /// Maximum depth of JSON and XML; what is deeper is judged as raw text. Default: 128.
    pub(crate) max_depth: usize,
    /// Bytes at the beginning of each uploaded file that are judged in full; behind them only what can run is looked for.
    /// Default: 8,192.
    pub(crate) max_file_bytes: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { max_fields: 65_536, max_depth: 128, max_file_bytes: 8 * 1024 }
    }
}
