//! The headers of a request, told apart by one look at the name.

/// How a header is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderKind {
    /// `Cookie`, taken apart and judged cookie by cookie; remembered for the client only.
    Cookie,
    /// What a client program sends with the same values again and again; the number stands for the name.
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

    /// By length first, so that few names are compared.
    #[inline]
    fn of_lower_case(name: &[u8]) -> Self {
        match name.len() {
            2 | 3 => match name {
                b"te" => Self::Common(2),
                b"dnt" => Self::Common(3),
                _ => Self::Other,
            },
            4 => match name {
                b"host" => Self::Common(4),
                _ => Self::Other,
            },
            6 => match name {
                b"accept" => Self::Common(5),
                b"cookie" => Self::Cookie,
                b"origin" => Self::Common(6),
                b"pragma" => Self::Common(7),
                _ => Self::Other,
            },
            7 => match name {
                b"referer" => Self::Referer,
                b"sec-gpc" => Self::Common(8),
                b"purpose" => Self::Common(9),
                _ => Self::Other,
            },
            8 | 9 => match name {
                b"priority" => Self::Common(10),
                b"sec-ch-ua" => Self::Common(11),
                _ => Self::Other,
            },
            10 => match name {
                b"user-agent" => Self::Common(USER_AGENT),
                b"connection" => Self::Common(12),
                b"keep-alive" => Self::Common(13),
                _ => Self::Other,
            },
            13 => match name {
                b"cache-control" => Self::Common(14),
                b"authorization" => Self::Secret,
                _ => Self::Other,
            },
            14 => match name {
                b"sec-fetch-site" => Self::Common(15),
                b"sec-fetch-mode" => Self::Common(16),
                b"sec-fetch-dest" => Self::Common(17),
                b"sec-fetch-user" => Self::Common(18),
                b"accept-charset" => Self::Common(19),
                _ => Self::Other,
            },
            15 => match name {
                b"accept-encoding" => Self::Common(20),
                b"accept-language" => Self::Common(21),
                _ => Self::Other,
            },
            16 => match name {
                b"sec-ch-ua-mobile" => Self::Common(22),
                b"x-requested-with" => Self::Common(23),
                _ => Self::Other,
            },
            18 => match name {
                b"sec-ch-ua-platform" => Self::Common(24),
                _ => Self::Other,
            },
            19 => match name {
                b"proxy-authorization" => Self::Secret,
                _ => Self::Other,
            },
            25 => match name {
                b"upgrade-insecure-requests" => Self::Common(25),
                _ => Self::Other,
            },
            _ => Self::Other,
        }
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
            ("", HeaderKind::Other),
            ("x-forwarded-for", HeaderKind::Other),
            ("upgrade-insecure-requests-", HeaderKind::Other),
        ] {
            assert_eq!(HeaderKind::of(name), kind, "{name}");
        }
    }
}
