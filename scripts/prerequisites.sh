#!/usr/bin/env bash
# Installs the Debian packages that building, testing and the demo need and that are missing.
# Without root it prints the exact line to run and stops.
set -euo pipefail

# package : a file or command that shows it is there
needs=(
  "gcc:gcc"
  "libc6-dev:/usr/include/stdlib.h"
  "make:make"
  "openssl:openssl"
  "curl:curl"
  "ca-certificates:/etc/ssl/certs/ca-certificates.crt"
  "softhsm2:/usr/lib/softhsm/libsofthsm2.so"
)
# What only the tests need.
if [ "${1:-}" = tests ]; then
  needs+=("python3:/usr/bin/python3" "python3-cryptography:/usr/lib/python3/dist-packages/cryptography/__init__.py" "faketime:faketime")
fi

missing=()
for need in "${needs[@]}"; do
  package=${need%%:*} shown_by=${need#*:}
  case $shown_by in
    /*) [ -e "$shown_by" ] || missing+=("$package") ;;
    *) command -v "$shown_by" >/dev/null || missing+=("$package") ;;
  esac
done

if ! command -v cargo >/dev/null; then
  echo "error: cargo was not found; this project builds with Rust 1.95 or newer" >&2
  echo "try: install Rust from https://rustup.rs and open a new shell" >&2
  exit 1
fi

[ ${#missing[@]} -eq 0 ] && exit 0

line="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "error: these Debian packages are missing: ${missing[*]}" >&2
  echo "try: sudo $line" >&2
  exit 1
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 -- the words of the line are the arguments
$line >/dev/null
