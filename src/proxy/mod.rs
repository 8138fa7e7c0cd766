//! The forward proxy: from an accepted connection to a reported answer.
//!
//! Read [`exchange`] first: it is one call from head to report.

mod alarm;
mod ask;
mod audit;
mod body;
mod budget;
mod called;
mod callers;
mod captured;
mod certificates;
mod client;
mod connection;
mod copy;
mod crowd;
mod debug;
mod destination;
mod direct;
mod drain;
mod early;
mod exchange;
mod forward;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gateway;
mod identify;
mod grpc;
mod handover;
mod http1;
mod lease;
mod limits;
mod listener;
mod mesh;
mod mirror;
mod multiplexed;
mod names;
mod owner;
mod patient;
mod preface;
mod report;
mod respond;
mod retry;
mod sniff;
mod spare;
mod socks;
mod stream;
mod standing;
mod tunnel;
mod waits;
mod websocket;
mod worker;

pub use audit::{Audited, Counted, Summary, Verdict};
pub use captured::{Captured, NAME_SERVER, PROGRAM, SIDECAR};
pub use certificates::Certificates;
pub use drain::{Drain, Phase};
pub(crate) use exchange::now;
pub use limits::Limits;
pub use listener::{BindError, Listener, bind};
pub use spare::give_back;
pub use worker::{Shared, Worker, run};
