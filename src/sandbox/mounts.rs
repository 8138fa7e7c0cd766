//! What a sandbox sees of the machine's files: all of it, but for what would lead out.
//!
//! Paths to Unix sockets of programs outside, which no network namespace holds back, are closed; so are the state
//! directory and all devices but the harmless ones. Processes are its own, and what the kernel is set by can only be read.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};
use rustix::process::geteuid;

use crate::proxy::NAME_SERVER;

/// A step that failed, and why.
pub(super) type Fault = (PathBuf, io::Error);

/// Where sockets of running programs lie. Some systems keep programs there too, which stay.
const RUN: &str = "/run";
const KEPT_IN_RUN: [&str; 5] = ["current-system", "booted-system", "opengl-driver", "wrappers", "media"];

/// Where programs put what others may read too, sockets among it.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// Devices that lead nowhere.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Links in `/dev` that programs expect.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// By these the kernel is told what to do.
const KERNEL_SETTINGS: [&str; 7] =
    ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi"];

/// By these the machine's own services are told what to run, which root could change.
const SERVICES: [&str; 5] = ["/etc", "/boot", "/usr/lib/systemd", "/lib/systemd", "/var/spool"];

const HARMLESS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Arranges the mounts of the calling process, which must be in a mount namespace of its own. `state` is closed off, and
/// so are the sockets at these paths; with `private_tmp` also all that is temporary.
pub(super) fn arrange(state: &Path, sockets: &[PathBuf], private_tmp: bool) -> Result<(), Fault> {
    let here = std::env::current_dir().map_err(at("."))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(at("/"))?;
    // Both as they are before anything lies above them.
    let (resolver, mounted) = (resolver(), mount_points().map_err(at("/proc/self/mountinfo"))?);
    hide_run().map_err(at(RUN))?;
    if geteuid().is_root() {
        for path in SERVICES.iter().map(Path::new).filter(|path| path.is_dir()) {
            keep(path, flags_at(&mounted, path))?;
        }
    }
    name_server(resolver.as_deref()).map_err(at("/etc/resolv.conf"))?;
    close_sockets(sockets.iter().chain(mounted.iter().map(|(path, _)| path)))?;
    devices().map_err(at("/dev"))?;
    closed_directory(state)?;
    processes(&mounted)?;
    for (path, flags) in mounted.iter().filter(|(path, _)| path.starts_with("/sys")) {
        read_only(path, *flags)?;
    }
    if private_tmp {
        for path in TEMPORARY.iter().map(Path::new).filter(|path| path.is_dir()) {
            memory(path, c"mode=1777").map_err(at(path))?;
        }
    }
    // By its path, so that what is closed off is not open because we stand in it.
    std::env::set_current_dir(&here).map_err(at(&here))
}

fn at<E: Into<io::Error>>(path: impl AsRef<Path>) -> impl FnOnce(E) -> Fault {
    move |error| (path.as_ref().to_owned(), error.into())
}

/// A file system in memory.
fn memory(path: &Path, options: &std::ffi::CStr) -> io::Result<()> {
    Ok(mount("tmpfs", path, "tmpfs", HARMLESS, options)?)
}

