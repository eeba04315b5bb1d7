//! Looking into compressed bodies.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// The first `limit` bytes of what a body, or its beginning, is when it is decompressed; `None` if it is not compressed
/// in a way that is known here. What breaks off, because only the beginning is there or because it is broken, is given as
/// far as it goes: a service would see no more of it either.
pub(crate) fn decompress(headers: &HeaderMap, body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let (encoding, None) = (encodings.next()?.as_bytes().trim_ascii(), encodings.next()) else { return None };
    let decompressed = if [&b"gzip"[..], b"x-gzip"].iter().any(|gzip| encoding.eq_ignore_ascii_case(gzip)) {
        read_up_to(MultiGzDecoder::new(body), limit)
    } else if encoding.eq_ignore_ascii_case(b"deflate") {
        // By the standard with zlib's frame; some send it without.
        let framed = read_up_to(ZlibDecoder::new(body), limit);
        if framed.is_empty() { read_up_to(DeflateDecoder::new(body), limit) } else { framed }
    } else {
        return None;
    };
    (!decompressed.is_empty()).then_some(decompressed)
}

/// What can be read, at most `limit` bytes.
fn read_up_to(mut reader: impl Read, limit: usize) -> Vec<u8> {
    let mut read = vec![0; limit];
    let mut length = 0;
    while let Some(room) = read.get_mut(length..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A body that breaks off: what was read counts.
            Err(_) => break,
        }
    }
    read.truncate(length);
    read
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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

    #[test]
    fn each_encoding_is_undone() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"hello").unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(b"hello").unwrap();
        for (encoding, body) in [
            ("gzip", gzip(b"hello")),
            ("X-GZIP", gzip(b"hello")),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
        ] {
            assert_eq!(
                decompress(&headers(&[encoding]), &body, 100).as_deref(),
                Some(&b"hello"[..]),
                "{encoding}"
            );
        }
        let two = [gzip(b"hel"), gzip(b"lo")].concat();
        assert_eq!(decompress(&headers(&["gzip"]), &two, 100).as_deref(), Some(&b"hello"[..]));
    }

    #[test]
    fn what_is_not_compressed_is_left_alone() {
        assert_eq!(decompress(&headers(&[]), &gzip(b"x"), 100), None);
        assert_eq!(decompress(&headers(&["br"]), &gzip(b"x"), 100), None);
        assert_eq!(decompress(&headers(&["gzip", "gzip"]), &gzip(b"x"), 100), None);
        assert_eq!(decompress(&headers(&["gzip"]), b"a=1", 100), None);
    }

    #[test]
    fn no_body_swells() {
        let bomb = gzip(&vec![0; 10_000_000]);
        assert!(bomb.len() < 50_000);
        assert_eq!(decompress(&headers(&["gzip"]), &bomb, 1000), Some(vec![0; 1000]));
    }

    proptest! {
        #[test]
        fn the_beginning_tells_the_beginning(body: Vec<u8>, cut in 0usize..200, limit in 1usize..200) {
            let compressed = gzip(&body);
            let beginning = &compressed[..cut.min(compressed.len())];
            let decompressed = decompress(&headers(&["gzip"]), beginning, limit).unwrap_or_default();
            prop_assert!(decompressed.len() <= limit && body.starts_with(&decompressed));
        }

        #[test]
        fn any_bytes_will_do(body: Vec<u8>, encoding in prop_oneof![Just("gzip"), Just("deflate")]) {
            let decompressed = decompress(&headers(&[encoding]), &body, 64).unwrap_or_default();
            prop_assert!(decompressed.len() <= 64);
        }
    }
}
