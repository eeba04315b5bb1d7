//! From matches of rules to hits and their score.

use std::ops::Range;

use super::category::Severity;
use super::hit::SignatureHit;
use super::rule::Rule;
use super::target::Target;
use super::{Judge, MAX_HITS, Value};
use crate::decode::Form;
use crate::request::Request;
use crate::verdict::Match;

impl Judge<'_> {
    /// Counts a match unless it is known, excluded or merely looks like one where it is.
    pub(super) fn note(
        &mut self,
        rule: &Rule,
        value: Value<'_>,
        (form, text): (Form, &[u8]),
        range: Range<usize>,
    ) {
        self.matches += 1;
        let (signatures, found) = (self.signatures, &mut *self.found);
        let listed = found.hits.iter().position(|hit| *hit.rule == *rule.id);
        let was_mention = listed.and_then(|index| found.hits.get(index)).is_some_and(|hit| hit.is_mention);
        if listed.is_some() && !was_mention
            || found.unlisted.contains(&rule.id)
            || rule.from_other_site && !follows_foreign_link(self.request)
            || self.asset && value.is_page_searched_for(rule.category)
            || signatures.exclusions.iter().any(|exclusion| exclusion.applies(self.path, value.name, rule))
        {
            return;
        }
        let demoted = signatures.demoted.contains(&rule.id);
        // A demoted rule counts nothing, so that it makes no difference how its match reads.
        let is_mention = !demoted
            && match value.target {
                Target::QueryValue | Target::BodyValue | Target::BodyText if form == Form::Path => {
                    rule.mention().is_some_and(|mention| mention.covers_text(value.text))
                }
                Target::QueryValue | Target::BodyValue | Target::BodyText => {
                    rule.is_only_mentioned(text, &range)
                }
                Target::UserAgent => rule.mention().is_some_and(|mention| mention.covers_agent(text, &range)),
                _ => false,
            };
        if is_mention && was_mention {
            return;
        }
        let severity = if demoted || is_mention { Severity::Notice } else { rule.severity };
        if !demoted && !is_mention {
            found.attack_score += severity.score();
        }
        let hit = SignatureHit {
            rule: rule.id.clone(),
            category: rule.category,
            severity,
            is_mention,
            matched: Match::new(value.field(), text, range.start, range.end),
        };
        let has_room = found.hits.len() < MAX_HITS;
        match listed.and_then(|index| found.hits.get_mut(index)) {
            Some(listed) => *listed = hit,
            None if has_room => found.hits.push(hit),
            None if is_mention => {}
            None => found.unlisted.push(hit.rule),
        }
    }
}

/// Whether a browser left a page of another site for this one. Pictures, frames and calls of scripts, by which sites
/// use each other's services, say in `Sec-Fetch-Dest` that they are none.
fn follows_foreign_link(request: &Request<'_>) -> bool {
    request.referer_is_own_site() == Some(false)
        && request.header("sec-fetch-dest").is_none_or(|destination| destination == b"document")
}
