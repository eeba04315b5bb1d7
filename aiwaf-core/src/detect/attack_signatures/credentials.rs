//! Basic credentials: the user's name and the password, which a header carries in Base64.

use smallvec::SmallVec;

/// Returns the decoded credentials of an `Authorization` or `Proxy-Authorization` header with the scheme Basic, as
/// `user:password`. Bytes outside of both Base64 alphabets are skipped, as PHP and others do. Takes linear time.
pub(super) fn basic(value: &[u8]) -> Option<SmallVec<[u8; 128]>> {
    let (scheme, encoded) = value.trim_ascii().split_at_checked(BASIC.len())?;
    if !scheme.eq_ignore_ascii_case(BASIC) || !encoded.first()?.is_ascii_whitespace() {
        return None;
    }
    let mut decoded = SmallVec::new();
    let (mut bits, mut count) = (0u32, 0);
    for six in encoded.iter().filter_map(|byte| digit(*byte)) {
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            decoded.push(byte);
        }
    }
    Some(decoded)
}

/// Splits credentials at the first colon, which no name has, into the user's name and the password.
pub(super) fn name_and_password(credentials: &[u8]) -> [&[u8]; 2] {
    match memchr::memchr(b':', credentials) {
        Some(colon) => {
            [credentials.get(..colon).unwrap_or_default(), credentials.get(colon + 1..).unwrap_or_default()]
        }
        None => [credentials, b""],
    }
}

/// Reports whether a header of this name carries credentials.
pub(super) fn is_header_of_credentials(name: &str) -> bool {
    name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("proxy-authorization")
}

const BASIC: &[u8] = b"basic";

/// The six bits that a digit of either Base64 alphabet stands for.
const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_are_decoded_and_split() {
        for (value, expected) in [
            ("Basic dXNlcjpwYXNz", Some(["user", "pass"])),
            ("basic  dXNlcjpwYTpzcw==", Some(["user", "pa:ss"])),
            ("Basic dXNlcg", Some(["user", ""])),
            ("Basic dX!Nlc\njpwYXNz", Some(["user", "pass"])),
            ("Bearer dXNlcjpwYXNz", None),
            ("Basic", None),
            ("Basicx dXNl", None),
            ("", None),
        ] {
            let decoded = basic(value.as_bytes());
            let parts = decoded.as_deref().map(name_and_password);
            assert_eq!(parts, expected.map(|parts| parts.map(str::as_bytes)), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn any_credentials_are_decoded(credentials in proptest::collection::vec(any::<u8>(), 1..100)) {
            use base64::Engine;
            let encoded = base64::engine::general_purpose::STANDARD.encode(&credentials);
            prop_assert_eq!(&*basic(format!("Basic {encoded}").as_bytes()).unwrap(), &*credentials);
        }

        #[test]
        fn any_header_is_read(value in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = basic(&value);
        }
    }
}
