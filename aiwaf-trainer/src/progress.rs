//! How far the work is, for whoever shows it.

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProgressUpdate {
    /// Bytes read so far, as they lie on the disk, compressed or not.
    pub bytes: u64,
    /// All of them; `None` if that is not known, as with standard input.
    pub total_bytes: Option<u64>,
    /// Lines read so far.
    pub lines: u64,
}

/// Is told how far the work is, several times a second at most speed. `()` shows nothing; closures work too.
pub trait Progress {
    /// What is being done, in a few words; said once as each part begins.
    fn begin(&mut self, what: &str) {
        let _ = what;
    }

    /// How far the reading is; called for every few thousand lines, so it should be quick.
    fn update(&mut self, update: ProgressUpdate);
}

impl Progress for () {
    fn update(&mut self, _: ProgressUpdate) {}
}

impl<F: FnMut(ProgressUpdate)> Progress for F {
    fn update(&mut self, update: ProgressUpdate) {
        self(update);
    }
}
