#!/usr/bin/env bash
# Fuzzes every parser of outside bytes: each target of fuzz/ for some seconds, one line about each.
#
#   scripts/fuzz.sh [SECONDS [TARGET...]]     10 seconds and all targets unless said otherwise
#
# What is found beyond the committed seeds stays in fuzz/corpus, and a run starts from both. An input
# that crashes a target is kept in fuzz/artifacts, and the exit code is 1.
set -euo pipefail
cd "$(dirname "$0")/.."

missing() { printf 'error: %s\ntry: %s\n' "$1" "$2" >&2; exit 2; }

seconds=${1:-10}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || missing "$seconds is no number of seconds" "scripts/fuzz.sh 10"
shift $(($# > 0))

cargo +nightly --version >/dev/null 2>&1 ||
  missing "fuzzing needs a nightly compiler, which is not installed" "rustup toolchain install nightly --profile minimal"
cargo fuzz --version >/dev/null 2>&1 || missing "cargo-fuzz is not installed" "cargo install --locked cargo-fuzz"
command -v c++ >/dev/null || missing "libFuzzer needs a C++ compiler" "apt-get install -y --no-install-recommends g++"

all=$(cargo +nightly fuzz list)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets <<<"$all"
for target in "${targets[@]}"; do
  grep -qx -- "$target" <<<"$all" || missing "there is no target $target" "one of: $(tr '\n' ' ' <<<"$all")"
done

echo "building ${#targets[@]} targets (the first time takes a quarter of an hour)"
if [ ${#targets[@]} -eq 1 ]; then cargo +nightly fuzz build "${targets[0]}"; else cargo +nightly fuzz build; fi
triple=$(rustc +nightly -vV | sed -n 's/^host: //p')
binaries=${CARGO_TARGET_DIR:-fuzz/target}/$triple/release

# Some targets write files; in memory that costs nothing.
scratch=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch ASAN_OPTIONS=detect_odr_violation=0

failed=0
for target in "${targets[@]}"; do
  corpus=fuzz/corpus/$target artifacts=fuzz/artifacts/$target
  mkdir -p "$corpus" "$artifacts"
  inputs=("$corpus")
  [ ! -d "fuzz/seeds/$target" ] || inputs+=("fuzz/seeds/$target")
  code=0
  "$binaries/$target" "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    "-artifact_prefix=$artifacts/" "${inputs[@]}" >"$scratch/log" 2>&1 || code=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/log")
  if [ "$code" = 0 ]; then
    printf '%-24s %10s executions  ok\n' "$target" "$runs"
  else
    failed=1
    printf '%-24s %10s executions  FAILED\n' "$target" "${runs:-?}"
    grep -E -A3 -m3 'panicked at|ERROR:' "$scratch/log" | head -8 | sed 's/^/    /' || true
    input=$(sed -n 's/.*Test unit written to //p' "$scratch/log" | tail -1)
    [ -z "$input" ] || echo "    see it again: cargo +nightly fuzz run $target $input"
  fi
done
exit $failed
