//! Undoing the `Content-Encoding` of bodies, so that they are judged as an application reads them.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// Decodes one body while it arrives.
///
/// Memory: what [`MAX_STEP`] encoded bytes decode to, at most [`MAX_DECODED`] bytes, and the decoder's window.
pub(crate) struct BodyDecoder {
    decoder: Decoder,
}

enum Decoder {
    /// `deflate` means zlib's frame by the standard, and some send it without: the first two bytes tell.
    Undecided(Vec<u8>, Decoded),
    Gzip(MultiGzDecoder<Decoded>),
    Zlib(ZlibDecoder<Decoded>),
    Deflate(DeflateDecoder<Decoded>),
    #[cfg(feature = "brotli")]
    Brotli(Box<brotli::DecompressorWriter<Decoded>>),
    #[cfg(feature = "zstd")]
    Zstd(zstd::stream::write::Decoder<'static, Decoded>),
}

/// Encoded bytes that are decoded at once.
const MAX_STEP: usize = 256;

/// Maximum number of bytes that one step may decode to: four times as much as deflate's best ratio, so that only what was
/// made to swell exceeds it.
const MAX_DECODED: usize = 1 << 20;

/// Decoded bytes that were not taken yet.
#[derive(Default)]
struct Decoded {
    bytes: Vec<u8>,
    overflows: bool,
}

impl Write for Decoded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_DECODED {
            self.overflows = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The encoding of a body.
pub(crate) enum Encoding {
    /// None.
    Identity,
    /// One that can be undone.
    Known(Box<BodyDecoder>),
    /// One that can't.
    Unknown,
}

impl Encoding {
    /// The encoding that the headers name.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        let Some(encoding) = encodings.next() else { return Self::Identity };
        if encodings.next().is_some() {
            return Self::Unknown;
        }
        let output = Decoded::default();
        let decoder = match encoding.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => return Self::Identity,
            b"gzip" | b"x-gzip" => Decoder::Gzip(MultiGzDecoder::new(output)),
            b"deflate" => Decoder::Undecided(Vec::new(), output),
            #[cfg(feature = "brotli")]
            b"br" => Decoder::Brotli(Box::new(brotli::DecompressorWriter::new(output, 4096))),
            #[cfg(feature = "zstd")]
            b"zstd" => match zstd::stream::write::Decoder::new(output) {
                Ok(decoder) => Decoder::Zstd(decoder),
                Err(_) => return Self::Unknown,
            },
            _ => return Self::Unknown,
        };
        Self::Known(Box::new(BodyDecoder { decoder }))
    }
}

