//! Whose a stack set or stack is. Gizmos changes and removes only its own.

use std::collections::BTreeMap;

use compiler::organization::Organization;
use compiler::{
    Bundle, FORMAT_TAG, INSTALLATION_TAG, ORGANIZATION_TAG, OWNERSHIP_TAG, PART_TAG, Part,
    stack_set_part,
};

use super::Observed;
use crate::ports::Instance;

/// Whose a stack set or stack is, by its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This installation's.
    Ours,
    /// A version's from before the tags of organization and installation, with the name and part that
    /// it gave. It is adopted if the fleet is this organization's: see [`Observed::owner`].
    Earlier,
    /// Another's. What tells it apart, as in `it has …`.
    Another(String),
}

/// Reads the tags. StackSets copies those of a stack set to each stack.
pub(crate) fn owner(
    organization: &Organization,
    name: &str,
    tags: &BTreeMap<String, String>,
) -> Owner {
    let tag = |key: &str| tags.get(key).map(String::as_str);
    let another = |key: &str, value: &str| match tag(key) {
        Some(found) => Owner::Another(format!("the tag {key}={found} instead of {value}")),
        None => Owner::Another(format!("no tag {key}={value}")),
    };
    if tag(OWNERSHIP_TAG.0) != Some(OWNERSHIP_TAG.1) {
        return another(OWNERSHIP_TAG.0, OWNERSHIP_TAG.1);
    }
    let ours = [
        (ORGANIZATION_TAG, &organization.id),
        (INSTALLATION_TAG, &organization.installation),
    ];
    if ours.iter().all(|(key, _)| tag(key).is_none())
        && let Some(part) = tagged_part(tags)
        // A stack of a stack set has another name.
        && (stack_set_part(name) == Some(part) || name.starts_with("StackSet-gizmos-"))
    {
        return Owner::Earlier;
    }
    let wrong = ours.iter().find(|(key, value)| tag(key) != Some(value));
    match wrong {
        Some((key, value)) => another(key, value),
        None => Owner::Ours,
    }
}

/// Whether a planned change may be carried out: nobody has taken the stack set or stack over since.
pub(crate) fn may_change(
    organization: &Organization,
    name: &str,
    tags: &BTreeMap<String, String>,
) -> bool {
    !matches!(owner(organization, name, tags), Owner::Another(_))
}

/// The format of the fleet to which something with these tags belongs.
pub(crate) fn format(tags: &BTreeMap<String, String>) -> Option<u32> {
    // What isn't a number is from a version that knows more than this one.
    tags.get(FORMAT_TAG)
        .map(|format| format.parse().unwrap_or(u32::MAX))
}

/// The part of the alert chain named by the tags.
pub(crate) fn tagged_part(tags: &BTreeMap<String, String>) -> Option<Part> {
    let name = tags.get(PART_TAG)?;
    Part::ALL.into_iter().find(|part| part.name() == name)
}

impl Observed {
    /// Whose a stack set or stack is. One of an earlier version is ours if this organization's
    /// trail, bus and hub prove it.
    pub(crate) fn owner(
        &self,
        bundle: &Bundle,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Owner {
        match owner(&bundle.organization, name, tags) {
            Owner::Earlier if !self.is_fleet_of(bundle) => Owner::Another(format!(
                "no tag {ORGANIZATION_TAG}={}, and bucket, trail and hub aren't where the \
                 organization file says",
                bundle.organization.id
            )),
            owner => owner,
        }
    }

    /// Whether it is changed or removed: it is ours, also if an earlier version made it.
    pub(crate) fn is_owned(
        &self,
        bundle: &Bundle,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> bool {
        !matches!(self.owner(bundle, name, tags), Owner::Another(_))
    }

    /// Whether the parts that exist once (the log bucket, the trail, the hub's bus and topics) are
    /// where the organization file says. An earlier version's tags name no organization, so this
    /// proves which one its fleet watches.
    fn is_fleet_of(&self, bundle: &Bundle) -> bool {
        let organization = &bundle.organization;
        let once = bundle
            .stack_sets
            .iter()
            .filter(|set| matches!(set.part, Part::Bucket | Part::Trail | Part::Topic));
        let mut proofs = once
            .flat_map(|set| {
                let instances = self
                    .stack_sets
                    .get(&set.name)
                    .into_iter()
                    .flat_map(|found| {
                        let ours = may_change(organization, &set.name, &found.details.tags);
                        let instances = found.instances.iter().map(Instance::location);
                        instances.map(move |at| ours.then_some(at))
                    });
                let stacks = self.stacks.iter().filter(|it| it.stack.name == set.name);
                let stacks = stacks.map(|it| {
                    let ours = may_change(organization, &set.name, &it.stack.tags);
                    ours.then(|| it.location.clone())
                });
                let account = match set.part {
                    Part::Bucket => &organization.accounts.log_archive,
                    Part::Trail => &organization.accounts.management,
                    _ => &organization.accounts.hub,
                };
                instances.chain(stacks).map(move |at| {
                    at.is_some_and(|at| {
                        at.account == *account && at.region == organization.home_region
                    })
                })
            })
            .peekable();
        proofs.peek().is_some() && proofs.all(|is_there| is_there)
    }
}
