//! The commands of the shell, one line at a time.

use aiwaf_core::{
    Engine, ExemptionSettings, Lists, Protection, Request, Settings, Timestamp, UNKNOWN_CLIENT, closest,
};
use aiwaf_storage::{Manager, system_clock};
use anyhow::{Context, bail};

use super::tree::{Node, parts, path_of, pattern_of};
use crate::output::{Cells, Column, Output, Table};

/// Where somebody is in the tree of routes.
pub(super) struct Shell {
    root: Node,
    place: Vec<String>,
    manager: Manager,
    exemptions: ExemptionSettings,
}

/// Whether the shell goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Command,
    End,
}

/// The commands, and what they do.
pub(super) const COMMANDS: [(&str, &str); 7] = [
    (
        "ls",
        "show what is here, and what is exempt: by the list (yes), or by the settings; numbers can be used as names",
    ),
    ("cd NAME", "go to a part of the path, by name, number or whole path"),
    ("up", "go back one part"),
    ("pwd", "show where you are"),
    (
        "exempt NAME",
        "exempt a path from the protections; `.` is where you are, a name with a slash all below it",
    ),
    ("help", "show this"),
    ("exit", "end"),
];

impl Shell {
    /// A shell at the root; `exemptions` are those of the settings, beside the list's.
    pub(super) fn new(root: Node, manager: Manager, exemptions: ExemptionSettings) -> Self {
        Self { root, place: Vec::new(), manager, exemptions }
    }

    /// Where it is, for the prompt.
    pub(super) fn path(&self) -> String {
        path_of(&self.place)
    }

