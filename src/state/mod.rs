//! The state directory: where everything lives that outlasts a process.
//!
//! [`StateDir`] names the files; [`open_store`] opens one of the SQLite databases among them and brings its schema up
//! to date. What the directory holds is written down in `state/README.md`.

mod dir;
mod error;
mod key;
mod store;

pub use dir::StateDir;
pub use error::Error;
pub use key::signing_key;
pub use store::{begin_immediate, open_store};
