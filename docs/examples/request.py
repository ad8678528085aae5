#!/usr/bin/env python3
"""One signed request to one D-TA, and the check of its signed reply.

Needs Python 3.11 and the package `cryptography`. Ed25519 and P-256 keys both work.

  request.py [options] authority
  request.py [options] client-share IDENTITY
  request.py [options] server-share
  request.py [options] time-permit IDENTITY [--day YYYY-MM-DD] [--days N]

Every option that says where and who may stand in the environment instead, as in request.sh: DTA_URL,
DTA_AUTHORITY, DTA_NODE_KEY, DTA_KEY, DTA_CA, DTA_COMMITMENT.

Prints the reply's body. Exit code 0: a signed share, permit or description. 1: anything else.
What it cannot do: check `proof` and add shares, which needs BLS12-381 (docs/api.md says how).
Its output holds a share: do not log it.
"""

import argparse
import base64
import datetime
import hashlib
import http.client
import json
import os
import re
import secrets
import ssl
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

WINDOW = 60  # seconds from `created` to `expires`
SKEW = 5  # seconds by which two clocks may differ


class Unbelievable(Exception):
    """A reply that nobody vouches for."""


def content_digest(body):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"


# --- Keys: Ed25519, or P-256 with SHA-256 and raw `r || s`; 64 bytes of signature either way ------


def algorithm(key):
    is_ed25519 = isinstance(key, (ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey))
    return "ed25519" if is_ed25519 else "ecdsa-p256-sha256"


def keyid(public):
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode()[:22]


def sign(private, message):
    if algorithm(private) == "ed25519":
        return private.sign(message)
    r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(public, message, signature):
    if len(signature) != 64:
        raise Unbelievable("a signature has 64 bytes")
    try:
        if algorithm(public) == "ed25519":
            public.verify(signature, message)
        else:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Unbelievable("a signature does not fit") from None


def read_node_key(text):
    """`node_key` (a verifier key, Ed25519) or `node_key_p256` (PEM) of customer.toml."""
    if "BEGIN PUBLIC KEY" in text:
        return serialization.load_pem_public_key(text.encode())
    name, hash_hex, encoded = text.strip().split("+", 2)
    raw = base64.b64decode(encoded)
    expected = hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
    if len(raw) != 33 or raw[0] != 1 or hash_hex != expected:
        raise SystemExit("request.py: the node key is not an Ed25519 verifier key")
    return ed25519.Ed25519PublicKey.from_public_bytes(raw[1:])


# --- RFC 9421, profile `dta-v1` -----------------------------------------------------------------


def signature_base(components, parameters):
    """One line for each covered component, then the parameters; no line feed at the end."""
    lines = [f"{identifier}: {value}" for identifier, value in components]
    return "\n".join(lines + [f'"@signature-params": {parameters}']).encode()


def signed_fields(key, method, authority, path, dta_authority, body):
    """The header fields of a signed request."""
    fields = {"dta-authority": dta_authority}
    if body:
        fields |= {"content-type": "application/json", "content-digest": content_digest(body)}
    components = [
        ('"@method"', method),
        ('"@authority"', authority),
        ('"@path"', path),
        ('"@query"', "?"),
    ]
    order = ["content-digest", "content-type", "dta-authority"] if body else ["dta-authority"]
    components += [(f'"{name}"', fields[name]) for name in order]
    created = int(time.time())
    nonce = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
    covered = " ".join(identifier for identifier, _ in components)
    parameters = (
        f"({covered});created={created};expires={created + WINDOW};"
        f'nonce="{nonce}";keyid="{keyid(key.public_key())}";alg="{algorithm(key)}";tag="dta-v1"'
    )
    signature = sign(key, signature_base(components, parameters))
    fields["signature-input"] = f"dta={parameters}"
    fields["signature"] = f"dta=:{base64.b64encode(signature).decode()}:"
    return fields


def verify_reply(reply, response_key, method, path, request_signature=None):
    """Believes a reply if the response key signed it for this very request."""
    components = [
        ('"@status"', reply.status),
        ('"content-digest"', reply.field("content-digest")),
        ('"content-type"', reply.field("content-type")),
        ('"@method";req', method),
        ('"@path";req', path),
    ]
    if request_signature is not None:
        components.append(('"signature";req', request_signature))
    covered = " ".join(identifier for identifier, _ in components)
    parameters = reply.field("signature-input").removeprefix("dta=")
    fixed = f'keyid="{keyid(response_key)}";alg="ed25519";tag="dta-v1-response"'
    shape = re.fullmatch(rf"{re.escape(f'({covered})')};created=([0-9]{{1,15}});{re.escape(fixed)}", parameters)
    if shape is None:
        raise Unbelievable("the signature does not cover what it must, or is of another key")
    if reply.field("content-digest") != content_digest(reply.body):
        raise Unbelievable("the body is not the signed one")
    signature = re.fullmatch("dta=:([A-Za-z0-9+/=]+):", reply.field("signature"))
    if signature is None:
        raise Unbelievable("the signature cannot be read")
    verify(response_key, signature_base(components, parameters), base64.b64decode(signature[1]))
    if abs(int(shape[1]) - time.time()) > WINDOW + SKEW:
        raise Unbelievable("the reply is of another time; check your clock")


