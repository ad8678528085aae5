//! Bodies and targets that are not what was signed.

use wire::signature::content_digest;

use crate::cases::Cases;
use crate::draft::{Draft, ID};

pub(crate) fn content(c: &mut Cases) {
    const D: &str = "content-digest";
    let set = |name: &'static str, value: &'static str| {
        move |d: &mut Draft| *d.message.header(name) = value.to_owned()
    };
    c.before(
        "a plain-text body",
        "malformed",
        "must be application/json",
        set("content-type", "text/plain"),
    );
    c.before(
        "a charset",
        "malformed",
        "must be application/json",
        set("content-type", "application/json; charset=utf-16"),
    );
    c.before(
        "two content types",
        "malformed",
        "occurs more than once",
        |d| {
            d.message.add("content-type", "application/json");
        },
    );
    c.after(
        "the content type taken away",
        "malformed",
        "must be application/json",
        |m| {
            m.remove("content-type");
        },
    );
    c.after(
        "the digest taken away",
        "malformed",
        "`content-digest` is missing",
        |m| m.remove(D),
    );
    c.before(
        "two lines of digest",
        "malformed",
        "occurs more than once",
        |d| {
            let copy = d.message.header(D).clone();
            d.message.add(D, &copy);
        },
    );
    c.before(
        "two digests in one line",
        "malformed",
        "exactly one member",
        |d| {
            let copy = d.message.header(D).clone();
            d.message.header(D).push_str(&format!(", {copy}"));
        },
    );
    c.before(
        "a digest by another hash",
        "malformed",
        "one sha-256 of 32 bytes",
        set(D, "sha-512=:AAAA:"),
    );
    c.before(
        "a digest by MD5",
        "malformed",
        "one sha-256 of 32 bytes",
        set(D, "md5=:AAAA:"),
    );
    c.before(
        "a digest of 3 bytes",
        "malformed",
        "one sha-256 of 32 bytes",
        set(D, "sha-256=:AAAA:"),
    );
    c.before(
        "a digest in hex",
        "malformed",
        "expected `:`",
        set(D, "sha-256=00ff"),
    );
    c.before(
        "a compressed body",
        "malformed",
        "`content-encoding` is not supported",
        |d| {
            d.message.add("content-encoding", "gzip");
        },
    );
    c.before(
        "a digest of another body",
        "bad-signature",
        "not the SHA-256 of the body",
        |d| {
            *d.message.header(D) = content_digest(b"{}");
        },
    );
    c.after(
        "another body",
        "bad-signature",
        "not the SHA-256 of the body",
        |m| {
            m.body = m.body.replace("5a", "5b");
        },
    );
    c.after(
        "a space added to the body",
        "bad-signature",
        "not the SHA-256",
        |m| m.body.push(' '),
    );
    c.after(
        "another body with its digest",
        "bad-signature",
        "does not fit",
        |m| {
            m.body = "{}".into();
            *m.header(D) = content_digest(b"{}");
        },
    );
}

pub(crate) fn target(c: &mut Cases) {
    const A: &str = "dta-authority";
    c.after(
        "dta-authority taken away",
        "malformed",
        "`dta-authority` is missing",
        |m| m.remove(A),
    );
    c.before(
        "dta-authority twice",
        "malformed",
        "occurs more than once",
        |d| {
            d.message.add(A, &"bb".repeat(32));
        },
    );
    c.before(
        "signed for another D-TA",
        "wrong-authority",
        "must be aa00",
        |d| {
            *d.message.header(A) = "bb".repeat(32);
        },
    );
    c.before(
        "dta-authority in upper case",
        "wrong-authority",
        "must be aa00",
        |d| {
            *d.message.header(A) = ID.to_uppercase();
        },
    );
    c.before(
        "two ids in dta-authority",
        "wrong-authority",
        "must be aa00",
        |d| {
            *d.message.header(A) = format!("{ID}, {}", "bb".repeat(32));
        },
    );
    c.after(
        "forwarded to the other D-TA under its id",
        "bad-signature",
        "does not fit",
        |m| {
            // Signed for bb..., then relabelled by whoever forwarded it.
            let mut draft = Draft::new();
            *draft.message.header(A) = "bb".repeat(32);
            *m = draft.sign();
            *m.header(A) = ID.into();
        },
    );
    c.before(
        "signed for another host",
        "bad-signature",
        "does not fit",
        |d| {
            d.authority = "other.example".into();
        },
    );
    c.before(
        "signed for another port",
        "bad-signature",
        "does not fit",
        |d| {
            d.authority = "dta.example:8443".into();
        },
    );
    c.before(
        "signed for a host in upper case",
        "bad-signature",
        "does not fit",
        |d| {
            d.authority = "DTA.example".into();
        },
    );
    c.before(
        "a method in lower case",
        "malformed",
        "upper-case letters",
        |d| {
            d.message.method = "post".into();
        },
    );
    c.before(
        "an absolute URI for a path",
        "malformed",
        "must be absolute",
        |d| {
            d.message.path = "https://dta.example/v1/client-shares".into();
        },
    );
    c.before(
        "a fragment in the path",
        "malformed",
        "must be absolute",
        |d| {
            d.message.path.push_str("#x");
        },
    );
    c.before(
        "a line feed in the path",
        "malformed",
        "must be absolute",
        |d| {
            d.message.path = "/v1/client-shares\n\"@query\": ?".into();
        },
    );
    c.before("a space in the query", "malformed", "the query", |d| {
        d.message.query = Some("a b".into());
    });
    c.after("another path", "bad-signature", "does not fit", |m| {
        m.path = "/v1/server-shares".into()
    });
    c.after("another method", "bad-signature", "does not fit", |m| {
        m.method = "PUT".into()
    });
    c.after("a query added", "bad-signature", "does not fit", |m| {
        m.query = Some("x=1".into())
    });
    c.after(
        "a path written otherwise",
        "bad-signature",
        "does not fit",
        |m| {
            m.path = "/v1/client%2Dshares".into();
        },
    );
}
