use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::*;
use crate::accesslog::testing::{entry, lines, shape};
use crate::accesslog::{Format, Level, Shape};

/// Takes what is written, or refuses it while it is closed.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<(Vec<u8>, bool)>>);

impl Pipe {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().0.clone()).unwrap()
    }

    fn set_closed(&self, closed: bool) {
        self.0.lock().unwrap().1 = closed;
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = self.0.lock().unwrap();
        if pipe.1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        pipe.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Fixture {
    outlets: Outlets,
    stdout: Pipe,
    stderr: Pipe,
    directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let (stdout, stderr) = (Pipe::default(), Pipe::default());
        let outlets = Outlets::new(Box::new(stdout.clone()), Box::new(stderr.clone()));
        Self { outlets, stdout, stderr, directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("access.log")
    }

    /// Prints, and tells what happened.
    fn print(&mut self, entries: &[Entry]) -> Vec<String> {
        let mut events = Vec::new();
        self.outlets.print(&entries.iter().collect(), &mut |event| {
            events.push(match event {
                Event::Failed { outlet, lines, news, .. } => format!("{outlet}: {lines} lost, news: {news}"),
                Event::Recovered(outlet) => format!("{outlet}: recovered"),
            })
        });
        events
    }
}

fn to(outlet: Outlet) -> Arc<Shape> {
    shape("a", Format::Json, outlet)
}

fn one(shape: &Arc<Shape>, path: &str) -> Vec<Entry> {
    vec![entry(shape, 0, Level::Info, path)]
}

#[test]
fn each_line_goes_to_its_outlet_in_its_form() {
    let mut fixture = Fixture::new();
    let path = fixture.file();
    let text = shape("t", Format::Text, Outlet::Stderr);
    let entries =
        [one(&to(Outlet::Stdout), "/1"), one(&text, "/2"), one(&to(Outlet::File(path.clone())), "/3")].concat();
    assert!(fixture.print(&entries).is_empty());
    let expected = lines(&entries);
    assert_eq!(fixture.stdout.text(), format!("{}\n", expected[0]));
    assert_eq!(
        fixture.stderr.text(),
        "1970-01-01T00:00:00.000000Z\tinfo\tt.logentry.istio-system\t{\"path\": \"/2\"}\n"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", expected[2]));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_closed_outlet_is_counted_and_told_once_and_the_others_go_on() {
    let mut fixture = Fixture::new();
    fixture.stdout.set_closed(true);
    let entries = [one(&to(Outlet::Stdout), "/1"), one(&to(Outlet::Stdout), "/2"), one(&to(Outlet::Stderr), "/3")];
    let entries = entries.concat();
    assert_eq!(fixture.print(&entries), ["standard output: 2 lost, news: true"]);
    assert_eq!(fixture.print(&entries), ["standard output: 2 lost, news: false"]);
    assert_eq!(fixture.stderr.text().lines().count(), 2);
    fixture.stdout.set_closed(false);
    assert_eq!(fixture.print(&entries), ["standard output: recovered"]);
    assert_eq!(fixture.stdout.text().lines().count(), 2);
}

#[test]
fn a_file_that_was_rotated_away_is_made_anew() {
    let mut fixture = Fixture::new();
    let (path, old) = (fixture.file(), fixture.directory.path().join("access.log.1"));
    let shape = to(Outlet::File(path.clone()));
    fixture.print(&one(&shape, "/1"));
    fs::rename(&path, &old).unwrap();
    fixture.print(&one(&shape, "/2"));
    fs::remove_file(&path).unwrap();
    fs::write(&path, "someone else's\n").unwrap();
    fixture.print(&one(&shape, "/3"));
    assert_eq!(fs::read_to_string(old).unwrap(), lines(&one(&shape, "/1"))[0].clone() + "\n");
    let expected = format!("someone else's\n{}\n", lines(&one(&shape, "/3"))[0]);
    assert_eq!(fs::read_to_string(path).unwrap(), expected);
}

#[test]
fn a_file_in_a_missing_directory_is_tried_again_for_each_group() {
    let mut fixture = Fixture::new();
    let path = fixture.directory.path().join("missing/access.log");
    let shape = to(Outlet::File(path.clone()));
    assert_eq!(fixture.print(&one(&shape, "/1")), [format!("{}: 1 lost, news: true", path.display())]);
    fs::create_dir(path.parent().unwrap()).unwrap();
    assert_eq!(fixture.print(&one(&shape, "/2")), [format!("{}: recovered", path.display())]);
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 1);
}

#[test]
fn many_files_are_not_kept_open() {
    let mut fixture = Fixture::new();
    for n in 0..=OPEN_FILES {
        let path = fixture.directory.path().join(n.to_string());
        assert!(fixture.print(&one(&to(Outlet::File(path)), "/")).is_empty());
    }
    assert!(fixture.outlets.targets.is_empty());
}
