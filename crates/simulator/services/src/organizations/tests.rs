//! The initial organization.

use super::*;

fn organization() -> Organization {
    Organization::seeded(9, Timestamp::UNIX_EPOCH)
}

#[test]
fn initial_organization_has_five_production_and_four_development_accounts() {
    let organization = organization();
    assert_eq!(organization.accounts_below("ou-exmp-production").len(), 5);
    assert_eq!(organization.accounts_below("ou-exmp-development").len(), 4);
    assert_eq!(
        organization.accounts_below("ou-exmp-security"),
        [LOG_ARCHIVE, SECURITY]
    );
    assert_eq!(organization.accounts_below(ROOT_ID).len(), 12);
    assert!(organization.account("012345678901").is_some());
    assert!(organization.account("100000000009").is_some());
    assert!(organization.account("100000000001").is_none());
}

#[test]
fn nested_units_belong_to_their_parents() {
    let mut organization = organization();
    let id = "ou-exmp-nested001".to_owned();
    let unit = Unit {
        id: id.clone(),
        name: "n".to_owned(),
        parent: "ou-exmp-production".to_owned(),
    };
    organization.units.insert(id.clone(), unit);
    organization.add("444455556666", "nested", &id, Timestamp::UNIX_EPOCH);
    assert_eq!(organization.accounts_below("ou-exmp-production").len(), 6);
    assert_eq!(
        organization.org_path("444455556666").unwrap(),
        "o-exampleorg1/r-exmp/ou-exmp-production/ou-exmp-nested001/"
    );
}
