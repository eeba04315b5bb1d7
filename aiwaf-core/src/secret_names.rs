//! Parameters whose values nobody may read in a log.

use std::borrow::Cow;

use crate::decode::{Buffer, decode_once};

/// Names of parameters that hold passwords, tokens and the like, and what takes the place of their values.
///
/// A name counts in any case, and as the last part of a longer one: `password` is also `user[password]` and
/// `user.password`.
///
/// ```
/// use aiwaf_core::SecretNames;
///
/// let secrets = SecretNames::new(["token"]);
/// assert_eq!(&*secrets.redact_query(b"q=shoes&Token=1d7e5a"), b"q=shoes&Token=[REDACTED]");
/// ```
#[derive(Debug, Clone)]
pub struct SecretNames {
    names: Vec<Box<[u8]>>,
    /// For each first letter of a name, a bit for each length of such names: most parameters differ in one of them.
    lengths: [u32; 32],
}

impl SecretNames {
    /// What a secret value is replaced by.
    pub const REDACTED: &'static str = "[REDACTED]";

    /// The names that are secret unless the settings say otherwise.
    pub const DEFAULT: [&'static str; 29] = [
        "password",
        "passwd",
        "pwd",
        "pass",
        "passphrase",
        "new_password",
        "old_password",
        "current_password",
        "password_confirmation",
        "secret",
        "client_secret",
        "token",
        "access_token",
        "refresh_token",
        "id_token",
        "auth_token",
        "csrf_token",
        "api_key",
        "apikey",
        "api-key",
        "access_key",
        "private_key",
        "authorization",
        "jwt",
        "otp",
        "session_id",
        "sessionid",
        "signature",
        "card_number",
    ];

    /// These names; empty ones are left out.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let names: Vec<Box<[u8]>> = names
            .into_iter()
            .map(|name| name.as_ref().to_ascii_lowercase().into_bytes().into_boxed_slice())
            .filter(|name| !name.is_empty())
            .collect();
        let mut lengths = [0; 32];
        for name in &names {
            if let Some(lengths) = name.first().and_then(|&first| lengths.get_mut(initial(first))) {
                *lengths |= length_bit(name);
            }
        }
        Self { names, lengths }
    }

    /// Whether a parameter of this name holds a secret.
    pub fn contains(&self, name: &[u8]) -> bool {
        let name = name.strip_suffix(b"]").unwrap_or(name);
        let last = name.iter().rposition(|byte| matches!(byte, b'[' | b'.')).map_or(0, |at| at + 1);
        let last = name.get(last..).unwrap_or_default();
        let Some(&first) = last.first() else { return false };
        self.lengths.get(initial(first)).is_some_and(|lengths| lengths & length_bit(last) != 0)
            && self.names.iter().any(|secret| secret.eq_ignore_ascii_case(last))
    }

    /// Whether a parameter of this name, as it stands in a query, holds a secret: browsers send `user%5Bpassword%5D`.
    fn contains_encoded(&self, name: &[u8]) -> bool {
        if memchr::memchr(b'%', name).is_none() {
            return self.contains(name);
        }
        let mut decoded = Buffer::new();
        decode_once(name, true, &mut decoded);
        self.contains(&decoded)
    }

    /// Reports whether a parameter of `query` may hold a secret: its name has the first letter and length of one, or is
    /// encoded. One cheap pass; most queries hold none.
    fn may_hold_secret(&self, query: &[u8]) -> bool {
        let mut bytes = query;
        while let Some(&first) = bytes.first() {
            let mut name_start = 0;
            let mut first = first;
            let mut at = 0;
            loop {
                match bytes.get(at) {
                    None | Some(b'=' | b'&') => break,
                    Some(b'%' | b']') => return true,
                    Some(b'[' | b'.') => {
                        name_start = at + 1;
                        first = bytes.get(name_start).copied().unwrap_or(0);
                    }
                    Some(_) => {}
                }
                at += 1;
            }
            let name = bytes.get(name_start..at).unwrap_or_default();
            let is_candidate = |lengths: &u32| lengths & length_bit(name) != 0;
            if self.lengths.get(initial(first)).is_some_and(is_candidate) {
                return true;
            }
            bytes = bytes.get(at..).unwrap_or_default();
            let next = bytes.iter().position(|&byte| byte == b'&').map_or(bytes.len(), |end| end + 1);
            bytes = bytes.get(next..).unwrap_or_default();
        }
        false
    }

    /// A query, with [`REDACTED`](Self::REDACTED) for the values of parameters that hold secrets. Takes linear time,
    /// and allocates only if there are any.
    pub fn redact_query<'q>(&self, query: &'q [u8]) -> Cow<'q, [u8]> {
        if !self.may_hold_secret(query) {
            return Cow::Borrowed(query);
        }
        let mut redacted: Option<Vec<u8>> = None;
        let mut start = 0;
        for pair in query.split(|byte| *byte == b'&') {
            let value = pair.iter().position(|byte| *byte == b'=').map_or(pair.len(), |equals| equals + 1);
            let (name, secret) = pair.split_at(value);
            if !secret.is_empty() && self.contains_encoded(name.strip_suffix(b"=").unwrap_or(name)) {
                let out = redacted.get_or_insert_with(|| query.get(..start).unwrap_or_default().to_vec());
                out.extend_from_slice(name);
                out.extend_from_slice(Self::REDACTED.as_bytes());
            } else if let Some(out) = &mut redacted {
                out.extend_from_slice(pair);
            }
            start += pair.len() + 1;
            if let Some(out) = redacted.as_mut().filter(|_| start <= query.len()) {
                out.push(b'&');
            }
        }
        redacted.map_or(Cow::Borrowed(query), Cow::Owned)
    }

    /// A target or an address, with its query redacted.
    pub(crate) fn redact_target<'t>(&self, target: &'t [u8]) -> Cow<'t, [u8]> {
        let query = memchr::memchr(b'?', target).map_or(target.len(), |mark| mark + 1);
        let (before, query) = target.split_at(query);
        match self.redact_query(query) {
            Cow::Borrowed(_) => Cow::Borrowed(target),
            Cow::Owned(redacted) => Cow::Owned([before, &redacted].concat()),
        }
    }
}

