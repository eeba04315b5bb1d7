//! Parts that are encoded for transfer, or in a character set that hides ASCII.

use super::super::charset::{Transcoder, base64_value};
use super::super::sink::Sink;
use super::super::window::Window;
use super::part_head::TransferEncoding;
use crate::decode::Part;

/// A part without its encodings, passed on as a value.
pub(super) struct Decoded {
    encoding: Encoding,
    transcoder: Option<Transcoder>,
    window: Window,
}

enum Encoding {
    None,
    Base64 {
        bits: u32,
        count: u32,
    },
    QuotedPrintable {
        /// Bytes behind an equals sign.
        held: [u8; 2],
        /// Their number, with the equals sign.
        length: usize,
    },
}

impl Decoded {
    pub(super) fn new(encoding: TransferEncoding, transcoder: Option<Transcoder>) -> Self {
        let encoding = match encoding {
            TransferEncoding::None => Encoding::None,
            TransferEncoding::Base64 => Encoding::Base64 { bits: 0, count: 0 },
            TransferEncoding::QuotedPrintable => Encoding::QuotedPrintable { held: [0; 2], length: 0 },
        };
        Self { encoding, transcoder, window: Window::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8], name: &[u8], sink: &mut Sink<'_>) {
        let (transcoder, window) = (&mut self.transcoder, &mut self.window);
        let mut decoded = Vec::new();
        for block in bytes.chunks(4096) {
            decoded.clear();
            let text = self.encoding.decode(block, &mut decoded);
            match transcoder {
                Some(transcoder) => transcoder.decode(text, false, &mut |text| {
                    sink.push(window, name, text, Part::Value);
                }),
                None => sink.push(window, name, text, Part::Value),
            }
        }
    }

    pub(super) fn end(&mut self, name: &[u8], sink: &mut Sink<'_>) {
        let window = &mut self.window;
        if let Some(transcoder) = &mut self.transcoder {
            transcoder.decode(b"", true, &mut |text| sink.push(window, name, text, Part::Value));
        }
        sink.end(window, name, Part::Value);
    }
}

impl Encoding {
    /// Decodes into `decoded`, unless the bytes are not encoded.
    fn decode<'d>(&mut self, bytes: &'d [u8], decoded: &'d mut Vec<u8>) -> &'d [u8] {
        match self {
            Self::None => return bytes,
            Self::Base64 { bits, count } => {
                // Anything else is skipped, as lenient decoders do.
                for value in bytes.iter().filter_map(|byte| base64_value(*byte)) {
                    *bits = *bits << 6 | value;
                    *count += 6;
                    if *count >= 8 {
                        *count -= 8;
                        decoded.extend((*bits >> *count).to_le_bytes().first());
                    }
                }
            }
            Self::QuotedPrintable { held, length } => {
                for &byte in bytes {
                    match (*length, byte) {
                        (0, b'=') => *length = 1,
                        (0, _) => decoded.push(byte),
                        (1, b'\n') => *length = 0,
                        (1, _) => {
                            held[0] = byte;
                            *length = 2;
                        }
                        (_, _) => {
                            *length = 0;
                            held[1] = byte;
                            let digits = held.map(|digit| char::from(digit).to_digit(16));
                            match digits {
                                [Some(high), Some(low)] => {
                                    decoded.extend((high << 4 | low).to_le_bytes().first());
                                }
                                _ if held[0] == b'\r' => {}
                                _ => decoded.extend([b'=', held[0], held[1]]),
                            }
                        }
                    }
                }
            }
        }
        decoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: TransferEncoding, text: &str) -> String {
        let mut decoder = Decoded::new(encoding, None).encoding;
        let mut whole = Vec::new();
        for part in text.as_bytes().chunks(3) {
            whole.extend_from_slice(decoder.decode(part, &mut Vec::new()));
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn encodings_are_undone() {
        assert_eq!(decode(TransferEncoding::Base64, "PHNj\r\ncmlw dD4="), "<script>");
        assert_eq!(decode(TransferEncoding::QuotedPrintable, "=3Cscri=\r\npt=\n>=zz"), "<script>=zz");
    }
}
