//! Header values as Envoy's format strings: `100%%`, `from %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%`.

/// A part of a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatPart {
    /// Text as it stands, `%%` already one sign.
    Text(String),
    /// A value of the call.
    Value(Variable),
    /// A value that is not known here, by its name: it is empty.
    Unknown(String),
}

/// A value of the call that header values can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `START_TIME`: when the call arrived, in UTC with three decimals.
    StartTime,
    /// `PROTOCOL`: `HTTP/1.1`.
    Protocol,
    /// `DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT` and `DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT`.
    RemoteAddress,
    /// `UPSTREAM_CLUSTER`: the cluster that the call is sent to.
    UpstreamCluster,
    /// `REQ(name?other):limit`: a header of the request, else another; at most so many bytes of it.
    RequestHeader {
        /// Which.
        name: String,
        /// The other.
        otherwise: Option<String>,
        /// Most bytes.
        limit: Option<usize>,
    },
}

/// The parts of a value, in order; signs that have no partner stay as they are.
pub fn format_parts(value: &str) -> Vec<FormatPart> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = value;
    while let Some(start) = rest.find('%') {
        text.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        match rest.split_once('%') {
            Some(("", after)) => {
                text.push('%');
                rest = after;
            }
            Some((name, after)) => {
                if !text.is_empty() {
                    parts.push(FormatPart::Text(std::mem::take(&mut text)));
                }
                parts.push(variable(name).map_or_else(|| FormatPart::Unknown(name.to_owned()), FormatPart::Value));
                rest = after;
            }
            None => text.push('%'),
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(FormatPart::Text(text));
    }
    parts
}

/// Whether a value is a format string that Envoy reads to its end; what the variables are is not looked at.
///
/// # Errors
/// Why not, in Istio's words.
pub(super) fn format_rule(value: &str) -> Result<(), String> {
    /// Where in a value a character stands: in its text, or in a part of `%NAME(["argument", …])%`.
    enum Place {
        Text,
        Name,
        Arguments,
        Argument,
        NextArgument,
        EndOfArgument,
        EndOfArguments,
        End,
    }
    let mut place = Place::Text;
    let mut rest = value.bytes().peekable();
    while let Some(byte) = rest.next() {
        place = match (place, byte) {
            (Place::Text, b'%') => match rest.next_if_eq(&b'%') {
                Some(_) => Place::Text,
                None if rest.peek().is_none() => return Err("invalid header configuration. Un-escaped %".into()),
                None => Place::Name,
            },
            (Place::Name | Place::End, b'%') => Place::Text,
            (Place::Name, b'(') => Place::Arguments,
            (Place::Arguments, b'[') => Place::NextArgument,
            (Place::NextArgument, b'"') => Place::Argument,
            (Place::Argument, b'\\') if rest.next().is_none() => {
                return Err("invalid header configuration. Un-terminated backslash in JSON string".into());
            }
            (Place::Argument | Place::EndOfArguments, b')') => Place::End,
            (Place::Argument, b'"') => Place::EndOfArgument,
            (Place::EndOfArgument, b',') => Place::NextArgument,
            (Place::EndOfArgument, b']') => Place::EndOfArguments,
            (same @ (Place::Text | Place::Name | Place::Argument), _) | (same, b' ') => same,
            (Place::Arguments, _) => Place::Argument,
            (Place::NextArgument, _) => return Err("invalid header configuration. Expecting '\"'".into()),
            (Place::EndOfArgument, _) => {
                return Err("invalid header configuration. Expecting ',', ']', or whitespace".into());
            }
            (Place::EndOfArguments, _) => {
                return Err("invalid header configuration. Expecting ')' or whitespace".into());
            }
            (Place::End, _) => return Err("invalid header configuration. Expecting '%' or whitespace after".into()),
        };
    }
    match place {
        Place::Text => Ok(()),
        _ => Err(format!("invalid header configuration. Un-terminated variable expression '{value}'")),
    }
}

fn variable(name: &str) -> Option<Variable> {
    match name {
        "START_TIME" => Some(Variable::StartTime),
        "PROTOCOL" => Some(Variable::Protocol),
        "UPSTREAM_CLUSTER" => Some(Variable::UpstreamCluster),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => {
            Some(Variable::RemoteAddress)
        }
        _ => request_header(name.strip_prefix("REQ(")?),
    }
}

/// `name?other):limit`, the last two parts optional.
fn request_header(text: &str) -> Option<Variable> {
    let (names, limit) = text.split_once(')')?;
    let limit = match limit.strip_prefix(':') {
        Some(digits) => Some(digits.parse().ok()?),
        None if limit.is_empty() => None,
        None => return None,
    };
    let (name, otherwise) = match names.split_once('?') {
        Some((name, otherwise)) => (name, Some(otherwise.to_ascii_lowercase())),
        None => (names, None),
    };
    Some(Variable::RequestHeader { name: name.to_ascii_lowercase(), otherwise, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_have_partners() {
        for good in
            ["", "a", "100%%", "%HOSTNAME%", "a %HOSTNAME% b", "%REQ(a)%", "%A(%)%", "%X([\"a\", \"b\"])%", "%REQ(a) %"]
        {
            assert_eq!(format_rule(good), Ok(()), "{good}");
        }
        for bad in
            ["5%", "abc%123", "%START_TIME%%", "%%%", "%A(b", "%A(b)c%", "%X([\"a\"b])%", "%X([a])%", "%X([\"a\"]x)%"]
        {
            assert!(format_rule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_is_text_and_variables() {
        let text = |text: &str| FormatPart::Text(text.to_owned());
        assert_eq!(format_parts("100%% a"), [text("100% a")]);
        let header = Variable::RequestHeader { name: "x-a".into(), otherwise: Some(":path".into()), limit: Some(5) };
        assert_eq!(
            format_parts("<%REQ(X-A?:path):5%|%START_TIME%|%NOPE%>"),
            [
                text("<"),
                FormatPart::Value(header),
                text("|"),
                FormatPart::Value(Variable::StartTime),
                text("|"),
                FormatPart::Unknown("NOPE".into()),
                text(">"),
            ]
        );
        assert_eq!(format_parts(""), []);
        assert_eq!(format_parts("5%"), [text("5%")]);
    }
}
