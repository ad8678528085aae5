#!/usr/bin/env bash
# One signed request to one D-TA with openssl and curl, and the check of its signed reply.
#
#   request.sh authority
#   request.sh client-share IDENTITY
#   request.sh server-share
#   request.sh time-permit IDENTITY [DAY]     DAY is YYYY-MM-DD; without it today, UTC
#
# The environment says where and who:
#
#   DTA_URL        https://HOST or https://HOST:PORT
#   DTA_AUTHORITY  the D-TA's authority id, 64 hex digits   ("authority" in customer.toml)
#   DTA_NODE_KEY   its node key, an Ed25519 verifier key    ("node_key" in customer.toml)
#   DTA_KEY        your signing key, made by: openssl genpkey -algorithm ed25519 -out acme.key
#   DTA_CA         the CA of its TLS certificate, PEM; unset: the system's CAs
#
# Prints the reply's body. Exit code 0: a signed share, permit or description. 1: anything else.
# What it cannot do: check `proof` and add shares, which needs BLS12-381 (docs/api.md says how).
# Its output holds a share: do not log it.
set -euo pipefail
export LC_ALL=C
umask 077

die() { printf 'request.sh: %s\n' "$1" >&2; exit 1; }
unhex() { local text; text=$(cat); printf '%b' "$(sed 's/../\\x&/g' <<<"$text")"; }
digest() { printf 'sha-256=:%s:' "$(openssl dgst -sha256 -binary | base64 -w 0)"; }
base64url() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }
# member NAME: the string or integer of that name in a flat piece of JSON.
member() { sed -n -E "s/.*\"$1\":\"?([^\",}]*)\"?.*/\1/p"; }
# An Ed25519 public key of 32 bytes as DER (RFC 8410).
ed25519_der() { printf '302a300506032b6570032100' | unhex; cat; }
# field FILE NAME: the value of a header field.
field() { tr -d '\r' <"$1" | awk -v name="$2" -F ': ' 'tolower($1) == name { print substr($0, length(name) + 3) }'; }

for name in DTA_URL DTA_AUTHORITY DTA_NODE_KEY DTA_KEY; do [ -n "${!name:-}" ] || die "$name is not set"; done
url=${DTA_URL%/}
# @authority: the host in lower case, and the port unless it is 443.
authority=$(tr 'A-Z' 'a-z' <<<"${url#https://}")
authority=${authority%:443}
call=${1:-}; identity=${2:-}; day=${3:-$(date -u +%Y-%m-%d)}
method=POST
case $call in
  authority) method=GET path=/v1/authority body='' ;;
  client-share) path=/v1/client-shares body="{\"identity\":\"$identity\",\"proof\":true}" ;;
  server-share) path=/v1/server-shares body='{}' ;;
  time-permit) path=/v1/time-permits body="{\"identities\":[\"$identity\"],\"from\":\"$day\",\"days\":1,\"proof\":true}" ;;
  *) die 'usage: request.sh authority | client-share IDENTITY | server-share | time-permit IDENTITY [DAY]' ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# send METHOD PATH FIELDS...: the reply's header into $work/head, its body into $work/body, its status on stdout.
send() {
  local method=$1 path=$2 arguments=(); shift 2
  for line in "$@"; do arguments+=(--header "$line"); done
  if [ "$method" = POST ]; then arguments+=(--data-binary "@$work/request"); fi
  if [ -n "${DTA_CA:-}" ]; then arguments+=(--cacert "$DTA_CA"); fi
  curl --silent --show-error --max-time 15 --tlsv1.3 --request "$method" "${arguments[@]}" \
    --dump-header "$work/head" --output "$work/body" --write-out '%{http_code}' "$url$path" || die "no answer from $url"
}

# Nobody vouches for this reply: what it claims is shown if it is a problem, never if it may hold a share.
unproven() {
  [ "$1" -lt 400 ] || { cat "$work/body"; printf '\n'; } >&2
  die "nobody has signed this answer (status $1)"
}

