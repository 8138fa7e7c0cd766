//! What of an entry goes by a name.

use super::Row;
use crate::expr::{Timestamp, ValueRef};

/// What an entry has apart from its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Time,
    Level,
    Instance,
    Handler,
    Rule,
}

/// Whose value goes by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// The entry's own, whatever its line says.
    Own(Own),
    /// Its line's, or, where that has none, the entry's own: records of calls that were refused name the rules and handlers that
    /// refused them.
    Line(Option<Own>),
}

/// Whose value goes by a name.
pub(super) fn named(name: &str) -> Named {
    match name {
        "time" => Named::Own(Own::Time),
        "level" => Named::Own(Own::Level),
        "instance" => Named::Own(Own::Instance),
        "handler" => Named::Line(Some(Own::Handler)),
        "rule" => Named::Line(Some(Own::Rule)),
        _ => Named::Line(None),
    }
}

impl<'a> Row<'a> {
    /// The value that goes by a name, given what the line has under it.
    pub fn value<'v>(&self, name: &str, of_line: Option<ValueRef<'v>>) -> Option<ValueRef<'v>>
    where
        'a: 'v,
    {
        let own = |own| match own {
            Own::Time => ValueRef::Timestamp(Timestamp::from_micros(self.time)),
            Own::Level => ValueRef::String(self.level.name()),
            Own::Instance => ValueRef::String(self.instance),
            Own::Handler => ValueRef::String(self.handler),
            Own::Rule => ValueRef::String(self.rule),
        };
        match named(name) {
            Named::Own(of) => Some(own(of)),
            Named::Line(of) => of_line.or_else(|| of.map(own)),
        }
    }
}
