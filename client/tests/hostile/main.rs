//! The client against D-TAs on real TLS sockets, honest ones and hostile ones.
#![allow(clippy::unwrap_used)]

mod issue;
mod server;
mod together;

use std::os::unix::fs::OpenOptionsExt as _;

use client::{Client, ClientError, Config, DayRange, DtaError, Source};
use mpin::ClientShare;
use subtle::ConstantTimeEq as _;
use tempfile::TempDir;
use wire::api::{IdentityHex, KeyVersion, PermitDate};
use wire::keys::{Algorithm, SigningKey};
use wire::signature::ResponseError;

use crate::server::{Setup, TestDta, Trick};

const ALICE: IdentityHex = IdentityHex::from_bytes([0xa1; 32]);

/// A customer with its directory, and the D-TAs that know its key.
struct Customer {
    directory: TempDir,
    key: SigningKey,
}

impl Customer {
    fn new() -> Customer {
        let directory = TempDir::new().unwrap();
        let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(directory.path().join("acme.key"))
            .unwrap();
        std::io::Write::write_all(&mut file, key.to_pem().unwrap().as_bytes()).unwrap();
        Customer { directory, key }
    }

    async fn dta(&self, setup: Setup) -> TestDta {
        let dta = TestDta::start(setup, self.key.verifying_key()).await;
        let path = self.directory.path().join(format!("{}-ca.pem", dta.name));
        std::fs::write(path, &dta.ca_pem).unwrap();
        dta
    }

    fn config(&self, dtas: &[&TestDta]) -> String {
        let mut text = "key_file = \"acme.key\"\ntimeout_seconds = 2\n".to_owned();
        for dta in dtas {
            let node_key = match dta.node_key.to_vkey(dta.name) {
                Some(vkey) => format!("node_key = \"{vkey}\""),
                None => format!("node_key_p256 = \"\"\"\n{}\"\"\"", dta.node_key.to_pem()),
            };
            text.push_str(&format!(
                "[[dta]]\nname = \"{0}\"\nurl = \"https://{1}\"\nca_file = \"{0}-ca.pem\"\n\
                 authority = \"{2}\"\n{node_key}\n[dta.keys.k1]\nsuite = \"{3}\"\n\
                 commitment = \"{4}\"\n",
                dta.name, dta.address, dta.authority, dta.suite, dta.commitment,
            ));
        }
        text
    }

    fn try_client(&self, config: &str) -> Result<Client, String> {
        let config = Config::parse(config, self.directory.path()).map_err(|e| e.to_string())?;
        Client::new(config).map_err(|error| error.to_string())
    }

    fn client(&self, dtas: &[&TestDta]) -> Client {
        self.try_client(&self.config(dtas)).unwrap()
    }
}

/// What one D-TA's failure was.
fn dta_error<T>(result: Result<T, ClientError>) -> DtaError {
    match result {
        Err(ClientError::Dta { dta, source }) => {
            assert_eq!(dta, "alpha");
            *source
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("accepted"),
    }
}

/// Plays a trick on a fresh client's request for a client share.
async fn client_share_under(trick: Trick) -> DtaError {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    alpha.play(trick);
    let client = customer.client(&[&alpha]);
    dta_error(client.client_share(&ALICE, None, Source::All).await)
}

fn two_days() -> DayRange {
    DayRange {
        from: "2026-11-20".parse().unwrap(),
        days: 2,
    }
}

#[tokio::test]
async fn shares_of_two_dtas_are_verified_and_combined() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let beta = customer
        .dta(Setup {
            node: Algorithm::EcdsaP256Sha256,
            protocols: &[b"http/1.1"],
            ..Setup::named("beta")
        })
        .await;
    let client = customer.client(&[&alpha, &beta]);
    assert_eq!(client.names().collect::<Vec<_>>(), ["alpha", "beta"]);

    let both = client
        .client_share(&ALICE, None, Source::All)
        .await
        .unwrap();
    let one = client
        .client_share(&ALICE, None, Source::One("alpha"))
        .await
        .unwrap();
    let other = client.client_share(&ALICE, Some(KeyVersion::FIRST), Source::One("beta"));
    let other = other.await.unwrap();
    let sum = ClientShare::combine(&[one.share, other.share]).unwrap();
    assert!(bool::from(sum.ct_eq(&both.share)));
    let keys: Vec<_> = both
        .keys
        .iter()
        .map(|key| (key.dta.as_str(), key.key))
        .collect();
    assert_eq!(
        keys,
        [("alpha", KeyVersion::FIRST), ("beta", KeyVersion::FIRST)]
    );

    let server = client.server_share(None, Source::All).await.unwrap();
    assert!(server.share.verify(&both.commitment).is_ok());
    assert_eq!(server.commitment, both.commitment);

    let permits = client
        .time_permits(&[ALICE], two_days(), None, Source::All)
        .await
        .unwrap();
    let days: Vec<_> = permits
        .share
        .iter()
        .map(|permit| permit.day.to_string())
        .collect();
    assert_eq!(days, ["2026-11-20", "2026-11-21"]);
}

