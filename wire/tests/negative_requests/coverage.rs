//! Signatures that cover something else than they must, and parameters that are wrong.

use crate::cases::Cases;
use crate::draft::{COMPONENTS, NOW};

pub(crate) fn coverage(c: &mut Cases) {
    let insufficient = "insufficient-coverage";
    for name in COMPONENTS {
        let detail = format!("\"{name}\" is not covered");
        c.before(&format!("without {name}"), insufficient, &detail, |d| {
            d.uncover(name)
        });
    }
    c.before("nothing covered", insufficient, "is not covered", |d| {
        d.components.clear()
    });
    c.before(
        "date covered as well",
        insufficient,
        "\"date\" must not be covered",
        |d| {
            d.components.push("\"date\"".into());
        },
    );
    c.before(
        "the target URI for its parts",
        insufficient,
        "must not be covered",
        |d| {
            d.components = vec!["\"@method\"".into(), "\"@target-uri\"".into()];
        },
    );
    c.before(
        "a component in upper case",
        insufficient,
        "\"Content-Type\" must not",
        |d| {
            d.components[5] = "\"Content-Type\"".into();
        },
    );
    c.before(
        "a component of the request",
        insufficient,
        "must have no parameters",
        |d| {
            d.components[0] = "\"@method\";req".into();
        },
    );
    c.before(
        "a re-serialised field",
        insufficient,
        "must have no parameters",
        |d| {
            d.components[4] = "\"content-digest\";sf".into();
        },
    );
    c.before(
        "a byte-sequence field",
        insufficient,
        "must have no parameters",
        |d| {
            d.components[6] = "\"dta-authority\";bs".into();
        },
    );
    c.before(
        "a trailer field",
        insufficient,
        "must have no parameters",
        |d| {
            d.components[5] = "\"content-type\";tr".into();
        },
    );
    c.before(
        "one member of a field",
        "malformed",
        "parameter with a value",
        |d| {
            d.components[4] = "\"content-digest\";key=\"sha-256\"".into();
        },
    );
    c.before(
        "one query parameter",
        "malformed",
        "parameter with a value",
        |d| {
            d.components[3] = "\"@query-param\";name=\"x\"".into();
        },
    );
    c.before("a component twice", "malformed", "is covered twice", |d| {
        d.components.push("\"@method\"".into());
    });
    c.before(
        "the body's digest, but no body",
        insufficient,
        "must not be covered",
        |d| {
            d.message.body.clear();
        },
    );
    c.after(
        "the body cut away",
        insufficient,
        "must not be covered",
        |m| m.body.clear(),
    );
    c.before(
        "a body put under a request without one",
        insufficient,
        "is not covered",
        |d| {
            d.no_body();
            d.message.body = "{}".into();
        },
    );
}

pub(crate) fn parameters(c: &mut Cases) {
    for name in ["created", "expires", "nonce", "keyid", "alg", "tag"] {
        let detail = format!("`{name}` is missing");
        let name_of_case = format!("without {name}");
        c.before(&name_of_case, "insufficient-coverage", &detail, |d| {
            d.forget(name)
        });
    }
    c.before(
        "no parameters",
        "insufficient-coverage",
        "is missing",
        |d| d.parameters.clear(),
    );
    c.before(
        "created twice",
        "malformed",
        "`created` occurs twice",
        |d| {
            d.parameters.push(format!("created={NOW}"));
        },
    );
    c.before(
        "an unknown parameter",
        "malformed",
        "`origin` is unknown",
        |d| {
            d.parameters.push("origin=\"x\"".into());
        },
    );
    let values = [
        ("another tag", "tag=\"dta-v2\"", "`tag` must be \"dta-v1\""),
        (
            "the responses' tag",
            "tag=\"dta-v1-response\"",
            "`tag` must be",
        ),
        ("a tag in upper case", "tag=\"DTA-V1\"", "`tag` must be"),
        ("a tag that is a number", "tag=1", "`tag` must be a string"),
        (
            "created as text",
            "created=\"1795200000\"",
            "`created` must be seconds",
        ),
        (
            "created before 1970",
            "created=-1",
            "`created` must be seconds",
        ),
        (
            "created with a fraction",
            "created=1795200000.5",
            "expected the end",
        ),
        (
            "expires at created",
            "expires=1795200000",
            "1 to 60 seconds after",
        ),
        (
            "expires before created",
            "expires=1795199999",
            "1 to 60 seconds after",
        ),
        (
            "a window of 61 seconds",
            "expires=1795200061",
            "1 to 60 seconds after",
        ),
        (
            "expires in a thousand years",
            "expires=99999999999",
            "1 to 60 seconds after",
        ),
        (
            "a nonce of 15 characters",
            "nonce=\"AAAAAAAAAAAAAAA\"",
            "16 to 64 base64url",
        ),
        ("an empty nonce", "nonce=\"\"", "16 to 64 base64url"),
        (
            "a nonce in plain base64",
            "nonce=\"AAAAAAAAAAAAAAA+AAAA\"",
            "16 to 64 base64url",
        ),
        (
            "a padded nonce",
            "nonce=\"AAECAwQFBgcICQoLDA0ODw==\"",
            "16 to 64 base64url",
        ),
        (
            "a nonce that is a number",
            "nonce=1234567890",
            "`nonce` must be a string",
        ),
        ("an HMAC", "alg=\"hmac-sha256\"", "`alg` must be"),
        ("RSA", "alg=\"rsa-pss-sha512\"", "`alg` must be"),
        ("no algorithm", "alg=\"none\"", "`alg` must be"),
        (
            "an algorithm in upper case",
            "alg=\"Ed25519\"",
            "`alg` must be",
        ),
        ("an empty keyid", "keyid=\"\"", "1 to 64 characters"),
    ];
    for (name, parameter, detail) in values {
        // A fraction is not in the subset of structured fields that is read at all.
        let detail = if name == "created with a fraction" {
            "expected"
        } else {
            detail
        };
        c.before(name, "malformed", detail, |d| d.set(parameter));
    }
    c.before(
        "a nonce of 65 characters",
        "malformed",
        "16 to 64 base64url",
        |d| {
            d.set(&format!("nonce=\"{}\"", "A".repeat(65)));
        },
    );
    c.before(
        "a keyid of 65 characters",
        "malformed",
        "1 to 64 characters",
        |d| {
            d.set(&format!("keyid=\"{}\"", "A".repeat(65)));
        },
    );
}
