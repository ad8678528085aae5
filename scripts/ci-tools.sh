#!/usr/bin/env bash
# Installs the cargo tools of the gate that are missing: cargo-audit and cargo-deny.
set -euo pipefail
for tool in cargo-audit:0.22 cargo-deny:0.20; do
  name=${tool%%:*} version=${tool#*:}
  if ! "$name" --version >/dev/null 2>&1; then
    echo "installing $name $version (a few minutes, once)"
    cargo install --quiet --locked --version "^$version" "$name"
  fi
done
