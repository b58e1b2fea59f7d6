//! The preflight near quotas. For its questions about permissions see `permissions.rs`.

use simulator::{Config, Quotas};
use tests::Served;

use crate::project;

#[test]
fn an_exceeded_quota_is_reported_and_nothing_is_changed() {
    let organization = Served::start_with(Config {
        quotas: Quotas {
            stacks_per_region: 1,
            ..Quotas::default()
        },
        ..Config::default()
    });
    project()
        .run(&["doctor", "--org", &organization.argument()])
        .expect(6)
        .says("FAILED   stacks of an account and Region: 333344445555 eu-central-1 would have")
        .says("--quota-code L-0485CB21")
        .says("The simulator counted 0 mutating");
}