impl BodyDecoder {
    /// Decodes the next bytes and shows what they decode to; the problem, if they can't be decoded.
    pub(crate) fn decode(
        &mut self,
        mut chunk: &[u8],
        show: &mut dyn FnMut(&[u8]),
    ) -> Result<(), &'static str> {
        while !chunk.is_empty() {
            let (step, rest) = chunk.split_at(chunk.len().min(MAX_STEP));
            chunk = rest;
            let written = self.write(step);
            let decoded = self.decoded();
            let (bytes, overflows) = (std::mem::take(&mut decoded.bytes), decoded.overflows);
            if !bytes.is_empty() {
                show(&bytes);
            }
            // The memory is used again.
            self.decoded().bytes = {
                let mut bytes = bytes;
                bytes.clear();
                bytes
            };
            if overflows {
                return Err("it swells beyond bounds");
            }
            written.map_err(|_| "it is broken, or goes on behind its end")?;
        }
        Ok(())
    }

    /// Reports the problem of a body that ends here.
    pub(crate) fn finish(&mut self, show: &mut dyn FnMut(&[u8])) -> Result<(), &'static str> {
        let ended = match &mut self.decoder {
            Decoder::Undecided(..) => Err(io::ErrorKind::UnexpectedEof.into()),
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Zlib(decoder) => decoder.try_finish(),
            Decoder::Deflate(decoder) => decoder.try_finish(),
            #[cfg(feature = "brotli")]
            Decoder::Brotli(decoder) => decoder.close(),
            #[cfg(feature = "zstd")]
            Decoder::Zstd(decoder) => decoder.flush(),
        };
        let decoded = self.decoded();
        if !decoded.bytes.is_empty() {
            show(&std::mem::take(&mut decoded.bytes));
        }
        ended.map_err(|_| "it breaks off")
    }

    fn write(&mut self, step: &[u8]) -> io::Result<()> {
        if let Decoder::Undecided(beginning, _) = &mut self.decoder {
            beginning.extend_from_slice(step);
            let [first, second, ..] = **beginning else { return Ok(()) };
            let beginning = std::mem::take(beginning);
            // RFC 1950, section 2.2: the method is 8, and both bytes together are a multiple of 31.
            let is_framed = first & 0x0f == 8 && u16::from_be_bytes([first, second]) % 31 == 0;
            self.decoder = if is_framed {
                Decoder::Zlib(ZlibDecoder::new(Decoded::default()))
            } else {
                Decoder::Deflate(DeflateDecoder::new(Decoded::default()))
            };
            return self.write(&beginning);
        }
        match &mut self.decoder {
            Decoder::Undecided(..) => Ok(()),
            Decoder::Gzip(decoder) => decoder.write_all(step).and_then(|()| decoder.flush()),
            Decoder::Zlib(decoder) => decoder.write_all(step).and_then(|()| decoder.flush()),
            Decoder::Deflate(decoder) => decoder.write_all(step).and_then(|()| decoder.flush()),
            #[cfg(feature = "brotli")]
            Decoder::Brotli(decoder) => decoder.write_all(step),
            #[cfg(feature = "zstd")]
            Decoder::Zstd(decoder) => decoder.write_all(step).and_then(|()| decoder.flush()),
        }
    }

    fn decoded(&mut self) -> &mut Decoded {
        match &mut self.decoder {
            Decoder::Undecided(_, decoded) => decoded,
            Decoder::Gzip(decoder) => decoder.get_mut(),
            Decoder::Zlib(decoder) => decoder.get_mut(),
            Decoder::Deflate(decoder) => decoder.get_mut(),
            #[cfg(feature = "brotli")]
            Decoder::Brotli(decoder) => decoder.get_mut(),
            #[cfg(feature = "zstd")]
            Decoder::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn headers(encodings: &[&'static str]) -> HeaderMap {
        encodings.iter().map(|encoding| (CONTENT_ENCODING, encoding.parse().unwrap())).collect()
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(encoding: &'static str, body: &[u8], step: usize) -> Result<Vec<u8>, &'static str> {
        let Encoding::Known(mut decoder) = Encoding::of(&headers(&[encoding])) else { panic!("{encoding}") };
        let mut text = Vec::new();
        let mut show = |bytes: &[u8]| text.extend_from_slice(bytes);
        for chunk in body.chunks(step.max(1)) {
            decoder.decode(chunk, &mut show)?;
        }
        decoder.finish(&mut show)?;
        Ok(text)
    }

    #[test]
    fn each_encoding_is_undone() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"hello").unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(b"hello").unwrap();
        for (encoding, body) in [
            ("gzip", gzip(b"hello")),
            ("X-Gzip", gzip(b"hello")),
            ("gzip", [gzip(b"hel"), gzip(b"lo")].concat()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
        ] {
            for step in [1, 3, 1000] {
                assert_eq!(decode(encoding, &body, step).as_deref(), Ok(&b"hello"[..]), "{encoding} {step}");
            }
        }
    }

    #[test]
    fn unknown_and_several_encodings_are_told() {
        for encodings in [&["compress"][..], &["gzip", "gzip"], &["gzip, gzip"], &["gzip", "identity"]] {
            assert!(matches!(Encoding::of(&headers(encodings)), Encoding::Unknown), "{encodings:?}");
        }
        for encodings in [&[][..], &["identity"], &[""]] {
            assert!(matches!(Encoding::of(&headers(encodings)), Encoding::Identity), "{encodings:?}");
        }
    }

    #[test]
    fn trailing_bytes_truncation_and_bombs_are_told() {
        let whole = gzip(b"hello");
        assert!(decode("gzip", &[&whole[..], b"q=<script>"].concat(), 7).is_err());
        assert_eq!(decode("gzip", &whole[..whole.len() - 4], 7), Err("it breaks off"));
        assert!(decode("gzip", b"q=<script>alert(1)</script>", 7).is_err());
        let bomb = gzip(&vec![0; 50_000_000]);
        let largest = decode("gzip", &bomb, 1000).map(|decoded| decoded.len());
        assert_eq!(largest, Ok(50_000_000), "deflate can't exceed the bound");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(body: Vec<u8>, step in 1..50usize) {
            for encoding in ["gzip", "deflate"] {
                let _ = decode(encoding, &body, step);
            }
        }

        #[test]
        fn what_was_encoded_comes_back(body: Vec<u8>, step in 1..50usize) {
            let decoded = decode("gzip", &gzip(&body), step);
            prop_assert_eq!(decoded.as_deref(), Ok(&body[..]));
        }
    }
}
