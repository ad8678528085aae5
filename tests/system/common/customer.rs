//! A customer of one or several D-TAs, with a signing key of its own.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use wire::keys::SigningKey;
use wire::signature::{RequestToSign, Stamp, sign_request};

use super::http::{Answer, Connection};
use super::process::{Ran, run};
use super::{Dta, write_private};

/// A registered customer.
pub struct Customer {
    pub name: String,
    pub key: SigningKey,
    directory: tempfile::TempDir,
}

/// A request that can be bent before it is sent.
#[derive(Clone, Debug)]
pub struct Draft {
    pub method: &'static str,
    pub path: String,
    pub query: Option<String>,
    pub body: Vec<u8>,
    pub created: u64,
    pub lifetime: u64,
    pub nonce: [u8; 16],
    pub public_authority: String,
    pub authority_id: String,
}

impl Customer {
    /// Registers a new customer at all of these D-TAs and writes its `customer.toml`.
    #[track_caller]
    pub fn of(dtas: &[&Dta], name: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("dta-customer-")
            .tempdir()
            .expect("a directory");
        let path = |file: &str| directory.path().join(file);
        let out = path("customer.key").display().to_string();
        run(&["request", "new-key", "--out", &out], &[]).ok();
        let pem = std::fs::read_to_string(path("customer.key")).expect("a key file");
        let key = SigningKey::from_pem(&pem).expect("our own key");
        let public = path("customer.pub").display().to_string();
        let mut config = String::from("key_file = \"customer.key\"\n");
        for dta in dtas {
            let snippet = dta
                .operator(&["customer", "add", name, "--key", &public])
                .ok();
            let ca = format!("{}-ca.pem", dta.name);
            write_private(&path(&ca), &dta.ca_pem);
            config.push('\n');
            config.push_str(&snippet.replace("[[dta]]\n", &format!("[[dta]]\nca_file = {ca:?}\n")));
        }
        write_private(&path("customer.toml"), &config);
        Self {
            name: name.to_owned(),
            key,
            directory,
        }
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A path in its directory, as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Runs `dta request ... --config customer.toml`.
    pub fn request(&self, arguments: &[&str]) -> Ran {
        let config = self.arg("customer.toml");
        run(
            &[&["request"], arguments, &["--config", &config]].concat(),
            &[],
        )
    }

    /// A correct request, ready to be sent or bent.
    pub fn draft(&self, dta: &Dta, path: &str, body: &Value) -> Draft {
        Draft {
            method: "POST",
            path: path.to_owned(),
            query: None,
            body: body.to_string().into_bytes(),
            created: now(),
            lifetime: 60,
            nonce: random(),
            public_authority: dta.public_authority(),
            authority_id: dta.authority_id().to_owned(),
        }
    }

    /// The header fields that sign this draft.
    pub fn sign(&self, draft: &Draft) -> Vec<(String, String)> {
        let mut stamp = Stamp::new(draft.created, draft.nonce);
        stamp.expires = draft.created + draft.lifetime;
        let request = RequestToSign {
            method: draft.method,
            path: &draft.path,
            query: draft.query.as_deref(),
            body: &draft.body,
            public_authority: &draft.public_authority,
            authority_id_hex: &draft.authority_id,
        };
        let fields = sign_request(&request, &stamp, &self.key).expect("signing works");
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Signs and sends.
    #[track_caller]
    pub fn send(&self, dta: &Dta, draft: &Draft) -> Answer {
        send_with(dta, draft, &self.sign(draft))
    }

    /// Asks for a client share of an identity.
    #[track_caller]
    pub fn client_share(&self, dta: &Dta, identity: &str) -> Answer {
        let body = serde_json::json!({ "identity": identity });
        self.send(dta, &self.draft(dta, "/v1/client-shares", &body))
    }
}

/// Sends a draft with exactly these header fields.
#[track_caller]
pub fn send_with(dta: &Dta, draft: &Draft, fields: &[(String, String)]) -> Answer {
    let mut connection = Connection::open(&dta.ca_pem, dta.port).expect("a TLS connection");
    connection
        .exchange(&head(draft, fields), &draft.body)
        .expect("an answer")
}

/// The head of an HTTP/1.1 request with exactly these header fields besides `host` and the length.
pub fn head(draft: &Draft, fields: &[(String, String)]) -> String {
    let target = match &draft.query {
        Some(query) => format!("{}?{query}", draft.path),
        None => draft.path.clone(),
    };
    let (method, host, length) = (draft.method, &draft.public_authority, draft.body.len());
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs()
}

/// 16 random bytes.
pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("a generator");
    bytes
}

/// An identity that nobody else uses: 64 hex digits.
pub fn new_identity() -> String {
    hex::encode([random(), random()].concat())
}
