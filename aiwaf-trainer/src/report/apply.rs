//! Carrying out what was learned.

use aiwaf_core::{BanSource, BlacklistEntry, KeywordEntry, KeywordSource, ListChange, Timestamp};
use aiwaf_storage::{Manager, StoreError};
use serde::Serialize;

use super::TrainingReport;

/// What became of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Applied {
    /// Clients that were banned, or whose bans were prolonged.
    pub banned: u64,
    /// Clients that were to be banned and are already, by a person or for longer.
    pub already_banned: u64,
    /// Keywords that were added or counted up.
    pub keywords: u64,
    /// Bans of whitelisted clients that were lifted.
    pub unbanned: u64,
}

impl TrainingReport {
    /// The changes of the lists, with bans that begin at `now`. They end as other automatic bans do, after
    /// `bans.duration`.
    pub fn changes(&self, now: Timestamp) -> Vec<ListChange> {
        let expires = (!self.ban_duration.is_zero()).then(|| now + self.ban_duration);
        let unbans = self.pointless.iter().map(|ban| ListChange::RemoveBlacklist(ban.network));
        let bans = self.bans.iter().map(|ban| {
            ListChange::AddBlacklist(BlacklistEntry {
                source: BanSource::Trainer,
                expires,
                ..BlacklistEntry::manual(ban.network, ban.reason.clone(), now)
            })
        });
        let keywords = self.keywords.iter().map(|learned| {
            ListChange::AddKeyword(KeywordEntry {
                keyword: learned.keyword.clone(),
                count: learned.count,
                source: KeywordSource::Learned,
                added: Some(now),
            })
        });
        unbans.chain(bans).chain(keywords).collect()
    }

    /// Bans, learns and lifts bans in one transaction; running services notice within a second. The model is written by
    /// [`save_model`](Self::save_model).
    ///
    /// Whom people banned stays banned as they wanted it, and whoever was whitelisted in the meantime is not banned.
    ///
    /// # Errors
    /// [`StoreError`] if the lists can't be changed; nothing is changed then.
    pub fn apply(&self, manager: &Manager, now: Timestamp) -> Result<Applied, StoreError> {
        let changes = self.changes(now);
        let mut applied = Applied::default();
        for (change, altered) in changes.iter().zip(manager.apply(&changes)?) {
            let altered = u64::from(altered);
            match change {
                ListChange::AddBlacklist(_) => {
                    applied.banned += altered;
                    applied.already_banned += 1 - altered;
                }
                ListChange::AddKeyword(_) => applied.keywords += altered,
                _ => applied.unbanned += altered,
            }
        }
        Ok(applied)
    }
}
