//! State that attackers fill and that stays bounded all the same.

mod bounded_map;

pub(crate) use bounded_map::BoundedMap;
