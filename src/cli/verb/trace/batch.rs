//! `trace --batch`: a question a line, an answer a line.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io::{BufRead, Write as _};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::request::Request;
use super::roles::Roles;
use super::world::World;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::decision::tell;
use crate::registry::SqliteRegistry;

/// Longest line, in bytes: room for a large manifest.
const MAX_LINE: u64 = 64 << 20;

/// Most worlds that are kept for the lines that follow; tests have a handful.
const MAX_WORLDS: usize = 64;

/// By manifest, and who plays what.
type Worlds = HashMap<(Option<String>, Roles), Result<World, String>>;

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with id, manifest, from and request")]
struct Line {
    /// YAML; what is declared in the registry if it is not given.
    manifest: Option<String>,
    #[serde(default)]
    from: Json,
    request: Request,
}

/// Answers every line of standard input, in order; one that cannot be answered says why and stops nothing.
pub(super) fn run(at: Timestamp, context: &mut Context) -> Outcome {
    let (registry, mut worlds) = (OnceCell::new(), Worlds::new());
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = std::io::Read::take(&mut input, MAX_LINE);
        if bounded.read_until(b'\n', &mut line).map_err(Failure::from)? == 0 {
            return Ok(());
        }
        if line.len() as u64 == MAX_LINE && !line.ends_with(b"\n") {
            input.skip_until(b'\n').map_err(Failure::from)?;
            let error = format!("the line is longer than {} MiB", MAX_LINE >> 20);
            writeln!(context.out, "{}", json!({"id": null, "error": error})).map_err(Failure::from)?;
            continue;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if worlds.len() >= MAX_WORLDS {
            worlds.clear();
        }
        let answer = answered(&line, at, &mut worlds, &registry, context);
        writeln!(context.out, "{answer}").map_err(Failure::from)?;
    }
}

/// The registry, opened for the first line that has no manifest.
fn opened<'r>(registry: &'r OnceCell<SqliteRegistry>, context: &Context) -> Result<&'r SqliteRegistry, String> {
    match registry.get() {
        Some(registry) => Ok(registry),
        None => context.registry().map(|opened| registry.get_or_init(|| opened)).map_err(|failure| failure.message()),
    }
}

fn answered(
    line: &[u8],
    at: Timestamp,
    worlds: &mut Worlds,
    registry: &OnceCell<SqliteRegistry>,
    context: &Context,
) -> Json {
    let asked: Json = match serde_json::from_slice(line) {
        Ok(asked) => asked,
        Err(error) => return json!({"id": null, "error": format!("not a question: no JSON: {error}")}),
    };
    let id = asked.get("id").cloned().unwrap_or_default();
    let line = match asked {
        asked @ Json::Object(_) => serde_json::from_value::<Line>(asked).map_err(|error| error.to_string()),
        _ => Err("expected an object with id, manifest, from and request".to_owned()),
    };
    let line = match line {
        Ok(line) => line,
        Err(error) => return json!({"id": id, "error": format!("not a question: {error}")}),
    };
    match told(line, at, worlds, registry, context) {
        Ok(mut answer) => {
            answer["id"] = id;
            answer
        }
        Err(error) => json!({"id": id, "error": error}),
    }
}

fn told(
    Line { manifest, from, request, .. }: Line,
    at: Timestamp,
    worlds: &mut Worlds,
    registry: &OnceCell<SqliteRegistry>,
    context: &Context,
) -> Result<Json, String> {
    let namespace = if manifest.is_some() { "default" } else { context.namespace() };
    let roles = request.roles(&from, namespace)?;
    let world = worlds.entry((manifest, roles)).or_insert_with_key(|(manifest, roles)| match manifest {
        Some(manifest) => World::of_text(manifest, roles),
        None => {
            let domain = context.trust_domain().map_err(|failure| failure.message())?;
            World::of_registry(roles, opened(registry, context)?, domain)
        }
    });
    let world = world.as_ref().map_err(String::clone)?;
    let asked = request.asked(world.from.clone(), at.as_microsecond())?;
    tell(&world.snapshot, Some(0), &asked, false).map(|told| told.answer)
}
