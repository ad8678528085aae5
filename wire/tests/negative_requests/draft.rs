//! A request, and a signer that signs whatever it is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use wire::keys::SigningKey;
use wire::signature::content_digest;

pub(crate) const NOW: u64 = 1_795_200_000;
pub(crate) const PUBLIC_AUTHORITY: &str = "dta.example";
pub(crate) const ID: &str = "aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00";
/// RFC 9421 appendix B.1.4, `test-key-ed25519`.
pub(crate) const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
";
/// RFC 9421 appendix B.1.3, `test-key-ecc-p256`: registered here too.
pub(crate) const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----
";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) query: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Message {
    pub(crate) fn header(&mut self, name: &str) -> &mut String {
        &mut self
            .headers
            .iter_mut()
            .find(|(found, _)| found == name)
            .unwrap()
            .1
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(found, _)| found != name);
    }

    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.into(), value.into()));
    }

    pub(crate) fn replace(&mut self, name: &str, from: &str, to: &str) {
        let value = self.header(name);
        assert!(value.contains(from), "{value} has no {from}");
        *value = value.replace(from, to);
    }

    /// Alters the bytes of the signature.
    pub(crate) fn signature(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let value = self.header("signature");
        let mut bytes = STANDARD
            .decode(value.trim_start_matches("dta=:").trim_end_matches(':'))
            .unwrap();
        change(&mut bytes);
        *value = format!("dta=:{}:", STANDARD.encode(bytes));
    }
}

/// A request before signing, by a signer that signs whatever it is told.
pub(crate) struct Draft {
    pub(crate) message: Message,
    pub(crate) authority: String,
    pub(crate) components: Vec<String>,
    pub(crate) parameters: Vec<String>,
}

impl Draft {
    pub(crate) fn new() -> Draft {
        let body = format!("{{\"identity\":\"{}\"}}", "5a".repeat(32));
        let key = SigningKey::from_pem(KEY).unwrap().verifying_key().keyid();
        let quoted = |name: &&str| format!("\"{name}\"");
        Draft {
            message: Message {
                method: "POST".into(),
                path: "/v1/client-shares".into(),
                query: None,
                headers: vec![
                    ("content-type".into(), "application/json".into()),
                    ("content-digest".into(), content_digest(body.as_bytes())),
                    ("dta-authority".into(), ID.into()),
                    ("date".into(), "Fri, 20 Nov 2026 18:40:00 GMT".into()),
                ],
                body,
            },
            authority: PUBLIC_AUTHORITY.into(),
            components: COMPONENTS.iter().map(quoted).collect(),
            parameters: vec![
                format!("created={NOW}"),
                format!("expires={}", NOW + 60),
                "nonce=\"AAECAwQFBgcICQoLDA0ODw\"".into(),
                format!("keyid=\"{key}\""),
                "alg=\"ed25519\"".into(),
                "tag=\"dta-v1\"".into(),
            ],
        }
    }

    pub(crate) fn set(&mut self, parameter: &str) {
        let name = parameter.split_inclusive('=').next().unwrap();
        let found = self.parameters.iter_mut().find(|old| old.starts_with(name));
        *found.unwrap() = parameter.to_owned();
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.parameters
            .retain(|parameter| !parameter.starts_with(&format!("{name}=")));
    }

    pub(crate) fn uncover(&mut self, name: &str) {
        self.components
            .retain(|component| component != &format!("\"{name}\""));
    }

    pub(crate) fn no_body(&mut self) {
        self.message.body.clear();
        for name in ["content-type", "content-digest"] {
            self.message.remove(name);
            self.uncover(name);
        }
    }

    pub(crate) fn sign(mut self) -> Message {
        let mut params = format!("({})", self.components.join(" "));
        for parameter in &self.parameters {
            params = format!("{params};{parameter}");
        }
        let mut base = String::new();
        for component in &self.components {
            let name = component.split('"').nth(1).unwrap();
            let value = match name {
                "@method" => self.message.method.clone(),
                "@authority" => self.authority.clone(),
                "@path" => self.message.path.clone(),
                "@query" => format!("?{}", self.message.query.clone().unwrap_or_default()),
                "@target-uri" => format!("https://{}{}", self.authority, self.message.path),
                "@query-param" => "x".into(),
                name => {
                    let wanted = name.to_ascii_lowercase();
                    let found = self
                        .message
                        .headers
                        .iter()
                        .filter(|(name, _)| *name == wanted);
                    found
                        .map(|(_, value)| value.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                }
            };
            base.push_str(&format!("{component}: {value}\n"));
        }
        base.push_str(&format!("\"@signature-params\": {params}"));
        let signature = SigningKey::from_pem(KEY)
            .unwrap()
            .sign(base.as_bytes())
            .unwrap();
        self.message
            .add("signature-input", &format!("dta={params}"));
        self.message.add(
            "signature",
            &format!("dta=:{}:", STANDARD.encode(signature)),
        );
        self.message
    }
}

pub(crate) const COMPONENTS: [&str; 7] = [
    "@method",
    "@authority",
    "@path",
    "@query",
    "content-digest",
    "content-type",
    "dta-authority",
];
