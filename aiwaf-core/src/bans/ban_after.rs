//! The `ban_after` of a protection in settings: `"evidence"`, or a person's number of matches.

use std::fmt;

use serde::{Deserializer, Serializer, de};

const BY_EVIDENCE: &str = "evidence";

/// Writes the number, or `evidence` for `None`.
#[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)] // serde's signature
pub(crate) fn serialize<S: Serializer>(value: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(matches) => serializer.serialize_u32(*matches),
        None => serializer.serialize_str(BY_EVIDENCE),
    }
}

/// Reads a number, also as a text (variables are texts), or `evidence`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = Option<u32>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("\"evidence\", or the number of matches that ban (0 never bans)")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            u32::try_from(number)
                .map(Some)
                .map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            u32::try_from(number)
                .map(Some)
                .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            if text == BY_EVIDENCE {
                return Ok(None);
            }
            text.trim().parse().map(Some).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_any(Visitor)
}
