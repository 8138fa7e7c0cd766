//! A request on its way to an origin.

use http::uri::{Parts, Uri};
use http::{HeaderValue, Method, Request, header};
use http_body::Body as _;

use crate::decision::Outgoing;

use super::request_body::RequestBody;

/// A request as it is sent. HTTP/1.1 is written of the head as it stands, which mostly is the call's own: nothing is copied for it.
#[derive(Debug)]
pub struct Outward<'h> {
    /// Its method.
    pub method: &'h Method,
    /// Its head.
    pub head: &'h Outgoing<'h>,
    /// Its body.
    pub body: RequestBody,
}

impl Outward<'_> {
    /// Whether it asks to go on in another protocol.
    pub(super) fn upgrades(&self) -> bool {
        self.head.upgrade.is_some() || self.head.headers.contains_key(header::UPGRADE)
    }

    /// The same for who wants all of it in one.
    pub(super) fn into_request(self) -> Request<RequestBody> {
        let Self { method, head, body } = self;
        let has_no_length = !body.is_end_stream() && body.size_hint().exact().is_none();
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        let mut uri = Parts::default();
        uri.path_and_query = Some(head.target.clone());
        *request.uri_mut() = Uri::from_parts(uri).expect("a path alone is a valid URI");
        let headers = request.headers_mut();
        headers.clone_from(&head.headers);
        let host = HeaderValue::from_str(&head.authority).expect("a normalized authority is plain ASCII");
        headers.insert(header::HOST, host);
        if let Some(protocol) = &head.upgrade {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocol.clone());
        }
        if has_no_length {
            headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        request
    }
}
