//! The path to what is read, and which keys were given on which paths.

/// The path to a value, such as `user.tags[]`, as far as there is room.
pub(super) struct Path {
    bytes: [u8; MAX_PATH],
    length: usize,
}

/// A path is cut after so many bytes.
const MAX_PATH: usize = 256;

/// So many bytes are copied and compared at once, which is quicker than doing so with just as many as are needed. Longer
/// paths are not remembered.
const SHORT: usize = 32;

impl Path {
    pub(super) fn new() -> Self {
        Self { bytes: [0; MAX_PATH], length: 0 }
    }

    #[inline]
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }

    #[inline]
    pub(super) fn length(&self) -> u16 {
        // At most `MAX_PATH`.
        u16::try_from(self.length).unwrap_or(0)
    }

    /// Takes off what was added since the path had this length.
    #[inline]
    pub(super) fn cut(&mut self, length: u16) {
        self.length = usize::from(length).min(MAX_PATH);
    }

    /// Goes on to the members of a list, which have no names.
    #[inline]
    pub(super) fn add_brackets(&mut self) {
        if let Some(room) = self.bytes.get_mut(self.length..).and_then(|room| room.first_chunk_mut()) {
            *room = *b"[]";
            self.length += 2;
        } else {
            self.add(b"[]");
        }
    }

    /// Puts a dot behind the path, which is no part of it as long as no key follows; gives where keys begin.
    #[inline]
    pub(super) fn add_dot(&mut self) -> u16 {
        if self.length == 0 {
            return 0;
        }
        let Some(room) = self.bytes.get_mut(self.length) else { return self.length() };
        *room = b'.';
        self.length() + 1
    }

    /// Replaces what stands from `start` on by the key of so many bytes that `text` begins with.
    #[inline]
    pub(super) fn set_key(&mut self, start: u16, text: &[u8], length: usize) {
        let start = usize::from(start);
        let room = self.bytes.get_mut(start..).and_then(|room| room.first_chunk_mut::<{ 2 * SHORT }>());
        if let (Some(room), Some(text), ..=SHORT) = (room, text.first_chunk::<SHORT>(), length) {
            room[..SHORT].copy_from_slice(text);
            room[length..length + SHORT].fill(0);
            self.length = start + length;
        } else {
            self.set_long_key(start, text.get(..length).unwrap_or(text));
        }
    }

    #[inline(never)]
    fn set_long_key(&mut self, start: usize, key: &[u8]) {
        self.length = start;
        self.add(key);
        self.bytes[self.length..].iter_mut().take(SHORT).for_each(|byte| *byte = 0);
    }

    fn add(&mut self, part: &[u8]) {
        let room = &mut self.bytes[self.length..];
        let fits = part.len().min(room.len());
        room[..fits].copy_from_slice(&part[..fits]);
        self.length += fits;
    }

    /// The whole path, if it is short, with zeros behind it.
    #[inline]
    fn short(&self) -> Option<&[u8; SHORT]> {
        self.bytes.first_chunk().filter(|_| self.length <= SHORT)
    }
}

/// Keys that were given lately, with the paths to them.
pub(super) struct RecentKeys {
    sets: [[Option<RecentKey>; PLACES]; SETS],
    /// How often a key took another one's place.
    replaced: usize,
}

/// By its path, a key belongs to one of so many sets,
const SETS: usize = 16;

/// each of which has so many places, so that the keys of a list's members seldom drive out each other.
const PLACES: usize = 4;

#[derive(Clone, Copy)]
struct RecentKey {
    /// With zeros behind it.
    path: [u8; SHORT],
    path_length: usize,
    /// The same path can end with different keys: `a.b` is the key `a.b`, and `b` in `a`.
    key_length: usize,
}

impl RecentKeys {
    pub(super) fn new() -> Self {
        Self { sets: [[None; PLACES]; SETS], replaced: 0 }
    }

    /// Whether the key of so many bytes at the end of `path` is one of these; it is from now on.
    #[inline]
    pub(super) fn knows(&mut self, path: &Path, key_length: usize) -> bool {
        let Some(short) = path.short() else { return false };
        let new = || Some(RecentKey { path: *short, path_length: path.length, key_length });
        let places = &mut self.sets[set_of(short, path.length)];
        for place in places.iter_mut() {
            match place {
                Some(recent) if recent.is(short, path.length, key_length) => return true,
                Some(_) => {}
                None => {
                    *place = new();
                    return false;
                }
            }
        }
        places[self.replaced % PLACES] = new();
        self.replaced += 1;
        false
    }
}

impl RecentKey {
    #[inline]
    fn is(&self, path: &[u8; SHORT], path_length: usize, key_length: usize) -> bool {
        (self.path_length, self.key_length) == (path_length, key_length) && self.path == *path
    }
}

/// To which set a key belongs, by the last bytes of its path. What falls together matters only for speed.
#[inline]
fn set_of(path: &[u8; SHORT], length: usize) -> usize {
    let end =
        path.get(length.saturating_sub(8)..).and_then(|end| end.first_chunk()).copied().unwrap_or_default();
    // The golden ratio spreads what is alike (Fibonacci hashing).
    let spread = u64::from_le_bytes(end).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((spread >> 60) as usize ^ length) % SETS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets the key and says whether it was known, with other text behind it as in a body.
    fn knows(keys: &mut RecentKeys, path: &mut Path, start: u16, key: &str) -> bool {
        let text = format!("{key}\":1,{}", "x".repeat(40));
        path.set_key(start, text.as_bytes(), key.len());
        keys.knows(path, key.len())
    }

    #[test]
    fn a_list_member_s_keys_are_known_the_second_time() {
        // Some of them begin and end alike, and are as long.
        let members =
            ["id", "name", "note", "price", "tags", "size", "side", "shipping_address", "billing_address"];
        let (mut keys, mut path) = (RecentKeys::new(), Path::new());
        path.add_brackets();
        let start = path.add_dot();
        for known in [false, true, true] {
            for key in members {
                assert_eq!(knows(&mut keys, &mut path, start, key), known, "{key}");
            }
        }
    }

    #[test]
    fn a_key_is_another_one_if_it_begins_elsewhere_in_the_path() {
        let (mut keys, mut path) = (RecentKeys::new(), Path::new());
        assert!(!knows(&mut keys, &mut path, 0, "a.b"));
        assert!(!knows(&mut keys, &mut path, 2, "b"));
        assert!(knows(&mut keys, &mut path, 0, "a.b"));
        assert!(knows(&mut keys, &mut path, 2, "b"));
        assert!(!knows(&mut keys, &mut path, 0, "a.b\0"));
    }

    #[test]
    fn a_long_path_is_cut() {
        let mut path = Path::new();
        let mut expected = String::new();
        for part in ["a", "bc", "def"].iter().cycle().take(120) {
            let start = path.add_dot();
            path.set_key(start, format!("{part}{:40}", "").as_bytes(), part.len());
            expected.push_str(if expected.is_empty() { "" } else { "." });
            expected.push_str(part);
            expected.truncate(MAX_PATH);
            assert_eq!(path.text().escape_ascii().to_string(), expected);
        }
        assert_eq!(usize::from(path.length()), MAX_PATH);
        path.add_brackets();
        path.set_key(4, b"x", 1);
        assert_eq!(path.text(), b"a.bcx");
    }
}
