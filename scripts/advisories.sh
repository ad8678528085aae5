#!/usr/bin/env bash
# Checks Cargo.lock against the RustSec advisories.
#
# Offline: the archive of the advisory database beside the checkout (../shared/advisories.tar.gz), or the
# file named by ADVISORIES. Where there is none, the database is fetched; where that cannot be done either,
# this says so and leaves the check out.
set -euo pipefail
cd "$(dirname "$0")/.."
archive=${ADVISORIES:-../shared/advisories.tar.gz}
if [ -f "$archive" ]; then
  database=$(mktemp -d)
  trap 'rm -rf "$database"' EXIT
  tar -xzf "$archive" -C "$database"
  cargo audit --db "$database" --no-fetch --stale --deny warnings
elif [ -n "${CI:-}" ]; then
  echo "advisories: no archive at $archive, so RustSec's database is fetched"
  cargo audit --deny warnings
else
  echo "advisories: NOT CHECKED, there is no archive at $archive (name one in ADVISORIES, or run 'cargo audit')"
fi
