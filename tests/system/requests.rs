//! Requests that must be refused: each its own problem type and status, and no share.

use serde_json::{Value, json};

use crate::common::Dta;
use crate::common::customer::{Customer, Draft, head, new_identity, now, send_with};
use crate::common::http::{Answer, Connection};

/// `YYYY-MM-DD`, that many days from today, UTC.
pub(crate) fn day(offset: i64) -> String {
    let today = i64::try_from(now() / 86_400).unwrap();
    let date = wire::api::PermitDate::from_day_number(u32::try_from(today + offset).unwrap());
    date.unwrap().to_string()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, problem: &str) {
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (status, problem),
        "{:?}",
        answer.json()
    );
    let media = answer.header("content-type").unwrap();
    assert_eq!(media, "application/problem+json");
    assert!(
        answer.json()["detail"]
            .as_str()
            .is_some_and(|detail| detail.len() > 10)
    );
    assert!(!String::from_utf8_lossy(&answer.body).contains("\"share\""));
}

/// One D-TA with one customer serves all requests that change nothing.
struct World {
    dta: Dta,
    customer: Customer,
}

impl World {
    fn new(name: &str) -> Self {
        let dta = Dta::unlocked(name);
        let customer = Customer::of(&[&dta], "acme");
        Self { dta, customer }
    }

    fn draft(&self) -> Draft {
        let body = json!({ "identity": new_identity() });
        self.customer.draft(&self.dta, "/v1/client-shares", &body)
    }

    fn send(&self, draft: &Draft) -> Answer {
        self.customer.send(&self.dta, draft)
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(&self.customer.draft(&self.dta, path, body))
    }

    /// Signs a good request and lets `bend` change its header fields.
    fn bent(&self, bend: impl Fn(&mut Vec<(String, String)>)) -> Answer {
        let draft = self.draft();
        let mut fields = self.customer.sign(&draft);
        bend(&mut fields);
        send_with(&self.dta, &draft, &fields)
    }
}

fn replace(fields: &mut [(String, String)], name: &str, change: impl Fn(&str) -> String) {
    let field = fields.iter_mut().find(|(found, _)| found == name).unwrap();
    field.1 = change(&field.1);
}

#[test]
fn bad_requests_are_refused_each_with_its_own_problem_type() {
    let world = World::new("bad");
    assert_eq!(world.send(&world.draft()).status, 200);

    let unsigned = world.bent(|fields| fields.retain(|(name, _)| !name.starts_with("signature")));
    refused(&unsigned, 401, "unsigned");

    let wrong = world.bent(|fields| {
        replace(fields, "signature", |value| {
            let flipped = if &value[10..11] == "A" { "B" } else { "A" };
            format!("{}{flipped}{}", &value[..10], &value[11..])
        });
    });
    refused(&wrong, 401, "bad-signature");
    assert!(
        wrong.json()["signature_base"]
            .as_str()
            .unwrap()
            .contains("\"@method\": POST")
    );

    let mut old = world.draft();
    old.created -= 120;
    refused(&world.send(&old), 401, "expired");
    let mut early = world.draft();
    early.created += 60;
    refused(&world.send(&early), 401, "too-early");

    let under = world.bent(|fields| {
        replace(fields, "signature-input", |value| {
            value.replace(" \"@query\"", "")
        });
    });
    refused(&under, 401, "insufficient-coverage");

    let mut elsewhere = world.draft();
    elsewhere.authority_id = "ab".repeat(32);
    refused(&world.send(&elsewhere), 403, "wrong-authority");

    let stranger = Customer::of(&[], "stranger");
    refused(
        &stranger.send(&world.dta, &world.draft()),
        401,
        "unknown-key",
    );

    let body = json!({ "identity": "zz".repeat(32) });
    refused(&world.post("/v1/client-shares", &body), 400, "malformed");
    let body = json!({ "identity": "ab".repeat(31) });
    refused(&world.post("/v1/client-shares", &body), 400, "malformed");
    let body = json!({ "identity": new_identity(), "extra": 1 });
    refused(&world.post("/v1/client-shares", &body), 400, "malformed");
    let body = json!({ "identity": new_identity(), "key": "k7" });
    refused(&world.post("/v1/client-shares", &body), 422, "key-unknown");
}

