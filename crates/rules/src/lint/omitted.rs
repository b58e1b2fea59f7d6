//! Finds rules that a large request hides from.

use cloudtrail::hostile;
use eventbridge_pattern::{RuleSet, Scratch};
use syntax::Diagnostic;

use crate::model::Rule;

/// Warns if rules look into the parameters of requests and none alerts when CloudTrail leaves them
/// out. It is a fault of the library, so it is reported once, at the first such rule.
///
/// Calls that only read are left out: they change nothing, however large they are.
pub(crate) fn check(rules: &[Rule]) -> Option<Diagnostic> {
    let deployed: Vec<&Rule> = rules.iter().filter(|rule| rule.is_deployed()).collect();
    let set = deployed
        .iter()
        .fold(RuleSet::builder(), |set, rule| set.add(0, &rule.pattern))
        .build();
    let mut scratch = Scratch::default();
    let mut is_hidden = |rule: &Rule| {
        rule.tests.iter().filter(|test| test.matches).any(|test| {
            let Some(event) = hostile::without_parameters(&test.event) else {
                return false;
            };
            let matches = set.matches(event.to_string().as_bytes(), &mut scratch);
            matches.is_ok_and(|matches| matches.possible().next().is_none())
        })
    };
    let hidden = deployed.iter().filter(|rule| !rule.read_only);
    let hidden: Vec<&&Rule> = hidden.filter(|rule| is_hidden(rule)).collect();
    let first = hidden.first()?;
    Some(
        Diagnostic::warning(
            "library::omitted-parameters",
            format!(
                "CloudTrail leaves out the parameters of a request over 100 KB, and no rule alerts then; {} into them, the first is `{}`",
                match hidden.len() {
                    1 => "1 rule looks".to_owned(),
                    more => format!("{more} rules look"),
                },
                first.id
            ),
        )
        .at(first.location.clone())
        .help("add a rule for `requestParameters: {omitted: [true]}`, such as `request-parameters-omitted` in Gizmos' library"),
    )
}
