//! The routes of a service as a tree.

use std::collections::BTreeMap;

/// A part of a path, and what lies below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) children: BTreeMap<String, Node>,
    /// Whether the path up to here is a route.
    pub(super) is_route: bool,
}

impl Node {
    /// Puts a route into the tree.
    pub(super) fn insert(&mut self, route: &str) {
        let mut node = self;
        for part in parts(route) {
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.is_route = true;
    }

    /// What lies at this place.
    pub(super) fn at(&self, place: &[String]) -> Option<&Self> {
        place.iter().try_fold(self, |node, part| node.children.get(part))
    }

    /// How many routes there are here and below.
    pub(super) fn routes(&self) -> usize {
        usize::from(self.is_route) + self.children.values().map(Self::routes).sum::<usize>()
    }
}

/// The parts of a path.
pub(super) fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// The path of a place.
pub(super) fn path_of(place: &[String]) -> String {
    format!("/{}", place.join("/"))
}

/// The pattern that exempts a place: everything below it, or only itself. Parameters become wildcards.
pub(super) fn pattern_of(place: &[String], with_below: bool) -> String {
    let parts: Vec<&str> =
        place.iter().map(|part| if part.starts_with('{') { "*" } else { part.as_str() }).collect();
    let slash = if with_below && !place.is_empty() { "/" } else { "" };
    format!("/{}{slash}", parts.join("/"))
}

/// The path of a request without what differs from item to item: numbers, UUIDs and long hexadecimal words become
/// `{id}`, as they would be in a route.
pub(super) fn route_of(path: &str) -> String {
    let parts: Vec<&str> = parts(path).map(|part| if is_identifier(part) { "{id}" } else { part }).collect();
    format!("/{}", parts.join("/"))
}

fn is_identifier(part: &str) -> bool {
    let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_number || is_word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Vec<String> {
        parts(path).map(str::to_owned).collect()
    }

    #[test]
    fn routes_make_a_tree() {
        let mut root = Node::default();
        for route in ["/", "/api/items", "/api/items/{id}", "/health"] {
            root.insert(route);
        }
        assert_eq!((root.routes(), root.children.len()), (4, 2));
        assert_eq!(root.at(&place("/api")).unwrap().routes(), 2);
        assert!(!root.at(&place("/api")).unwrap().is_route && root.at(&place("/nowhere")).is_none());
    }

    #[test]
    fn places_become_patterns() {
        assert_eq!(pattern_of(&place("/api"), true), "/api/");
        assert_eq!(pattern_of(&place("/api/items/{id}"), false), "/api/items/*");
        assert_eq!(pattern_of(&[], true), "/");
        assert_eq!(path_of(&place("/a/b")), "/a/b");
    }

    #[test]
    fn items_of_a_log_are_one_route() {
        assert_eq!(route_of("/items/17/0b9f4a5e-6a7c-4d2b-9c1e-0123456789ab/x"), "/items/{id}/{id}/x");
        assert_eq!(route_of("/deadbeef"), "/deadbeef");
    }
}
