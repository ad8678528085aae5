//! The PIN-oracle rule: nothing that tests a PIN is in any log or file.

use sha2::{Digest, Sha256};

use crate::common::Dta;
use crate::common::customer::{Customer, new_identity};

#[test]
fn no_share_proof_or_hash_of_one_is_in_any_log_or_file() {
    let mut dta = Dta::unlocked("oracle");
    let customer = Customer::of(&[&dta], "acme");
    let identity = new_identity();
    let body = serde_json::json!({ "identity": identity, "proof": true });
    let client = customer.send(&dta, &customer.draft(&dta, "/v1/client-shares", &body));
    let server = customer.send(
        &dta,
        &customer.draft(&dta, "/v1/server-shares", &serde_json::json!({})),
    );
    assert_eq!((client.status, server.status), (200, 200));
    let today = super::requests::day(0);
    let body =
        serde_json::json!({ "identities": [identity], "from": today, "days": 1, "proof": true });
    let permit = customer.send(&dta, &customer.draft(&dta, "/v1/time-permits", &body));
    assert_eq!(permit.status, 200, "{:?}", permit.json());

    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let shares = [
        text(&client.json()["share"]),
        text(&server.json()["share"]),
        text(&permit.json()["permits"][0]["share"]),
    ];
    let mut needles: Vec<Vec<u8>> = Vec::new();
    for share in &shares {
        let bytes = hex::decode(share).unwrap();
        let of_text = Sha256::digest(share.as_bytes());
        needles.extend([Sha256::digest(&bytes).to_vec(), of_text.to_vec(), bytes]);
    }
    for answer in [&client, &server, &permit] {
        let digest = Sha256::digest(&answer.body).to_vec();
        let signature = answer.header("signature").unwrap();
        needles.extend([digest, signature.as_bytes().to_vec()]);
        if let Some(proof) = answer.json()["proof"].as_str() {
            needles.push(hex::decode(proof).unwrap());
        }
    }
    dta.authority.as_mut().unwrap().terminate();
    dta.proxy.as_mut().unwrap().terminate();

    let mut files = Vec::new();
    all_files(&dta.path("."), &mut files);
    all_files(dta.hsm.directory(), &mut files);
    assert!(
        files.iter().any(|file| file.ends_with("journal")),
        "{files:?}"
    );
    for file in &files {
        let content = std::fs::read(file).unwrap();
        for needle in &needles {
            for form in [needle.clone(), hex::encode(needle).into(), base64(needle)] {
                let found = content.windows(form.len()).any(|window| window == form);
                assert!(!found, "{} holds {}", file.display(), hex::encode(needle));
            }
        }
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .encode(bytes)
        .into_bytes()
}

fn all_files(directory: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}
