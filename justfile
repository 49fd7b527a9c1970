# Recipes. The scripts below need nothing installed first; `just` is a shorthand.

_default:
    @just --list

# A local cluster with real Flink, the operator installed by Helm, an example STABLE.
demo *ARGS:
    e2e/demo {{ARGS}}

# All tests that CI runs.
test *ARGS:
    e2e/test {{ARGS}}

# Tests that need neither a cluster nor a reference: seconds.
unit:
    cargo test --workspace

# Format, lints and dependency rules.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# Licences, bans, sources and security advisories of dependencies.
deny:
    cargo deny check

# Writes crds/ anew from the types, and the copy in the Helm chart.
crds:
    cargo run -q -p api --features crds --bin crds -- crds
    cp crds/*.yml helm/flink-kubernetes-operator/crds/

# Compares our objects with recorded ones: any folder of that form.
golden *ARGS:
    e2e/golden {{ARGS}}

# Replays a simulated run: just simulate --seed 7
simulate *ARGS:
    e2e/simulate {{ARGS}}

# Every fault at every call of every scenario: minutes.
fault-matrix *ARGS:
    e2e/simulate --faults all --every-call {{ARGS}}

# Scenarios on real Flink: just scenarios stateless-upgrade
scenarios *ARGS:
    e2e/scenarios {{ARGS}}

# The leading JobManager killed at each stage of an upgrade: HA in Kubernetes and in ZooKeeper, Flink 1.20 and 2.2.
ha-kills *ARGS:
    e2e/scenarios ha-kills-kubernetes-1-20 ha-kills-kubernetes-2-2 ha-kills-zookeeper-1-20 ha-kills-zookeeper-2-2 {{ARGS}}

# Jars from real servers: just artifacts s3
artifacts *ARGS:
    e2e/artifacts {{ARGS}}

# Memory that ten fetches of 200 MiB at once take.
artifacts-memory *ARGS:
    cargo run --quiet -p artifacts --example memory -- {{ARGS}}

# Memory, size, times and API requests of the operator, as a table.
figures *ARGS:
    e2e/figures {{ARGS}}

# Recorded timelines of the Java operator, replayed on real Flink: just timeline --only 03-
timeline *ARGS:
    e2e/timeline {{ARGS}}

# Mutation tests of the room that decides: a sixteenth of all mutants; another one: just mutants 1/16
mutants SHARD="0/16":
    mkdir -p target/mutants
    cargo mutants -p lifecycle --test-package lifecycle --sharding round-robin --shard {{SHARD}} \
        --baseline skip --timeout 30 --build-timeout 600 --output target/mutants -- --lib

# Our operator over clusters that the Java operator left.
take-over *ARGS:
    e2e/take-over {{ARGS}}
