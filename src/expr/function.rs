//! The functions of the language, one line each in [`FUNCTIONS`].

use std::borrow::Cow;
use std::fmt;

use super::eval::{EvalError, as_bool, as_text};
use super::typed::EmptyMap;
use super::{Scratch, Timestamp, ValueRef, ValueType, names};
use Parameter::{Of, Same};
use ValueType::{Bool, DnsName, EmailAddress, Int64, IpAddress, String, StringMap, Uri};

/// Most arguments that a function takes, its receiver included.
pub(super) const MAX_ARGUMENTS: usize = 3;

type Strict = for<'a> fn(&[ValueRef<'a>], &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>>;

/// What is asked of two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// The first matches the second: `prefix*`, `*suffix` or the whole text. Of two stars at the ends only the last is
    /// one.
    Wildcard,
    /// The first begins with the second.
    StartsWith,
    /// The first ends with the second.
    EndsWith,
}

impl Test {
    pub(super) fn holds(self, text: &str, with: &str) -> bool {
        match self {
            Test::StartsWith => text.starts_with(with),
            Test::EndsWith => text.ends_with(with),
            Test::Wildcard => match (with.strip_suffix('*'), with.strip_prefix('*')) {
                (Some(prefix), _) => text.starts_with(prefix),
                (None, Some(suffix)) => text.ends_with(suffix),
                (None, None) => text == with,
            },
        }
    }
}

/// A function or method: how it is called and what it does.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Whether the first parameter stands before the name: `text.startsWith(prefix)`.
    pub(super) is_method: bool,
    pub(super) parameters: &'static [Parameter],
    pub(super) result: Parameter,
    pub(super) run: Run,
}

/// What may stand in an argument's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    Of(ValueType),
    /// Any type, the same wherever `Same` stands in a signature.
    Same,
}

/// How a function is evaluated.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// All arguments first, then the function.
    Strict(Strict),
    /// A truth about two texts, the commonest sort.
    Test(Test),
    /// The condition, then the one of two arguments that it chooses.
    Choose,
    /// A regular expression, compiled with the program where it is constant.
    Matches,
}

const fn function(name: &'static str, parameters: &'static [Parameter], result: Parameter, run: Run) -> Function {
    Function { name, is_method: false, parameters, result, run }
}

const fn method(name: &'static str, parameters: &'static [Parameter], result: Parameter, run: Run) -> Function {
    Function { name, is_method: true, parameters, result, run }
}

pub(super) static FUNCTIONS: &[Function] = &[
    function("match", &[Of(String), Of(String)], Of(Bool), Run::Test(Test::Wildcard)),
    method("matches", &[Of(String), Of(String)], Of(Bool), Run::Matches),
    method("startsWith", &[Of(String), Of(String)], Of(Bool), Run::Test(Test::StartsWith)),
    method("endsWith", &[Of(String), Of(String)], Of(Bool), Run::Test(Test::EndsWith)),
    function("ip", &[Of(String)], Of(IpAddress), Run::Strict(ip)),
    function("timestamp", &[Of(String)], Of(ValueType::Timestamp), Run::Strict(timestamp)),
    function("dnsName", &[Of(String)], Of(DnsName), Run::Strict(dns_name)),
    function("email", &[Of(String)], Of(EmailAddress), Run::Strict(email)),
    function("uri", &[Of(String)], Of(Uri), Run::Strict(uri)),
    function("emptyStringMap", &[], Of(StringMap), Run::Strict(empty_string_map)),
    function("conditional", &[Of(Bool), Same, Same], Same, Run::Choose),
    function("conditionalString", &[Of(Bool), Of(String), Of(String)], Of(String), Run::Strict(conditional_string)),
    function("toLower", &[Of(String)], Of(String), Run::Strict(to_lower)),
    function("size", &[Of(String)], Of(Int64), Run::Strict(size)),
];

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Of(of) => write!(f, "{of}"),
            Same => f.write_str("T"),
        }
    }
}

