//! From findings to verdicts and bans.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Engine;
use super::record::{ClientRecord, Rare};
use crate::bans::ledger::{Cause, Evidence};
use crate::bans::{Consequence, EarlierBan, Matched};
use crate::client::{ClientKey, Identity};
use crate::detect::{Context, Facts};
use crate::lists::{BanRecord, KeywordEntry, KeywordSource, ListChange, Snapshot};
use crate::protection::Protection;
use crate::request::Request;
use crate::request_info;
use crate::state::hash_text;
use crate::transaction::Judgement;
use crate::verdict::{Action, Field, Finding, Reason};

/// A request that is being judged, and the lists by which it is.
pub(super) struct Subject<'s> {
    pub(super) context: &'s Context,
    pub(super) request: &'s Request<'s>,
    pub(super) snapshot: &'s Snapshot,
}

impl Engine {
    /// Reports whether the detector of `protection` is to run. Enforcing would have stopped at the first finding: what is
    /// monitored stops there, too.
    pub(super) fn is_due(
        &self,
        protection: Protection,
        subject: &Subject<'_>,
        judgement: &Judgement,
    ) -> bool {
        subject.context.applied.protections.contains(protection)
            && (judgement.verdict.monitored.is_empty() || !self.monitored.contains(protection))
    }

    /// The finding of a client that is banned.
    pub(super) fn active_ban(&self, context: &Context, snapshot: &Snapshot) -> Option<Finding> {
        let active = |ban: &BanRecord| ban.is_active(context.time).then(|| Arc::clone(&ban.reason));
        let reason =
            self.lists.find_ban(snapshot, context.client, context.address, context.time, active).flatten()?;
        Some(already_banned(reason))
    }

    /// Notes what the blacklist would say if monitored protections had banned the clients that they would have.
    pub(super) fn note_shadow_ban(
        &self,
        subject: &Subject<'_>,
        record: &ClientRecord,
        judgement: &mut Judgement,
    ) {
        let Some(rare) = &record.rare else { return };
        if self.monitored.is_empty()
            || !subject.context.applied.protections.contains(Protection::IpKeywordBlock)
        {
            return;
        }
        let ban = rare.shadow.ban.as_ref().filter(|ban| ban.is_active(subject.context.time));
        if let Some(ban) = ban {
            let finding = already_banned(Arc::clone(&ban.reason));
            self.counters.count_monitored(&finding);
            judgement.verdict.monitored.push(finding);
        }
    }

    /// Notes a finding, and reports whether it ends the inspection.
    pub(super) fn note(
        &self,
        subject: &Subject<'_>,
        record: &mut ClientRecord,
        judgement: &mut Judgement,
        mut finding: Finding,
    ) -> bool {
        if finding.action == Action::Allow {
            judgement.verdict.monitored.push(finding);
            return false;
        }
        if self.monitored.contains(finding.protection) {
            self.register_shadow(subject, record, &mut finding);
            self.counters.count_monitored(&finding);
            judgement.verdict.monitored.push(finding);
            return false;
        }
        self.register(subject, record, judgement, &mut finding);
        self.enforce(judgement, finding);
        true
    }

    /// Notes what a response has shown: it adds evidence, and comes too late to refuse anything.
    pub(super) fn note_response(
        &self,
        subject: &Subject<'_>,
        record: &mut ClientRecord,
        judgement: &mut Judgement,
        mut finding: Finding,
    ) {
        if self.monitored.contains(finding.protection) {
            self.register_shadow(subject, record, &mut finding);
        } else {
            self.register(subject, record, judgement, &mut finding);
            self.counters.count_bans(u64::from(judgement.verdict.ban.is_some()));
        }
    }

    /// Adds a finding to the client's ledger, and notes the ban that this causes.
    fn register(
        &self,
        subject: &Subject<'_>,
        record: &mut ClientRecord,
        judgement: &mut Judgement,
        finding: &mut Finding,
    ) {
        let Some(matched) = self.matched(subject, finding) else {
            finding.evidence = Evidence::NONE;
            return;
        };
        let listed = self.listed_ban(subject);
        let offenses = &mut record.rare().offenses;
        let Consequence { added, total, ban } =
            self.bans.register(offenses, subject.context.client, matched, listed);
        finding.evidence = added;
        judgement.verdict.points = total;
        judgement.verdict.ban = ban.map(|mut entry| {
            let settings = &self.settings.bans;
            if settings.capture_extended_request_info {
                entry.extended_request_info = Some(request_info::describe(subject.request, settings));
            }
            Box::new(entry)
        });
    }

    /// A finding as the ledger takes it; `None` if it can never count: the client can't be told from others, is banned
    /// already, or the finding has no evidence and no person has set a number of matches.
    fn matched<'f>(&self, subject: &Subject<'_>, finding: &'f Finding) -> Option<Matched<'f>> {
        let ban_after = self.settings.ban_after(finding.protection);
        let is_possible = match ban_after {
            Some(limit) => limit > 0,
            None => !finding.evidence.is_none(),
        };
        let Subject { context, .. } = subject;
        if !is_possible
            || context.identity == Identity::Unidentified
            || matches!(finding.reason, Reason::Blacklisted(_))
        {
            return None;
        }
        let cause = cause(subject, finding);
        Some(Matched { finding, key: match_key(subject, finding), cause, ban_after, time: context.time })
    }

