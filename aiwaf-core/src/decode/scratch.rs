//! Memory that decoders write into.

/// Memory for one text, used again for one value after the other. Texts of up to [`INLINE`] bytes need no allocation.
pub(super) struct Scratch {
    inline: [u8; INLINE],
    heap: Vec<u8>,
}

const INLINE: usize = 256;

impl Default for Scratch {
    fn default() -> Self {
        Self { inline: [0; INLINE], heap: Vec::new() }
    }
}

impl Scratch {
    /// A writer with room for `capacity` bytes.
    pub(super) fn writer(&mut self, capacity: usize) -> Writer<'_> {
        if capacity <= INLINE {
            return Writer::new(&mut self.inline);
        }
        if self.heap.len() < capacity {
            self.heap.resize(capacity, 0);
        }
        Writer::new(&mut self.heap)
    }
}

/// Writes into memory of a fixed size. What has no room is dropped; decoders ask for as much as they can need, which is
/// the length of what they read.
pub(super) struct Writer<'b> {
    out: &'b mut [u8],
    length: usize,
}

impl<'b> Writer<'b> {
    pub(super) fn new(out: &'b mut [u8]) -> Self {
        Self { out, length: 0 }
    }

    /// A writer over memory of which the first `length` bytes are written.
    pub(super) fn resume(out: &'b mut [u8], length: usize) -> Self {
        Self { length: length.min(out.len()), out }
    }

    pub(super) fn push(&mut self, byte: u8) {
        if let Some(slot) = self.out.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.out.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }

    /// Appends what stands further on in the memory.
    pub(super) fn extend_from_within(&mut self, start: usize, length: usize) {
        self.out.copy_within(start..start + length, self.length);
        self.length += length;
    }

    /// All of the memory, written or not.
    pub(super) fn memory(&self) -> &[u8] {
        self.out
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Appends a character as UTF-8, compatibility forms as what they fold to; NUL is dropped.
    pub(super) fn push_character(&mut self, character: char) {
        if character != '\0' {
            self.extend(super::compatibility::fold(character).encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// What is written.
    pub(super) fn text(&self) -> &[u8] {
        self.out.get(..self.length).unwrap_or_default()
    }

    /// What is written, to be changed in place.
    pub(super) fn text_mut(&mut self) -> &mut [u8] {
        self.out.get_mut(..self.length).unwrap_or_default()
    }

    /// What was written.
    pub(super) fn finish(self) -> &'b mut [u8] {
        self.out.get_mut(..self.length).unwrap_or_default()
    }
}
