//! From a cluster to an answer: connections to origins, made, verified, kept and shared.
//!
//! One [`Upstream`] belongs to one worker; nothing in it is shared between threads but the TLS configurations, which are
//! built once for each [`TlsSettings`](crate::routing::TlsSettings).

mod breaker;
mod buffers;
mod connect;
mod decode;
mod dial;
mod driven;
mod encode;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http;
mod http1;
mod multiplexed;
mod names;
mod opening;
mod outward;
mod pool;
mod reading;
mod request_body;
mod resolve;
pub mod secrets;
mod stream;
mod tls;
mod turn;
mod websocket;

pub use self::http::{ResponseBody, SendFailure, Switched, Upstream};
pub use breaker::{BreakerUse, Room};
pub(crate) use buffers::Buffers;
pub use connect::{Connector, GatewayAddress};
pub(crate) use encode::{Framing, Sending, field, tell};
pub use names::Names;
pub use outward::Outward;
pub use request_body::{CallerBody, Kept, RequestBody, Upload};
pub use resolve::{Override, Overrides};
pub use stream::{Most, Stream, peer_of};
pub use tls::TlsConfigs;
pub(crate) use turn::{TURN, end_turn, others_first};
pub use websocket::accept;
