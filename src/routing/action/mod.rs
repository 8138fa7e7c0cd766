//! What a route does besides sending a call on, compiled: nothing of it costs a call whose route has none of it.

mod answer;
mod cors;
mod fault;
mod headers;
mod mirror;
mod retry;
mod rewrite;
mod share;

pub use answer::Answer;
pub use retry::{Retries, Tried};

pub(super) use answer::Reply;
pub(super) use cors::Cors;
pub(super) use fault::Faults;
pub(super) use headers::HeaderEdits;
pub(super) use mirror::Mirror;
pub(super) use rewrite::{PathRewrite, authority};
pub(super) use share::seed;
