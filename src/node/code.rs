//! Pages of the program that starting needed.
//!
//! The system maps sixteen pages for each that is used, so most of the program is resident when it has started, though little of it
//! is used from then on. They are let go; those that are used come again, from the system's cache of the file.

use std::ops::Range;

/// Lets go of the pages of the program's code, and of what in its file stands before that.
pub(super) fn let_go() {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    let here = (let_go as fn()) as usize;
    let mapped: Vec<Mapped<'_>> = maps.lines().filter_map(Mapped::read).collect();
    let Some(own) = mapped.iter().find(|one| one.is_code && one.addresses.contains(&here)) else { return };
    for Mapped { addresses, .. } in mapped.iter().filter(|one| one.file == own.file) {
        // SAFETY: these pages are mapped from a file and cannot be written to, and the linker puts nothing into them (its
        // relocations are in other mappings, further behind in the file), so that they come again as they were (madvise(2),
        // MADV_DONTNEED).
        #[allow(unsafe_code)]
        unsafe {
            libc::madvise(addresses.start as *mut libc::c_void, addresses.len(), libc::MADV_DONTNEED);
        }
    }
}

/// What is mapped of a file: code, or constants at its beginning.
#[derive(Debug, PartialEq)]
struct Mapped<'m> {
    addresses: Range<usize>,
    is_code: bool,
    /// Its device and inode.
    file: (&'m str, &'m str),
}

impl<'m> Mapped<'m> {
    /// Of a line of /proc/self/maps: `START-END PERMISSIONS OFFSET DEVICE INODE PATH`.
    fn read(line: &'m str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let (permissions, offset, device, inode) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let number = |text| usize::from_str_radix(text, 16).ok();
        let is_code = permissions == "r-xp";
        let is_of_file = (is_code || (permissions == "r--p" && number(offset)? == 0)) && inode != "0";
        let addresses = number(start)?..number(end)?;
        is_of_file.then_some(Self { addresses, is_code, file: (device, inode) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_have_been_written_is_let_go_and_what_runs_goes_on_as_before() {
        let mapped = |permissions: &str, offset: &str, inode: u32| {
            let line = format!("55d0-55f0 {permissions} {offset} fe:01 {inode} /bin/x");
            Mapped::read(&line).map(|one| (one.addresses, one.is_code, one.file == ("fe:01", "7")))
        };
        assert_eq!(mapped("r-xp", "00001000", 7), Some((0x55d0..0x55f0, true, true)));
        assert_eq!(mapped("r--p", "00000000", 7), Some((0x55d0..0x55f0, false, true)));
        let others =
            [("r--p", "00001000", 7), ("rw-p", "00000000", 7), ("rwxp", "00000000", 7), ("r-xs", "00000000", 7)];
        for (permissions, offset, inode) in others.into_iter().chain([("r-xp", "00000000", 0)]) {
            assert_eq!(mapped(permissions, offset, inode), None, "{permissions} {offset}");
        }
        let_go();
        assert_eq!(mapped("r-xp", "00001000", 8), Some((0x55d0..0x55f0, true, false)));
    }
}
