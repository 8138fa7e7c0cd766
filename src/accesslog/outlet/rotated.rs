//! A file that is moved aside when it is full, and the files that were.
//!
//! `access.log` becomes `access-2018-06-18T13-22-58.317448.log`, after the time (UTC) at which it was moved, as Mixer's
//! files are named but for the finer time. Nothing but files of such names is ever removed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Failure, is_still, open};
use crate::accesslog::Rotation;
use crate::expr::Timestamp;

/// Time between two looks for files that are too old.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// Length of `2018-06-18T13-22-58.317448`.
const STAMP: usize = 26;

/// The open file.
#[derive(Debug, Default)]
pub(super) struct RotatedFile {
    file: Option<File>,
    /// When old files were last looked for.
    tidied: Option<SystemTime>,
}

impl RotatedFile {
    /// Appends whole lines, and moves the file aside whenever the next line would make it larger than it may be. A line
    /// that is larger by itself gets a file of its own.
    pub(super) fn write(
        &mut self,
        path: &Path,
        rotation: &Rotation,
        lines: &[u8],
        now: SystemTime,
    ) -> Result<(), Failure> {
        let mut rest = lines;
        let mut stuck = None;
        while !rest.is_empty() {
            // Taken out: after an error, or when it was moved, the file is opened anew.
            let mut file = match self.file.take() {
                Some(file) if is_still(&file, path) => file,
                _ => open(path)?,
            };
            let size = file.metadata()?.len();
            let mut length = whole_lines(rest, rotation.max_bytes.saturating_sub(size));
            if length == 0 && size > 0 && stuck.is_none() {
                match set_aside(path, now) {
                    Ok(()) => {
                        self.tidied = None;
                        continue;
                    }
                    Err(error) => stuck = Some(error),
                }
            }
            if stuck.is_some() {
                length = rest.len();
            } else if length == 0 {
                length = first_line(rest);
            }
            file.write_all(&rest[..length])?;
            rest = &rest[length..];
            self.file = Some(file);
        }
        self.tidy(path, rotation, now);
        match stuck {
            None => Ok(()),
            Some(error) => {
                let why = format!("no line is lost, but the file grows on, as it cannot be moved aside: {error}");
                Err(Failure { lost: Some(0), error: io::Error::new(error.kind(), why) })
            }
        }
    }

    /// Removes the files that are too many or too old, after a rotation and now and then.
    fn tidy(&mut self, path: &Path, rotation: &Rotation, now: SystemTime) {
        let recently = |then: SystemTime| now.duration_since(then).is_ok_and(|passed| passed < TIDY_EVERY);
        if self.tidied.is_some_and(recently) {
            return;
        }
        self.tidied = Some(now);
        let mut files = set_aside_before(path);
        files.sort_by(|(a, _), (b, _)| b.cmp(a));
        let too_many = rotation.max_files.unwrap_or(usize::MAX);
        let oldest = rotation.max_age.map(|age| micros(now).saturating_sub_unsigned(age.as_micros() as u64));
        for (position, (time, file)) in files.iter().enumerate() {
            if position >= too_many || oldest.is_some_and(|oldest| *time < oldest) {
                // What cannot be removed now is tried again with the next look.
                let _ = fs::remove_file(file);
            }
        }
    }
}

/// Bytes of the lines at the beginning that fit in so many bytes.
fn whole_lines(lines: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(lines.len());
    memchr::memrchr(b'\n', &lines[..room]).map_or(0, |end| end + 1)
}

fn first_line(lines: &[u8]) -> usize {
    memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1)
}

