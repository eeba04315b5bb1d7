//! From findings to verdicts and bans.

use std::sync::Arc;

use super::Engine;
use super::record::{ClientRecord, Rare};
use crate::bans::EarlierBan;
use crate::client::{ClientKey, Identity};
use crate::detect::{Context, Facts};
use crate::lists::{BanRecord, Snapshot};
use crate::protection::Protection;
use crate::request::Request;
use crate::request_info;
use crate::transaction::Judgement;
use crate::verdict::{Action, BanWeight, Finding, Reason};

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
        // Any page can make its readers ask for anything, and must not get them banned by it. A client that can't be told
        // from others is never banned.
        let is_unidentified = subject.context.identity == Identity::Unidentified;
        if is_unidentified || subject.context.facts.has(Facts::FROM_OTHER_SITE) {
            finding.weight = BanWeight::Nothing;
        }
        let ban_after = self.settings.ban_after(finding.protection);
        if finding.action == Action::Allow {
            judgement.verdict.monitored.push(finding);
            return false;
        }
        if self.monitored.contains(finding.protection) {
            if finding.weight != BanWeight::Nothing {
                self.register_shadow(subject, record.rare(), &finding, ban_after);
            }
            self.counters.count_monitored(&finding);
            judgement.verdict.monitored.push(finding);
            return false;
        }
        if finding.weight != BanWeight::Nothing {
            let (client, time) = (subject.context.client, subject.context.time);
            let listed = self.listed_ban(subject);
            let offenses = &mut record.rare().offenses;
            let ban = self.bans.register(offenses, client, &finding, ban_after, time, listed);
            judgement.verdict.ban = ban.map(|mut entry| {
                let settings = &self.settings.bans;
                if settings.capture_extended_request_info {
                    entry.extended_request_info = Some(request_info::describe(subject.request, settings));
                }
                Box::new(entry)
            });
        }
        self.enforce(judgement, finding);
        true
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

    /// Counts a hit of a monitored protection, and notes the ban that it would have caused.
    fn register_shadow(&self, subject: &Subject<'_>, rare: &mut Rare, finding: &Finding, ban_after: u32) {
        let (client, time) = (subject.context.client, subject.context.time);
        let shadow = &mut rare.shadow;
        let earlier = [self.listed_ban(subject), shadow.ban.as_ref().map(EarlierBan::from)];
        let earlier = earlier.into_iter().flatten().max_by_key(|ban| ban.end);
        let entry = self.bans.register(&mut shadow.offenses, client, finding, ban_after, time, earlier);
        if let Some(entry) = entry {
            shadow.ban = Some(BanRecord::new(&entry, entry.reason.as_str().into()));
        }
    }

    fn listed_ban(&self, subject: &Subject<'_>) -> Option<EarlierBan> {
        let Subject { context, snapshot, .. } = subject;
        self.lists
            .find_ban(snapshot, context.client, context.address, context.time, |ban| EarlierBan::from(ban))
    }
}

fn already_banned(reason: Arc<str>) -> Finding {
    Finding::block(Protection::IpKeywordBlock, Reason::Blacklisted(reason)).with_weight(BanWeight::Nothing)
}