#[tokio::test]
async fn a_list_longer_than_one_proof_is_asked_for_in_pieces() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let client = customer.client(&[&alpha]);
    let identities: Vec<_> = (0..9).map(|n| IdentityHex::from_bytes([n; 32])).collect();
    let days = DayRange {
        from: PermitDate::from_day_number(20_777).unwrap(),
        days: 31,
    };
    let issued = client
        .time_permits(&identities, days, None, Source::All)
        .await
        .unwrap();
    assert_eq!(issued.share.len(), 9 * 31);
    assert_eq!(issued.share[278].identity, identities[8]);
    assert_eq!(alpha.calls(), 2);
}

#[tokio::test]
async fn what_a_dta_says_of_the_customer_is_read() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let client = customer.client(&[&alpha]);
    let infos = client.authorities(Source::All).await.unwrap();
    let info = infos[0].1.customer.as_ref().unwrap();
    assert_eq!(info.keyid, customer.key.verifying_key().keyid());
    assert_eq!(info.keys[0].commitment, alpha.commitment);
}

#[tokio::test]
async fn a_commitment_without_knowledge_of_its_secret_is_refused() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    alpha.play(Trick::OtherKnowledge);
    let client = customer.client(&[&alpha]);
    let error = dta_error(client.authorities(Source::All).await);
    assert_eq!(
        error.to_string(),
        "it does not prove to know the secret behind its commitment of master key k1"
    );
}

#[tokio::test]
async fn an_unsigned_reply_is_a_failure() {
    let error = client_share_under(Trick::Unsigned).await;
    assert!(matches!(
        &error,
        DtaError::Unverified {
            source: ResponseError::Unsigned,
            claim: None
        }
    ));
    assert_eq!(error.to_string(), "its reply cannot be believed");
}

#[tokio::test]
async fn an_unsigned_refusal_is_shown_and_not_believed() {
    let error = client_share_under(Trick::Sealed).await;
    assert_eq!(
        error.to_string(),
        "says, without proof of being the D-TA, sealed: 0 of 3 shares"
    );
    assert!(error.remedy().unwrap().contains("dta unlock"));
    let error = client_share_under(Trick::NoResponseKey).await;
    assert!(matches!(error, DtaError::NoResponseKey), "{error}");
}

#[tokio::test]
async fn a_signed_refusal_is_an_answer() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    alpha.play(Trick::Refuse);
    let client = customer.client(&[&alpha]);
    let error = client.server_share(None, Source::All).await.unwrap_err();
    assert_eq!(
        error.problem().unwrap().kind(),
        wire::ProblemType::Suspended
    );
    assert_eq!(
        dta_error::<()>(Err(error)).to_string(),
        "suspended: acme is suspended"
    );
}

#[tokio::test]
async fn a_response_key_that_the_pinned_node_key_did_not_certify_is_refused() {
    let error = client_share_under(Trick::OtherNodeKey).await;
    let DtaError::Certificate(cause) = &error else {
        panic!("{error:?}");
    };
    assert!(
        cause
            .to_string()
            .contains("not signed by the pinned node key"),
        "{cause}"
    );

    let error = client_share_under(Trick::OtherResponseKey).await;
    let DtaError::Unverified { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(
        source
            .to_string()
            .contains("not by the certified response key"),
        "{source}"
    );
}

#[tokio::test]
async fn a_wrong_pin_of_the_authority_is_noticed() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let config = customer
        .config(&[&alpha])
        .replace(&alpha.authority.to_string(), &"ab".repeat(32));
    let client = customer.try_client(&config).unwrap();
    let error = dta_error(client.client_share(&ALICE, None, Source::All).await);
    let DtaError::Certificate(cause) = &error else {
        panic!("{error:?}");
    };
    assert!(
        cause.to_string().contains(&alpha.authority.to_string()),
        "{cause}"
    );
}

