#![allow(clippy::unwrap_used)]

use std::os::unix::fs::OpenOptionsExt as _;

use tempfile::TempDir;
use wire::keys::Algorithm;

use super::*;

const GENERATOR: &str = "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac58\
    6c55e83ff97a1aeffb3af00adb22c6bb";

fn sample() -> String {
    format!(
        r#"key_file = "acme.key"

[[dta]]
name = "alpha"
url = "https://alpha.example"
authority = "{}"
node_key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
[dta.keys.k1]
suite = "RO"
commitment = "{GENERATOR}"
"#,
        "aa".repeat(32)
    )
}

fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(directory.path().join("acme.key"))
        .unwrap();
    std::io::Write::write_all(&mut file, key.to_pem().unwrap().as_bytes()).unwrap();
    directory
}

fn refusal(text: &str) -> ConfigError {
    Config::parse(text, directory().path()).unwrap_err()
}

#[test]
fn the_sample_is_read() {
    let config = Config::parse(&sample(), directory().path()).unwrap();
    assert_eq!(config.timeout, Duration::from_secs(15));
    let dta = &config.dtas[0];
    assert_eq!((dta.name.as_str(), dta.endpoint.port), ("alpha", 443));
    assert_eq!(dta.keys[&KeyVersion::FIRST].suite, Suite::Ro);
    assert_eq!(
        hex::encode(dta.keys[&KeyVersion::FIRST].commitment.to_compressed()),
        GENERATOR
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    for (from, to, key, nearest) in [
        ("key_file", "keyfile", "keyfile", "key_file"),
        ("node_key =", "nodekey =", "dta.nodekey", "node_key"),
        ("authority =", "autority =", "dta.autority", "authority"),
        (
            "commitment =",
            "comitment =",
            "dta.keys.k1.comitment",
            "commitment",
        ),
    ] {
        let error = refusal(&sample().replace(from, to));
        assert_eq!(error.to_string(), format!("unknown key `{key}`"));
        assert_eq!(
            error.remedy().unwrap(),
            format!("did you mean `{nearest}`?")
        );
    }
}

#[test]
fn a_value_that_does_not_fit_is_refused_and_named() {
    let cases = [
        (
            "https://",
            "http://",
            "`dta alpha: url`: expected https://HOST or https://HOST:PORT",
        ),
        ("alpha.example", "alpha.example/v1", "dta alpha: url"),
        ("alpha.example", "a@alpha.example", "dta alpha: url"),
        ("alpha.example", "alpha.example:0", "dta alpha: url"),
        ("alpha.example", "alpha.example:99999", "dta alpha: url"),
        ("alpha.example", "alpha.example?x", "dta alpha: url"),
        ("\"alpha\"", "\"\"", "`dta: name`: must have 1 to 64"),
        (
            "aaaa\"",
            "aaa\"",
            "`dta alpha: authority`: expected 64 hexadecimal digits",
        ),
        (
            "c74f20a3",
            "c74f20a4",
            "`dta alpha: node_key`: not a verifier key: the hash",
        ),
        (
            "node_key",
            "node_key_p256",
            "`dta alpha: node_key_p256`: not PEM",
        ),
        (
            "\"RO\"",
            "\"ro\"",
            "`dta alpha: keys.k1.suite`: expected a suite (RO, NU, MILAGRO)",
        ),
        ("keys.k1", "keys.one", "expected a key version such as k1"),
        ("97f1d3", "97f1d4", "`dta alpha: keys.k1.commitment`"),
        (
            "c6bb",
            "c6",
            "`dta alpha: keys.k1.commitment`: expected 96 hexadecimal digits",
        ),
        (
            "[[dta]]",
            "timeout_seconds = 0\n[[dta]]",
            "`timeout_seconds`: must be 1 or more",
        ),
        (
            "[[dta]]",
            "timeout_seconds = \"x\"\n[[dta]]",
            "invalid type: string",
        ),
        ("name =", "ca_file = \"none.pem\"\nname =", "cannot read"),
        (
            "name =",
            "ca_file = \"acme.key\"\nname =",
            "expected at least one PEM certificate",
        ),
    ];
    for (from, to, expected) in cases {
        let message = refusal(&sample().replacen(from, to, 1)).to_string();
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(
        refusal("key_file = \"acme.key\"").to_string(),
        "no D-TA is configured"
    );
    let both = sample().replace("node_key =", "node_key_p256 = \"\"\nnode_key =");
    assert!(
        refusal(&both)
            .to_string()
            .contains("expected exactly one of")
    );
}

#[test]
fn a_signing_key_that_others_can_read_is_refused() {
    let directory = directory();
    let path = directory.path().join("acme.key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = Config::parse(&sample(), directory.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("can be read by others than its owner"),
        "{error}"
    );
    assert_eq!(
        error.remedy().unwrap(),
        format!("chmod 600 {}", path.display())
    );
}

#[test]
fn errors_of_a_file_name_the_file() {
    let directory = directory();
    let path = directory.path().join("customer.toml");
    std::fs::write(&path, sample().replace("url =", "uri =")).unwrap();
    let error = Config::load(&path).unwrap_err();
    assert!(
        error.to_string().contains("customer.toml is not a usable"),
        "{error}"
    );
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "unknown key `dta.uri`");
    assert_eq!(error.remedy().unwrap(), "did you mean `url`?");
    let error = Config::load(&directory.path().join("none.toml")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read"), "{error}");
}

#[test]
fn the_signed_authority_is_the_host_with_the_port_unless_443() {
    for (url, host, port, authority) in [
        (
            "https://Alpha.Example",
            "alpha.example",
            443,
            "alpha.example",
        ),
        (
            "https://alpha.example:443/",
            "alpha.example",
            443,
            "alpha.example",
        ),
        (
            "https://alpha.example:8443",
            "alpha.example",
            8443,
            "alpha.example:8443",
        ),
        (
            "https://127.0.0.1:8443",
            "127.0.0.1",
            8443,
            "127.0.0.1:8443",
        ),
        ("https://[::1]:8443", "::1", 8443, "[::1]:8443"),
        ("https://[::1]", "::1", 443, "[::1]"),
    ] {
        let endpoint = Endpoint::parse(url).unwrap();
        assert_eq!(
            (endpoint.host.as_str(), endpoint.port),
            (host, port),
            "{url}"
        );
        assert_eq!(endpoint.public_authority, authority);
    }
}

#[test]
fn a_url_whose_host_or_port_is_none_is_refused() {
    for url in [
        "https://[]",
        "https://[]841:/",
        "https://[::1]8443",
        "https://[alpha.example]",
        "https://[::1",
        "https://alpha..example",
        "https://-alpha.example",
        "https://alpha.example:",
        "https://alpha.example:0",
        "https://alpha.example:+443",
        "https://alpha.example:65536",
        "https://:443",
    ] {
        let message = Endpoint::parse(url).unwrap_err();
        assert_eq!(
            message,
            format!("expected https://HOST or https://HOST:PORT, got {url:?}")
        );
    }
}
