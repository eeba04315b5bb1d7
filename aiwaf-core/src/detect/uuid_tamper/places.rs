//! Places of requests that have shown themselves to hold UUIDs.

use std::sync::atomic::{AtomicBool, Ordering};

use super::identifier::{Span, parse_uuid};
use crate::client::ClientKey;
use crate::state::{BoundedMap, hash_text};

/// Query parameters and route segments, each with what it held so far; bounded.
pub(super) struct Places {
    known: BoundedMap<u64, Place>,
    /// Spare most sites the look-ups.
    any_noted: AtomicBool,
    any_shown: AtomicBool,
}

/// What one place held in requests that the site answered.
#[derive(Default)]
struct Place {
    valid: u8,
    /// Something that was no UUID, and not empty, was answered, too.
    is_mixed: bool,
    clients: [Option<ClientKey>; MIN_CLIENTS],
}

/// A route or path, whose places are counted apart from those of others.
#[derive(Clone, Copy)]
pub(super) struct Endpoint(u64);

/// About 100 bytes each.
const MAX_PLACES: usize = 4096;
const MIN_VALID: u8 = 20;
const MIN_CLIENTS: usize = 3;

impl Endpoint {
    /// The route, or without one the path with this hash.
    pub(super) fn new(route: Option<&str>, path: u64) -> Self {
        Self(route.map_or(path, |route| hash_text(route.as_bytes())))
    }

    /// The place of this name, as it is written.
    pub(super) fn place(self, name: &[u8]) -> u64 {
        self.0.rotate_left(1) ^ hash_text(name)
    }
}

impl Default for Places {
    fn default() -> Self {
        Self {
            known: BoundedMap::new(MAX_PLACES),
            any_noted: AtomicBool::new(false),
            any_shown: AtomicBool::new(false),
        }
    }
}

impl Places {
    /// Notes what `place` held in a request that was answered with success. A place is remembered from its first UUID on,
    /// so that ordinary parameters cost a look-up at most.
    pub(super) fn note(&self, place: u64, client: ClientKey, value: &Span<'_>) {
        if value.bytes.is_empty() {
            return;
        }
        let is_shown = if parse_uuid(value.bytes).is_some() {
            self.any_noted.store(true, Ordering::Relaxed);
            self.known.update(place, Place::default, |place| {
                place.add(client);
                place.is_shown()
            })
        } else {
            if self.any_noted.load(Ordering::Relaxed) {
                self.known.get(&place, |place| place.is_mixed = true);
            }
            false
        };
        if is_shown {
            self.any_shown.store(true, Ordering::Relaxed);
        }
    }

    /// Reports whether any place has shown itself to hold UUIDs.
    pub(super) fn any_shown(&self) -> bool {
        self.any_shown.load(Ordering::Relaxed)
    }

    /// Reports whether this place has.
    pub(super) fn is_shown(&self, place: u64) -> bool {
        self.known.get(&place, |place| place.is_shown()).unwrap_or(false)
    }
}

impl Place {
    fn add(&mut self, client: ClientKey) {
        self.valid = self.valid.saturating_add(1);
        if !self.clients.contains(&Some(client))
            && let Some(free) = self.clients.iter_mut().find(|slot| slot.is_none())
        {
            *free = Some(client);
        }
    }

    fn is_shown(&self) -> bool {
        !self.is_mixed && self.valid >= MIN_VALID && self.clients.iter().all(Option::is_some)
    }
}
