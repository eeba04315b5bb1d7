//! `<!DOCTYPE ...>`, with declarations in brackets.

use memchr::memmem;
use smallvec::SmallVec;

use super::super::BodyMark;
use super::super::sink::Sink;

/// Marks what a document type declares.
#[derive(Default)]
pub(super) struct DocumentType {
    /// The quote that ends the literal.
    quote: Option<u8>,
    is_nested: bool,
    /// The beginning of the document type or of a declaration in it, in upper case, as long as it may say where something
    /// comes from.
    head: SmallVec<[u8; 64]>,
    /// Whether the head is complete.
    has_head: bool,
}

/// Maximum bytes of a declaration that are looked at.
const MAX_HEAD: usize = 256;

impl DocumentType {
    /// Reads up to the end; returns the number of bytes, and whether the end was there.
    pub(super) fn read(&mut self, text: &[u8], sink: &mut Sink<'_>) -> (usize, bool) {
        for (at, &byte) in text.iter().enumerate() {
            if let Some(quote) = self.quote {
                self.quote = Some(quote).filter(|quote| *quote != byte);
                continue;
            }
            match byte {
                b'"' | b'\'' => {
                    self.end_head(sink);
                    self.quote = Some(byte);
                }
                b'[' => {
                    self.end_head(sink);
                    self.is_nested = true;
                }
                b']' => self.is_nested = false,
                b'>' if self.is_nested => self.end_head(sink),
                b'>' => {
                    self.end_head(sink);
                    return (at + 1, true);
                }
                b'<' => {
                    self.head.clear();
                    self.has_head = false;
                }
                _ => {}
            }
            if !self.has_head {
                self.head.push(byte.to_ascii_uppercase());
                if self.head.len() >= MAX_HEAD {
                    self.end_head(sink);
                }
            }
        }
        (text.len(), false)
    }

    fn end_head(&mut self, sink: &mut Sink<'_>) {
        if std::mem::replace(&mut self.has_head, true) {
            return;
        }
        let has = |word: &[u8]| memmem::find(&self.head, word).is_some();
        let is_entity = self.head.starts_with(b"<!ENTITY");
        if is_entity {
            sink.mark(BodyMark::Entity);
        }
        // Most document types name a public standard, which no parser fetches.
        let fetches = if is_entity {
            has(b"SYSTEM") || has(b"PUBLIC")
        } else {
            self.head.starts_with(b"<!DOCTYPE") && has(b"SYSTEM") && !has(b"PUBLIC")
        };
        if fetches {
            sink.mark(BodyMark::ExternalEntity);
        }
    }
}
