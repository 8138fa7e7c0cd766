//! `-o yaml`.

use std::io::Write;

use super::{Objects, Printer};
use crate::cli::failure::Failure;
use crate::manifest;

/// The objects in YAML, keys sorted.
pub(super) struct Printed;

impl Printer for Printed {
    fn print(&self, objects: Objects<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        Ok(out.write_all(manifest::encode::yaml(&objects.tree()).as_bytes())?)
    }
}
