//! `-o name`.

use std::io::Write;

use super::{Objects, Printer};
use crate::cli::failure::Failure;
use crate::resource::Resource;

/// `kind.group/name`, one a line.
pub(super) struct Printed;

impl Printer for Printed {
    fn print(&self, objects: Objects<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        objects.resources.iter().try_for_each(|resource| writeln!(out, "{}", full_name(resource)))?;
        Ok(())
    }
}

/// The name as success lines have it: `rule.config.istio.io/report-politics`.
pub(super) fn full_name(resource: &Resource) -> String {
    format!("{}/{}", resource.kind.qualified_singular(), resource.meta.name)
}
