//! Any first bytes of a connection: reading them does not panic, asks for more only where there can be more, and finds a
//! name in its one form; what follows a whole ClientHello changes nothing.

#![no_main]

use egressctl::call::{ClientHello, MAX_CLIENT_HELLO, client_hello};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match client_hello(bytes) {
    Ok(ClientHello::Partial(needed)) => assert!(needed > bytes.len() && needed <= MAX_CLIENT_HELLO),
    Ok(ClientHello::Whole(name)) => {
        if let Some(name) = &name {
            assert_eq!(**name, name.to_ascii_lowercase());
            assert!(!name.is_empty() && !name.ends_with('.') && name.is_ascii(), "{name}");
        }
        let longer = [bytes, &[23, 3, 3, 0, 1, 0]].concat();
        assert_eq!(client_hello(&longer), Ok(ClientHello::Whole(name)));
    }
    Err(_) => {}
});
