//! `listchecker`: looks a value up in a list.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use regex::Regex;

use crate::call::Code;
use crate::diagnostic::{Code as ProblemCode, Problems};
use crate::expr::{ValueRef, pattern};
use crate::policy::instance::{Fault, Values};
use crate::policy::template::listentry;
use crate::policy::verdict::Verdict;
use crate::resource::kinds;
use crate::resource::kinds::listchecker::{EntryType, Listchecker as Spec, parse_range};

use super::{Adapter, Handler, Setup};

/// The adapter `listchecker`.
pub static LISTCHECKER: Adapter = Adapter {
    kind: &kinds::LISTCHECKER,
    templates: &[&listentry::LISTENTRY],
    build: |setup| {
        let blacklist = setup.params::<Spec>()?.blacklist;
        Ok(Arc::new(Listchecker { name: setup.name.to_owned(), list: list(setup)?, blacklist }))
    },
};

#[derive(Debug)]
struct Listchecker {
    name: String,
    list: List,
    blacklist: bool,
}

#[derive(Debug)]
enum List {
    Strings(HashSet<String>),
    CaseInsensitive(HashSet<String>),
    Ranges(Vec<(IpAddr, u8)>),
    Patterns(Vec<Regex>),
}

fn list(setup: &Setup<'_>) -> Result<List, Problems> {
    let spec: Spec = setup.params()?;
    let mut problems = Problems::new();
    let entries = spec.overrides.iter().filter(|entry| !entry.is_empty());
    let mut bad = |error: String| problems.error(ProblemCode::Invalid, setup.at.field("overrides"), error);
    let list = match spec.entry_type {
        EntryType::Strings => List::Strings(entries.cloned().collect()),
        EntryType::CaseInsensitiveStrings => List::CaseInsensitive(entries.map(|entry| entry.to_uppercase()).collect()),
        EntryType::IpAddresses => {
            List::Ranges(entries.filter_map(|entry| parse_range(entry).map_err(&mut bad).ok()).collect())
        }
        EntryType::Regex => {
            List::Patterns(entries.filter_map(|entry| pattern::compile(entry).map_err(&mut bad).ok()).collect())
        }
    };
    if problems.has_errors() { Err(problems) } else { Ok(list) }
}

impl Handler for Listchecker {
    fn check<'v>(&self, values: &Values<'v>) -> Result<Verdict, Fault<'v>> {
        let value = values.field(listentry::VALUE)?;
        let text = match value {
            Some(ValueRef::String(text)) => text.to_owned(),
            Some(ValueRef::IpAddress(address)) => address.to_string(),
            _ => String::new(),
        };
        let found = match &self.list {
            List::Strings(set) => set.contains(&text),
            List::CaseInsensitive(set) => set.contains(&text.to_uppercase()),
            List::Ranges(ranges) => {
                let address = match value {
                    Some(ValueRef::IpAddress(address)) => Ok(address),
                    _ => text.parse(),
                };
                let Ok(address) = address else {
                    let message = format!("{text} is not a valid IP address");
                    return Ok(Verdict::Refused { code: Code::INVALID_ARGUMENT, message });
                };
                ranges.iter().any(|range| contains(*range, address))
            }
            List::Patterns(patterns) => patterns.iter().any(|pattern| pattern.is_match(&text)),
        };
        Ok(match (found, self.blacklist) {
            (true, false) | (false, true) => Verdict::Ok,
            (false, false) => refused(format!("{text} is not whitelisted")),
            (true, true) => refused(format!("{text} is blacklisted")),
        })
    }

    fn remedy(&self, values: &Values<'_>) -> Option<String> {
        let value = match values.field(listentry::VALUE) {
            Ok(Some(ValueRef::String(text))) => text.to_owned(),
            Ok(Some(ValueRef::IpAddress(address))) => address.to_string(),
            _ => return None,
        };
        Some(match self.blacklist {
            false => format!("{value:?} on the list of {}", self.name),
            true => format!("{value:?} not on the list of {}", self.name),
        })
    }
}

/// Whether a range has an address; an IPv4 address mapped to IPv6 is that IPv4 address.
fn contains((network, length): (IpAddr, u8), address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
        IpAddr::V6(v6) => (v6.to_bits(), false),
    };
    let ((network, ours), (address, theirs)) = (bits(network), bits(address));
    ours == theirs && (length == 0 || (network ^ address) >> (128 - u32::from(length)) == 0)
}

fn refused(message: String) -> Verdict {
    Verdict::Refused { code: Code::PERMISSION_DENIED, message }
}
