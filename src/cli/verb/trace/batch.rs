//! `trace --batch`: a question a line, an answer a line.

use std::collections::HashMap;
use std::io::{BufRead, Write as _};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::answer;
use super::world::{Request, World};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::decision::explain;

/// Longest line, in bytes: room for a large manifest.
const MAX_LINE: u64 = 64 << 20;

/// Most worlds that are kept for the lines that follow; tests have a handful.
const MAX_WORLDS: usize = 64;

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    id: Json,
    manifest: String,
    from: Option<String>,
    request: Asked,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: HashMap<String, String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// Answers every line of standard input, in order; one that cannot be answered says why and stops nothing.
pub(super) fn run(at: Timestamp, context: &mut Context) -> Outcome {
    let mut worlds: HashMap<(String, Option<String>), Result<World, String>> = HashMap::new();
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
        let answer = answered(&line, at, &mut worlds);
        writeln!(context.out, "{answer}").map_err(Failure::from)?;
    }
}

fn answered(line: &[u8], at: Timestamp, worlds: &mut HashMap<(String, Option<String>), Result<World, String>>) -> Json {
    let Line { id, manifest, from, request } = match serde_json::from_slice(line) {
        Ok(line) => line,
        Err(error) => {
            let id = serde_json::from_slice::<Json>(line).ok().and_then(|line| line.get("id").cloned());
            return json!({"id": id, "error": format!("not a question: {error}")});
        }
    };
    let key = (manifest, from);
    let world = worlds.entry(key).or_insert_with_key(|(manifest, from)| World::of_text(manifest, from.as_deref()));
    let request = Request { method: request.method, url: request.url, headers: request.headers.into_iter().collect() };
    let judged = world.as_ref().map_err(String::clone).and_then(|world| {
        Ok(match world.call(&request, at)? {
            Ok(call) => answer::json(&call, &explain(&world.snapshot, 0, &call)),
            Err(failure) => answer::refused_head(&request.url, failure),
        })
    });
    match judged {
        Ok(mut answer) => {
            answer["id"] = id;
            answer
        }
        Err(error) => json!({"id": id, "error": error}),
    }
}
