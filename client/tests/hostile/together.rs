//! D-TAs that must not be taken together.

use client::{ClientError, Source};
use mpin::{MasterSecret, Suite};

use crate::server::Setup;
use crate::{ALICE, Customer};

#[tokio::test]
async fn one_dta_configured_twice_is_refused() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let twice = customer.config(&[&alpha, &alpha]);
    let error = customer.try_client(&twice).unwrap_err();
    assert_eq!(error, "D-TAs alpha and alpha have the same name");
    let (head, tail) = twice.split_at(twice.rfind("\"alpha\"").unwrap());
    let renamed = format!("{head}{}", tail.replacen("\"alpha\"", "\"beta\"", 1));
    let error = customer.try_client(&renamed).unwrap_err();
    assert_eq!(error, "D-TAs alpha and beta have the same authority id");
    let (head, tail) = renamed.split_at(renamed.rfind("authority").unwrap());
    let disguised = format!(
        "{head}{}",
        tail.replacen(&alpha.authority.to_string(), &"ab".repeat(32), 1)
    );
    let error = customer.try_client(&disguised).unwrap_err();
    assert_eq!(error, "D-TAs alpha and beta have the same node key");
}

#[tokio::test]
async fn two_dtas_with_one_master_secret_are_refused() {
    let customer = Customer::new();
    let secret = MasterSecret::random().unwrap();
    let copy = MasterSecret::from_be_bytes(&secret.to_be_bytes()).unwrap();
    let setup = |name, master| Setup {
        master,
        ..Setup::named(name)
    };
    let alpha = customer.dta(setup("alpha", secret)).await;
    let beta = customer.dta(setup("beta", copy)).await;
    let error = customer
        .try_client(&customer.config(&[&alpha, &beta]))
        .unwrap_err();
    assert_eq!(error, "D-TAs alpha and beta have the same commitment");
}

#[tokio::test]
async fn shares_that_sum_to_zero_are_refused() {
    let customer = Customer::new();
    let one = scalar(1);
    let minus_one = MasterSecret::from_be_bytes(
        &hex::decode("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000")
            .unwrap()
            .try_into()
            .unwrap(),
    );
    let setup = |name, master| Setup {
        master,
        ..Setup::named(name)
    };
    let alpha = customer.dta(setup("alpha", one)).await;
    let beta = customer.dta(setup("beta", minus_one.unwrap())).await;
    let client = customer.client(&[&alpha, &beta]);
    let error = client
        .client_share(&ALICE, None, Source::All)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ClientError::Combine(mpin::CombineError::ZeroSum)),
        "{error:?}"
    );
}

#[tokio::test]
async fn dtas_of_different_suites_are_not_combined() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let beta = customer
        .dta(Setup {
            suite: Suite::Milagro,
            ..Setup::named("beta")
        })
        .await;
    let client = customer.client(&[&alpha, &beta]);
    let error = client
        .client_share(&ALICE, None, Source::All)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "D-TA alpha uses suite RO, but D-TA beta uses MILAGRO"
    );
    let single = client
        .client_share(&ALICE, None, Source::One("beta"))
        .await
        .unwrap();
    assert_eq!(single.suite, wire::api::Suite::Milagro);
}

#[tokio::test]
async fn an_unknown_dta_is_refused_and_the_known_ones_listed() {
    let customer = Customer::new();
    let alpha = customer.dta(Setup::named("alpha")).await;
    let client = customer.client(&[&alpha]);
    let error = client
        .server_share(None, Source::One("gamma"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "no D-TA \"gamma\" is configured");
    assert_eq!(error.remedy().unwrap(), "configured are: alpha");
}

fn scalar(number: u8) -> MasterSecret {
    let mut bytes = [0; 32];
    bytes[31] = number;
    MasterSecret::from_be_bytes(&bytes).unwrap()
}
