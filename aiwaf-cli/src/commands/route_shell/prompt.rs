//! The shell on a terminal: a line to edit, with history and completion.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, Helper};

use super::shell::{Next, Shell};
use crate::failure::{one_line, with_causes};
use crate::output::{Output, note};

/// Reads commands until somebody ends it.
pub(super) fn interact(shell: &mut Shell, out: &mut Output<'_>) -> anyhow::Result<()> {
    let names = Rc::new(RefCell::new(Vec::new()));
    let mut editor: Editor<Names, FileHistory> = Editor::new()?;
    editor.set_helper(Some(Names(Rc::clone(&names))));
    let history = history_file();
    if let Some(path) = &history {
        // There is none at the first time.
        drop(editor.load_history(path));
    }
    loop {
        // What was printed belongs before the prompt, which the editor prints by itself.
        out.writer().flush()?;
        *names.borrow_mut() = candidates(shell);
        match editor.readline(&format!("aiwaf {}> ", shell.path())) {
            Ok(line) => {
                editor.add_history_entry(&line)?;
                match shell.execute(&line, out) {
                    Ok(Next::Command) => {}
                    Ok(Next::End) => break,
                    Err(error) => note(one_line(&with_causes(&error))),
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(path) = &history
        && let Err(error) = save(&mut editor, path)
    {
        note(format_args!("the history can't be kept in {}: {error}", path.display()));
    }
    Ok(())
}

fn save(editor: &mut Editor<Names, FileHistory>, path: &PathBuf) -> rustyline::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    editor.save_history(path)
}

/// Where such files belong, by the XDG base directory specification.
fn history_file() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    Some(named.or_else(home)?.join("aiwaf/route-shell-history"))
}

/// Every line that would be understood here, as far as it can be known.
fn candidates(shell: &Shell) -> Vec<String> {
    let with_name = ["cd ", "exempt "].into_iter().flat_map(|command| {
        shell.completions(command).into_iter().map(move |name| format!("{command}{name}"))
    });
    shell.completions("").into_iter().chain(with_name).collect()
}

/// Completes what was typed to one of some lines.
struct Names(Rc<RefCell<Vec<String>>>);

impl Completer for Names {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..position).unwrap_or(line);
        // Only the word at the cursor is replaced.
        let start = typed.rfind(' ').map_or(0, |at| at + 1);
        let fitting = self
            .0
            .borrow()
            .iter()
            .filter(|known| known.starts_with(typed))
            .map(|known| known.get(start..).unwrap_or_default().to_owned())
            .collect();
        Ok((start, fitting))
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}
impl Validator for Names {}
impl Helper for Names {}
