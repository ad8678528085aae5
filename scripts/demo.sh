#!/usr/bin/env bash
# The demo: two D-TAs on loopback, each with its own token, ceremony and master secrets, and a customer of both.
#
#   scripts/demo.sh          do it all and stay up until Ctrl-C (ONCE=1: do it, check it, leave)
#   scripts/demo.sh clean    stop what runs and remove target/demo
#
# Every step prints one line why and the command it runs. All state lies in target/demo.
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=$PWD
DEMO=target/demo
export PATH="$ROOT/target/release:$PATH"
MODULE=/usr/lib/softhsm/libsofthsm2.so

# --- How the demo speaks -------------------------------------------------------------------------

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then BOLD=$'\e[1m' DIM=$'\e[2m' OFF=$'\e[0m'; else BOLD='' DIM='' OFF=''; fi
chapter() { printf '\n%s== %s%s\n' "$BOLD" "$1" "$OFF"; }
why() { printf '\n%s# %s%s\n' "$DIM" "$1" "$OFF"; }
show() { printf '%s$ %s%s\n' "$BOLD" "$*" "$OFF"; }
die() { printf 'demo: %s\n' "$1" >&2; exit 1; }

# Shows a command and runs it; it must succeed.
run() { show "$@"; "$@" || die "this command failed, with exit code $?"; }

# Shows a command and runs it; it must fail with this exit code and say this.
refused() {
  local code=$1 says=$2 got=0 output; shift 2
  show "$@"
  output=$("$@" 2>&1) || got=$?
  printf '%s\n' "$output"
  [ "$got" = "$code" ] || die "expected exit code $code, got $got"
  grep -q -- "$says" <<<"$output" || die "expected it to say \"$says\""
}

# --- Processes and ports -------------------------------------------------------------------------