#[test]
fn nobody_without_a_key_makes_the_proxy_wait_for_a_body() {
    let world = World::new("slow");
    let draft = world.draft();
    let mut fields = world.customer.sign(&draft);
    replace(&mut fields, "signature", |value| {
        let flipped = if &value[10..11] == "A" { "B" } else { "A" };
        format!("{}{flipped}{}", &value[..10], &value[11..])
    });
    let mut connection = Connection::open(&world.dta.ca_pem, world.dta.port).unwrap();
    let begun = std::time::Instant::now();
    let answer = connection.exchange(&head(&draft, &fields), b"").unwrap();
    refused(&answer, 401, "bad-signature");
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

#[test]
fn an_oversized_body_is_refused() {
    let world = World::new("large");
    // Also a caller that writes everything before it reads gets to see why.
    for length in [40_000, 400_000] {
        let body = json!({ "identity": "ab".repeat(length) });
        refused(&world.post("/v1/client-shares", &body), 413, "too-large");
    }
}

#[test]
fn days_outside_the_window_are_refused_by_name() {
    let world = World::new("days");
    let ask = |from: String, days: u32| {
        let body = json!({ "identities": [new_identity()], "from": from, "days": days });
        world.post("/v1/time-permits", &body)
    };
    assert_eq!(ask(day(0), 2).status, 200);
    refused(&ask(day(-1), 1), 422, "wrong-day");
    refused(&ask(day(1), 2), 422, "wrong-day");
    refused(&ask("2026-02-30".to_owned(), 1), 400, "malformed");
}

#[test]
fn a_replayed_request_is_refused_also_after_a_restart() {
    let mut world = World::new("replay");
    let draft = world.draft();
    let fields = world.customer.sign(&draft);
    assert_eq!(send_with(&world.dta, &draft, &fields).status, 200);
    refused(&send_with(&world.dta, &draft, &fields), 409, "replayed");
    world.dta.authority.as_mut().unwrap().kill();
    world.dta.start_authority();
    world.dta.unlock(&[1, 2]);
    wait_for_the_proxy(&world.dta, &world.customer);
    refused(&send_with(&world.dta, &draft, &fields), 409, "replayed");
}

#[test]
fn a_request_signed_for_one_d_ta_is_worthless_at_another() {
    let one = Dta::unlocked("one");
    let two = Dta::unlocked("two");
    let customer = Customer::of(&[&one, &two], "acme");
    let draft = customer.draft(
        &one,
        "/v1/client-shares",
        &json!({ "identity": new_identity() }),
    );
    let fields = customer.sign(&draft);
    refused(&send_with(&two, &draft, &fields), 403, "wrong-authority");
    // Even with the authority id of the other written over it.
    let mut forged = fields.clone();
    replace(&mut forged, "dta-authority", |_| {
        two.authority_id().to_owned()
    });
    refused(&send_with(&two, &draft, &forged), 401, "bad-signature");
    assert_eq!(send_with(&one, &draft, &fields).status, 200);
}

#[test]
fn a_suspended_customer_is_refused_until_it_is_resumed() {
    let world = World::new("suspended");
    world.dta.operator(&["customer", "suspend", "acme"]).ok();
    refused(&world.send(&world.draft()), 403, "suspended");
    let last = world.dta.audit_entries().pop().unwrap();
    assert_eq!(
        (&last["event"], &last["problem"]),
        (&json!("refused"), &json!("suspended"))
    );
    world.dta.operator(&["customer", "resume", "acme"]).ok();
    assert_eq!(world.send(&world.draft()).status, 200);
}

#[test]
fn a_revoked_key_is_refused_and_another_key_of_the_customer_works() {
    let world = World::new("revoked");
    let second = Customer::of(&[], "second");
    let public = second.arg("customer.pub");
    world
        .dta
        .operator(&["customer", "key", "add", "acme", "--key", &public])
        .ok();
    let old = world.customer.key.verifying_key().keyid();
    world
        .dta
        .operator(&["customer", "key", "revoke", "acme", &old])
        .ok();
    refused(&world.send(&world.draft()), 401, "unknown-key");
    assert_eq!(second.send(&world.dta, &world.draft()).status, 200);
}

#[test]
fn a_key_without_the_role_is_refused() {
    let world = World::new("role");
    let permits = Customer::of(&[], "permits");
    let public = permits.arg("customer.pub");
    let add = [
        "customer", "key", "add", "acme", "--key", &public, "--role", "permit",
    ];
    world.dta.operator(&add).ok();
    refused(
        &permits.send(&world.dta, &world.draft()),
        403,
        "not-permitted",
    );
}

#[test]
fn a_sealed_authority_answers_503_at_once() {
    let world = World::new("sealed");
    world.dta.operator(&["lock"]).ok();
    let started = std::time::Instant::now();
    let answer = world.send(&world.draft());
    refused(&answer, 503, "sealed");
    assert!(answer.header("retry-after").is_some());
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn an_authority_that_is_gone_is_503_and_comes_back() {
    let mut world = World::new("absent");
    world.dta.authority.as_mut().unwrap().kill();
    refused(&world.send(&world.draft()), 503, "authority-unavailable");
    world.dta.start_authority();
    world.dta.unlock(&[1, 2]);
    wait_for_the_proxy(&world.dta, &world.customer);
}

#[test]
fn unknown_paths_and_methods_are_problems_too() {
    let world = World::new("paths");
    assert_eq!(world.post("/v1/nothing", &json!({})).status, 404);
    let mut draft = world.draft();
    draft.method = "PUT";
    assert_eq!(world.send(&draft).status, 405);
}

#[test]
fn two_d_tas_with_clocks_five_seconds_apart_both_answer() {
    let world = World::new("clocks");
    for offset in [-4_i64, 4] {
        let mut draft = world.draft();
        draft.created = draft.created.checked_add_signed(offset).unwrap();
        assert_eq!(world.send(&draft).status, 200, "{offset}");
    }
}

/// The proxy learns of the authority's return by itself; this waits for it.
#[track_caller]
fn wait_for_the_proxy(dta: &Dta, customer: &Customer) {
    for _ in 0..100 {
        if customer.client_share(dta, &new_identity()).status == 200 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the proxy did not find the authority again");
}
