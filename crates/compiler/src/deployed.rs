//! The rule as it is deployed: its pattern, with what only the organization file knows.
//!
//! - Findings are taken from one place.
//! - [`DEPLOYERS`], [`MANAGEMENT`], [`HUB`] and [`LOG_ARCHIVE`] stand in patterns for who deploys and where. A name
//!   would exempt whoever creates a role with it, in any account, so roles are exempt by exact ARN.
//! - [`TRAIL_NAME`], [`TRAIL_ARN`], [`LOG_BUCKET`] and [`ARTIFACT_BUCKET`] stand for what is protected,
//!   whatever it is called and whoever made it.
//! - Replays of archives are left out: `StartReplay` can put a day of real events through the
//!   forwarders again, and every alert of that day with them. EventBridge marks them with the field
//!   `replay-name`. <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html>

use std::borrow::Cow;

use eventbridge_pattern::{Limits, Pattern};
use rules::Rule;
use rules::stand_in::{
    ARTIFACT_BUCKET, DEPLOYERS, HUB, LOG_ARCHIVE, LOG_BUCKET, MANAGEMENT, TRAIL_ARN, TRAIL_NAME,
};
use serde_json::{Map, Value, json};
use syntax::Diagnostic;

use crate::findings::findings_place;
use crate::organization::Organization;

/// The field of replayed events.
const REPLAY: &str = "replay-name";
/// Beginning of the log bucket's default name.
const LOG_BUCKET_PREFIX: &str = "gizmos-logs-";
/// Characters of the clause that leaves them out.
pub(crate) const REPLAY_CLAUSE_LENGTH: usize = r#","replay-name":[{"exists":false}]"#.len();

/// The rule as it is deployed, with its tests' events to match. Doing it again changes nothing.
pub fn as_deployed<'r>(rule: &'r Rule, organization: &Organization) -> Cow<'r, Rule> {
    let Some(pattern) = pattern(rule, organization) else {
        return Cow::Borrowed(rule);
    };
    let mut deployed = Rule {
        pattern,
        ..rule.clone()
    };
    for test in &mut deployed.tests {
        fill_event(&mut test.event, organization);
    }
    Cow::Owned(deployed)
}

/// Replaces what stands for something of the organization in an event.
fn fill_event(value: &mut Value, organization: &Organization) {
    match value {
        Value::String(text) => {
            let first = meaning(text, organization).and_then(|it| it.into_iter().next());
            if let Some(first) = first {
                *value = first;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| fill_event(it, organization)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|it| fill_event(it, organization)),
        _ => {}
    }
}

fn pattern(rule: &Rule, organization: &Organization) -> Option<Pattern> {
    let mut fields: Map<String, Value> = serde_json::from_str(rule.pattern.text()).ok()?;
    if let Some((account, region)) = findings_place(rule, organization) {
        fields.insert("account".to_owned(), json!([account]));
        if let Some(region) = region {
            fields.entry("region").or_insert_with(|| json!([region]));
        }
    }
    for value in fields.values_mut() {
        fill(value, organization);
    }
    leave_out_replays(&mut fields);
    // Without the limit of characters, which `limits::rule` reports: a rule that has become too long
    // must not be deployed as it is written.
    let mut limits = Limits::default();
    limits.characters = usize::MAX;
    Pattern::parse_within(&Value::Object(fields).to_string(), &limits).ok()
}

/// The rule as spokes forward for it: without the clause about deployers, which the hub decides. A
/// change of deployers then reaches no spoke, and the patterns of forwarders stay short; what is
/// forwarded in addition is whatever `userIdentity` alone left out.
pub(crate) fn forwarded<'r>(rule: &'r Rule, organization: &Organization) -> Cow<'r, Rule> {
    let widened = || {
        let mut fields: Map<String, Value> = serde_json::from_str(rule.pattern.text()).ok()?;
        let detail = fields.get_mut("detail")?.as_object_mut()?;
        let who = detail.get("userIdentity")?.to_string();
        let names = |name: &str| who.contains(&format!("\"{name}\""));
        if !names(DEPLOYERS) && !organization.deployers.iter().any(|it| names(it)) {
            return None;
        }
        detail.shift_remove("userIdentity");
        Pattern::parse(&Value::Object(fields).to_string()).ok()
    };
    match widened() {
        Some(pattern) => Cow::Owned(Rule {
            pattern,
            ..rule.clone()
        }),
        None => Cow::Borrowed(rule),
    }
}

/// Adds the clause that leaves out replays, unless the pattern has one about them.
fn leave_out_replays(fields: &mut Map<String, Value>) {
    fields.entry(REPLAY).or_insert_with(no_replay);
}

fn no_replay() -> Value {
    json!([{"exists": false}])
}

/// The pattern with the clause that leaves out replays.
pub(crate) fn with_replay_clause(pattern: &Pattern) -> Option<Pattern> {
    let mut fields: Map<String, Value> = serde_json::from_str(pattern.text()).ok()?;
    leave_out_replays(&mut fields);
    Pattern::parse(&Value::Object(fields).to_string()).ok()
}

/// The pattern without the clause that leaves out replays; `None` if it says something else about
/// them.
pub(crate) fn without_replay_clause(pattern: &Pattern) -> Option<Pattern> {
    let mut fields: Map<String, Value> = serde_json::from_str(pattern.text()).ok()?;
    let clause = fields.shift_remove(REPLAY)?;
    let rest = Pattern::parse(&Value::Object(fields).to_string()).ok()?;
    (clause == no_replay()).then_some(rest)
}

