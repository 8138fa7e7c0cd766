//! Loaded into a program before its C library (LD_PRELOAD): its clock, but not the time that passes for it, is shifted by as many
//! seconds as a file says, which may be changed while it runs. Compiled by the test that uses it.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};

#[cfg(target_arch = "x86_64")]
const CLOCK_GETTIME: c_long = 228;
#[cfg(target_arch = "aarch64")]
const CLOCK_GETTIME: c_long = 113;

const CLOCK_REALTIME: c_int = 0;
const CLOSE_ON_EXEC: c_int = 0o2000000;
const READABLE: c_int = 1;
const SHARED: c_int = 1;

const FILE: &CStr = c"CLOCK_SHIFT";

#[repr(C)]
pub struct Time {
    seconds: i64,
    nanos: i64,
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn getenv(name: *const c_char) -> *const c_char;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn mmap(address: *mut c_void, length: usize, access: c_int, flags: c_int, file: c_int, offset: i64) -> *mut c_void;
}

static SHIFT: AtomicPtr<AtomicI64> = AtomicPtr::new(null_mut());

/// The file, which is mapped at the first call.
unsafe fn shift() -> i64 {
    unsafe {
        if SHIFT.load(Ordering::Acquire).is_null() {
            let file = open(getenv(FILE.as_ptr()), CLOSE_ON_EXEC);
            SHIFT.store(mmap(null_mut(), 8, READABLE, SHARED, file, 0).cast(), Ordering::Release);
        }
        (*SHIFT.load(Ordering::Acquire)).load(Ordering::Relaxed)
    }
}

/// # Safety
/// As that of the C library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Time) -> c_int {
    unsafe {
        let result = syscall(CLOCK_GETTIME, clock, time);
        if clock == CLOCK_REALTIME && result == 0 {
            (*time).seconds += shift();
        }
        result as c_int
    }
}
