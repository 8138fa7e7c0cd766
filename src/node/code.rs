//! Pages of the program that starting needed.
//!
//! The system maps sixteen pages for each that is used, so most of the program is resident when it has started, though little of it
//! is used from then on. They are let go; those that are used come again, from the system's cache of the file.

use std::ops::Range;

/// Lets go of the pages of the program's code.
pub(super) fn let_go() {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    let here = (let_go as fn()) as usize;
    let Some(own) = maps.lines().filter_map(code).find(|mapped| mapped.contains(&here)) else { return };
    // SAFETY: these pages are mapped from a file and cannot be written to, and the linker puts nothing into them (its relocations
    // are in other mappings, which are not executable), so that they come again as they were (madvise(2), MADV_DONTNEED).
    #[allow(unsafe_code)]
    unsafe {
        libc::madvise(own.start as *mut libc::c_void, own.len(), libc::MADV_DONTNEED);
    }
}

/// The addresses of a line of /proc/self/maps, `START-END PERMISSIONS OFFSET DEVICE INODE PATH`, if it is code of a file.
fn code(line: &str) -> Option<Range<usize>> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (permissions, _, _, inode) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let address = |text| usize::from_str_radix(text, 16).ok();
    (permissions == "r-xp" && inode != "0").then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_let_go_and_what_runs_goes_on_as_before() {
        let of =
            |permissions: &str, inode: u32| code(&format!("55d0-55f0 {permissions} 00001000 fe:01 {inode} /bin/x"));
        assert_eq!(of("r-xp", 7), Some(0x55d0..0x55f0));
        assert_eq!([of("r--p", 7), of("rw-p", 7), of("rwxp", 7), of("r-xs", 7), of("r-xp", 0)], [const { None }; 5]);
        let_go();
        assert_eq!(of("r-xp", 8), Some(0x55d0..0x55f0));
    }
}
