//! Pages made from the rules: what there is (`CATALOGUE.md`) and how it reads (`ALERTS.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::attack::{TACTICS, TECHNIQUES};
use crate::model::{Origin, Rule, Severity};
use crate::test::run_tests;

const HEAD: &str = "# Rule catalogue

<!-- Made from the rules by the `generate` command; edit them. -->

";

/// The monitoring items of the CIS AWS Foundations Benchmark by their numbers in versions 1.5 to 4,
/// in our own words. Later versions number them 5.1 to 5.16.
const CIS: [(&str, &str); 16] = [
    ("4.1", "refused API calls"),
    ("4.2", "console sign-ins without MFA"),
    ("4.3", "use of the root user"),
    ("4.4", "changes of IAM policies"),
    ("4.5", "changes of CloudTrail's configuration"),
    ("4.6", "failed console sign-ins"),
    ("4.7", "customer keys disabled or about to be deleted"),
    ("4.8", "changes of bucket policies"),
    ("4.9", "changes of AWS Config"),
    ("4.10", "changes of security groups"),
    ("4.11", "changes of network ACLs"),
    ("4.12", "changes of network gateways"),
    ("4.13", "changes of route tables"),
    ("4.14", "changes of VPCs"),
    ("4.15", "changes of AWS Organizations"),
    ("4.16", "Security Hub is enabled"),
];

/// The page `CATALOGUE.md`: all rules by theme, and what they cover of CIS, ATT&CK and services.
///
/// `folder` is the rules folder; a rule's theme is the folder below it.
pub fn catalogue(rules: &[Rule], folder: &Path) -> String {
    let mut out = HEAD.to_owned();
    summary(&mut out, rules);
    themes(&mut out, rules, folder);
    cis(&mut out, rules);
    attack(&mut out, rules);
    services(&mut out, rules);
    synthetic(&mut out, rules);
    out
}

/// The page `ALERTS.md`: the alert of every rule on the event of its first positive test.
pub fn alerts(rules: &[Rule], folder: &Path) -> String {
    let mut out = "# Every alert as it arrives

<!-- Made from the rules by the `generate` command; edit them. -->

Each rule's alert on the event of its first test that must match. Read them as somebody who has just
been woken up: what happened, who, where, when, what to do first?
"
    .to_owned();
    for rule in rules.iter().filter(|rule| rule.message.is_some()) {
        let outcome = run_tests(rule)
            .into_iter()
            .find_map(|outcome| outcome.message.map(|message| (outcome.test, message)));
        let Some((test, alert)) = outcome else {
            continue;
        };
        line(&mut out, format_args!("\n## {}\n", rule.id));
        line(&mut out, format_args!("{}: {test}\n", link(rule, folder)));
        line(&mut out, format_args!("```json\n{alert}\n```"));
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.push_str(&text.to_string());
    out.push('\n');
}

fn summary(out: &mut String, rules: &[Rule]) {
    let tests: usize = rules.iter().map(|rule| rule.tests.len()).sum();
    let counts: Vec<String> = Severity::ALL
        .into_iter()
        .rev()
        .map(|severity| {
            let count = rules.iter().filter(|it| it.severity == severity).count();
            format!("{count} {severity}")
        })
        .collect();
    let off = rules.iter().filter(|rule| !rule.is_deployed()).count();
    line(
        out,
        format_args!(
            "{} rules with {tests} tests: {}. Kept but not deployed
(`enabled: false`): {off}.",
            rules.len(),
            counts.join(", "),
        ),
    );
    line(
        out,
        format_args!(
            "\nWhat each looks for, why it has its severity and what to do first stands in the rule; how the\nalerts read, in [ALERTS.md](ALERTS.md)."
        ),
    );
}

fn themes(out: &mut String, rules: &[Rule], folder: &Path) {
    let mut themes: BTreeMap<String, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        themes.entry(theme(rule, folder)).or_default().push(rule);
    }
    for (theme, mut rules) in themes {
        rules.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.id.cmp(&b.id)));
        line(out, format_args!("\n## {theme}\n"));
        line(
            out,
            format_args!("| rule | severity | what | ATT&CK | CIS |\n|---|---|---|---|---|"),
        );
        for rule in rules {
            let off = if rule.is_deployed() {
                ""
            } else {
                ", not deployed"
            };
            line(
                out,
                format_args!(
                    "| {} | {}{off} | {} | {} | {} |",
                    link(rule, folder),
                    rule.severity,
                    cell(&rule.title),
                    techniques(rule).collect::<Vec<_>>().join(", "),
                    cis_items(rule).collect::<Vec<_>>().join(", "),
                ),
            );
        }
    }
}

