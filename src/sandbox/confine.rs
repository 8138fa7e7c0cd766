//! What a program in a sandbox may ask of the kernel. It has no privileges, can gain none, and cannot leave by doors that
//! no namespace closes.

use std::collections::BTreeMap;
use std::io;

use landlock::{
    AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Compares, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule, TargetArch,
};

/// What a program without privileges could still ask for, and that reaches out of its namespaces or makes new ones; and what
/// only a program with privileges could ask for, so that a fault of the kernel's does not open it.
const FORBIDDEN: &[i64] = &[
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    // Keys of the session outside.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_syslog,
];

/// Calls for which programs have another way: rings of requests, which no filter sees, and `clone3`, whose flags it cannot
/// see.
const ABSENT: &[i64] =
    &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_clone3];

/// The bit of the second number that calls have on x86-64, for programs with short pointers.
const X32: Option<i64> = if cfg!(target_arch = "x86_64") { Some(0x4000_0000) } else { None };

/// Gives everything up, for good, for the calling process and all that it starts.
pub(super) fn confine() -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        // The kernel may not know the newest.
        let _ = remove_capability_from_bounding_set(capability);
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    set_no_new_privs(true)?;
    close_sockets_of_others()?;
    // What this process knows is not the program's to read.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    for program in programs()? {
        seccompiler::apply_filter(&program).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Closes Unix sockets by path that were not made inside, also those that appear later, where the kernel can (Landlock since
/// Linux 7.1). Before that those alone are closed that were there at the start.
fn close_sockets_of_others() -> io::Result<()> {
    let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let Ok(ruleset) = hard.handle_access(AccessFs::ResolveUnix) else { return Ok(()) };
    // Whoever handles anything has to let files be moved between directories.
    let root = PathFd::new("/").map_err(io::Error::other)?;
    let moved = PathBeneath::new(root, AccessFs::Refer);
    let ruleset = ruleset.handle_access(AccessFs::Refer).and_then(Ruleset::create);
    let restricted = ruleset.and_then(|ruleset| ruleset.add_rule(moved)).and_then(|ruleset| ruleset.restrict_self());
    restricted.map(drop).map_err(io::Error::other)
}

/// Two filters, because each has one answer: that what is asked for is not permitted, and that it does not exist, after
/// which programs try another way.
fn programs() -> io::Result<[BpfProgram; 2]> {
    let mut forbidden = BTreeMap::new();
    for call in FORBIDDEN {
        forbid(&mut forbidden, *call, Vec::new());
    }
    forbid(&mut forbidden, libc::SYS_socket, sockets()?);
    forbid(&mut forbidden, libc::SYS_ioctl, terminals()?);
    for call in [libc::SYS_unshare, libc::SYS_clone] {
        forbid(&mut forbidden, call, namespaces()?);
    }
    let mut absent = BTreeMap::new();
    for call in ABSENT {
        forbid(&mut absent, *call, Vec::new());
    }
    Ok([program(forbidden, libc::EPERM)?, program(absent, libc::ENOSYS)?])
}

/// By both numbers that a call may have: processors of x86 know a second one for most.
fn forbid(rules: &mut BTreeMap<i64, Vec<Rule>>, call: i64, conditions: Vec<Rule>) {
    if let Some(bit) = X32 {
        rules.insert(call | bit, conditions.clone());
    }
    rules.insert(call, conditions);
}

fn program(rules: BTreeMap<i64, Vec<Rule>>, error: i32) -> io::Result<BpfProgram> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(error.unsigned_abs()), arch);
    filter.and_then(TryInto::try_into).map_err(io::Error::other)
}

/// Families of sockets that stay within the sandbox's namespaces: `AF_UNIX`, `AF_INET`, `AF_INET6`, and `AF_NETLINK`, by
/// which addresses are asked for. Others do not heed them (`AF_VSOCK`), or are for nobody but attackers.
const FAMILIES: [u64; 4] = [1, 2, 10, 16];
const NETLINK: u64 = 16;
/// `SOCK_RAW`, `SOCK_PACKET`; the kind of a socket is told by the lowest four bits.
const RAW: [u64; 2] = [3, 10];
const KIND: u64 = 0xf;
/// `NETLINK_ROUTE`.
const ROUTE: u64 = 0;

fn sockets() -> io::Result<Vec<Rule>> {
    let family = |how, value| condition(0, how, value);
    let other = FAMILIES.iter().map(|known| family(Compares::Ne, *known)).collect::<io::Result<Vec<_>>>()?;
    let mut rules = vec![rule(other)?];
    for kind in RAW {
        // Netlink's are raw too, and harmless.
        rules.push(rule(vec![family(Compares::Ne, NETLINK)?, condition(1, Compares::MaskedEq(KIND), kind)?])?);
    }
    rules.push(rule(vec![family(Compares::Eq, NETLINK)?, condition(2, Compares::Ne, ROUTE)?])?);
    Ok(rules)
}

/// `TIOCSTI` and `TIOCLINUX` type into a terminal, as if its user did.
fn terminals() -> io::Result<Vec<Rule>> {
    [0x5412, 0x541c].iter().map(|request| rule(vec![condition(1, Compares::Eq, *request)?])).collect()
}

/// Flags that make namespaces, in which a program would have privileges again: `CLONE_NEWNS`, `…CGROUP`, `…UTS`, `…IPC`,
/// `…USER`, `…PID`, `…NET`, `…TIME`.
const NAMESPACES: [u64; 8] =
    [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000, 0x80];

fn namespaces() -> io::Result<Vec<Rule>> {
    // Of clone, the lowest byte is a signal, which is never 0x80.
    NAMESPACES.iter().map(|flag| rule(vec![condition(0, Compares::MaskedEq(*flag), *flag)?])).collect()
}

fn condition(argument: u8, how: Compares, value: u64) -> io::Result<Condition> {
    Condition::new(argument, Length::Dword, how, value).map_err(io::Error::other)
}

fn rule(conditions: Vec<Condition>) -> io::Result<Rule> {
    Rule::new(conditions).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile() {
        for program in programs().expect("valid rules") {
            assert!(program.len() > 10 && program.len() < 4096, "{}", program.len());
        }
    }
}
