//! Adapters: what is done with instances, one file an adapter, one line each in [`ADAPTERS`].

pub mod denier;
pub mod fluentd;
pub mod listchecker;
pub mod memquota;
pub mod noop;
pub mod opa;
pub mod prometheus;
pub mod stdio;
#[cfg(test)]
mod testing;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::accesslog::{Batch, Format, Outlet};
use crate::diagnostic::{FieldPath, Problems};
use crate::resource::Kind;
use crate::resource::decode::decode;

use super::Live;
use super::counters::Spend;
use super::instance::{Fault, Instance, Values};
use super::template::Template;
use super::verdict::Verdict;

/// A configured adapter. It sees the values of instances, never the call, and never blocks.
pub trait Handler: fmt::Debug + Send + Sync {
    /// Whether it can do its part for an instance, beyond its adapter taking the template.
    ///
    /// # Errors
    /// Why not.
    fn accepts(&self, _instance: &Instance) -> Result<(), String> {
        Ok(())
    }

    /// Form and outlet of its lines, if it makes entries.
    fn lines(&self) -> Option<(Format, Outlet)> {
        None
    }

    /// Judges a call by an instance of variety [`Check`](super::template::Variety::Check).
    ///
    /// # Errors
    /// When it cannot judge: a field has no value, or what it needs is not there.
    fn check<'v>(&self, _values: &Values<'v>) -> Result<Verdict, Fault<'v>> {
        Ok(Verdict::Ok)
    }

    /// Whether there is so much quota left, of an instance of variety [`Quota`](super::template::Variety::Quota); takes
    /// it, if it is to be taken.
    ///
    /// # Errors
    /// When it cannot say.
    fn quota<'v>(&self, _values: &Values<'v>, _amount: i64, _spend: Spend) -> Result<bool, Fault<'v>> {
        Ok(true)
    }

    /// The smallest change of its own configuration by which it would not have refused; none where only the rule can
    /// change that.
    fn remedy(&self, _values: &Values<'_>) -> Option<String> {
        None
    }

    /// Does its part after a call, for an instance of variety [`Report`](super::template::Variety::Report).
    ///
    /// # Errors
    /// When it could not: a field has no value, or what it needs is not there.
    fn report<'v>(&self, _values: &Values<'v>, _lines: &mut Batch) -> Result<(), Fault<'v>> {
        Ok(())
    }
}

/// An adapter.
pub struct Adapter {
    /// The kind of its handlers, whose name is the adapter's.
    pub kind: &'static Kind,
    /// The templates that it takes.
    pub templates: &'static [&'static Template],
    /// Makes a handler of its params.
    pub build: fn(&Setup<'_>) -> Result<Arc<dyn Handler>, Problems>,
}

/// What a handler is made of.
pub struct Setup<'a> {
    /// Its name as messages have it: `NAME.KIND.NAMESPACE`, or `NAME.NAMESPACE` for the kind `handler`.
    pub name: &'a str,
    /// Its configuration, checked by its kind.
    pub params: &'a Json,
    /// Where that stands.
    pub at: FieldPath,
    /// State that outlives it.
    pub live: &'a Live,
}

impl Setup<'_> {
    /// The decoded params.
    ///
    /// # Errors
    /// Every field that is unknown or of a wrong type.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, Problems> {
        decode(self.params, &self.at)
    }
}

/// Every adapter.
pub static ADAPTERS: &[&Adapter] = &[
    &stdio::STDIO,
    &prometheus::PROMETHEUS,
    &fluentd::FLUENTD,
    &denier::DENIER,
    &listchecker::LISTCHECKER,
    &memquota::MEMQUOTA,
    &memquota::REDISQUOTA,
    &noop::NOOP,
    &opa::OPA,
];

/// The adapter of a kind, or of a `compiledAdapter`.
pub fn by_name(name: &str) -> Option<&'static Adapter> {
    ADAPTERS.iter().copied().find(|adapter| adapter.kind.name == name)
}

impl Adapter {
    /// Whether it takes instances of a template.
    pub fn takes(&self, template: &Template) -> bool {
        self.templates.contains(&template)
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name)
    }
}