/// Replaces what stands for something of the organization, wherever it is in a list.
fn fill(value: &mut Value, organization: &Organization) {
    match value {
        Value::Array(items) => {
            *items = std::mem::take(items)
                .into_iter()
                .flat_map(|mut item| {
                    if let Some(text) = item.as_str() {
                        return meaning(text, organization).unwrap_or_else(|| vec![item]);
                    }
                    fill(&mut item, organization);
                    vec![item]
                })
                .collect();
        }
        Value::Object(fields) => fields.values_mut().for_each(|it| fill(it, organization)),
        _ => {}
    }
}

fn meaning(text: &str, organization: &Organization) -> Option<Vec<Value>> {
    let texts: Vec<String> = match text {
        DEPLOYERS if !organization.deployers.is_empty() => organization.deployers.clone(),
        MANAGEMENT => vec![organization.accounts.management.clone()],
        HUB => vec![organization.accounts.hub.clone()],
        LOG_ARCHIVE => vec![organization.accounts.log_archive.clone()],
        TRAIL_NAME => vec![organization.trail_name().to_owned()],
        TRAIL_ARN => vec![organization.trail_arn()],
        LOG_BUCKET => vec![organization.log_bucket()?],
        ARTIFACT_BUCKET => vec![organization.artifacts.as_ref()?.bucket.clone()],
        _ => return None,
    };
    Some(texts.into_iter().map(|text| json!(text)).collect())
}

/// The first deployed rule whose pattern has a stand-in.
fn first_with<'r>(library: &'r [Rule], stand_in: &str) -> Option<&'r Rule> {
    let quoted = format!("\"{stand_in}\"");
    library
        .iter()
        .filter(|rule| rule.is_deployed() && rule.pattern.text().contains(&quoted))
        .min_by(|a, b| a.id.cmp(&b.id))
}

/// Warns of stand-ins for which the organization file has nothing. If it names no deployers, every
/// deployment to the management account alerts; if it doesn't name an existing trail's bucket, no rule
/// protects that.
pub(crate) fn check(
    library: &[Rule],
    organization: &Organization,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if let Some(rule) = first_with(library, LOG_BUCKET)
        && organization.log_bucket().is_none()
    {
        diagnostics.push(
            Diagnostic::warning(
                "compile::unprotected",
                format!(
                    "the organization file doesn't name the existing trail's log bucket, so rule \
                     `{}` doesn't protect it",
                    rule.id
                ),
            )
            .at(rule.location.clone())
            .help(format!(
                "add it to `trail`, next to `existing`: `bucket: example-trail-logs`; {} names it",
                remedy::Command::Doctor
            )),
        );
    }
    for rule in library.iter().filter(|rule| rule.is_deployed()) {
        diagnostics.extend(other_name(rule, organization));
    }
    if let Some(rule) = first_with(library, DEPLOYERS)
        && organization.deployers.is_empty()
    {
        diagnostics.push(
            Diagnostic::warning(
                "compile::deployers",
                format!(
                    "the organization file names no `deployers`, so every deployment alerts: rule \
                     `{}` and others watch everybody else",
                    rule.id
                ),
            )
            .at(rule.location.clone())
            .help(format!(
                "{} proposes the role that you use: `deployers: \
                 [arn:aws:iam::111122223333:role/gizmos-deploy]`",
                remedy::Command::Doctor
            )),
        );
    }
}

/// Warns of a rule that names what it protects, but not as the organization file does. Rules of earlier
/// versions had the default names in their patterns.
fn other_name(rule: &Rule, organization: &Organization) -> Option<Diagnostic> {
    let tagged = |tag: &str| rule.tags.iter().any(|it| it == tag);
    let deployed = as_deployed(rule, organization);
    let text = deployed.pattern.text();
    let trail = organization.trail_name();
    let bucket = organization.log_bucket();
    let (what, name, stand_in) = if tagged("protects.trail") {
        let is_named = text.contains(&format!("{trail}\""));
        (!is_named).then(|| ("trail", trail.to_owned(), TRAIL_NAME))
    } else if tagged("protects.log-bucket") {
        let bucket = bucket?;
        let has_prefix = bucket.starts_with(LOG_BUCKET_PREFIX) && text.contains(LOG_BUCKET_PREFIX);
        let is_named = has_prefix || text.contains(&format!("\"{bucket}\""));
        (!is_named).then_some(("log bucket", bucket, LOG_BUCKET))
    } else {
        None
    }?;
    Some(
        Diagnostic::warning(
            "compile::unprotected",
            format!(
                "rule `{}` protects the {what}, but its pattern doesn't have the name `{name}`",
                rule.id
            ),
        )
        .at(rule.location.clone())
        .help(format!(
            "write `{stand_in}` in `event_pattern`: it stands for the name in the organization file"
        )),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replays_clause_of_a_rule_is_kept() {
        let mut fields = Map::new();
        leave_out_replays(&mut fields);
        assert_eq!(json!(fields), json!({"replay-name": [{"exists": false}]}));
        let mut fields = Map::from_iter([(REPLAY.to_owned(), json!([{"exists": true}]))]);
        leave_out_replays(&mut fields);
        assert_eq!(json!(fields), json!({"replay-name": [{"exists": true}]}));
    }
}
