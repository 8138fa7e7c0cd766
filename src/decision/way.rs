//! What the routes of our hops, together, do to a call and its answer.

use std::borrow::Cow;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue};

use crate::call::{Call, Failure};
use crate::policy::verdict::{Checked, HeaderEdit};
use crate::routing::{Retries, Taken};

/// The routes that a call took; none of a hop that leads straight to a service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way<'s> {
    /// Of the sidecar, where the gateway was the last hop.
    pub before: Option<Taken<'s>>,
    /// Of the last hop.
    pub last: Option<Taken<'s>>,
    /// How long the hops hold the call back on purpose.
    pub delay: Duration,
}

/// The head of a request as it is sent to an origin: the call's own as far as nothing changes it.
#[derive(Debug, Clone)]
pub struct Outgoing<'c> {
    /// Path with query.
    pub target: PathAndQuery,
    /// The Host.
    pub authority: Cow<'c, str>,
    /// All other headers.
    pub headers: Cow<'c, HeaderMap>,
    /// The protocol that the caller asks to go on with.
    pub upgrade: Option<HeaderValue>,
}

impl Outgoing<'_> {
    /// The same for whoever keeps it longer than the call.
    #[must_use]
    pub fn into_owned(self) -> Outgoing<'static> {
        let (authority, headers) = (self.authority.into_owned(), self.headers.into_owned());
        let (target, upgrade) = (self.target, self.upgrade);
        Outgoing { target, authority: Cow::Owned(authority), headers: Cow::Owned(headers), upgrade }
    }
}

impl<'s> Way<'s> {
    /// What is sent to the origin of a call that the last hop sees so, with what rules and its route change.
    ///
    /// # Errors
    /// [`Failure::Rewrite`] where the route makes no path that can be sent.
    pub fn outgoing<'c>(&self, call: &'c Call, edits: &[HeaderEdit]) -> Result<Outgoing<'c>, Failure>
    where
        's: 'c,
    {
        let mut headers = Cow::Borrowed(call.headers());
        if !edits.is_empty() {
            HeaderEdit::apply(edits, headers.to_mut());
        }
        let (mut target, mut authority) = (call.path_and_query().clone(), call.authority());
        if let Some(route) = self.last.filter(Taken::edits_request) {
            route.edit_request(call, headers.to_mut());
            authority = route.authority().unwrap_or(authority);
            if let Some(path) = route.path(call) {
                target = call.target_with(&path)?;
            }
        }
        Ok(Outgoing { target, authority: authority.as_str().into(), headers, upgrade: call.upgrade().cloned() })
    }

    /// Changes the head of an origin's answer on its way back.
    pub fn edit_answer(&self, call: &Call, checked: &Checked, headers: &mut HeaderMap) {
        if let Some(route) = self.last {
            route.edit_response(call, headers);
        }
        self.edit_own_answer(call, checked, headers);
    }

    /// Changes the head of an answer that the last hop made itself, as its own route wants it already.
    pub fn edit_own_answer(&self, call: &Call, checked: &Checked, headers: &mut HeaderMap) {
        HeaderEdit::apply(&checked.response_edits, headers);
        self.edit_before(call, headers);
    }

    /// Changes the head of an answer of the last hop as the one before wants it.
    pub fn edit_before(&self, call: &Call, headers: &mut HeaderMap) {
        if let Some(route) = self.before {
            route.edit_response(call, headers);
        }
    }

    /// When the last hop tries again.
    pub fn retries(&self) -> &'s Retries {
        self.last.map_or(Retries::DEFAULT, |route| route.retries())
    }

    /// Longest time for the whole answer, and how long the call is held back before: what a hop holds back counts for the
    /// timeout of the one before it.
    pub(super) fn times(&self, delays: [Option<Duration>; 2]) -> (Option<Duration>, Duration) {
        let [first, last] = delays.map(Option::unwrap_or_default);
        let outer = self.before.and_then(|route| route.timeout());
        let held = outer.map_or(last, |outer| outer.min(last));
        let own = self.last.and_then(|route| route.timeout());
        let timeout = [outer.map(|outer| outer - held), own].into_iter().flatten().min();
        (timeout, first + held)
    }
}

/// The call as a hop hands it to the next; `None` where its route changes nothing.
///
/// # Errors
/// [`Failure::Rewrite`].
pub(super) fn handed_on(taken: Option<Taken<'_>>, call: &Call) -> Result<Option<Box<Call>>, Failure> {
    let Some(route) = taken.filter(Taken::edits_request) else { return Ok(None) };
    let mut headers = call.headers().clone();
    route.edit_request(call, &mut headers);
    let path = route.path(call);
    call.handed_on(path.as_deref(), route.authority(), headers).map(|call| Some(Box::new(call)))
}