/// A handle for what is at a path, which stays when something is laid above it.
fn handle(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

/// The path of a handle.
fn behind(handle: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", handle.as_raw_fd())
}

fn hide_run() -> io::Result<()> {
    let run = Path::new(RUN);
    if !run.is_dir() {
        return Ok(());
    }
    let kept: Vec<_> = KEPT_IN_RUN.iter().filter_map(|name| Some((name, handle(&run.join(name)).ok()?))).collect();
    memory(run, c"mode=0755")?;
    for (name, handle) in kept {
        fs::create_dir(run.join(name))?;
        mount_bind_recursive(behind(&handle), run.join(name))?;
    }
    let user = geteuid().as_raw();
    fs::create_dir_all(run.join("user"))?;
    fs::DirBuilder::new().mode(0o700).create(run.join(format!("user/{user}")))
}

/// Where `/etc/resolv.conf` leads.
fn resolver() -> Option<PathBuf> {
    let path = Path::new("/etc/resolv.conf");
    match fs::read_link(path) {
        Ok(link) => Some(path.parent()?.join(link)),
        Err(_) => fs::symlink_metadata(path).is_ok().then(|| path.to_owned()),
    }
}

/// Makes our name server the only one.
fn name_server(resolver: Option<&Path>) -> io::Result<()> {
    let Some(resolver) = resolver else { return Ok(()) };
    let ours = staging()?.join("resolv.conf");
    fs::write(&ours, format!("# egressctl: knows the hosts that are declared\nnameserver {}\n", NAME_SERVER.ip()))?;
    if let Err(error) = fs::metadata(resolver) {
        // A link into what is hidden now.
        let parent = resolver.parent().filter(|_| error.kind() == io::ErrorKind::NotFound).ok_or(error)?;
        fs::create_dir_all(parent)?;
        fs::write(resolver, "")?;
    }
    Ok(mount_bind(&ours, resolver)?)
}

/// A directory of our own in what lies above `/run`.
fn staging() -> io::Result<PathBuf> {
    let staging = Path::new(RUN).join("egressctl");
    if !staging.is_dir() {
        fs::create_dir_all(&staging)?;
    }
    Ok(staging)
}

/// Lays an empty file above each path that is a socket.
fn close_sockets<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> Result<(), Fault> {
    let closed = staging().map_err(at(RUN))?.join("closed");
    File::create(&closed).and_then(|file| file.set_permissions(Permissions::from_mode(0o000))).map_err(at(&closed))?;
    for path in paths {
        // What cannot be looked at from here cannot be reached from here.
        let is_socket = || fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
        if !is_socket() {
            continue;
        }
        match mount_bind(&closed, path) {
            // Whoever had it has removed it meanwhile.
            Err(rustix::io::Errno::NOENT) => {}
            Err(_) if !is_socket() => {}
            done => done.map_err(at(path))?,
        }
    }
    Ok(())
}

fn devices() -> io::Result<()> {
    let dev = Path::new("/dev");
    let kept: Vec<_> = DEVICES.iter().filter_map(|name| Some((name, handle(&dev.join(name)).ok()?))).collect();
    memory(dev, c"mode=0755")?;
    for (name, handle) in kept {
        File::create(dev.join(name))?;
        mount_bind(behind(&handle), dev.join(name))?;
    }
    for (name, target) in LINKS {
        symlink(target, dev.join(name))?;
    }
    for name in ["pts", "shm"] {
        fs::create_dir(dev.join(name))?;
    }
    memory(&dev.join("shm"), c"mode=1777")?;
    let apart = MountFlags::NOSUID | MountFlags::NOEXEC;
    Ok(mount("devpts", dev.join("pts"), "devpts", apart, c"newinstance,ptmxmode=0666,mode=0620")?)
}

/// Lays a directory that nobody may enter above a path, whatever other path leads there.
fn closed_directory(path: &Path) -> Result<(), Fault> {
    let flags = HARMLESS | MountFlags::NOEXEC | MountFlags::RDONLY;
    mount("tmpfs", path, "tmpfs", flags, c"mode=0000,size=4k").map_err(at(path))
}

/// The sandbox's own processes, and settings of the kernel that can only be read.
fn processes(mounted: &[(PathBuf, MountFlags)]) -> Result<(), Fault> {
    let apart = HARMLESS | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", apart, None).map_err(at("/proc"))?;
    // What a container has closed for all of its processes stays so.
    let flags = apart | flags_at(mounted, Path::new("/proc"));
    KERNEL_SETTINGS.iter().map(Path::new).filter(|path| path.exists()).try_for_each(|path| keep(path, flags))
}

/// Lets what is at a path only be read.
fn keep(path: &Path, flags: MountFlags) -> Result<(), Fault> {
    mount_bind_recursive(path, path).map_err(at(path))?;
    read_only(path, flags)
}

/// The flags of the mount that a path lies in.
fn flags_at(mounted: &[(PathBuf, MountFlags)], path: &Path) -> MountFlags {
    let above = mounted.iter().filter(|(point, _)| path.starts_with(point));
    above.max_by_key(|(point, _)| point.components().count()).map_or(MountFlags::empty(), |(_, flags)| *flags)
}

fn read_only(path: &Path, flags: MountFlags) -> Result<(), Fault> {
    let flags = flags | MountFlags::BIND | MountFlags::RDONLY;
    match mount_remount(path, flags, c"") {
        // Something else lies above it, or it cannot be reached.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::ACCESS | rustix::io::Errno::NOENT) => Ok(()),
        done => done.map_err(at(path)),
    }
}

/// All mount points, with those of their flags that must not be lost.
fn mount_points() -> io::Result<Vec<(PathBuf, MountFlags)>> {
    let mut text = Vec::new();
    OpenOptions::new().read(true).open("/proc/self/mountinfo")?.read_to_end(&mut text)?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(mount_point).collect())
}