/// Gives the file a name with a time that no other has.
fn set_aside(path: &Path, now: SystemTime) -> io::Result<()> {
    /// Rotations within one microsecond that find a name; a clock that stands still must not hold the writer.
    const ATTEMPTS: i64 = 1000;
    let first = micros(now);
    let free = (first..first + ATTEMPTS).map(|time| name_at(path, time)).find(|name| name.symlink_metadata().is_err());
    match free {
        Some(name) => fs::rename(path, name),
        None => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// What stands around the time in the names of rotated files: `access-` and `.log`.
fn around(path: &Path) -> (OsString, OsString) {
    let mut before = path.file_stem().unwrap_or_default().to_owned();
    before.push("-");
    let mut after = OsString::new();
    if let Some(extension) = path.extension() {
        after.push(".");
        after.push(extension);
    }
    (before, after)
}

fn name_at(path: &Path, time: i64) -> PathBuf {
    let mut stamp = String::new();
    Timestamp::from_micros(time).write_rfc3339_micros(&mut stamp);
    let (mut name, after) = around(path);
    name.push(stamp.trim_end_matches('Z').replace(':', "-"));
    name.push(after);
    path.with_file_name(name)
}

/// The rotated files of a path, with the microsecond at which each was moved.
fn set_aside_before(path: &Path) -> Vec<(i64, PathBuf)> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (before, after) = around(path);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let time = |name: &[u8]| {
        let stamp = name.strip_prefix(before.as_bytes())?.strip_suffix(after.as_bytes())?;
        let stamp = str::from_utf8(stamp).ok().filter(|stamp| stamp.len() == STAMP && stamp.is_ascii())?;
        let text = format!("{}{}Z", &stamp[..11], stamp[11..].replace('-', ":"));
        Timestamp::parse_rfc3339(&text).map(Timestamp::micros)
    };
    entries.flatten().filter_map(|entry| Some((time(entry.file_name().as_bytes())?, entry.path()))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    struct Folder {
        folder: tempfile::TempDir,
        rotation: Rotation,
        file: RotatedFile,
    }

    impl Folder {
        fn new(max_bytes: u64, max_age: Option<Duration>, max_files: Option<usize>) -> Self {
            let rotation = Rotation { max_bytes, max_age, max_files };
            Self { folder: tempfile::tempdir().unwrap(), rotation, file: RotatedFile::default() }
        }

        fn write(&mut self, lines: &str, after: Duration) -> Result<(), Failure> {
            let path = self.folder.path().join("access.log");
            self.file.write(&path, &self.rotation, lines.as_bytes(), UNIX_EPOCH + after)
        }

        /// Names and contents, sorted by name.
        fn files(&self) -> Vec<(String, String)> {
            let read = |entry: fs::DirEntry| {
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
                (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
            };
            let mut files: Vec<_> =
                fs::read_dir(self.folder.path()).unwrap().map(|entry| read(entry.unwrap())).collect();
            files.sort();
            files
        }
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn a_full_file_is_moved_aside_and_lines_stay_whole() {
        let mut folder = Folder::new(8, None, None);
        folder.write("aaa\nbbb\nccc\n", Duration::ZERO).unwrap();
        folder.write("dd\n", Duration::from_micros(1_500_000)).unwrap();
        folder.write("larger than a file\ne\n", DAY).unwrap();
        assert_eq!(
            folder.files(),
            [
                pair("access-1970-01-01T00-00-00.000000.log", "aaa\nbbb\n"),
                pair("access-1970-01-02T00-00-00.000000.log", "ccc\ndd\n"),
                pair("access-1970-01-02T00-00-00.000001.log", "larger than a file\n"),
                pair("access.log", "e\n"),
            ]
        );
    }

    #[test]
    fn too_many_files_and_old_ones_are_removed_and_no_others() {
        let mut folder = Folder::new(2, Some(DAY * 2), Some(2));
        let other = folder.folder.path().join("access-notes.log");
        drop(open(&other).unwrap());
        for day in 0..4 {
            folder.write(&format!("{day}\n"), DAY * day).unwrap();
        }
        assert_eq!(
            folder.files(),
            [
                pair("access-1970-01-03T00-00-00.000000.log", "1\n"),
                pair("access-1970-01-04T00-00-00.000000.log", "2\n"),
                pair("access-notes.log", ""),
                pair("access.log", "3\n"),
            ]
        );
        folder.rotation.max_bytes = 100;
        folder.write("more\n", DAY * 4 + Duration::from_secs(1)).unwrap();
        let names: Vec<_> = folder.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["access-1970-01-04T00-00-00.000000.log", "access-notes.log", "access.log"]);
    }

    #[test]
    fn a_file_that_cannot_be_moved_grows_on_and_says_so() {
        let mut folder = Folder::new(4, None, None);
        folder.write("aaa\n", Duration::ZERO).unwrap();
        for time in 0..1000 {
            let path = folder.folder.path().join("access.log");
            drop(open(&name_at(&path, time)).unwrap());
        }
        let failure = folder.write("bbb\nccc\n", Duration::ZERO).unwrap_err();
        assert_eq!(failure.lost, Some(0));
        assert_eq!(folder.files().last(), Some(&pair("access.log", "aaa\nbbb\nccc\n")));
        folder.write("ddd\n", DAY).unwrap();
        assert_eq!(folder.files().last(), Some(&pair("access.log", "ddd\n")));
    }
}
