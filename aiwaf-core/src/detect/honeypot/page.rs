//! Page loads of one client, and the forms that used them up.

use std::time::Duration;

use crate::detect::ClientMemory;
use crate::timestamp::Timestamp;

/// The pages that one client loaded, those loaded last at the end.
///
/// Two words for a client that loaded one page; 24 bytes for each page that was loaded once, and about 100 for one that
/// was loaded again or whose form was sent.
#[derive(Debug, Default)]
pub(crate) enum Pages {
    /// None yet.
    #[default]
    None,
    /// One load of one page.
    One {
        /// Hash of its path.
        path: u64,
        /// When it was loaded.
        time: Timestamp,
    },
    /// Several loads, or forms.
    Many(Box<ManyPages>),
}

#[derive(Debug)]
pub(crate) struct ManyPages {
    /// Whatever page the client loaded.
    any: Page,
    pages: Vec<(u64, Loads)>,
}

/// The loads of one page.
#[derive(Debug)]
enum Loads {
    Once(Timestamp),
    Several(Box<Page>),
}

/// Maximum number of pages that are remembered of one client; beyond that the one loaded longest ago is forgotten.
const MAX_PAGES: usize = 128;

impl Pages {
    /// Notes that a page was loaded.
    pub(super) fn load(&mut self, path: u64, time: Timestamp, max_page_time: Duration) {
        if matches!(self, Self::None) {
            *self = Self::One { path, time };
            return;
        }
        let Some(many) = self.many() else { return };
        many.any.forget(time, max_page_time);
        many.any.load(time);
        // Looked for from the end: people come back to what they saw last.
        if let Some(position) = many.pages.iter().rposition(|(known, _)| *known == path) {
            if let Some(page) = many.pages.get_mut(position).and_then(|(_, loads)| loads.several()) {
                page.forget(time, max_page_time);
                page.load(time);
            }
            if position + 1 < many.pages.len() {
                let page = many.pages.remove(position);
                many.pages.push(page);
            }
            return;
        }
        if many.pages.len() >= MAX_PAGES {
            many.pages.remove(0);
        }
        many.pages.push((path, Loads::Once(time)));
    }

    /// The page with this hash, or [`ANY_PAGE`].
    pub(super) fn find(&mut self, path: u64) -> Option<&mut Page> {
        match self {
            Self::None => None,
            Self::One { path: known, .. } if path != *known && path != ANY_PAGE => None,
            Self::One { .. } | Self::Many(_) => {
                let many = self.many()?;
                if path == ANY_PAGE {
                    return Some(&mut many.any);
                }
                many.pages.iter_mut().rev().find(|(known, _)| *known == path)?.1.several()
            }
        }
    }

    /// The pages with room for several; never `None`.
    fn many(&mut self) -> Option<&mut ManyPages> {
        match *self {
            Self::None => *self = Self::Many(Box::new(ManyPages { any: Page::new(), pages: Vec::new() })),
            Self::One { path, time } => {
                let pages = vec![(path, Loads::Once(time))];
                *self = Self::Many(Box::new(ManyPages { any: Page::loaded(time), pages }));
            }
            Self::Many(_) => {}
        }
        if let Self::Many(many) = self { Some(many) } else { None }
    }
}

impl ClientMemory for Pages {
    fn heap_bytes(&self) -> usize {
        let Self::Many(many) = self else { return 0 };
        // Pages that were loaded several times are few; counting them for each request would cost more than it tells.
        size_of::<ManyPages>() + many.pages.capacity() * (size_of::<(u64, Loads)>() + size_of::<Page>() / 4)
    }
}

impl Loads {
    /// The page with room for several loads; never `None`.
    fn several(&mut self) -> Option<&mut Page> {
        if let Self::Once(time) = *self {
            *self = Self::Several(Box::new(Page::loaded(time)));
        }
        if let Self::Several(page) = self { Some(page) } else { None }
    }
}

/// Stands for whatever page the client loaded; no attacker can find a path with this hash.
pub(super) const ANY_PAGE: u64 = 0;

/// The second click of a double click comes within this time.
const DOUBLE_CLICK: Duration = Duration::from_secs(1);

