//! The desk beside a log that does not take entries, and at the end of the process.
#![allow(clippy::unwrap_used)]

use wire::ProblemType;
use wire::api::CustomerStatus;

use super::super::keyring::describe_status;
use super::super::testing::World;
use super::*;

const UID: u32 = 1000;

fn suspend() -> Op {
    let name = "acme".to_owned();
    Op::CustomerSuspend { name }
}

fn resume() -> Op {
    let name = "acme".to_owned();
    Op::CustomerResume { name }
}

fn status(vault: &Vault) -> CustomerStatus {
    let status = vault.with(|keyring| keyring.registry().customers().next().unwrap().status);
    describe_status(status.unwrap())
}

#[test]
fn a_suspension_takes_effect_before_the_log_has_it_and_a_resumption_after() {
    let office = World::new().into_office();
    let held = office.clock.hold();
    let refused = office.desk.perform(suspend(), UID).unwrap_err();
    assert_eq!(refused.kind(), ProblemType::AuditUnavailable);
    assert_eq!(status(&office.vault), CustomerStatus::Suspended);
    drop(held);
    // What waited for the log is settled by the next operation.
    office.desk.perform(Op::CustomerList {}, UID).unwrap();
    let held = office.clock.hold();
    let refused = office.desk.perform(resume(), UID).unwrap_err();
    assert_eq!(refused.kind(), ProblemType::AuditUnavailable);
    assert_eq!(status(&office.vault), CustomerStatus::Suspended);
    drop(held);
    office.desk.perform(Op::CustomerList {}, UID).unwrap();
    assert_eq!(status(&office.vault), CustomerStatus::Active);
    assert!(office.logged().contains(&"customer-suspended".to_owned()));
}

#[test]
fn a_desk_that_was_closed_stays_closed() {
    let office = World::new().into_office();
    office.desk.close();
    let _ = office.desk.perform(Op::Lock {}, UID);
    let purpose = "unlock".to_owned();
    let open = Op::SessionOpen {
        purpose,
        minutes: None,
    };
    let opened = office.desk.perform(open, UID);
    assert_eq!(
        opened.unwrap_err().detail(),
        "the authority is stopping",
        "nothing begins after the last entry"
    );
}

#[test]
fn a_lock_wipes_at_once_whatever_the_desk_waits_for() {
    let office = World::new().into_office();
    std::thread::scope(|scope| {
        let busy = office.desk.papers();
        let lock = scope.spawn(|| office.desk.perform(Op::Lock {}, UID));
        let deadline = Instant::now() + Duration::from_secs(5);
        while office.vault.with(|_| ()).is_ok() {
            assert!(Instant::now() < deadline, "the secrets are still open");
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(busy);
        assert!(lock.join().unwrap().is_ok());
    });
    assert_eq!(office.logged(), ["locked"]);
}