    /// Carries out one line.
    pub(super) fn execute(&mut self, line: &str, out: &mut Output<'_>) -> anyhow::Result<Next> {
        let line = line.trim();
        let (command, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim();
        match (command.to_ascii_lowercase().as_str(), argument) {
            ("" | "#", _) => {}
            (comment, _) if comment.starts_with('#') => {}
            ("ls" | "l" | "dir", "") => self.list(out)?,
            ("cd", "") => self.place.clear(),
            ("cd", "..") | ("up" | "..", "") => {
                self.place.pop();
            }
            ("cd", name) => self.place = self.resolve(name)?,
            ("pwd", "") => out.text(format_args!("{}\n", self.path()))?,
            ("exempt", "") => bail!("exempt needs a name, a number, or `.` for where you are"),
            ("exempt", name) => self.exempt(name, out)?,
            ("help" | "?", _) => help(out)?,
            ("exit" | "quit" | "q", "") => return Ok(Next::End),
            (unknown, _) => {
                let names = || COMMANDS.iter().map(|(usage, _)| usage.split(' ').next().unwrap_or(usage));
                if names().any(|name| name == unknown) {
                    bail!("{unknown} takes nothing behind it: `help` shows how each is written");
                }
                let names = names();
                let meant = closest(unknown, names).map(|name| format!("did you mean `{name}`? "));
                bail!("there is no command {unknown:?}: {}`help` shows all", meant.unwrap_or_default());
            }
        }
        Ok(Next::Command)
    }

    /// What may follow what was typed: commands, or names of this place.
    pub(super) fn completions(&self, line: &str) -> Vec<String> {
        let Some((command, name)) = line.split_once(' ') else {
            let names = COMMANDS.iter().map(|(usage, _)| usage.split(' ').next().unwrap_or(usage));
            return names.filter(|known| known.starts_with(line)).map(str::to_owned).collect();
        };
        let name = name.trim_start();
        if !matches!(command, "cd" | "exempt") {
            return Vec::new();
        }
        let here = self.here().map(|node| node.children.keys().cloned().collect::<Vec<_>>());
        here.unwrap_or_default().into_iter().filter(|known| known.starts_with(name)).collect()
    }

    fn here(&self) -> Option<&Node> {
        self.root.at(&self.place)
    }

    fn list(&self, out: &mut Output<'_>) -> anyhow::Result<()> {
        let Some(here) = self.here() else { return Ok(()) };
        let path_exemptions = self.manager.list_path_exemptions()?;
        let none = ExemptionSettings { exempt_paths: Some(Vec::new()) };
        let listed = Exemptions::new(none, Lists { path_exemptions, ..Lists::default() })?;
        let configured = Exemptions::new(self.exemptions.clone(), Lists::default())?;
        if here.is_route {
            out.text(format_args!("{} is a route\n", self.path()))?;
        }
        let rows: Vec<(usize, &String, &Node)> =
            here.children.iter().enumerate().map(|(index, (name, node))| (index + 1, name, node)).collect();
        if rows.is_empty() {
            return out.text(format_args!("nothing below {}\n", self.path()));
        }
        let style = out.style();
        let table = Table::new([
            Column::number("N"),
            Column::flexible("NAME"),
            Column::number("ROUTES"),
            Column::new("EXEMPT"),
        ]);
        table.write(out.writer(), style, &rows, |(number, name, node), cells: &mut Cells| {
            let place = [&self.place[..], &[(*name).clone()]].concat();
            let has_more = !node.children.is_empty();
            let exempt = if listed.cover(&place, has_more) {
                "yes"
            } else if configured.cover(&place, has_more) {
                "settings"
            } else {
                ""
            };
            let slash = if node.children.is_empty() { "" } else { "/" };
            cells.push(number);
            cells.push(format_args!("{name}{slash}"));
            cells.push(node.routes());
            cells.push(exempt);
        })?;
        Ok(())
    }

    /// The place that a name, a number or a whole path means.
    fn resolve(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let wanted = name.trim_end_matches('/');
        if name == "." {
            return Ok(self.place.clone());
        }
        let mut place = if name.starts_with('/') { Vec::new() } else { self.place.clone() };
        if !name.starts_with('/')
            && let Ok(number) = wanted.parse::<usize>()
            && let Some(known) =
                number.checked_sub(1).and_then(|index| self.here()?.children.keys().nth(index))
            && self.here().is_some_and(|here| !here.children.contains_key(wanted))
        {
            place.push(known.clone());
            return Ok(place);
        }
        for part in parts(wanted) {
            if part == ".." {
                place.pop();
                continue;
            }
            let node = self.root.at(&place).context("there is nothing here any more")?;
            if !node.children.contains_key(part) {
                let meant = closest(part, node.children.keys().map(String::as_str));
                let meant = meant
                    .map_or_else(|| "`ls` shows what is".to_owned(), |name| format!("did you mean {name}?"));
                bail!("there is no {part} in {}: {meant}", path_of(&place));
            }
            place.push(part.to_owned());
        }
        Ok(place)
    }

    fn exempt(&self, name: &str, out: &mut Output<'_>) -> anyhow::Result<()> {
        let place = self.resolve(name)?;
        let node = self.root.at(&place).context("there is nothing here any more")?;
        // A route alone, unless what lies below is asked for or is all there is.
        let with_below = !node.children.is_empty() && (name.ends_with('/') || !node.is_route);
        let pattern = pattern_of(&place, with_below);
        if pattern == "/" && with_below {
            bail!("that would exempt everything: go to a part of it");
        }
        if self.manager.add_path_exemption(&pattern, "route-shell", system_clock())? {
            out.done(format_args!("Exempted {pattern}"))
        } else {
            out.text(format_args!("{pattern} is exempt already\n"))
        }
    }
}

/// What is exempt, asked of an engine, which knows best.
struct Exemptions(Engine);

impl Exemptions {
    fn new(exemptions: ExemptionSettings, lists: Lists) -> anyhow::Result<Self> {
        let mut settings = Settings::default();
        settings.exemptions = exemptions;
        // One that no exempt path is asked by.
        settings.protections.enabled = vec![Protection::RateLimit];
        Ok(Self(Engine::builder().lists(lists).settings(settings).build()?))
    }

    /// Whether they cover a place, or all below it.
    fn cover(&self, place: &[String], has_more: bool) -> bool {
        let path = pattern_of(place, false).replace('*', "1");
        let is_exempt = |path: &str| {
            let request = Request::new(UNKNOWN_CLIENT, Timestamp::UNIX_EPOCH).with_uri(path);
            !self.0.inspect(&request).applied.contains(Protection::RateLimit)
        };
        is_exempt(&path) || has_more && is_exempt(&format!("{path}/"))
    }
}

fn help(out: &mut Output<'_>) -> anyhow::Result<()> {
    let style = out.style();
    Table::new([Column::new(""), Column::flexible("")]).write(
        out.writer(),
        style,
        &COMMANDS,
        |(usage, what), cells: &mut Cells| {
            cells.push(usage);
            cells.push(what);
        },
    )?;
    Ok(())
}