#[tokio::test]
async fn an_altered_reply_is_refused() {
    for (trick, expected) in [
        (Trick::AlteredBody, ResponseError::Digest),
        (Trick::AlteredStatus, ResponseError::BadSignature),
    ] {
        let error = client_share_under(trick).await;
        let DtaError::Unverified { source, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(source, &expected);
    }
}

#[tokio::test]
async fn the_reply_to_another_request_is_refused() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let client = customer.client(&[&alpha]);
    client
        .client_share(&ALICE, None, Source::All)
        .await
        .unwrap();
    alpha.play(Trick::Replay);
    // The very same question, so that only the binding to the request can tell.
    let error = dta_error(client.client_share(&ALICE, None, Source::All).await);
    let DtaError::Unverified { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(source, &ResponseError::BadSignature);
}

#[tokio::test]
async fn an_authority_that_was_unlocked_anew_is_believed_and_an_older_key_is_not() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let client = customer.client(&[&alpha]);
    client
        .client_share(&ALICE, None, Source::All)
        .await
        .unwrap();
    alpha.unlock_anew(1);
    client
        .client_share(&ALICE, None, Source::All)
        .await
        .unwrap();
    alpha.unlock_anew(-1);
    let error = dta_error(client.client_share(&ALICE, None, Source::All).await);
    assert!(
        matches!(error, DtaError::StaleResponseKey { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("older than one seen before"),
        "{error}"
    );
}

#[tokio::test]
async fn a_share_that_does_not_belong_to_the_pinned_commitment_is_refused() {
    for trick in [Trick::OtherSecret, Trick::OtherPerson] {
        let error = client_share_under(trick).await;
        assert_eq!(
            error.to_string(),
            "the share does not belong to the pinned commitment of master key k1"
        );
        assert!(error.remedy().unwrap().contains("rotated"));
    }
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    alpha.play(Trick::OtherSecret);
    let client = customer.client(&[&alpha]);
    let error = dta_error(client.server_share(None, Source::All).await);
    assert!(matches!(error, DtaError::ServerShare { .. }), "{error}");
    let permits = client.time_permits(&[ALICE], two_days(), None, Source::All);
    assert!(matches!(dta_error(permits.await), DtaError::Proof { .. }));
}

#[tokio::test]
async fn a_share_without_its_proof_is_refused() {
    let error = client_share_under(Trick::NoProof).await;
    assert_eq!(
        error.to_string(),
        "the share comes without the proof that was asked for"
    );
}

#[tokio::test]
async fn an_unpinned_commitment_or_key_version_is_refused() {
    let error = client_share_under(Trick::OtherCommitment).await;
    assert_eq!(
        error.to_string(),
        format!(
            "master key k1: it names commitment {}, not the pinned one",
            "09".repeat(48)
        )
    );
    let error = client_share_under(Trick::OtherVersion).await;
    assert_eq!(error.to_string(), "its master key k2 is not pinned");
}

#[tokio::test]
async fn a_share_that_is_no_point_is_refused() {
    let error = client_share_under(Trick::NoPoint).await;
    assert_eq!(
        error.to_string(),
        "the share is not a point of the right group"
    );
}

#[tokio::test]
async fn permits_that_were_not_asked_for_are_refused() {
    for trick in [Trick::OtherDays, Trick::FewerPermits] {
        let customer = Customer::new();
        let alpha = customer.dta(Setup::named("alpha")).await;
        alpha.play(trick);
        let client = customer.client(&[&alpha]);
        let permits = client.time_permits(&[ALICE], two_days(), None, Source::All);
        let error = dta_error(permits.await);
        assert_eq!(
            error.to_string(),
            "its permits are not those that were asked for"
        );
    }
}

#[tokio::test]
async fn a_reply_of_another_form_is_refused() {
    let error = client_share_under(Trick::OtherForm).await;
    assert_eq!(error.to_string(), "its reply has not the documented form");
}

#[tokio::test]
async fn an_endless_or_silent_dta_is_given_up() {
    let error = client_share_under(Trick::Endless).await;
    assert_eq!(error.to_string(), "the reply is longer than 1048576 bytes");
    let error = client_share_under(Trick::Silent).await;
    assert_eq!(error.to_string(), "did not answer within 2 seconds");
}

#[tokio::test]
async fn a_tls_certificate_that_leads_to_other_roots_is_refused() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let beta = customer.dta(Setup::named("beta")).await;
    let config = customer
        .config(&[&alpha])
        .replace("alpha-ca.pem", "beta-ca.pem");
    let client = customer.try_client(&config).unwrap();
    let error = dta_error(client.client_share(&ALICE, None, Source::All).await);
    assert!(matches!(error, DtaError::Tls(_)), "{error}");
    assert_eq!(beta.calls() + alpha.calls(), 0);
}

#[tokio::test]
async fn a_dta_that_cannot_be_reached_is_named() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let config = customer
        .config(&[&alpha])
        .replace(&alpha.address.to_string(), &closed.to_string());
    let client = customer.try_client(&config).unwrap();
    let error = client
        .client_share(&ALICE, None, Source::All)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "D-TA alpha");
    assert_eq!(dta_error::<()>(Err(error)).to_string(), "cannot be reached");
}