impl fmt::Display for Function {
    /// The signature: `STRING.startsWith(STRING)`, `conditional(BOOL, T, T)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (receiver, parameters) = self.parameters.split_at(usize::from(self.is_method));
        for receiver in receiver {
            write!(f, "{receiver}.")?;
        }
        let parameters: Vec<_> = parameters.iter().map(Parameter::to_string).collect();
        write!(f, "{}({})", self.name, parameters.join(", "))
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The texts among the arguments of a function that takes so many.
fn texts<'a, const N: usize>(arguments: &[ValueRef<'a>]) -> [&'a str; N] {
    std::array::from_fn(|position| as_text(arguments[position]))
}

fn ip<'a>(arguments: &[ValueRef<'a>], _: &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>> {
    let [text] = texts(arguments);
    text.parse().map(ValueRef::IpAddress).map_err(|_| EvalError::Conversion { text, to: IpAddress })
}

fn timestamp<'a>(arguments: &[ValueRef<'a>], _: &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>> {
    let [text] = texts(arguments);
    let time = Timestamp::parse_rfc3339(text).ok_or(EvalError::Conversion { text, to: ValueType::Timestamp })?;
    Ok(ValueRef::Timestamp(time))
}

/// Keeps the spelling, but for punycode, which becomes Unicode.
fn dns_name<'a>(arguments: &[ValueRef<'a>], scratch: &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>> {
    let [text] = texts(arguments);
    Ok(ValueRef::DnsName(match names::dns_name(text) {
        Some(Cow::Borrowed(name)) => name,
        Some(Cow::Owned(name)) => scratch.keep(&name),
        None => return Err(EvalError::Conversion { text, to: DnsName }),
    }))
}

fn email<'a>(arguments: &[ValueRef<'a>], _: &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>> {
    let [text] = texts(arguments);
    checked(names::is_email(text), ValueRef::EmailAddress(text), text)
}

fn uri<'a>(arguments: &[ValueRef<'a>], _: &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>> {
    let [text] = texts(arguments);
    checked(names::is_uri(text), ValueRef::Uri(text), text)
}

fn checked<'a>(valid: bool, value: ValueRef<'a>, text: &'a str) -> Result<ValueRef<'a>, EvalError<'a>> {
    if valid { Ok(value) } else { Err(EvalError::Conversion { text, to: value.value_type() }) }
}

fn empty_string_map<'a>(_: &[ValueRef<'a>], _: &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>> {
    Ok(ValueRef::StringMap(&EmptyMap))
}

/// Unlike `conditional`, fails where the text that is not chosen is absent.
fn conditional_string<'a>(arguments: &[ValueRef<'a>], _: &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>> {
    Ok(if as_bool(arguments[0]) { arguments[1] } else { arguments[2] })
}

/// Lower case character by character, as Go does: no final sigma, never a longer text.
fn to_lower<'a>(arguments: &[ValueRef<'a>], scratch: &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>> {
    let [text] = texts(arguments);
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Ok(ValueRef::String(text));
    }
    let mut lower = scratch.text();
    lower.extend(text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)));
    Ok(ValueRef::String(lower.into_bump_str()))
}

/// Length in bytes.
fn size<'a>(arguments: &[ValueRef<'a>], _: &'a Scratch) -> Result<ValueRef<'a>, EvalError<'a>> {
    let [text] = texts(arguments);
    Ok(ValueRef::Int64(i64::try_from(text.len()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_arguments_within_the_limit() {
        for (position, function) in FUNCTIONS.iter().enumerate() {
            assert!(FUNCTIONS[..position].iter().all(|other| other.name != function.name), "{function}");
            assert!(function.parameters.len() <= MAX_ARGUMENTS, "{function}");
            assert!(!function.is_method || !function.parameters.is_empty(), "{function}");
        }
    }

    #[test]
    fn a_result_of_any_type_takes_it_from_an_argument() {
        for function in FUNCTIONS.iter().filter(|function| function.result == Same) {
            assert!(function.parameters.contains(&Same), "{function}");
        }
    }
}
