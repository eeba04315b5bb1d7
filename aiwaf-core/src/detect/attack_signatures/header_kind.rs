//! The headers of a request, told apart by one look at the name.

/// How a header is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderKind {
    /// `Cookie`, taken apart and judged cookie by cookie; remembered for the client only.
    Cookie,
    /// What a client program sends with the same values again and again, whatever it asks for; the number stands for the
    /// name. `Host` and `Origin` differ from site to site, and would make as many lists of such headers.
    Common(u8),
    /// `Referer`.
    Referer,
    /// Credentials, of which nothing is remembered.
    Secret,
    /// Any other header.
    Other,
}

/// The number of `User-Agent` among the common headers.
pub(super) const USER_AGENT: u8 = 1;

impl HeaderKind {
    /// The kind of the header `name`, in any case.
    #[inline]
    pub(super) fn of(name: &str) -> Self {
        // Most adapters give names in lower case.
        let kind = Self::of_lower_case(name.as_bytes());
        if kind == Self::Other { Self::of_any_case(name) } else { kind }
    }

    #[inline(never)]
    fn of_any_case(name: &str) -> Self {
        let mut memory = [0; LONGEST];
        let Some(lower) = memory.get_mut(..name.len()) else { return Self::Other };
        if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Self::Other;
        }
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        Self::of_lower_case(lower)
    }

    /// Length and one letter leave a single name to compare with.
    #[inline]
    fn of_lower_case(name: &[u8]) -> Self {
        let letter = |at: usize| name.get(at).copied().unwrap_or_default();
        let (candidate, kind): (&[u8], _) = match name.len() {
            2 => (b"te", Self::Common(2)),
            3 => (b"dnt", Self::Common(3)),
            6 => match letter(0) {
                b'a' => (b"accept", Self::Common(5)),
                b'c' => (b"cookie", Self::Cookie),
                _ => (b"pragma", Self::Common(7)),
            },
            7 => match letter(0) {
                b'r' => (b"referer", Self::Referer),
                b's' => (b"sec-gpc", Self::Common(8)),
                _ => (b"purpose", Self::Common(9)),
            },
            8 => (b"priority", Self::Common(10)),
            9 => (b"sec-ch-ua", Self::Common(11)),
            10 => match letter(0) {
                b'u' => (b"user-agent", Self::Common(USER_AGENT)),
                b'c' => (b"connection", Self::Common(12)),
                _ => (b"keep-alive", Self::Common(13)),
            },
            13 => match letter(0) {
                b'c' => (b"cache-control", Self::Common(14)),
                _ => (b"authorization", Self::Secret),
            },
            14 => match letter(10) {
                b's' => (b"sec-fetch-site", Self::Common(15)),
                b'm' => (b"sec-fetch-mode", Self::Common(16)),
                b'd' => (b"sec-fetch-dest", Self::Common(17)),
                b'u' => (b"sec-fetch-user", Self::Common(18)),
                _ => (b"accept-charset", Self::Common(19)),
            },
            15 => match letter(7) {
                b'e' => (b"accept-encoding", Self::Common(20)),
                _ => (b"accept-language", Self::Common(21)),
            },
            16 => match letter(0) {
                b's' => (b"sec-ch-ua-mobile", Self::Common(22)),
                _ => (b"x-requested-with", Self::Common(23)),
            },
            18 => (b"sec-ch-ua-platform", Self::Common(24)),
            19 => (b"proxy-authorization", Self::Secret),
            25 => (b"upgrade-insecure-requests", Self::Common(25)),
            _ => return Self::Other,
        };
        if name == candidate { kind } else { Self::Other }
    }
}

/// The length of the longest name that is told apart.
const LONGEST: usize = 25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_in_any_case() {
        for (name, kind) in [
            ("Cookie", HeaderKind::Cookie),
            ("cookie", HeaderKind::Cookie),
            ("User-Agent", HeaderKind::Common(USER_AGENT)),
            ("REFERER", HeaderKind::Referer),
            ("Proxy-Authorization", HeaderKind::Secret),
            ("upgrade-insecure-requests", HeaderKind::Common(25)),
            ("Sec-Fetch-Mode", HeaderKind::Common(16)),
            ("sec-fetch-moda", HeaderKind::Other),
            ("accept-language", HeaderKind::Common(21)),
            ("authorization", HeaderKind::Secret),
            ("host", HeaderKind::Other),
            ("", HeaderKind::Other),
            ("x-forwarded-for", HeaderKind::Other),
            ("upgrade-insecure-requests-", HeaderKind::Other),
        ] {
            assert_eq!(HeaderKind::of(name), kind, "{name}");
        }
    }
}
