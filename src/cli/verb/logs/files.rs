//! Files of lines that are asked as the log is.

use std::path::{Path, PathBuf};

use super::keep::{FORMS, import};
use crate::accesslog::Redact;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Failures};
use crate::cli::leftover::Leftover;

/// Whether words name files, and not a pod and its container.
pub(super) fn are_files(words: &[String]) -> bool {
    // Of these a pod's name has none, so that a file that is missing is told as that.
    let is_path = |word: &String| ["/", "./", "../"].iter().any(|start| word.starts_with(start));
    // Pipes and devices are read as files are.
    let is_there = |word: &String| Path::new(word).metadata().is_ok_and(|found| !found.is_dir());
    words.iter().any(|word| word == "-" || is_path(word) || is_there(word))
}

/// Takes files into a log of their own, which stands for the state directory's until what is returned is dropped; nothing if
/// none is named. Lines that are no entries are told by their numbers, and it is an error only if all are.
pub(super) fn take(files: &[String], context: &mut Context) -> Result<Option<Leftover>, Failures> {
    if files.is_empty() {
        return Ok(None);
    }
    let unmade = |error| Failure::client(format!("cannot make a temporary folder: {error}"));
    let folder = Leftover::folder().map_err(unmade)?;
    context.use_state_dir(folder.path().join("state"));
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    // They are shown as they are, and kept nowhere.
    let (imported, faults) = import(&files, Redact::None, context)?;
    let lines = imported.lines - imported.notices;
    match faults {
        0 => {}
        _ if faults == lines => {
            let message = format!("no line understood of {lines}\nhint: {FORMS}");
            return Err(Failure::client(message).into());
        }
        _ => context.say(&format!("note: {faults} of {lines} lines not understood, and passed over"))?,
    }
    Ok(Some(folder))
}
