//! Route policies: what applies to a route, written down where the route is.

use crate::protection::{Protection, ProtectionSet};

/// Which protections apply to one route, beside or instead of the general rules.
///
/// The four kinds are those of the original's decorators; `and` combines them. What is required wins over everything
/// but the operator's choice to switch a protection off altogether.
///
/// ```
/// use aiwaf_core::{Protection, RoutePolicy};
///
/// let health = RoutePolicy::exempt();
/// let webhook = RoutePolicy::exempt_from([Protection::RateLimit, Protection::Honeypot]);
/// let public = RoutePolicy::only([Protection::RateLimit]);
/// let critical = RoutePolicy::exempt_from([Protection::RateLimit])
///     .and(RoutePolicy::require_protection([Protection::RateLimit, Protection::AiAnomaly]));
/// # let _ = (health, webhook, public, critical);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutePolicy {
    /// What may apply.
    allowed: ProtectionSet,
    /// What applies in any case.
    required: ProtectionSet,
}

impl Default for RoutePolicy {
    /// Everything applies: no difference.
    fn default() -> Self {
        Self { allowed: ProtectionSet::EVERY, required: ProtectionSet::EMPTY }
    }
}

impl RoutePolicy {
    /// No protection applies, not even the blacklist or the log: for health checks and metrics.
    pub fn exempt() -> Self {
        Self { allowed: ProtectionSet::EMPTY, ..Self::default() }
    }

    /// All protections but these apply.
    pub fn exempt_from(protections: impl IntoIterator<Item = Protection>) -> Self {
        Self {
            allowed: ProtectionSet::EVERY.difference(protections.into_iter().collect()),
            ..Self::default()
        }
    }

    /// Only these protections apply.
    pub fn only(protections: impl IntoIterator<Item = Protection>) -> Self {
        Self { allowed: protections.into_iter().collect(), ..Self::default() }
    }

    /// These protections apply even where an exemption or a path rule says otherwise.
    pub fn require_protection(protections: impl IntoIterator<Item = Protection>) -> Self {
        Self { required: protections.into_iter().collect(), ..Self::default() }
    }

    /// Both: what either exempts is exempt, what either requires is required.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            allowed: self.allowed.intersection(other.allowed),
            required: self.required.union(other.required),
        }
    }

    /// What it requires, without what it exempts.
    pub(crate) fn requirements(self) -> Self {
        Self { allowed: ProtectionSet::EVERY, ..self }
    }

    pub(crate) fn allowed(self) -> ProtectionSet {
        self.allowed
    }

    pub(crate) fn required(self) -> ProtectionSet {
        self.required
    }

    /// Whether it says anything about what may apply, so that it takes the place of an exempt path.
    pub(crate) fn restricts(self) -> bool {
        self.allowed != ProtectionSet::EVERY
    }
}

/// The routes of the service: their patterns, in the syntax of axum, and their policies.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    routes: Vec<Route>,
    /// Positions in `routes`.
    router: matchit::Router<u32>,
}

#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) pattern: Box<str>,
    policy: RoutePolicy,
}

impl Route {
    /// The policy for a request that this route answers. If its pattern takes any rest (`/files/{*path}`) and the path
    /// had to be repaired, nobody knows what the handler makes of the rest: it may climb out of the route, so that what
    /// the route exempts is not exempt. Any other pattern names all segments, and holds however they are spelled.
    pub(crate) fn policy(&self, repaired: bool) -> RoutePolicy {
        if repaired && self.pattern.contains("{*") { self.policy.requirements() } else { self.policy }
    }
}

impl Routes {
    /// Adds a route.
    pub(crate) fn insert(&mut self, pattern: &str, policy: RoutePolicy) -> Result<(), InvalidRoute> {
        let invalid = |reason: String| InvalidRoute { pattern: pattern.to_owned(), reason };
        if !pattern.starts_with('/') {
            return Err(invalid("it must begin with `/`".into()));
        }
        let number = u32::try_from(self.routes.len()).map_err(|error| invalid(error.to_string()))?;
        self.router.insert(pattern, number).map_err(|error| invalid(error.to_string()))?;
        self.routes.push(Route { pattern: pattern.into(), policy });
        Ok(())
    }

    /// The number of the route that will answer `path`, which is compared as sent, as the service's own router does.
    pub(crate) fn find(&self, path: &[u8]) -> Option<u32> {
        if self.routes.is_empty() {
            return None;
        }
        let path = std::str::from_utf8(path).ok()?;
        self.router.at(path).ok().map(|found| *found.value)
    }

    /// The route with this number.
    pub(crate) fn get(&self, number: u32) -> Option<&Route> {
        self.routes.get(number as usize)
    }
}

/// A route's pattern that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("route {pattern:?} can't be used: {reason}")]
pub struct InvalidRoute {
    pattern: String,
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_axum() {
        let mut routes = Routes::default();
        for pattern in ["/", "/items/{id}", "/files/{*path}"] {
            routes.insert(pattern, RoutePolicy::default()).unwrap();
        }
        let find = |path: &str| Some(&*routes.get(routes.find(path.as_bytes())?)?.pattern);
        assert_eq!(find("/items/7"), Some("/items/{id}"));
        assert_eq!(find("/files/a/b"), Some("/files/{*path}"));
        assert_eq!(find("/items"), None);
        assert_eq!(routes.find(b"/\xff"), None);
        let error = routes.insert("/items/{name}", RoutePolicy::default()).unwrap_err();
        assert!(error.to_string().contains("/items/{name}"), "{error}");
        assert!(routes.insert("items", RoutePolicy::default()).is_err());
    }
}