fn cis(out: &mut String, rules: &[Rule]) {
    line(
        out,
        format_args!(
            "\n## CIS AWS Foundations Benchmark\n\nThe items of the section on monitoring, by their numbers in versions 1.5 to 4; later versions\nnumber them 5.1 to 5.16.\n\n| item | about | rules |\n|---|---|---|"
        ),
    );
    for (item, about) in CIS {
        let covering = ids(rules, |rule| cis_items(rule).any(|it| it == item));
        line(out, format_args!("| {item} | {about} | {covering} |"));
    }
}

/// Tactics by techniques. A technique that serves several tactics is listed under each.
fn attack(out: &mut String, rules: &[Rule]) {
    line(
        out,
        format_args!(
            "\n## MITRE ATT&CK\n\nTactics and techniques of ATT&CK for Enterprise that rules name. Reconnaissance and what else happens\noutside of AWS leaves no event.\n\n| tactic | technique | rules |\n|---|---|---|"
        ),
    );
    for tactic in TACTICS {
        let named: Vec<(&str, &str)> = TECHNIQUES
            .lines()
            .filter_map(|line| {
                let mut words = line.splitn(3, ' ');
                let (id, tactics, name) = (words.next()?, words.next()?, words.next()?);
                let serves = tactics.split(',').any(|it| it == tactic);
                let used = rules.iter().any(|rule| techniques(rule).any(|it| it == id));
                (serves && used).then_some((id, name))
            })
            .collect();
        if named.is_empty() {
            line(out, format_args!("| {tactic} | none | |"));
        }
        for (index, (id, name)) in named.into_iter().enumerate() {
            let tactic = if index == 0 { tactic } else { "" };
            let covering = ids(rules, |rule| techniques(rule).any(|it| it == id));
            line(out, format_args!("| {tactic} | {id} {name} | {covering} |"));
        }
    }
}

fn services(out: &mut String, rules: &[Rule]) {
    let services: BTreeSet<&str> = rules
        .iter()
        .flat_map(|rule| tagged(rule, "service."))
        .collect();
    line(
        out,
        format_args!("\n## Services\n\n| service | rules |\n|---|---|"),
    );
    for service in services {
        let about = ids(rules, |rule| {
            tagged(rule, "service.").any(|it| it == service)
        });
        line(out, format_args!("| {service} | {about} |"));
    }
}

/// Rules none of whose positive tests follows a recorded event.
fn synthetic(out: &mut String, rules: &[Rule]) {
    let unseen = |rule: &Rule| {
        let mut positive = rule.tests.iter().filter(|test| test.matches);
        positive.all(|test| test.origin == Origin::Synthetic)
    };
    let unseen = ids(rules, unseen);
    if !unseen.is_empty() {
        line(
            out,
            format_args!(
                "\n## Not tried on recorded events\n\nThe tests of these rules were written after AWS' documentation, since no recorded event was at\nhand (`origin: synthetic`): {unseen}."
            ),
        );
    }
}

/// The ids of the rules for which something holds.
fn ids(rules: &[Rule], holds: impl Fn(&Rule) -> bool) -> String {
    let ids: Vec<String> = rules
        .iter()
        .filter(|rule| holds(rule))
        .map(|rule| format!("`{}`", rule.id))
        .collect();
    ids.join(", ")
}

fn link(rule: &Rule, folder: &Path) -> String {
    let path = below(rule, folder).to_string_lossy().replace('\\', "/");
    format!("[{}]({path})", rule.id)
}

fn below<'r>(rule: &'r Rule, folder: &Path) -> &'r Path {
    let path = &rule.file.path;
    path.strip_prefix(folder).unwrap_or(path)
}

fn theme(rule: &Rule, folder: &Path) -> String {
    let first = below(rule, folder)
        .parent()
        .and_then(|parent| parent.iter().next());
    first.map_or_else(
        || "other".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn tagged<'r>(rule: &'r Rule, prefix: &'r str) -> impl Iterator<Item = &'r str> {
    rule.tags
        .iter()
        .filter_map(move |tag| tag.strip_prefix(prefix))
}

fn techniques(rule: &Rule) -> impl Iterator<Item = String> {
    tagged(rule, "attack.t").map(|id| format!("T{id}"))
}

/// `4.2` of a tag `cis.v3.0.0.4.2`.
fn cis_items(rule: &Rule) -> impl Iterator<Item = &str> {
    tagged(rule, "cis.v").filter_map(|tag| {
        let (at, _) = tag.match_indices('.').nth(2)?;
        tag.get(at + 1..)
    })
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