impl Default for SecretNames {
    /// [`SecretNames::DEFAULT`].
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

/// A letter's place in the alphabet, in either case; other bytes share these numbers.
fn initial(byte: u8) -> usize {
    usize::from(byte & 0x1f)
}

/// A bit for the length of `name`; long ones share the last.
fn length_bit(name: &[u8]) -> u32 {
    1 << name.len().min(31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(query: &str) -> String {
        String::from_utf8_lossy(&SecretNames::default().redact_query(query.as_bytes())).into_owned()
    }

    #[test]
    fn values_of_secret_parameters_are_hidden() {
        for (query, expected) in [
            ("", ""),
            ("q=1", "q=1"),
            ("password=a%26b&q=1", "password=[REDACTED]&q=1"),
            ("q=1&user[Password]=x&user.token=y&", "q=1&user[Password]=[REDACTED]&user.token=[REDACTED]&"),
            ("token", "token"),
            ("token=&token=a=b", "token=&token=[REDACTED]"),
            ("passwords=1&mytoken=2", "passwords=1&mytoken=2"),
            ("user%5Bpassword%5D=x&pass%77ord=y", "user%5Bpassword%5D=[REDACTED]&pass%77ord=[REDACTED]"),
        ] {
            assert_eq!(redacted(query), expected, "{query}");
        }
        let secrets = SecretNames::default();
        assert_eq!(&*secrets.redact_target(b"/a?jwt=x#y"), b"/a?jwt=[REDACTED]");
        assert_eq!(&*secrets.redact_target(b"/token=x"), b"/token=x");
    }

    #[test]
    fn without_names_nothing_is_hidden() {
        let none = SecretNames::new([""; 1]);
        assert_eq!(&*none.redact_query(b"password=x"), b"password=x");
    }

    proptest! {
        #[test]
        fn other_parameters_stay_as_they_are(pairs in proptest::collection::vec(("[a-z]{0,3}", "[a-z&]{0,3}"), 0..5)) {
            let query = pairs.iter().map(|(name, value)| format!("x{name}={value}")).collect::<Vec<_>>().join("&");
            prop_assert_eq!(redacted(&query), query.clone());
            let secret = format!("{query}&pwd=geheim&{query}");
            prop_assert_eq!(redacted(&secret), format!("{query}&pwd=[REDACTED]&{query}"));
        }
    }
}
