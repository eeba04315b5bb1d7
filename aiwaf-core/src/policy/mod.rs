//! Which protections apply to a request: required > path rule > route policy > exempt path > default.

mod exempt_paths;
mod path_rules;
mod routes;

pub use path_rules::{PathRule, RateLimitOverride};
pub use routes::{InvalidRoute, RoutePolicy};

pub use exempt_paths::MAX_PATTERN;
pub(crate) use exempt_paths::{ExemptPaths, Exemption};
pub(crate) use path_rules::{CompiledRule, PathRules};
pub(crate) use routes::Routes;

use crate::protection::{Protection, ProtectionSet};

/// What applies to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applicable {
    /// The protections.
    pub(crate) protections: ProtectionSet,
    /// Whether of `ip_keyword_block` only the blacklist counts: the path is exempt, the client may still be banned.
    pub(crate) blacklist_only: bool,
    /// Whether the path is exempt as an asset, so that keywords that are mere names don't count.
    pub(crate) asset: bool,
}

/// Works out what applies, given what is enabled and what each kind of rule says.
///
/// A path that had to be repaired (`/static/../admin`) gets no exemption, nor fewer protections by a path rule; whether
/// it gets those of its route, the [`Route`] says.
pub(crate) fn resolve(
    enabled: ProtectionSet,
    exemption: Option<Exemption>,
    route: Option<RoutePolicy>,
    rule: Option<&CompiledRule>,
    repaired: bool,
) -> Applicable {
    let route = route.unwrap_or_default();
    let mut applicable = Applicable { protections: enabled, blacklist_only: false, asset: false };
    if route.restricts() {
        applicable.protections = enabled.intersection(route.allowed());
    } else if let Some(exemption) = exemption
        && !repaired
    {
        // The blacklist and the log stay: an exempt path is no way in for the banned, nor a way to go unseen.
        let mut kept = ProtectionSet::EMPTY.with(Protection::IpKeywordBlock).with(Protection::Logging);
        applicable.blacklist_only = exemption == Exemption::Full;
        applicable.asset = exemption == Exemption::Asset;
        if applicable.asset {
            kept = kept.with(Protection::AttackSignatures);
        }
        applicable.protections = enabled.intersection(kept);
    }
    if let Some(rule) = rule
        && !repaired
    {
        applicable.protections = applicable.protections.difference(rule.disable);
    }
    let required = route.required().intersection(enabled);
    if required.contains(Protection::IpKeywordBlock) {
        applicable.blacklist_only = false;
        applicable.asset = false;
    }
    applicable.protections = applicable.protections.union(required);
    applicable
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: ProtectionSet = ProtectionSet::ALL;

    fn protections(
        exemption: Option<Exemption>,
        route: Option<RoutePolicy>,
        disable: &[Protection],
    ) -> ProtectionSet {
        let rule = PathRule { prefix: "/".into(), disable: disable.to_vec(), rate_limit: None };
        let rules = PathRules::new(&[rule]);
        resolve(ALL, exemption, route, rules.find(b"/x"), false).protections
    }

    #[test]
    fn required_wins_over_everything() {
        let required = RoutePolicy::exempt().and(RoutePolicy::require_protection([Protection::RateLimit]));
        let set = protections(Some(Exemption::Full), Some(required), &[Protection::RateLimit]);
        assert_eq!(set, ProtectionSet::EMPTY.with(Protection::RateLimit));
    }

    #[test]
    fn a_route_policy_wins_over_an_exempt_path() {
        let set = protections(Some(Exemption::Full), Some(RoutePolicy::only([Protection::RateLimit])), &[]);
        assert_eq!(set, ProtectionSet::EMPTY.with(Protection::RateLimit));
    }

    #[test]
    fn a_path_rule_wins_over_a_route_policy() {
        let route = RoutePolicy::only([Protection::RateLimit, Protection::Honeypot]);
        let set = protections(None, Some(route), &[Protection::Honeypot]);
        assert_eq!(set, ProtectionSet::EMPTY.with(Protection::RateLimit));
    }

    #[test]
    fn what_is_switched_off_can_not_be_required() {
        let enabled = ALL.without(Protection::AiAnomaly);
        let route = RoutePolicy::require_protection([Protection::AiAnomaly]);
        assert_eq!(resolve(enabled, None, Some(route), None, false).protections, enabled);
    }

    /// Whoever asks chooses how a path ends.
    #[test]
    fn a_path_that_merely_looks_like_a_file_keeps_what_looks_at_attacks() {
        let kept = ProtectionSet::EMPTY.with(Protection::IpKeywordBlock).with(Protection::Logging);
        assert_eq!(protections(Some(Exemption::Full), None, &[]), kept);
        let kept = kept.with(Protection::AttackSignatures);
        assert_eq!(protections(Some(Exemption::Asset), None, &[]), kept);
    }

    #[test]
    fn original_defect_30_exempting_a_route_from_logging_is_complete() {
        let route = RoutePolicy::exempt_from([Protection::Logging, Protection::AiAnomaly]);
        let set = protections(None, Some(route), &[]);
        assert!(!set.contains(Protection::Logging) && !set.contains(Protection::AiAnomaly));
        assert_eq!(set.iter().count(), 7);
    }

    #[test]
    fn original_defect_08_a_repaired_path_is_never_exempt() {
        let all = resolve(ALL, Some(Exemption::Full), None, None, true);
        assert_eq!(all, Applicable { protections: ALL, blacklist_only: false, asset: false });
    }
}
