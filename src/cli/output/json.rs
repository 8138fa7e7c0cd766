//! `-o json`.

use std::io::Write;

use super::{Objects, Printer};
use crate::cli::failure::Failure;
use crate::manifest;

/// The objects in JSON, indented by four blanks.
pub(super) struct Printed;

impl Printer for Printed {
    fn print(&self, objects: Objects<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        Ok(out.write_all(manifest::encode::json(&objects.tree()).as_bytes())?)
    }
}
