//! Well-shaped requests that nobody entitled has signed, or not now.

use wire::keys::VerifyingKey;

use crate::cases::Cases;
use crate::draft::{NOW, P256};

pub(crate) fn forgeries(c: &mut Cases) {
    c.before(
        "a key that nobody registered",
        "unknown-key",
        "no signing key \"nobody\"",
        |d| {
            d.set("keyid=\"nobody\"");
        },
    );
    let p256 = VerifyingKey::from_pem(P256).unwrap().keyid();
    c.before(
        "another algorithm than the key's",
        "bad-signature",
        "`alg` must be",
        |d| {
            d.set("alg=\"ecdsa-p256-sha256\"");
        },
    );
    c.before(
        "the keyid of another customer",
        "bad-signature",
        "`alg` must be",
        |d| {
            d.set(&format!("keyid=\"{p256}\""));
        },
    );
    c.before(
        "the keyid and algorithm of another",
        "bad-signature",
        "does not fit",
        |d| {
            d.set(&format!("keyid=\"{p256}\""));
            d.set("alg=\"ecdsa-p256-sha256\"");
        },
    );
    c.before(
        "expired six seconds ago",
        "expired",
        "`expires` was 1795199994",
        |d| {
            d.set(&format!("created={}", NOW - 66));
            d.set(&format!("expires={}", NOW - 6));
        },
    );
    c.before("from ten years ago", "expired", "`expires` was", |d| {
        d.set("created=1479580000");
        d.set("expires=1479580060");
    });
    c.before(
        "six seconds too early",
        "too-early",
        "`created` is 1795200006",
        |d| {
            d.set(&format!("created={}", NOW + 6));
            d.set(&format!("expires={}", NOW + 66));
        },
    );
    c.before("from the far future", "too-early", "`created` is", |d| {
        d.set("created=999999999000");
        d.set("expires=999999999060");
    });
    let changes = [
        ("created moved", "created=1795200000", "created=1795200001"),
        ("expires moved", "expires=1795200060", "expires=1795200059"),
        (
            "the nonce changed",
            "AAECAwQFBgcICQoLDA0ODw",
            "AAECAwQFBgcICQoLDA0ODx",
        ),
        (
            "the components in another order",
            "\"@method\" \"@authority\"",
            "\"@authority\" \"@method\"",
        ),
        (
            "the parameters in another order",
            ";alg=\"ed25519\";tag=\"dta-v1\"",
            ";tag=\"dta-v1\";alg=\"ed25519\"",
        ),
    ];
    for (name, from, to) in changes {
        c.after(name, "bad-signature", "does not fit", |m| {
            m.replace("signature-input", from, to)
        });
    }
    c.after(
        "a flipped bit of the signature",
        "bad-signature",
        "does not fit",
        |m| {
            m.signature(|bytes| bytes[0] ^= 1);
        },
    );
    c.after(
        "a signature of 63 bytes",
        "bad-signature",
        "does not fit",
        |m| {
            m.signature(|bytes| bytes.truncate(63));
        },
    );
    c.after(
        "a signature of 65 bytes",
        "bad-signature",
        "does not fit",
        |m| {
            m.signature(|bytes| bytes.push(0));
        },
    );
    c.after("an empty signature", "bad-signature", "does not fit", |m| {
        m.signature(Vec::clear)
    });
    c.after(
        "a signature of zeros",
        "bad-signature",
        "does not fit",
        |m| {
            m.signature(|bytes| bytes.fill(0));
        },
    );
    c.after(
        "a signature with S raised by the group order",
        "bad-signature",
        "does not fit",
        |m| {
            m.signature(|bytes| raise_by_group_order(bytes));
        },
    );
}

/// Adds the order of the Ed25519 group to S, little endian: the same point, another text.
fn raise_by_group_order(signature: &mut [u8]) {
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, addend) in signature[32..].iter_mut().zip(order.unwrap()) {
        let sum = u16::from(*byte) + u16::from(addend) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
}
