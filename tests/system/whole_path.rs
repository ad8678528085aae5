//! The main job: two D-TAs, one customer, one device, one login.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::common::customer::{Customer, new_identity};
use crate::common::process::{dta, run};
use crate::common::{Dta, write_private};

#[test]
fn a_device_logs_in_with_shares_of_two_d_tas_and_only_with_the_right_pin_and_a_permit() {
    let one = Dta::unlocked("one");
    let two = Dta::unlocked("two");
    let customer = Customer::of(&[&one, &two], "acme");

    customer
        .request(&["server-share", "--out", &customer.arg("server.share")])
        .ok();
    write_private(&customer.path("pin"), "4711");
    write_private(&customer.path("wrong"), "1174");
    let config = customer.arg("customer.toml");
    let device = customer.arg("alice.device");
    run(
        &[
            "device",
            "enroll",
            "--config",
            &config,
            "--id",
            "alice@example.com",
            "--device",
            &device,
            "--pin-file",
            &customer.arg("pin"),
        ],
        &[],
    )
    .ok();
    let stored = std::fs::read_to_string(&device).unwrap();
    assert!(!stored.contains("4711"));

    let mut server = Command::new(dta())
        .args([
            "device",
            "server",
            "--server-share",
            &customer.arg("server.share"),
        ])
        .args(["--listen", "127.0.0.1:0", "--require-permit"])
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .split_whitespace()
        .find(|word| word.starts_with("127.0.0.1:"));
    let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();

    let login = |pin: &str, permit: &[&str]| {
        let pin = customer.arg(pin);
        let fixed = [
            "device",
            "login",
            "--device",
            &device,
            "--server",
            &address,
            "--pin-file",
            &pin,
        ];
        run(&[&fixed, permit].concat(), &[])
    };
    let permit = ["--config", config.as_str()];
    let said = login("pin", &permit).ok();
    assert!(said.contains("accepted"), "{said}");
    let said = login("wrong", &permit).failed(4);
    assert!(said.contains("wrong PIN"), "{said}");
    let said = login("pin", &["--no-permit"]).failed(4);
    assert!(said.contains("permit"), "{said}");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn the_combined_share_is_the_sum_of_the_shares_of_each_d_ta() {
    let one = Dta::unlocked("first");
    let two = Dta::unlocked("second");
    let customer = Customer::of(&[&one, &two], "acme");
    let identity = new_identity();
    let raw = |name: &str| {
        let share = customer
            .request(&[
                "client-share",
                "--identity",
                &identity,
                "--dta",
                name,
                "--raw",
            ])
            .ok();
        mpin::ClientShare::<mpin::Blst>::from_compressed(&hex::decode(share.trim()).unwrap())
            .unwrap()
    };
    let sum = mpin::ClientShare::combine(&[raw("first"), raw("second")]).unwrap();
    let combined = customer
        .request(&["client-share", "--identity", &identity, "--raw"])
        .ok();
    assert_eq!(combined.trim(), hex::encode(sum.to_compressed().as_slice()));
}

#[test]
fn two_customers_have_independent_master_secrets() {
    let dta = Dta::unlocked("apart");
    let (acme, other) = (
        Customer::of(&[&dta], "acme"),
        Customer::of(&[&dta], "other"),
    );
    let identity = new_identity();
    let share =
        |customer: &Customer| customer.client_share(&dta, &identity).json()["share"].clone();
    assert_ne!(share(&acme), share(&other));
    assert_eq!(share(&acme), share(&acme), "issuing is deterministic");
}