stop_all() {
  local pid
  for pid in $(cat "$DEMO"/*.pid 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
  for pid in $(cat "$DEMO"/*.pid 2>/dev/null); do
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  done
  rm -f "$DEMO"/*.pid
}

# start NAME COMMAND...: a server in the background, its log in NAME.log
start() {
  local name=$1; shift
  show "$* &"
  "$@" >"$DEMO/$name.out" 2>"$DEMO/$name.log" &
  echo $! >"$DEMO/$name.pid"
}

# await NAME WHAT TEST...: waits until TEST succeeds or the server NAME is gone
await() {
  local name=$1 what=$2; shift 2
  for _ in $(seq 200); do
    "$@" 2>/dev/null && return
    kill -0 "$(cat "$DEMO/$name.pid")" 2>/dev/null || { cat "$DEMO/$name.log" >&2; die "$name ended"; }
    sleep 0.05
  done
  cat "$DEMO/$name.log" >&2; die "$name did not become $what within 10 seconds"
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port() {
  local port
  while port=$((20000 + RANDOM % 20000)); do port_is_open "$port" || { echo "$port"; return; }; done
}

if [ "${1:-}" = clean ]; then stop_all; rm -rf "$DEMO"; echo "removed $DEMO"; exit 0; fi

# --- A clean start -------------------------------------------------------------------------------

command -v dta >/dev/null || die "target/release/dta is missing: run \`make demo\`"
stop_all; rm -rf "$DEMO"; mkdir -p "$DEMO"; chmod 700 "$DEMO"
trap stop_all EXIT
trap 'exit 130' INT TERM
umask 077
START=$SECONDS

certificates() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=demo CA" \
    -keyout "$DEMO/ca.key" -out "$DEMO/ca.pem" 2>/dev/null
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=demo D-TA" \
    -keyout "$DEMO/tls.key" -out "$DEMO/tls.csr" 2>/dev/null
  openssl x509 -req -in "$DEMO/tls.csr" -CA "$DEMO/ca.pem" -CAkey "$DEMO/ca.key" -CAcreateserial -days 30 \
    -extfile <(printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n') -out "$DEMO/tls.pem" 2>/dev/null
}

# A SoftHSM2 token and the three configuration files of the D-TA in $DEMO/$1.
prepare() {
  local dir=$DEMO/$1 port=$2 pin so_pin
  mkdir -p "$dir/tokens" "$dir/anchor"
  pin=$(openssl rand -hex 16) so_pin=$(openssl rand -hex 16)
  printf '%s' "$pin" >"$dir/pin"
  printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$ROOT/$dir/tokens" >"$dir/softhsm2.conf"
  SOFTHSM2_CONF=$dir/softhsm2.conf softhsm2-util --init-token --free --label "dta-$1" --pin "$pin" --so-pin "$so_pin" >/dev/null
  printf 'module = "%s"\ntoken_label = "dta-%s"\npin_file = "pin"\nsocket = "hsm.sock"\n' "$MODULE" "$1" >"$dir/hsm.toml"
  cat >"$dir/authority.toml" <<TOML
state_dir = "$dir/state"
hsm_socket = "$dir/hsm.sock"
operator_socket = "$dir/operator.sock"
proxy_socket = "$dir/authority.sock"
anchor_dir = "$dir/anchor"
public_authority = "127.0.0.1:$port"
TOML
  cat >"$dir/proxy.toml" <<TOML
listen = "127.0.0.1:$port"
public_authority = "127.0.0.1:$port"
tls_cert = "$DEMO/tls.pem"
tls_key = "$DEMO/tls.key"
authority_socket = "$dir/authority.sock"
TOML
}

HOLDERS=(alice bob carol dave erin)

ceremony() {
  local name=$1 dir=$DEMO/$1 holder flags=()
  export SOFTHSM2_CONF=$dir/softhsm2.conf
  why "Each of the five holders of D-TA $name makes a key of their own, under a passphrase."
  for holder in "${HOLDERS[@]}"; do
    openssl rand -base64 18 >"$dir/$holder.passphrase"
    run dta holder new "$name-$holder" --dir "$dir" --passphrase-file "$dir/$holder.passphrase"
    flags+=(--holder-pub "$dir/$name-$holder.holder.pub")
  done
  why "One reviewed plan says everything but secrets: 3 of 5 holders unlock."
  show dta ceremony plan --authority "$name" --m 3 "${flags[@]}" --hsm-config "$dir/hsm.toml" \> "$dir/plan.toml"
  dta ceremony plan --authority "$name" --m 3 "${flags[@]}" --hsm-config "$dir/hsm.toml" >"$dir/plan.toml"
  run dta ceremony check "$dir/plan.toml"
  flags=()
  for holder in "${HOLDERS[@]}"; do
    flags+=(--holder-key "$dir/$name-$holder.holder" --passphrase-file "$dir/$holder.passphrase")
  done
  why "The ceremony: keys on the token, both locks, five shares read back, a manifest signed by all five."
  run dta ceremony run "$dir/plan.toml" --state-dir "$dir/state" --hsm-config "$dir/hsm.toml" --out "$dir/out" "${flags[@]}"
  unset SOFTHSM2_CONF
}

share() { echo "$DEMO/$1"/out/*-"$2"-1.share; }

# unlock_arguments D-TA HOLDER SHARE KEY-OF: the flags of one holder's `dta unlock`
enter() { # D-TA, holder's D-TA, holder, share file
  ENTER=(dta unlock --share "$4" --holder-key "$DEMO/$2/$2-$3.holder" --passphrase-file "$DEMO/$2/$3.passphrase"
    --socket "$DEMO/$1/operator.sock")
}

servers() {
  local name=$1 dir=$DEMO/$1 port=$2
  why "Three processes make D-TA $name: the one around the PKCS#11 module, the private authority, the public proxy."
  SOFTHSM2_CONF=$dir/softhsm2.conf start "$name-hsm" dta hsm --config "$dir/hsm.toml"
  await "$name-hsm" listening test -S "$dir/hsm.sock"
  start "$name-authority" dta authority --config "$dir/authority.toml"
  await "$name-authority" listening test -S "$dir/operator.sock"
  start "$name-proxy" dta proxy --config "$dir/proxy.toml"
  await "$name-proxy" listening port_is_open "$port"
}

# --- The demo ------------------------------------------------------------------------------------

chapter "1. Two D-TAs that never talk to each other"
PORT_ONE=$(free_port); PORT_TWO=$(free_port)
while [ "$PORT_TWO" = "$PORT_ONE" ]; do PORT_TWO=$(free_port); done
certificates
prepare one "$PORT_ONE"; prepare two "$PORT_TWO"
echo "tokens dta-one and dta-two, ports $PORT_ONE and $PORT_TWO, all state in $DEMO"

chapter "2. The ceremony of D-TA one (that of D-TA two runs beside it, same steps)"
(ceremony two) >"$DEMO/ceremony-two.log" 2>&1 & CEREMONY_TWO=$!
ceremony one
wait "$CEREMONY_TWO" || { cat "$DEMO/ceremony-two.log" >&2; die "the ceremony of D-TA two failed"; }
echo; echo "D-TA two: $(grep -m1 '^authority id' "$DEMO/ceremony-two.log") (its screens: $DEMO/ceremony-two.log)"

chapter "3. Start, sealed"
servers one "$PORT_ONE"; servers two "$PORT_TWO"
why "Nothing is open yet: neither lock alone opens anything. Exit code 3 says sealed."
refused 3 sealed dta status --socket "$DEMO/one/operator.sock"

chapter "4. Unlock, share by share"
why "The first holder. The share is sealed to this session; only the authority can read it."
enter one one alice "$(share one 1)"; run "${ENTER[@]}"
why "The same share again: named, and counted once."
refused 4 duplicate "${ENTER[@]}"
why "A holder of the other D-TA comes along: refused by name, and what was entered stays."
enter one two bob "$(share two 2)"; refused 4 other-set "${ENTER[@]}"
why "Two more holders, and D-TA one is open."
enter one one carol "$(share one 3)"; run "${ENTER[@]}"
enter one one erin "$(share one 5)"; run "${ENTER[@]}"
run dta status --socket "$DEMO/one/operator.sock"
why "D-TA two, by three other holders."
for number in 2:bob 3:carol 4:dave; do
  enter two two "${number#*:}" "$(share two "${number%%:*}")"; run "${ENTER[@]}"
done

chapter "5. A customer of both"
mkdir -p "$DEMO/acme"
why "The customer's server makes a signing key; its public half is registered at both D-TAs."
run dta request new-key --out "$DEMO/acme/acme.key"
printf 'key_file = "acme.key"\n' >"$DEMO/acme/customer.toml"
for name in one two; do
  show dta customer add acme --key "$DEMO/acme/acme.pub" --socket "$DEMO/$name/operator.sock" ">>" "$DEMO/acme/customer.toml"
  { echo; dta customer add acme --key "$DEMO/acme/acme.pub" --socket "$DEMO/$name/operator.sock" \
    | sed 's|^\[\[dta\]\]$|[[dta]]\nca_file = "../ca.pem"|'; } >>"$DEMO/acme/customer.toml"
done
why "customer.toml now pins address, authority id, node key and commitment of each D-TA."
run cat "$DEMO/acme/customer.toml"

chapter "6. Shares over HTTPS, verified and combined"
why "The M-Pin server's key: each D-TA's share is checked against its pinned commitment, then added."
run dta request server-share --config "$DEMO/acme/customer.toml" --out "$DEMO/acme/server.share"
why "An identity is the hash of a salted id: the D-TAs never see the name."
show dta request new-identity --id alice@example.com --json
NEW=$(dta request new-identity --id alice@example.com --json); echo "$NEW"
IDENTITY=$(sed -E 's/.*"identity":"([0-9a-f]{64})".*/\1/' <<<"$NEW")
run dta request client-share --config "$DEMO/acme/customer.toml" --identity "$IDENTITY"
run dta request time-permit --config "$DEMO/acme/customer.toml" --identity "$IDENTITY"

chapter "7. A login"
why "A test device enrols: the client share is split into a stored token and a PIN, here 4711."
printf 4711 >"$DEMO/acme/pin"; printf 1174 >"$DEMO/acme/wrong-pin"
run dta device enroll --config "$DEMO/acme/customer.toml" --id alice@example.com --device "$DEMO/acme/alice.device" --pin-file "$DEMO/acme/pin"
why "A test M-Pin server that demands today's permit."
start mpin-server dta device server --server-share "$DEMO/acme/server.share" --listen 127.0.0.1:0 --require-permit
await mpin-server listening grep -q '127.0.0.1:' "$DEMO/mpin-server.out"
SERVER=$(grep -o -m1 '127\.0\.0\.1:[0-9]*' "$DEMO/mpin-server.out")
LOGIN=(dta device login --device "$DEMO/acme/alice.device" --server "$SERVER")
why "The right PIN and today's permit from both D-TAs: accepted."
run "${LOGIN[@]}" --config "$DEMO/acme/customer.toml" --pin-file "$DEMO/acme/pin"
why "A wrong PIN: refused."
refused 4 "wrong PIN" "${LOGIN[@]}" --config "$DEMO/acme/customer.toml" --pin-file "$DEMO/acme/wrong-pin"
why "The right PIN without a permit: refused. This is how a user is revoked."
refused 4 permit "${LOGIN[@]}" --no-permit --pin-file "$DEMO/acme/pin"

chapter "8. The audit log"
why "An auditor needs only the files and the public key."
sleep 1.2 # the last checkpoint is signed within a second
for name in one two; do
  run dta audit verify --log "$DEMO/$name/state/audit" --vkey "$DEMO/$name/out/authority.vkey"
done
run dta audit show --log "$DEMO/one/state/audit" --event client-share

chapter "All of it held ($((SECONDS - START)) seconds)"
if [ -n "${ONCE:-}" ]; then exit 0; fi

cat <<TEXT

Both D-TAs stay up until Ctrl-C. In another terminal, from this directory:

  export PATH="\$PWD/target/release:\$PATH"
  # log in by hand, the PIN is 4711
  dta device login --device $DEMO/acme/alice.device --server $SERVER --config $DEMO/acme/customer.toml
  # lock one D-TA: now no share or permit can be had, and nobody can log in tomorrow
  dta lock --socket $DEMO/one/operator.sock
  dta request client-share --config $DEMO/acme/customer.toml --identity $IDENTITY
  # read what was logged
  dta audit show --log $DEMO/one/state/audit
  # what a holder's share file is
  dta holder inspect $(share one 1) --holder-key $DEMO/one/one-alice.holder --passphrase-file $DEMO/one/alice.passphrase

\`make demo-clean\` removes everything.
TEXT
while :; do sleep 3600 & wait $!; done
