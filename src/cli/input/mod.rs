//! What `-f` names: files, directories, URLs and standard input, read into [`Source`]s.

mod url;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::{Failure, Failures};
use crate::diagnostic::{STDIN, Source};

/// Most bytes read from one input: far more than any manifest, far less than what memory holds.
const MAX_BYTES: u64 = 64 << 20;
/// Most files read from a directory; somebody who passes more has named the wrong one.
const MAX_FILES: usize = 10_000;
/// Deepest directory that `-R` enters, so that a circle of links ends.
const MAX_DEPTH: usize = 32;
/// Endings of the files that are read from a directory.
const ENDINGS: &[&str] = &["json", "yaml", "yml"];

/// `-f` and `-R`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Files {
    /// File, directory or URL with the resources; - reads standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", value_delimiter = ',')]
    pub(crate) names: Vec<String>,
    /// Read the directories below those named by -f, too
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
}

impl Files {
    /// Reads everything that was named, in order; files of a directory in the order of their names.
    ///
    /// # Errors
    /// Every input that cannot be read.
    pub(crate) fn read(&self) -> Result<Vec<Source>, Failures> {
        let mut failures = Failures::default();
        let mut sources = Vec::new();
        for name in &self.names {
            match self.read_one(name) {
                Ok(found) => sources.extend(found),
                Err(failure) => failures.push(failure),
            }
        }
        failures.into_outcome().map(|()| sources)
    }

    fn read_one(&self, name: &str) -> Result<Vec<Source>, Failure> {
        if name == "-" {
            return Ok(vec![decode(STDIN, bounded(STDIN, io::stdin().lock())?)?]);
        }
        if name.starts_with("http://") || name.starts_with("https://") {
            return Ok(vec![decode(name, url::fetch(name, MAX_BYTES)?)?]);
        }
        let path = Path::new(name);
        if !path.exists() {
            return Err(Failure::client(format!("the path \"{name}\" does not exist")));
        }
        let mut files = Vec::new();
        if path.is_dir() {
            self.walk(path, 0, &mut files)?;
        } else {
            files.push(path.to_owned());
        }
        files.iter().map(|file| read_file(file)).collect()
    }

    fn walk(&self, directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
        let unreadable = |error| unreadable(&directory.to_string_lossy(), &error);
        let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                if self.recursive && depth < MAX_DEPTH {
                    self.walk(&path, depth + 1, files)?;
                }
            } else if path.extension().and_then(|ending| ending.to_str()).is_some_and(|e| ENDINGS.contains(&e)) {
                files.push(path);
            }
            if files.len() > MAX_FILES {
                return Err(Failure::client(format!("more than {MAX_FILES} files below \"{}\"", directory.display())));
            }
        }
        Ok(())
    }
}

fn read_file(path: &Path) -> Result<Source, Failure> {
    let name = path.to_string_lossy();
    let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    decode(&name, bounded(&name, file)?)
}

fn bounded(name: &str, input: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = input.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if read as u64 > MAX_BYTES { Err(too_long(name)) } else { Ok(bytes) }
}

fn decode(name: &str, bytes: Vec<u8>) -> Result<Source, Failure> {
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Failure::client(format!("error parsing {name}: yaml: invalid leading UTF-8 octet")))?;
    Ok(Source::new(name, text))
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::client(format!("error reading \"{name}\": {error}"))
}

fn too_long(name: &str) -> Failure {
    Failure::client(format!("\"{name}\" is longer than {} MiB", MAX_BYTES >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &Files) -> Vec<String> {
        files.read().expect("readable files").iter().map(|source| source.name.to_string()).collect()
    }

    #[test]
    fn a_directory_gives_its_manifests_in_the_order_of_their_names() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("c")).unwrap();
        for name in ["b.yaml", "a.json", "notes.txt", "c/d.yml"] {
            fs::write(path(name), "{}").unwrap();
        }
        let directory = root.path().to_string_lossy().into_owned();
        let flat = Files { names: vec![directory.clone()], recursive: false };
        assert_eq!(names(&flat), [format!("{directory}/a.json"), format!("{directory}/b.yaml")]);
        let deep = Files { recursive: true, ..flat };
        assert_eq!(names(&deep).last(), Some(&format!("{directory}/c/d.yml")));
    }

    #[test]
    fn every_missing_file_is_named() {
        let files = Files { names: vec!["/nope/a".into(), "/nope/b".into()], recursive: false };
        assert_eq!(
            files.read().expect_err("both are missing").to_string(),
            "the path \"/nope/a\" does not exist\nthe path \"/nope/b\" does not exist\n"
        );
    }

    #[test]
    fn bytes_that_are_no_text_and_endless_input_are_refused() {
        assert!(decode("f", vec![0xff]).is_err());
        assert!(bounded("f", io::repeat(b'a')).is_err());
    }
}
