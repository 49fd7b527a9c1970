# shellcheck shell=bash
# The Rust programs that tests run, with debug checks. Expects E2E_DIR.

# build_programs: all at once and with the whole workspace in view. What they are made of then has the features that
# `cargo test` has compiled it with, and is not compiled for each of them anew.
build_programs() {
  (cd "$(dirname "$E2E_DIR")" && cargo build --quiet --locked --workspace \
    --bin e2e-runner --bin flink-operator --bin conformance --example real-api-server --example fetch)
}

# program NAME : where that binary or example lies, or will lie.
program() {
  local folder=${CARGO_TARGET_DIR:-$(dirname "$E2E_DIR")/target}/debug
  case $1 in
    real-api-server | fetch) echo "$folder/examples/$1" ;;
    *) echo "$folder/$1" ;;
  esac
}
