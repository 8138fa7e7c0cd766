//! Namespaces of our own (namespaces(7)), with root and without.

use std::fs;
use std::io;

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, UnshareFlags, capabilities, set_capabilities, set_thread_groups};
use rustix::thread::{configure_capability_in_ambient_set, unshare_unsafe};

/// What a sandbox does not share with the rest of the machine: users, so that no privilege outside is needed; network,
/// System V's memory and queues, and, for children, processes.
const ALL: UnshareFlags = UnshareFlags::NEWUSER.union(WITH_ROOT);
const WITH_ROOT: UnshareFlags = UnshareFlags::NEWNET.union(UnshareFlags::NEWIPC).union(UnshareFlags::NEWPID);

/// What the first process inside needs until it has set up the mounts and given all of it up.
const NEEDED: CapabilitySet = CapabilitySet::SYS_ADMIN.union(CapabilitySet::SETPCAP);

/// Why there are no namespaces, and what could be done about it.
#[derive(Debug, thiserror::Error)]
#[error("the kernel makes no namespaces for this user: {error}")]
pub struct Refused {
    error: io::Error,
    /// What is missing.
    pub hint: String,
}

/// Puts the calling process into new namespaces, in which it is the same user and has all privileges; its next child is
/// the first process of the new process namespace, and keeps those that it needs.
///
/// The process must have one thread, and can start none afterwards.
pub(super) fn enter() -> Result<(), Refused> {
    let refused = |error: io::Error| Refused { hint: why(), error };
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        // Groups would stay those of the outside. Who may not give them up has none that matter.
        let _ = set_thread_groups(&[]);
    }
    // SAFETY: of what the flags name nothing is shared with another thread: there is none, and descriptors stay shared.
    #[allow(unsafe_code)]
    let unshared = unsafe { unshare_unsafe(ALL) };
    match unshared {
        Ok(()) => map(user.as_raw(), group.as_raw()).map_err(refused)?,
        // Where root may not make user namespaces, none is needed.
        Err(_) if user.is_root() => {
            // SAFETY: as above.
            #[allow(unsafe_code)]
            unsafe { unshare_unsafe(WITH_ROOT) }.map_err(|error| refused(error.into()))?;
        }
        Err(error) => return Err(refused(error.into())),
    }
    pass_on().map_err(refused)
}

/// Is inside who it is outside. A process that is no root can map itself alone, and has to give up changing its groups.
fn map(user: u32, group: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// Lets a program that is executed keep what it needs, whoever executes it.
fn pass_on() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    sets.inheritable = NEEDED;
    set_capabilities(None, sets)?;
    for capability in NEEDED.iter() {
        configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// The setting of the kernel that forbids namespaces, as far as it can be told.
pub(super) fn why() -> String {
    let setting = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).map(|text| text.trim().to_owned()).ok();
    let is = |name: &str, value: &str| setting(name).as_deref() == Some(value);
    let found = if is("kernel/unprivileged_userns_clone", "0") {
        "kernel.unprivileged_userns_clone is 0"
    } else if is("user/max_user_namespaces", "0") {
        "user.max_user_namespaces is 0"
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        "kernel.apparmor_restrict_unprivileged_userns is 1, and no AppArmor profile allows it to this program"
    } else {
        "CAP_SYS_ADMIN is missing, as in most containers"
    };
    format!(
        "{found}; run it as root, or change that, or use --best-effort, which only sets proxy variables and isolates \
         nothing"
    )
}