# reply_is_signed STATUS METHOD PATH [SIGNATURE]: whether the response key signed this reply to this request.
reply_is_signed() {
  local status=$1 method=$2 path=$3 signature=${4:-} parameters
  parameters=$(field "$work/head" signature-input); parameters=${parameters#dta=}
  local covered='"@status" "content-digest" "content-type" "@method";req "@path";req'
  [ -z "$signature" ] || covered+=' "signature";req'
  [[ $parameters == "($covered);created="*';tag="dta-v1-response"' ]] || return 1
  [[ $parameters =~ \;created=([0-9]+)\; ]] || return 1
  local age=$(($(date +%s) - BASH_REMATCH[1]))
  [ "${age#-}" -le 65 ] || return 1
  [ "$(field "$work/head" content-digest)" = "$(digest <"$work/body")" ] || return 1
  {
    printf '"@status": %s\n' "$status"
    printf '"content-digest": %s\n' "$(field "$work/head" content-digest)"
    printf '"content-type": %s\n' "$(field "$work/head" content-type)"
    printf '"@method";req: %s\n"@path";req: %s\n' "$method" "$path"
    [ -z "$signature" ] || printf '"signature";req: %s\n' "$signature"
    printf '"@signature-params": %s' "$parameters"
  } >"$work/base"
  field "$work/head" signature | sed 's/^dta=://; s/:$//' | base64 -d >"$work/signature"
  verifies "$work/response.der"
}

# Whether $work/signature over $work/base is of this Ed25519 key.
verifies() {
  openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$1" -in "$work/base" -sigfile "$work/signature" >/dev/null 2>&1
}

# 1. The response key, which the pinned node key certifies, in a reply signed by that very key.
vkey=${DTA_NODE_KEY#*+}
base64 -d <<<"${vkey#*+}" | tail -c 32 | ed25519_der >"$work/node.der"
status=$(send GET /v1/authority)
[ "$status" = 200 ] || unproven "$status"
certificate=$(grep -o '"statement":{[^}]*},"signature":"[0-9a-f]*"' "$work/body") || die 'there is no response key'
response_key=$(member public_key <<<"$certificate")
printf 'dta response key v1\n{"authority":"%s","created":%s,"node":"%s","public_key":"%s","v":1}' "$DTA_AUTHORITY" \
  "$(member created <<<"$certificate")" "$(member node <<<"$certificate")" "$response_key" >"$work/base"
sed 's/.*"signature":"//; s/"$//' <<<"$certificate" | unhex >"$work/signature"
verifies "$work/node.der" || die 'the response key is not certified by the pinned node key'
unhex <<<"$response_key" | ed25519_der >"$work/response.der"
reply_is_signed 200 GET /v1/authority || die 'the description of the D-TA is not signed by its response key'

# 2. The signed request.
printf '%s' "$body" >"$work/request"
created=$(date +%s)
nonce=$(openssl rand 16 | base64url)
keyid=$(openssl pkey -in "$DTA_KEY" -pubout -outform DER | openssl dgst -sha256 -binary | base64url | cut -c 1-22)
covered='"@method" "@authority" "@path" "@query"'
if [ -n "$body" ]; then covered+=' "content-digest" "content-type"'; fi
covered+=' "dta-authority"'
parameters="($covered);created=$created;expires=$((created + 60));nonce=\"$nonce\";keyid=\"$keyid\";alg=\"ed25519\";tag=\"dta-v1\""
fields=("dta-authority: $DTA_AUTHORITY")
{
  printf '"@method": %s\n"@authority": %s\n"@path": %s\n"@query": ?\n' "$method" "$authority" "$path"
  if [ -n "$body" ]; then
    fields+=("content-type: application/json" "content-digest: $(digest <"$work/request")")
    printf '"content-digest": %s\n"content-type": application/json\n' "$(digest <"$work/request")"
  fi
  printf '"dta-authority": %s\n"@signature-params": %s' "$DTA_AUTHORITY" "$parameters"
} >"$work/base"
openssl pkeyutl -sign -rawin -inkey "$DTA_KEY" -in "$work/base" -out "$work/signature"
signature="dta=:$(base64 -w 0 "$work/signature"):"
fields+=("signature-input: dta=$parameters" "signature: $signature")

# 3. The reply: believed only if it is signed and answers this very request.
status=$(send "$method" "$path" "${fields[@]}")
reply_is_signed "$status" "$method" "$path" "$signature" || unproven "$status"
cat "$work/body"
printf '\n'
[ "$status" = 200 ] || die "refused with status $status"
