#!/usr/bin/env bash
# Runs every fuzz target for a minute (or as many seconds as the first argument says), from the kept corpus; further arguments
# name targets, if not all are meant. An input that panics, takes longer than two seconds or more than 1 GiB ends the run and
# is kept in artifacts/. `KEEP=1 run.sh 60` adds the short inputs that reach new code to the corpus.
#
# The targets are built as cargo-fuzz builds them, but for the sanitizer, so that stable Rust alone is enough.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
shift || true
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
  targets=(answer client_hello expression framing framing_agreement http2 import manifest preface request)
fi

host=$(rustc -vV | sed -n 's/^host: //p')
built=../target/fuzz-run
coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares'
# A target triple keeps the flags from build scripts, which have no fuzzer to link.
RUSTFLAGS="--cfg fuzzing -Cdebug-assertions $(echo $coverage)" \
  cargo build --release --locked --target "$host" --target-dir "$built"

mkdir -p artifacts
for target in "${targets[@]}"; do
  echo "== $target"
  found=$built/corpus/$target
  mkdir -p "$found" "corpus/$target"
  dictionary=()
  if [ -f "dictionaries/$target.dict" ]; then dictionary=("-dict=dictionaries/$target.dict"); fi
  "$built/$host/release/$target" "$found" "corpus/$target" "-max_total_time=$seconds" -max_len=4096 -timeout=2 \
    -rss_limit_mb=1024 "-artifact_prefix=artifacts/$target-" -print_final_stats=1 "${dictionary[@]}" 2>&1 |
    grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse|RELOAD)|^[[:space:]]*NEW_FUNC|^"|^###### |^INFO:'
  if [ -n "${KEEP:-}" ]; then
    "$built/$host/release/$target" -merge=1 -use_counters=0 -max_len=256 "corpus/$target" "$found" 2>&1 | tail -1
  fi
done
