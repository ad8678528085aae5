//! Fields that cannot be read, or can be read in two ways.

use crate::cases::Cases;

pub(crate) fn fields(c: &mut Cases) {
    const I: &str = "signature-input";
    const S: &str = "signature";
    c.after(
        "no signature at all",
        "unsigned",
        "expected `signature-input`",
        |m| {
            m.remove(I);
            m.remove(S);
        },
    );
    c.after(
        "signature-input alone",
        "malformed",
        "without `signature`",
        |m| m.remove(S),
    );
    c.after(
        "signature alone",
        "malformed",
        "without `signature-input`",
        |m| m.remove(I),
    );
    c.after("empty signature-input", "malformed", "not empty", |m| {
        m.header(I).clear()
    });
    c.after("empty signature", "malformed", "not empty", |m| {
        m.header(S).clear()
    });
    c.after(
        "two lines of signature-input",
        "malformed",
        "occurs more than once",
        |m| {
            let copy = m.header(I).clone();
            m.add("Signature-Input", &copy);
        },
    );
    c.after(
        "two lines of signature",
        "malformed",
        "occurs more than once",
        |m| {
            let copy = m.header(S).clone();
            m.add("SIGNATURE", &copy);
        },
    );
    c.after(
        "two members in signature-input",
        "malformed",
        "exactly one member",
        |m| {
            let copy = m.header(I).replacen("dta", "sig2", 1);
            m.header(I).push_str(&format!(", {copy}"));
        },
    );
    c.after(
        "two members in signature",
        "malformed",
        "exactly one member",
        |m| {
            let copy = m.header(S).replacen("dta", "sig2", 1);
            m.header(S).push_str(&format!(", {copy}"));
        },
    );
    c.after(
        "two labels that differ",
        "malformed",
        "the same label",
        |m| m.replace(S, "dta=", "d="),
    );
    c.after("a folded line", "malformed", "on one line", |m| {
        m.replace(I, ";created", "\r\n ;created")
    });
    c.after("a bare line feed", "malformed", "on one line", |m| {
        m.replace(I, ";created", "\n;created")
    });
    c.after("a tab", "malformed", "on one line", |m| {
        m.replace(I, ";created", "\t;created")
    });
    c.after("a NUL byte", "malformed", "visible ASCII", |m| {
        m.replace(I, ";created", "\0;created")
    });
    c.after("a letter that is not ASCII", "malformed", "ASCII", |m| {
        m.replace(I, "AAEC", "ÄÄEC")
    });
    c.after("a very long field", "malformed", "longer than 1024", |m| {
        m.replace(I, "AAEC", &"A".repeat(1100));
    });
    c.after("two spaces in the list", "malformed", "expected", |m| {
        m.replace(I, "\" \"", "\"  \"")
    });
    c.after(
        "a space after a semicolon",
        "malformed",
        "lower-case key",
        |m| {
            m.replace(I, ";created", "; created");
        },
    );
    c.after(
        "a number with a leading zero",
        "malformed",
        "canonical",
        |m| {
            m.replace(I, "created=", "created=0");
        },
    );
    c.after(
        "a number of 16 digits",
        "malformed",
        "1 to 15 digits",
        |m| {
            m.replace(I, "created=", "created=999999");
        },
    );
    c.after("an upper-case label", "malformed", "lower-case key", |m| {
        m.replace(I, "dta=", "DTA=")
    });
    c.after("no label", "malformed", "lower-case key", |m| {
        m.replace(I, "dta=", "")
    });
    c.after("text behind the end", "malformed", "the end", |m| {
        m.header(I).push_str(" x")
    });
    c.after(
        "a string without its end",
        "malformed",
        "without its end",
        |m| {
            m.replace(I, "\"dta-v1\"", "\"dta-v1");
        },
    );
    c.after("an unknown escape", "malformed", "unknown escape", |m| {
        m.replace(I, "AAEC", "\\x41AEC")
    });
    c.after(
        "a token for a string",
        "malformed",
        "a string or an integer",
        |m| {
            m.replace(I, "\"ed25519\"", "ed25519");
        },
    );
    c.after(
        "a parameter without a value",
        "malformed",
        "expected `=`",
        |m| {
            m.header(I).push_str(";x");
        },
    );
    c.after("a list that never ends", "malformed", "expected", |m| {
        *m.header(I) = "dta=(\"@method\"".into();
    });
    c.after(
        "signature without padding",
        "malformed",
        "padded base64",
        |m| m.replace(S, "==:", ":"),
    );
    c.after(
        "signature with another alphabet",
        "malformed",
        "padded base64",
        |m| {
            *m.header(S) = "dta=:_-__:".into();
        },
    );
    c.after("signature as a string", "malformed", "expected `:`", |m| {
        *m.header(S) = "dta=\"AAAA\"".into();
    });
    c.after("signature with a parameter", "malformed", "the end", |m| {
        m.header(S).push_str(";a=1")
    });
}
