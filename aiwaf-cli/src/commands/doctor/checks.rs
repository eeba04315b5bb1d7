//! The checks, one function each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aiwaf_core::{Engine, Lists, Mode, Protection, Settings, Timestamp};
use aiwaf_ml::RequestModel;
use aiwaf_storage::{Store, system_clock};

use super::{Check, proxies};
use crate::engine;
use crate::failure::with_causes;
use crate::origins;
use crate::output::{counted, short_time};
use crate::session::Session;
use crate::stores::Access;

/// Everything, in the order in which one thing depends on another.
pub(super) fn all(session: &Session<'_>) -> Vec<Check> {
    let mut checks = vec![clock()];
    let settings = match session.settings() {
        Ok(settings) => settings.clone(),
        Err(error) => {
            let mend =
                "mend that; until then the rest is checked by the defaults, and a service does not start";
            checks.push(Check::failed("settings", with_causes(&error), mend));
            Settings::default()
        }
    };
    if checks.len() == 1 {
        checks.push(settings_check(&settings, session));
    }
    checks.push(protections(&settings));
    let (lists, found) = lists(session);
    checks.extend(found);
    checks.push(logs(&settings));
    checks.push(model(&settings));
    checks.push(countries(&settings, &lists));
    checks.push(proxies::check(&settings));
    checks
}

fn clock() -> Check {
    let now = system_clock();
    if now < EARLIEST {
        return Check::failed(
            "clock",
            format!("it says {}", short_time(now)),
            "set it, or bans end at the wrong time: `timedatectl set-ntp true`",
        );
    }
    Check::ok("clock", format!("{} (UTC)", short_time(now)))
}

/// 2025-09-14: before this, nobody ran this program.
const EARLIEST: Timestamp = Timestamp::from_unix_micros(1_757_808_000_000_000);

fn settings_check(settings: &Settings, session: &Session<'_>) -> Check {
    let place = match origins::settings_file(session.global) {
        Some(path) => path.display().to_string(),
        None => "the defaults, for there is no aiwaf.toml".to_owned(),
    };
    match Engine::builder().settings(settings.clone()).build() {
        Ok(_) => Check::ok("settings", place),
        Err(error) => {
            Check::failed("settings", error.to_string(), "mend that: a service does not start with it")
        }
    }
}

fn protections(settings: &Settings) -> Check {
    let enabled = settings.enabled_protections();
    let (on, off): (Vec<_>, Vec<_>) = Protection::ALL.into_iter().partition(|one| enabled.contains(*one));
    let watching: Vec<&str> = on
        .iter()
        .filter(|protection| settings.mode(**protection) == Mode::Monitor)
        .map(|protection| protection.name())
        .collect();
    let names = |protections: &[Protection]| {
        protections.iter().map(|protection| protection.name()).collect::<Vec<_>>().join(", ")
    };
    if on.iter().all(|protection| *protection == Protection::Logging) {
        return Check::warning("protections", "none is on", "see protections.enabled, disabled and preset");
    }
    let off = if off.is_empty() { String::new() } else { format!("; off: {}", names(&off)) };
    let found = format!("on: {}{off}", names(&on));
    if watching.is_empty() {
        return Check::ok("protections", found);
    }
    Check::note("protections", format!("{found}; only watching: {}", watching.join(", ")))
}

fn lists(session: &Session<'_>) -> (Lists, Vec<Check>) {
    let store = match session.store(Access::Existing) {
        Ok(store) => store,
        Err(error) => {
            let mend = "correct storage.store or storage.data_dir (AIWAF_STORE, AIWAF_DATA_DIR)";
            return (Lists::default(), vec![Check::failed("lists", with_causes(&error), mend)]);
        }
    };
    let loaded = match store.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            let mend = "mend that; until then a service runs with the lists it read last, or without";
            return (Lists::default(), vec![Check::failed("lists", error.to_string(), mend)]);
        }
    };
    let place = store.location().map(|(_, place)| place).unwrap_or_default();
    let lists = &loaded.lists;
    let found = format!(
        "{} {place}: {} whitelisted, {} banned, {}",
        store.mode(),
        lists.whitelist.len(),
        lists.blacklist.len(),
        counted(lists.keywords.len(), "keyword")
    );
    let problems = loaded.problems.len() + loaded.more_problems;
    let mut checks = vec![if problems > 0 {
        let mend = "`aiwaf stats --verbose` names them; mend or remove them";
        Check::warning("lists", format!("{found}; {} can't be understood", counted(problems, "row")), mend)
    } else {
        Check::ok("lists", found)
    }];
    checks.extend(list_files(&*store, Path::new(&place)));
    (loaded.lists, checks)
}

