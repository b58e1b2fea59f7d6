//! Random faults for a run.

use fastrand::Rng;
use serde_json::json;
use simulator::{
    Bucket, Event, Faults, InstanceEffect, InstanceFault, Lag, Rate, RequestFault, Scheduled, When,
};

use crate::lab::{Lab, MANAGEMENT};

/// In milliseconds. Longer than any run, so only the client's own timeout ends the call.
const NEVER_ANSWERED: u32 = 3_600_000;

const REQUEST_FAULTS: [RequestFault; 8] = [
    RequestFault::Throttled,
    RequestFault::InternalFailure,
    RequestFault::ServiceUnavailable,
    RequestFault::ResetBefore,
    RequestFault::TimeOutBefore,
    RequestFault::InternalFailureAfter,
    RequestFault::ResetAfter,
    RequestFault::TimeOutAfter,
];

/// Events that change where instances belong. A deployment that read the organization before such
/// an event can't know about it.
const CHANGES_TARGETS: [&str; 5] = [
    "set_account_state",
    "move_account",
    "create_account",
    "set_region",
    "call",
];

/// Whether an event, as worded by [`simulator::Stats::happened`], changed where instances belong.
pub(crate) fn changes_targets(happened: &str) -> bool {
    CHANGES_TARGETS
        .iter()
        .any(|name| happened.contains(&format!(" {name}: ")))
        && !happened.contains("nothing to do")
}

/// Faults for a run; one run in six has none.
pub(crate) fn random(rng: &mut Rng, lab: &Lab, seed: u64) -> Faults {
    let mut faults = Faults {
        seed: Some(seed),
        call_milliseconds: rng.u32(20..120),
        time_out_milliseconds: NEVER_ANSWERED,
        ..Faults::default()
    };
    if rng.u8(..6) == 0 {
        return faults;
    }
    if rng.bool() {
        for fault in REQUEST_FAULTS {
            if rng.bool() {
                faults.rates.push(Rate {
                    fault,
                    share: rng.f64() * 0.04,
                    apis: Vec::new(),
                    most: None,
                });
            }
        }
    }
    if rng.bool() {
        // Lose responses only of calls that change something.
        faults.rates.push(Rate {
            fault: rng
                .choice(REQUEST_FAULTS)
                .unwrap_or(RequestFault::ResetAfter),
            share: rng.f64() * 0.5,
            apis: ["Create*", "Update*", "Delete*", "Execute*"]
                .map(|action| format!("cloudformation:{action}"))
                .to_vec(),
            most: Some(rng.u64(1..6)),
        });
    }
    if rng.u8(..3) == 0 {
        faults.buckets.push(Bucket {
            apis: vec!["cloudformation:*".to_owned()],
            burst: rng.u32(3..30),
            per_second: 1.0 + rng.f64() * 9.0,
        });
    }
    if rng.bool() {
        faults.lag = Lag {
            operations: rng.u32(..20),
            results: rng.u32(..20),
            instances: rng.u32(..20),
        };
    }
    if rng.u8(..3) == 0 {
        faults.token_lifetime_seconds = Some(rng.u32(5..30));
    }
    if rng.u8(..3) == 0 {
        faults.instances.push(instance_fault(rng));
    }
    if rng.u8(..3) == 0 {
        for _ in 0..rng.usize(1..3) {
            events(rng, lab, &mut faults.schedule);
        }
    }
    faults
}

fn instance_fault(rng: &mut Rng) -> InstanceFault {
    let effect = match rng.u8(..4) {
        0 => InstanceEffect::Delay(rng.u32(60..3_600)),
        _ => InstanceEffect::Fail("Resource handler returned message: \"example\"".to_owned()),
    };
    let action = rng.choice(["CREATE", "UPDATE", "DELETE"]);
    InstanceFault {
        effect,
        accounts: Vec::new(),
        regions: Vec::new(),
        stack_sets: vec!["gizmos-*".to_owned()],
        actions: if rng.bool() {
            action.map(str::to_owned).into_iter().collect()
        } else {
            Vec::new()
        },
        share: 0.05 + rng.f64() * 0.4,
        times: rng.bool().then(|| rng.u32(1..3)),
    }
}

/// One event at a random time, or two related ones.
fn events(rng: &mut Rng, lab: &Lab, schedule: &mut Vec<Scheduled>) {
    let after = |rng: &mut Rng, event| Scheduled {
        when: if rng.bool() {
            When::AtSecond(rng.f64() * 900.0)
        } else {
            When::AfterCalls {
                calls: rng.u64(1..120),
                apis: vec!["cloudformation:*".to_owned()],
            }
        },
        event,
    };
    let account = rng.choice(lab.workloads()).unwrap_or_default();
    let unit = rng.choice(&lab.units).cloned().unwrap_or_default();
    let region = rng.choice(&lab.regions).cloned().unwrap_or_default();
    match rng.u8(..9) {
        0 | 1 => schedule.push(after(rng, Event::StopOperation { stack_set: None })),
        2 => {
            // It runs until it is stopped by hand.
            let at = rng.f64() * 900.0;
            let hours = 1.0 + rng.f64() * 2.0;
            for (second, event) in [
                (at, Event::StickOperation { stack_set: None }),
                (
                    at + hours * 3_600.0,
                    Event::StopOperation { stack_set: None },
                ),
            ] {
                schedule.push(Scheduled {
                    when: When::AtSecond(second),
                    event,
                });
            }
        }
        3 => schedule.push(after(
            rng,
            Event::SetAccountState {
                account,
                state: "SUSPENDED".to_owned(),
            },
        )),
        4 => schedule.push(after(rng, Event::MoveAccount { account, to: unit })),
        5 => schedule.push(after(
            rng,
            Event::CreateAccount {
                name: "new".to_owned(),
                organizational_unit: unit,
            },
        )),
        6 if region != lab.home() => {
            let event = Event::SetRegion {
                region,
                enabled: false,
                account: rng.bool().then_some(account),
            };
            schedule.push(after(rng, event));
        }
        _ => {
            let event = administrator_call(rng, lab, &account, &unit, &region);
            schedule.push(after(rng, event));
        }
    }
}

/// Another administrator calls an API on one of Gizmos' stack sets.
fn administrator_call(rng: &mut Rng, lab: &Lab, account: &str, unit: &str, region: &str) -> Event {
    let name = rng.choice(["gizmos-rules-spoke", "gizmos-rules-local"]);
    let (action, input) = if rng.bool() {
        (
            "DeleteStackInstances",
            json!({
                "StackSetName": name, "Regions": [region], "RetainStacks": "false",
                "DeploymentTargets": {
                    "OrganizationalUnitIds": [unit], "Accounts": [account],
                    "AccountFilterType": "INTERSECTION",
                },
            }),
        )
    } else {
        ("DetectStackSetDrift", json!({"StackSetName": name}))
    };
    Event::Call {
        account: MANAGEMENT.to_owned(),
        region: lab.home().to_owned(),
        service: "cloudformation".to_owned(),
        action: action.to_owned(),
        input,
    }
}
