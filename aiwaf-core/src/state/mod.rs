//! State that attackers fill and that stays bounded all the same.

mod bounded_map;
mod sliding_window;
mod steady_clock;
mod text_hash;
mod text_memory;

pub(crate) use bounded_map::BoundedMap;
pub(crate) use sliding_window::{Arrival, SlidingWindow};
pub(crate) use steady_clock::advance;
pub(crate) use text_hash::hash_text;
pub(crate) use text_memory::TextMemory;
