//! The tags that say whose a stack set and its stacks are.
//!
//! A name says nothing: anybody may call a stack set `gizmos-…`. Nor does one tag, which another
//! program or another team's copy of Gizmos may set as well. So a deployment changes only what has the
//! ownership tag, its own organization's id and the name of its own installation.

use std::collections::BTreeMap;

use crate::bundle::Part;
use crate::organization::Organization;

/// The tag (key, value) on every stack set and stack of Gizmos, in every version.
pub const OWNERSHIP_TAG: (&str, &str) = ("managed-by", "gizmos");
/// Key of the tag with the part of the alert chain.
pub const PART_TAG: &str = "gizmos:part";
/// Key of the tag with the organization's id.
pub const ORGANIZATION_TAG: &str = "gizmos:organization";
/// Key of the tag with the installation's name, `installation` in the organization file.
pub const INSTALLATION_TAG: &str = "gizmos:installation";
/// Key of the tag with the format of a fleet.
pub const FORMAT_TAG: &str = "gizmos:format";
/// The format of the fleets that this version deploys. It is raised when an older version would
/// misread or harm what a newer one deploys; each version refuses fleets with a higher number. Fleets
/// from before the tag are of format 1.
pub const FORMAT: u32 = 2;

/// The tags of a stack set and its stacks.
pub fn stack_set_tags(organization: &Organization, part: Part) -> BTreeMap<String, String> {
    [
        (OWNERSHIP_TAG.0, OWNERSHIP_TAG.1),
        (PART_TAG, part.name()),
        (ORGANIZATION_TAG, &organization.id),
        (INSTALLATION_TAG, &organization.installation),
        (FORMAT_TAG, &FORMAT.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}
