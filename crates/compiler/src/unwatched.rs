//! Warns of rules whose events appear in Regions that nobody watches.

use std::collections::BTreeMap;

use rules::Rule;
use syntax::Diagnostic;

use crate::organization::{Organization, RegionSource};

/// Most rules that one warning names.
const NAMED: usize = 5;

/// A warning for each kind of events and the unwatched Regions in which they appear, at the first of
/// the rules concerned.
pub(crate) fn check(
    rules: &[&Rule],
    organization: &Organization,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let is_elsewhere = |prefix: &str| organization.home_region.starts_with(prefix);
    // The table of fixed Regions covers the commercial partition alone.
    if organization.region_source != RegionSource::Listed
        || ["us-gov-", "cn-", "eusc-"].into_iter().any(is_elsewhere)
    {
        return;
    }
    let mut missed: BTreeMap<(&str, Vec<&str>), Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        for fixed in rules::fixed_regions(&rule.pattern) {
            let unwatched: Vec<&str> = fixed
                .regions
                .into_iter()
                .filter(|region| !organization.regions.iter().any(|it| it == region))
                .collect();
            if !unwatched.is_empty() {
                missed
                    .entry((fixed.what, unwatched))
                    .or_default()
                    .push(rule);
            }
        }
    }
    for ((what, regions), rules) in missed {
        let Some(first) = rules.first() else {
            continue;
        };
        let places = listed(&regions);
        let (is, them) = if regions.len() == 1 {
            ("is", "it")
        } else {
            ("are", "them")
        };
        let ids: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.id)).collect();
        diagnostics.push(
            Diagnostic::warning(
                "compile::unwatched-region",
                format!(
                    "{what} appear in {places}, which {is} not watched: {} can't raise an alert for those",
                    named(&ids)
                ),
            )
            .at(first.location.clone())
            .help(format!(
                "add {them} to `regions` in the organization file, or write `regions: enabled`"
            )),
        );
    }
}

/// The first ids, and how many more there are.
fn named(ids: &[String]) -> String {
    let shown: Vec<&str> = ids.iter().take(NAMED).map(String::as_str).collect();
    match ids.len() - shown.len() {
        0 => listed(&shown),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `a, b and c`.
fn listed(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
