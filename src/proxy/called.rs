//! Endpoints to which whoever calls shows a certificate of the mesh (ISTIO_MUTUAL): made once for each caller, not for each
//! call.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::call::{Failure, TlsFault};
use crate::routing::Endpoint;

use super::report::Closing;

/// Endpoints as they are called by those who have called them, by principal and by where they stand in the snapshot, which
/// this does not outlive.
#[derive(Default)]
pub(super) struct Called(RefCell<HashMap<Box<str>, OfCaller>>);

type OfCaller = HashMap<usize, Arc<Endpoint>>;

/// An endpoint as it is called for a call. What its caller named itself is not kept: of that there is no end.
///
/// # Errors
/// That nobody has an identity there.
pub(super) fn called(closing: &Closing, endpoint: Cow<'_, Endpoint>) -> Result<Arc<Endpoint>, Failure> {
    let made = |endpoint: &Endpoint| {
        let own = closing.shown_identity().ok_or(Failure::Tls(TlsFault::NoIdentity))?;
        Ok(Arc::new(endpoint.clone().called_by(own)))
    };
    let (Cow::Borrowed(listed), Some(held), Some(principal)) = (&endpoint, closing.held(), closing.shown_principal())
    else {
        return made(&endpoint);
    };
    let place = std::ptr::from_ref::<Endpoint>(listed).addr();
    let mut known = held.called.0.borrow_mut();
    if let Some(found) = known.get(principal).and_then(|of_caller| of_caller.get(&place)) {
        return Ok(Arc::clone(found));
    }
    let endpoint = made(listed)?;
    known.entry(principal.into()).or_default().insert(place, Arc::clone(&endpoint));
    Ok(endpoint)
}