def verify_certificate(certificate, dta_authority, node_key):
    """The response key, certified by the pinned node key for the pinned authority."""
    statement = certificate["statement"]
    canonical = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    verify(node_key, b"dta response key v1\n" + canonical.encode(), bytes.fromhex(certificate["signature"]))
    if statement["v"] != 1 or statement["authority"] != dta_authority:
        raise Unbelievable("the response key is certified for another authority")
    return ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(statement["public_key"]))


# --- HTTPS --------------------------------------------------------------------------------------


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.getheaders()
        self.body = response.read(1024 * 1024)

    def field(self, name):
        values = [value for found, value in self.headers if found.lower() == name]
        if len(values) != 1:
            raise Unbelievable(f"header field {name} occurs {len(values)} times")
        return values[0]

    def claim(self):
        """What an unproven reply says: shown if it is a problem, never if it may hold a share."""
        said = f": {self.body.decode(errors='replace')}" if self.status >= 400 else ""
        return f"unproven answer with status {self.status}{said}"


class Dta:
    def __init__(self, url, ca_file, dta_authority, node_key):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" or parts.path not in ("", "/") or parts.query or parts.username:
            raise SystemExit("request.py: expected https://HOST or https://HOST:PORT")
        self.host, self.port = parts.hostname, parts.port or 443
        # As signed in @authority: the host in lower case, and the port unless it is 443.
        shown = f"[{self.host}]" if ":" in self.host else self.host
        self.public_authority = shown if self.port == 443 else f"{shown}:{self.port}"
        self.tls = ssl.create_default_context(cafile=ca_file)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self.dta_authority, self.node_key = dta_authority, node_key

    def send(self, method, path, body=b"", fields=None):
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=15, context=self.tls)
        headers = {"host": self.public_authority, **(fields or {})}
        try:
            connection.request(method, path, body=body or None, headers=headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def response_key(self):
        """The response key of now: certified, and used to sign the very reply that shows it."""
        reply = self.send("GET", "/v1/authority")
        if reply.status != 200:
            raise Unbelievable(f"there is no response key; {reply.claim()}")
        certificate = json.loads(reply.body).get("response_key")
        if certificate is None:
            raise Unbelievable("there is no response key")
        key = verify_certificate(certificate, self.dta_authority, self.node_key)
        verify_reply(reply, key, "GET", "/v1/authority")
        return key

    def call(self, key, method, path, body=b""):
        """A signed request and its verified reply."""
        response_key = self.response_key()
        fields = signed_fields(key, method, self.public_authority, path, self.dta_authority, body)
        reply = self.send(method, path, body, fields)
        try:
            verify_reply(reply, response_key, method, path, fields["signature"])
        except Unbelievable as error:
            raise Unbelievable(f"{error}; {reply.claim()}") from None
        return reply


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    environment = os.environ.get
    parser.add_argument("--url", default=environment("DTA_URL"), help="https://HOST or https://HOST:PORT")
    parser.add_argument("--authority-id", default=environment("DTA_AUTHORITY"), help="64 hex digits")
    parser.add_argument("--node-key", default=environment("DTA_NODE_KEY"), help="verifier key, or PEM for P-256")
    parser.add_argument("--key", default=environment("DTA_KEY"), help="your signing key, PEM file")
    parser.add_argument("--ca-file", default=environment("DTA_CA"), help="PEM file; without it the system's CAs")
    parser.add_argument("--commitment", default=environment("DTA_COMMITMENT"), help="the pinned one, 96 hex digits")
    parser.add_argument("--key-version", help="k1, k2, ...; without it the only live one")
    parser.add_argument("--encoding", choices=["compressed", "uncompressed", "milagro", "miracl"])
    parser.add_argument("--day", default=datetime.datetime.now(datetime.UTC).date().isoformat())
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("call", choices=["authority", "client-share", "server-share", "time-permit"])
    parser.add_argument("identity", nargs="?", help="SHA-256 of the mpin_id, 64 hex digits")
    options = parser.parse_args()
    for name in ("url", "authority_id", "node_key", "key"):
        if not getattr(options, name):
            parser.error(f"--{name.replace('_', '-')} is missing")
    if options.call in ("client-share", "time-permit") and not options.identity:
        parser.error(f"{options.call} needs an IDENTITY")

    body = {}
    if options.key_version:
        body["key"] = options.key_version
    if options.encoding:
        body["encoding"] = options.encoding
    if options.call == "client-share":
        body |= {"identity": options.identity, "proof": True}
    if options.call == "time-permit":
        body |= {"identities": [options.identity], "from": options.day, "days": options.days, "proof": True}
    with open(options.key, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), password=None)
    dta = Dta(options.url, options.ca_file, options.authority_id, read_node_key(options.node_key))
    try:
        if options.call == "authority":
            reply = dta.call(key, "GET", "/v1/authority")
        else:
            reply = dta.call(key, "POST", f"/v1/{options.call}s", json.dumps(body).encode())
    except (Unbelievable, OSError, http.client.HTTPException) as error:
        raise SystemExit(f"request.py: {error}") from None

    if reply.status == 200 and options.call != "authority" and options.commitment:
        if json.loads(reply.body)["commitment"] != options.commitment:
            raise SystemExit("request.py: the commitment is not the pinned one; nothing of the reply is shown")
    print(reply.body.decode())
    if reply.status != 200:
        raise SystemExit(f"request.py: refused with status {reply.status}")


if __name__ == "__main__":
    main()
