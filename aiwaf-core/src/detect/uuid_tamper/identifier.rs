//! What a UUID looks like, and where in a request one stands.

/// Reads a UUID as RFC 9562 writes it, once percent-decoded: 8-4-4-4-12 hexadecimal digits in any case.
///
/// Any digits will do, the nil and the max UUID and unknown versions included, because services keep identifiers that
/// were made before the RFC. Blanks around it are ignored: links get them when people copy them. Braces, `urn:uuid:`
/// and digits without dashes are not this form.
pub(super) fn parse_uuid(encoded: &[u8]) -> Option<u128> {
    let mut text = [0; TEXT_LENGTH];
    let mut length = 0;
    let mut ended = false;
    for byte in percent_decoded(encoded) {
        match byte {
            b' ' | b'\t' if length == 0 => {}
            b' ' | b'\t' => ended = true,
            _ if ended => return None,
            _ => {
                *text.get_mut(length)? = byte;
                length += 1;
            }
        }
    }
    (length == TEXT_LENGTH).then_some(())?;
    text.iter().enumerate().try_fold(0, |value: u128, (index, byte)| match (index, byte) {
        (8 | 13 | 18 | 23, b'-') => Some(value),
        (8 | 13 | 18 | 23, _) => None,
        (_, byte) => Some(value << 4 | u128::from(char::from(*byte).to_digit(16)?)),
    })
}

const TEXT_LENGTH: usize = 36;

/// The bytes of one parameter's value, decoded once, as every framework does it; `+` is a blank in queries only, but a
/// plus is in no UUID anyway. A `%` that begins no escape stands for itself.
pub(super) fn percent_decoded(encoded: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = encoded;
    std::iter::from_fn(move || match rest {
        [b'%', high, low, behind @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
            rest = behind;
            Some(hex(*high)? << 4 | hex(*low)?)
        }
        [byte, behind @ ..] => {
            rest = behind;
            Some(if *byte == b'+' { b' ' } else { *byte })
        }
        [] => None,
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The parameters of a query, still encoded, with the place of each value. One without `=` has no value.
pub(super) fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], Span<'_>)> {
    let mut start = 0;
    query.split(|byte| *byte == b'&').map(move |pair| {
        let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = pair.split_at(split);
        let value = value.get(1..).unwrap_or_default();
        let span = Span { bytes: value, start: start + pair.len() - value.len() };
        start += pair.len() + 1;
        (name, span)
    })
}

/// The segments of a path, still encoded.
pub(super) fn segments(path: &[u8]) -> impl Iterator<Item = Span<'_>> {
    let mut start = 0;
    path.split(|byte| *byte == b'/').map(move |bytes| {
        let span = Span { bytes, start };
        start += bytes.len() + 1;
        span
    })
}

/// A part of a field, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) start: usize,
}

impl Span<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.bytes.len()
    }
}

/// The parameters in a route's pattern, each with the part of the path that is its value.
///
/// Knows `{name}`, `{name:regex}`, `:name` and `<type:name>`, also with fixed text around the braces
/// (`/img-{name}.png`); nothing is compared from a catch-all (`{*rest}`) on.
pub(super) fn route_values<'r>(
    pattern: &'r str,
    path: &'r [u8],
) -> impl Iterator<Item = (&'r str, Span<'r>)> {
    pattern
        .split('/')
        .zip(segments(path))
        .take_while(|(part, _)| !part.contains("{*") && !part.starts_with('*'))
        .filter_map(|(part, span)| route_value(part, span))
}