/// A time that lies further ahead than this is that of a clock that was set back since.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

/// So many people behind one address may have a form open before their loads are counted together.
const MAX_LOADS: usize = 6;

/// What one client did with one page.
#[derive(Debug)]
pub(super) struct Page {
    /// The loads that no form has used up, oldest first.
    loads: [Timestamp; MAX_LOADS],
    loaded: u8,
    /// So many more loads there were, none of them later than the last one that is kept.
    surplus: u8,
    /// Whether the one second click that may follow has come.
    clicked_twice: bool,
    /// When a form was last accepted, or refused with no load left.
    last_form: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timing {
    Accepted,
    /// How long it took.
    TooFast(Duration),
}

impl Page {
    fn new() -> Self {
        Self {
            loads: [Timestamp::UNIX_EPOCH; MAX_LOADS],
            loaded: 0,
            surplus: 0,
            clicked_twice: false,
            last_form: None,
        }
    }

    fn loaded(time: Timestamp) -> Self {
        let mut page = Self::new();
        page.load(time);
        page
    }

    fn waiting(&self) -> &[Timestamp] {
        self.loads.get(..usize::from(self.loaded)).unwrap_or_default()
    }

    pub(super) fn is_fresh(&self, now: Timestamp, max_page_time: Duration) -> bool {
        self.waiting()
            .last()
            .copied()
            .max(self.last_form)
            .is_some_and(|last| now.since(last) <= max_page_time)
    }

    /// Forgets loads and forms that are older than `max_page_time`.
    pub(super) fn forget(&mut self, now: Timestamp, max_page_time: Duration) {
        let old = self.waiting().iter().take_while(|load| now.since(**load) > max_page_time).count();
        self.drop_oldest(old);
        self.last_form = self.last_form.filter(|form| now.since(*form) <= max_page_time);
    }

    fn drop_oldest(&mut self, count: usize) {
        self.loads.rotate_left(count.min(MAX_LOADS));
        self.loaded = self.loaded.saturating_sub(u8::try_from(count).unwrap_or(u8::MAX));
        if self.loaded == 0 {
            self.surplus = 0;
        }
    }

    /// A form uses up the oldest load; of those that are counted together, the last one stays until all are used up.
    fn use_up_oldest(&mut self) {
        if self.loaded == 1 && self.surplus > 0 {
            self.surplus -= 1;
        } else {
            self.drop_oldest(usize::from(self.loaded > 0));
        }
    }

    /// Beyond `MAX_LOADS` the newest load is replaced and counted: the old ones are what shows that people had time.
    fn load(&mut self, now: Timestamp) {
        let at = usize::from(self.loaded).min(MAX_LOADS - 1);
        if let Some(load) = self.loads.get_mut(at) {
            *load = now;
            self.surplus = self.surplus.saturating_add(u8::from(usize::from(self.loaded) == MAX_LOADS));
            self.loaded = u8::try_from(at + 1).unwrap_or(u8::MAX);
        }
    }

    pub(super) fn send(&mut self, now: Timestamp, min_form_time: Duration) -> Option<Timing> {
        let since = |time: Timestamp| {
            // The clock was set back: nobody knows how long it took.
            if time > now + CLOCK_TOLERANCE { Duration::MAX } else { now.since(time) }
        };
        let reference = self.waiting().first().copied().or(self.last_form)?;
        let waiting = since(reference);
        if waiting >= min_form_time {
            self.use_up_oldest();
            self.last_form = Some(now);
            self.clicked_twice = false;
            return Some(Timing::Accepted);
        }
        if !self.clicked_twice && self.last_form.is_some_and(|form| since(form) <= DOUBLE_CLICK) {
            self.clicked_twice = true;
            return Some(Timing::Accepted);
        }
        // The load that belongs to this form, the newest, is used up as well, and without loads the time since this
        // attempt will count: or a bot would only have to go on for two seconds.
        if self.surplus > 0 {
            self.surplus -= 1;
        } else {
            self.loaded = self.loaded.saturating_sub(1);
        }
        if self.loaded == 0 {
            self.last_form = Some(now);
            self.clicked_twice = true;
        }
        Some(Timing::TooFast(waiting))
    }
}