    /// As [`note`](Self::note), for a finding that was made without the lock of the client's record.
    pub(super) fn note_unlocked(
        &self,
        subject: &Subject<'_>,
        judgement: &mut Judgement,
        finding: Finding,
    ) -> bool {
        self.clients.update(subject.context.client, |record| self.note(subject, record, judgement, finding))
    }

    /// Makes a finding the verdict.
    pub(super) fn enforce(&self, judgement: &mut Judgement, finding: Finding) {
        self.counters.count_enforced(&finding, judgement.verdict.ban.is_some());
        judgement.verdict.action = finding.action;
        judgement.verdict.finding = Some(finding);
    }

    /// Puts a ban in force, when no lock is held.
    pub(super) fn put_in_force(&self, client: ClientKey, judgement: &Judgement) {
        if let Some(ban) = &judgement.verdict.ban {
            self.lists.ban(client, (**ban).clone());
        }
    }

    /// Adds a finding of a monitored protection to the client's shadow ledger, and notes the ban that it would have
    /// caused.
    fn register_shadow(&self, subject: &Subject<'_>, record: &mut ClientRecord, finding: &mut Finding) {
        let Some(matched) = self.matched(subject, finding) else {
            finding.evidence = Evidence::NONE;
            return;
        };
        let Rare { shadow, .. } = record.rare();
        let earlier = [self.listed_ban(subject), shadow.ban.as_ref().map(EarlierBan::from)];
        let earlier = earlier.into_iter().flatten().max_by_key(|ban| ban.end);
        let Consequence { added, ban, .. } =
            self.bans.register(&mut shadow.offenses, subject.context.client, matched, earlier);
        finding.evidence = added;
        if let Some(entry) = ban {
            shadow.ban = Some(BanRecord::new(&entry, entry.reason.as_str().into()));
        }
    }

    /// Notes that a learned keyword was seen again, so that it does not expire: now and then, for each note is a change of
    /// the lists.
    pub(super) fn refresh_keyword(&self, subject: &Subject<'_>, judgement: &Judgement) {
        let Some(Finding { reason: Reason::Keyword(word), .. }) = &judgement.verdict.finding else { return };
        let time = subject.context.time;
        if !subject.snapshot.keywords.is_stale(word, time) {
            return;
        }
        let now = time.as_unix_micros() / 1_000_000;
        let last = self.keyword_refreshed.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(last) >= KEYWORD_REFRESH_SECONDS || now < last;
        if is_due
            && self
                .keyword_refreshed
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.lists.record(ListChange::AddKeyword(KeywordEntry {
                keyword: word.to_string(),
                count: 1,
                source: KeywordSource::Learned,
                added: Some(time),
            }));
        }
    }

    fn listed_ban(&self, subject: &Subject<'_>) -> Option<EarlierBan> {
        let Subject { context, snapshot, .. } = subject;
        self.lists
            .find_ban(snapshot, context.client, context.address, context.time, |ban| EarlierBan::from(ban))
    }
}

/// Least time between two notes of sightings of learned keywords, of all together.
const KEYWORD_REFRESH_SECONDS: i64 = 10;

fn already_banned(reason: Arc<str>) -> Finding {
    Finding::block(Protection::IpKeywordBlock, Reason::Blacklisted(reason))
}

/// Who could have made the client send this request.
///
/// A page can make its readers' browsers fetch any path and send any form, and a mail or a chat can hold any link. It
/// can't make them send other methods, other content types, or forms as if from a page of this site; nor does a program
/// follow links of pages as browsers do.
fn cause(subject: &Subject<'_>, finding: &Finding) -> Cause {
    let facts = subject.context.facts;
    if !facts.has(Facts::BROWSER) {
        return Cause::Client;
    }
    let is_foreign = facts.has(Facts::FROM_OTHER_SITE);
    let can_be_caused = match subject.request.method {
        "GET" | "HEAD" | "OPTIONS" => true,
        "POST" => !facts.has(Facts::OTHER_CONTENT) && (is_foreign || !facts.has(Facts::FROM_OWN_SITE)),
        _ => false,
    };
    if !can_be_caused {
        Cause::Client
    } else if is_foreign || facts.has(Facts::EMBEDDED) || facts.has(Facts::FOREIGN_REFERER) {
        Cause::Page
    } else if matches!(finding.reason, Reason::Flood | Reason::FormTooFast(_)) {
        // A link is followed once; what comes by the hundred, or faster than a person types, is no link.
        Cause::Client
    } else {
        Cause::Link
    }
}

/// Hash of what matched. What lasts counts once in a while: a flood every ten seconds, fast forms every second.
fn match_key(subject: &Subject<'_>, finding: &Finding) -> u64 {
    let Subject { context, .. } = subject;
    let second = context.time.as_unix_micros().div_euclid(1_000_000).cast_unsigned();
    match &finding.reason {
        Reason::Flood => spread(second / 10),
        Reason::FormTooFast(_) => spread(second ^ context.path_hash),
        Reason::AttackSignatures { .. } | Reason::UuidTampering => {
            let Some(matched) = &finding.matched else { return spread(context.path_hash) };
            let text = hash_text(matched.text.as_bytes()).rotate_left(1);
            // A client sends the same cookies and headers to every path.
            let is_of_client = matches!(matched.field, Field::Cookie(_) | Field::Header(_));
            let query = hash_text(subject.request.query).rotate_left(2);
            spread(if is_of_client { text } else { text ^ query ^ context.path_hash })
        }
        _ => spread(context.path_hash),
    }
}

/// Spreads a number over all bits: the ledger keeps the upper half.
fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