/// Whether the files can be written, by us and by nobody who should not.
fn list_files(store: &dyn Store, place: &Path) -> Option<Check> {
    let (folder, files): (PathBuf, Vec<PathBuf>) = match store.mode() {
        "CSV" if !place.exists() => {
            return Some(Check::note(
                "list files",
                format!("{} is created when something is added", place.display()),
            ));
        }
        "CSV" => {
            let files = fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
            (place.to_owned(), files.filter(|file| file.extension().is_some_and(|it| it == "csv")).collect())
        }
        "SQLite" => (origins::folder(place).to_owned(), vec![place.to_owned()]),
        _ => return None,
    };
    if let Some(check) = newer_than_now("list files", &files) {
        return Some(check);
    }
    if let Err(error) = tempfile::tempfile_in(&folder) {
        return Some(Check::failed(
            "list files",
            format!("nothing can be written in {}: {error}", folder.display()),
            "let the user that runs the service and this command write there, and check that the disk has room",
        ));
    }
    let locked =
        files.iter().find_map(|file| Some((file, fs::OpenOptions::new().append(true).open(file).err()?)));
    if let Some((file, error)) = locked {
        return Some(Check::failed(
            "list files",
            format!("{} can't be written: {error}", file.display()),
            "let the user that runs the service and this command write it",
        ));
    }
    if let Some(open) = std::iter::once(&folder).chain(&files).find(|path| is_writable_by_all(path)) {
        return Some(Check::warning(
            "list files",
            format!("everybody on this machine can write {}", open.display()),
            format!("chmod o-w {}", open.display()),
        ));
    }
    Some(Check::ok("list files", "can be written"))
}

#[cfg(unix)]
fn is_writable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    // A sticky folder, such as /tmp, lets everybody add files, but not replace those of others.
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o1002 == 0o002)
}

#[cfg(not(unix))]
fn is_writable_by_all(_: &Path) -> bool {
    false
}

/// A file from the future shows that the clock was set back, or is wrong on another machine.
fn newer_than_now(name: &'static str, files: &[PathBuf]) -> Option<Check> {
    let limit = SystemTime::now() + Duration::from_mins(2);
    let file = files.iter().find(|file| {
        fs::metadata(file).and_then(|found| found.modified()).is_ok_and(|modified| modified > limit)
    })?;
    let found = format!("{} was written in the future", file.display());
    Some(Check::warning(
        name,
        found,
        "compare the clocks of the machines that write it: bans end by the clock",
    ))
}

fn logs(settings: &Settings) -> Check {
    let logging = &settings.logging;
    let folder = Path::new(&logging.dir);
    if !settings.enabled_protections().contains(Protection::Logging) {
        return Check::note("logs", "nothing is logged, for logging is off");
    }
    if !folder.exists() {
        let found = format!("{} is created when a service starts", folder.display());
        return Check::note("logs", found);
    }
    if let Err(error) = tempfile::tempfile_in(folder) {
        let mend = "let the user that runs the service write there, and check that the disk has room";
        return Check::failed(
            "logs",
            format!("nothing can be written in {}: {error}", folder.display()),
            mend,
        );
    }
    let files: Vec<PathBuf> =
        ["access.log", "error.log", "aiwaf.log"].iter().map(|name| folder.join(name)).collect();
    if let Some(check) = newer_than_now("logs", &files) {
        return check;
    }
    let bytes: u64 = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|found| found.len())
        .sum();
    let found = format!("{}: {} MiB, as {}", folder.display(), bytes >> 20, logging.format);
    Check::ok("logs", found)
}

fn model(settings: &Settings) -> Check {
    if !settings.enabled_protections().contains(Protection::AiAnomaly) {
        return Check::note("model", "not used, for ai_anomaly is off");
    }
    let Some(path) = settings.model_path() else {
        return Check::note("model", "none is wanted (ai_anomaly.model_path)");
    };
    if !path.exists() {
        let found = format!(
            "there is no {}, so behaviour is judged without: `aiwaf train` makes one",
            path.display()
        );
        return Check::note("model", found);
    }
    match RequestModel::load(&path) {
        Ok(model) => {
            let training = model.trained().training();
            let found = format!(
                "{}: trained {} from {}",
                path.display(),
                short_time(training.trained_at),
                counted(training.log_lines, "line")
            );
            if system_clock().since(training.trained_at) > OLD {
                return Check::warning("model", found, "it is old, and what is usual changes: `aiwaf train`");
            }
            Check::ok("model", found)
        }
        Err(error) => Check::failed("model", error.to_string(), "`aiwaf train` makes a new one"),
    }
}

/// Models and country databases that are older know another world.
const OLD: Duration = Duration::from_hours(120 * 24);

fn countries(settings: &Settings, lists: &Lists) -> Check {
    let geo = &settings.geo_block;
    let wanted =
        geo.blocked_countries.len() + geo.allowed_countries.len() + lists.geo_blocked_countries.len() > 0;
    let is_on = settings.enabled_protections().contains(Protection::GeoBlock);
    if geo.database_path.is_empty() {
        return if wanted && is_on {
            Check::failed(
                "country database",
                "countries are to be blocked, and there is no database: nobody is",
                "name a GeoLite2 or GeoIP2 country database in geo_block.database_path (AIWAF_GEOIP_DB_PATH)",
            )
        } else {
            Check::note("country database", "none, and no country is blocked")
        };
    }
    let path = Path::new(&geo.database_path);
    if let Err(error) = engine::read_countries(path) {
        let mend =
            "correct geo_block.database_path (AIWAF_GEOIP_DB_PATH); until then nobody is blocked by country";
        return Check::failed("country database", with_causes(&error), mend);
    }
    let age = fs::metadata(path).and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
    if age.is_some_and(|age| age > OLD) {
        let mend = "fetch a newer one: addresses move between countries";
        return Check::warning("country database", format!("{} is old", path.display()), mend);
    }
    Check::ok("country database", path.display().to_string())
}
