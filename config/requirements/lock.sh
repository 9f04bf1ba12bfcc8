#!/bin/sh
# Write the lock files anew: the newest versions that pyproject.toml allows.
# Each smaller list is cut out of the next larger one, so that all three agree on every version.
# Needs uv on PATH. Run from the project's root; `make lock` does.
set -eu
locks=config/requirements
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-annotate "$@"
}
compile "$locks/build.in" --output-file "$locks/build.lock"
project() {
    compile pyproject.toml "$locks/build.in" --constraints "$locks/build.lock" "$@"
}
project --extra online --extra dev --extra hsm --extra scan --output-file "$locks/dev.lock"
project --extra online --constraints "$locks/dev.lock" --output-file "$locks/online.lock"
project --constraints "$locks/online.lock" --output-file "$locks/base.lock"
