//! What commands share: which lists, which settings, where to print.

use std::cell::OnceCell;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use aiwaf_core::{ListName, Settings};
use aiwaf_middleware::load_settings;
use aiwaf_storage::{Loaded, Manager, Store, check_url};

use crate::args::GlobalArgs;
use crate::failure::usage_error;
use crate::output::{Output, counted, note};
use crate::stores::{self, Access};

/// The mode of lists that no other process sees.
const MEMORY: &str = "Memory";

/// One call of the command.
pub(crate) struct Session<'a> {
    pub(crate) global: &'a GlobalArgs,
    pub(crate) out: Output<'a>,
    settings: OnceCell<Settings>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(global: &'a GlobalArgs, out: Output<'a>) -> Self {
        Self { global, out, settings: OnceCell::new() }
    }

    /// The settings of this machine, read when they are first needed.
    pub(crate) fn settings(&self) -> anyhow::Result<&Settings> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let settings = load_settings(self.global.config.as_deref())?;
        Ok(self.settings.get_or_init(|| settings))
    }

    /// Opens the lists.
    ///
    /// Flags that name them win over the settings, which are not even read then: whoever repairs something must not be
    /// kept from it by a settings file that is being repaired, too.
    pub(crate) fn store(&self, access: Access) -> anyhow::Result<Arc<dyn Store>> {
        match (&self.global.store, &self.global.data_dir) {
            (Some(url), _) => {
                check_url(url).map_err(|error| usage_error(format_args!("--store: {error}")))?;
                stores::open_url(url, true, access)
            }
            (None, Some(directory)) => stores::open_directory(directory, true, access),
            (None, None) => {
                let storage = &self.settings()?.storage;
                let was_named = *storage != Settings::default().storage;
                stores::open_url(&storage.url(), was_named, access)
            }
        }
    }

    /// The lists that are wanted, to be looked at; the others are empty.
    pub(crate) fn lists(&mut self, wanted: &[ListName]) -> anyhow::Result<(Manager, ManuallyDrop<Loaded>)> {
        let manager = Manager::new(self.store(Access::Existing)?);
        // Freeing a million texts one by one takes long, and the process ends next.
        let loaded = ManuallyDrop::new(manager.load_only(wanted)?);
        self.announce(&manager)?;
        self.name_problems(&loaded);
        Ok((manager, loaded))
    }

    /// The lists, to be changed, or to find out what a change would do.
    pub(crate) fn manager(&mut self, access: Access, dry_run: bool) -> anyhow::Result<Manager> {
        let store = self.store(access)?;
        let manager = Manager::new(if dry_run { stores::unchanged(store) } else { store });
        self.announce(&manager)?;
        if manager.store().mode() == MEMORY && !dry_run {
            note(
                "these lists are in the memory of this command alone: no service sees them, and they end with it",
            );
        }
        Ok(manager)
    }

    /// The lists, without saying which these are.
    pub(crate) fn quiet_manager(&self) -> anyhow::Result<Manager> {
        Ok(Manager::new(self.store(Access::Existing)?))
    }

    /// Says which lists these are.
    fn announce(&mut self, manager: &Manager) -> anyhow::Result<()> {
        let store = manager.store();
        let place = store.location().map(|(_, place)| format!(": {place}")).unwrap_or_default();
        let symbol = self.out.symbol("📁 ");
        self.out.text(format_args!("{symbol}Using {} storage{place}\n", store.mode()))
    }

    /// Says which rows can't be understood; only how many, unless asked for more.
    fn name_problems(&self, loaded: &Loaded) {
        let count = loaded.problems.len() + loaded.more_problems;
        if self.global.verbose {
            for problem in &loaded.problems {
                note(problem);
            }
        } else if count > 0 {
            let rows = counted(count, "row");
            note(format_args!("{rows} of the lists can't be understood; --verbose names them"));
        }
    }
}