fn route_value<'r>(part: &'r str, span: Span<'r>) -> Option<(&'r str, Span<'r>)> {
    if let Some(name) = part.strip_prefix(':') {
        return Some((name, span));
    }
    let (open, close) = if part.contains('{') { ('{', '}') } else { ('<', '>') };
    let (before, inner) = part.split_once(open)?;
    let (inner, behind) = inner.rsplit_once(close)?;
    let name = match (open, inner.split_once(':')) {
        (_, None) => inner,
        ('{', Some((name, _regex))) => name,
        (_, Some((_type, name))) => name,
    };
    let bytes = span.bytes.strip_prefix(before.as_bytes())?.strip_suffix(behind.as_bytes())?;
    Some((name, Span { bytes, start: span.start + before.len() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "123e4567-e89b-12d3-a456-426614174000";

    #[test]
    fn uuids_are_told_from_what_looks_like_one() {
        for good in [
            UUID,
            "123E4567-E89B-12D3-A456-426614174000",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-FFFF-ffffffffffff",
            "123e4567%2de89b-12d3-a456-426614174000",
            "123e4567-e89b-12d3-a456-426614174000%20",
            "+123e4567-e89b-12d3-a456-426614174000",
        ] {
            assert!(parse_uuid(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "",
            "123e4567e89b12d3a456426614174000",
            "123e4567-e89b-12d3-a456-42661417400",
            "123e4567-e89b-12d3-a456-4266141740000",
            "123e4567-e89b-12d3-a456-42661417400g",
            "123e4567-e89b-12d3-a456+426614174000",
            "{123e4567-e89b-12d3-a456-426614174000}",
            "1-23e4567e89b-12d3-a456-426614174000",
            "123e4567%252de89b-12d3-a456-426614174000",
            "123e4567-e89b-12d3-a456-426614174000'",
            "123e4567-e89b-12d3-a456-426614174000 or 1",
            "123e4567-e89b-12d3-a456-426614174000%00",
            "１23e4567-e89b-12d3-a456-426614174000",
        ] {
            assert_eq!(parse_uuid(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn parameters_have_their_place() {
        let query = b"a=1&uuid=&flag&&uuid=x=y";
        let found: Vec<_> = parameters(query)
            .map(|(name, span)| {
                assert_eq!(&query[span.start..span.end()], span.bytes);
                (std::str::from_utf8(name).unwrap(), std::str::from_utf8(span.bytes).unwrap())
            })
            .collect();
        assert_eq!(found, [("a", "1"), ("uuid", ""), ("flag", ""), ("", ""), ("uuid", "x=y")]);
    }

    #[test]
    fn patterns_name_the_parts_of_a_path() {
        let values = |pattern, path: &str| {
            route_values(pattern, path.as_bytes())
                .map(|(name, span)| {
                    assert_eq!(&path.as_bytes()[span.start..span.end()], span.bytes);
                    format!("{name}={}", str::from_utf8(span.bytes).unwrap())
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(values("/items/{uuid}", "/items/7"), ["uuid=7"]);
        assert_eq!(values("/{a}/x/{b:[0-9]+}/", "/1/x/2/"), ["a=1", "b=2"]);
        assert_eq!(values("/:user/<uuid:item>/<plain>", "/u/i/p"), ["user=u", "item=i", "plain=p"]);
        assert_eq!(values("/img-{uuid}.png", "/img-7.png"), ["uuid=7"]);
        assert_eq!(values("/img-{uuid}.png", "/img-7.gif"), [""; 0]);
        assert_eq!(values("/files/{*rest}", "/files/a/b"), [""; 0]);
        assert_eq!(values("/items/{uuid}", "/items"), [""; 0]);
        assert_eq!(values("/}{/{", "/a/b"), [""; 0]);
    }

    proptest::proptest! {
        #[test]
        fn every_uuid_reads_back_in_any_case(value: u128, upper: bool) {
            let hex = format!("{value:032x}");
            let text = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
            let text = if upper { text.to_uppercase() } else { text };
            proptest::prop_assert_eq!(parse_uuid(text.as_bytes()), Some(value));
        }

        #[test]
        fn any_bytes_are_looked_at(bytes: Vec<u8>, pattern in "[/{}<>:*a-z-]{0,30}") {
            parse_uuid(&bytes);
            for (_, span) in parameters(&bytes) {
                proptest::prop_assert_eq!(&bytes[span.start..span.end()], span.bytes);
            }
            for (_, span) in route_values(&pattern, &bytes) {
                proptest::prop_assert_eq!(&bytes[span.start..span.end()], span.bytes);
            }
        }
    }
}