/// One line of `/proc/PID/mountinfo` (proc_pid_mountinfo(5)).
fn mount_point(line: &[u8]) -> Option<(PathBuf, MountFlags)> {
    let mut fields = line.split(|byte| *byte == b' ').skip(4);
    let (path, options) = (fields.next()?, fields.next()?);
    let flag = |option: &[u8]| match option {
        b"ro" => MountFlags::RDONLY,
        b"nosuid" => MountFlags::NOSUID,
        b"nodev" => MountFlags::NODEV,
        b"noexec" => MountFlags::NOEXEC,
        b"noatime" => MountFlags::NOATIME,
        b"nodiratime" => MountFlags::NODIRATIME,
        b"relatime" => MountFlags::RELATIME,
        _ => MountFlags::empty(),
    };
    let flags = options.split(|byte| *byte == b',').map(flag).fold(MountFlags::empty(), MountFlags::union);
    Some((PathBuf::from(OsStr::from_bytes(&unescaped(path))), flags))
}

/// Blanks and the like are written as `\` and three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..b'8').contains(d)));
        let (byte, used) = match digits {
            Some(digits) => (digits.iter().fold(0u8, |value, digit| value.wrapping_mul(8) | (digit - b'0')), 4),
            None => (*first, 1),
        };
        plain.push(byte);
        rest = &rest[used..];
    }
    plain
}

/// Paths of the Unix sockets that are bound in the network namespace of the calling process, but for those that are closed
/// with all of `/run`.
pub(super) fn bound_sockets() -> Vec<PathBuf> {
    let text = fs::read("/proc/self/net/unix").unwrap_or_default();
    let path = |line: &[u8]| {
        let path = line.splitn(8, |byte| *byte == b' ').last().map(|rest| rest.trim_ascii_start())?;
        let start = path.iter().position(|byte| *byte == b'/')?;
        Some(PathBuf::from(OsStr::from_bytes(&path[start..])))
    };
    let mut paths: Vec<_> = text.split(|byte| *byte == b'\n').skip(1).filter_map(path).collect();
    paths.retain(|path| !path.starts_with(RUN) && !path.starts_with("/var/run"));
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_mount_point_is_read_with_its_blanks_and_the_flags_that_lock_it() {
        let line = b"36 35 98:0 /mnt1 /mnt/my\\040disk ro,nosuid,relatime master:1 - ext3 /dev/root rw,errors=continue";
        let (path, flags) = mount_point(line).expect("a line");
        assert_eq!(path, Path::new("/mnt/my disk"));
        assert_eq!(flags, MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::RELATIME);
        assert_eq!(mount_point(b""), None);
        assert_eq!(unescaped(b"a\\134b\\9"), b"a\\b\\9");
    }

    #[test]
    fn a_bound_socket_is_found_by_its_path() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("with blank.sock");
        let _listener = UnixListener::bind(&path).expect("room");
        assert!(bound_sockets().contains(&path), "{:?}", bound_sockets());
    }
}
