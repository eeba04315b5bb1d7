//! Tokens that are cut by the end of a chunk.

/// The end of a chunk that can't be read before more has arrived.
#[derive(Default)]
pub(super) struct Carry(Vec<u8>);

/// Bytes of a chunk that are put behind those that were carried over, at a time.
const STITCH: usize = 1024;

impl Carry {
    /// Passes a chunk on to `step`, behind what was carried over, and keeps what `step` does not read.
    ///
    /// `step` gets bytes and whether the body ends behind them, and returns how many of them it has read. It has to read
    /// everything at the end, and some of more bytes than its longest token has.
    pub(super) fn feed(&mut self, chunk: &[u8], last: bool, step: &mut dyn FnMut(&[u8], bool) -> usize) {
        let mut rest = chunk;
        while !self.0.is_empty() {
            let carried = self.0.len();
            let (now, later) = rest.split_at(rest.len().min(STITCH));
            self.0.extend_from_slice(now);
            let read = step(&self.0, last && later.is_empty());
            if let Some(of_chunk) = read.checked_sub(carried) {
                self.0.clear();
                rest = rest.get(of_chunk..).unwrap_or_default();
                if rest.is_empty() {
                    return;
                }
                break;
            }
            self.0.drain(..read);
            rest = later;
            if rest.is_empty() {
                return;
            }
        }
        let read = step(rest, last);
        self.0.extend_from_slice(rest.get(read..).unwrap_or_default());
    }
}
