//! The report of a proof as text: a table of locations and links, what is broken, and what was not
//! proven.

use std::collections::BTreeMap;

use compiler::organization::Topology;
use deployer::BrokenLink;
use deployer::proof::{Link, LinkState, LocationProof, ProofOutcome, ProofReport};
use syntax::untrusted::line;

use crate::{plural, push_line};

/// A larger fleet's table has only the rows that aren't all well.
const ROWS: usize = 60;
/// Locations to name for the same broken link; the rest are counted.
const NAMED: usize = 5;

/// What each kind of evidence proves, and what none of it does.
const PROVES: &str = "\
What this proves                                 canary     --cloudtrail  reading
  CloudTrail records and sends to the bus        no         yes           trail's settings
  forwarders, their role, the hub's bus policy   canaries'  canaries'     states, patterns, targets of all
  hub's rule, transformer, key, role, topic      canaries'  canaries'     states, patterns, targets of all;
                                                                          policy, key and filters of topics
  a detection's own pattern                      no         no            no: the rules' tests do that
  somebody reads the alert                       no         no            no: whether subscriptions are confirmed
";

/// The report for a terminal.
pub fn terminal(report: &ProofReport) -> String {
    let mut text = table(report);
    for line in broken(report) {
        push_line(&mut text, &line);
    }
    for name in &report.unmatched {
        push_line(
            &mut text,
            &format!("broken link: {name} is not a watched account or Region"),
        );
        push_line(
            &mut text,
            "  help: correct the argument, or watch it in the organization file",
        );
    }
    text.push('\n');
    text.push_str(PROVES);
    text
}

/// Rules that differ from their templates, for a terminal.
pub fn drift(rules: &[BrokenLink]) -> String {
    links("drift", rules)
}

/// Broken links of the alert chain, for a terminal.
pub fn broken_links(all: &[BrokenLink]) -> String {
    links("broken link", all)
}

fn links(word: &str, all: &[BrokenLink]) -> String {
    let mut text = String::new();
    for line in grouped(word, all.iter()) {
        push_line(&mut text, &line);
    }
    text
}

/// The report in a few lines. `calls` is the number of requests made.
pub fn summary(report: &ProofReport, calls: u64) -> String {
    let count = report.locations.len();
    let failed = report.locations.iter().filter(|it| it.is_broken()).count();
    let verdict = match report.outcome() {
        ProofOutcome::Proven => "all as expected".to_owned(),
        ProofOutcome::Empty => "NOTHING was selected".to_owned(),
        ProofOutcome::Broken if failed > 0 => format!("{failed} FAILED"),
        ProofOutcome::Broken => "FAILED".to_owned(),
    };
    let sent = match report.topology {
        Topology::Hub => format!("canaries from {}", locations(report.sent)),
        Topology::Local => {
            "no canaries, because without a hub there is no queue for them".to_owned()
        }
    };
    let topics = match report.topics_read.as_slice() {
        [] => "No topic of alerts was compared, and nothing was published to one.".to_owned(),
        topics => format!(
            "Nothing was published to {}; their policies, keys, subscriptions and filters were read.",
            line(&topics.join(", "))
        ),
    };
    let cloudtrail = if report.cloudtrail || report.topology == Topology::Local {
        ""
    } else {
        " The way from CloudTrail to the default buses was not proven: --cloudtrail does that."
    };
    format!(
        "Proof: {} checked, {sent}; {verdict}.\n{topics}{cloudtrail}\n\
         {calls} calls; {} need at least {}, besides those to the hub and the organization.\n",
        locations(count),
        locations(count),
        report.least_calls
    )
}

fn locations(count: usize) -> String {
    plural(count, "account and Region").replace("account and Regions", "accounts and Regions")
}

fn table(report: &ProofReport) -> String {
    let is_well = |row: &&LocationProof| !row.is_broken();
    let shown: Vec<&LocationProof> = report
        .locations
        .iter()
        .filter(|row| report.locations.len() <= ROWS || !is_well(row))
        .take(ROWS)
        .collect();
    let mut text = String::new();
    if !shown.is_empty() {
        push_line(
            &mut text,
            &format!(
                "{:<12}  {:<15} {:<10} {:<8} {:<12} {}",
                "account", "Region", "CloudTrail", "rules", "to the hub", "to the queue"
            ),
        );
    }
    for row in &shown {
        let state = |link| word(row.state(link));
        push_line(
            &mut text,
            &format!(
                "{:<12}  {:<15} {:<10} {:<8} {:<12} {}",
                row.location.account,
                row.location.region,
                state(Link::CloudTrail),
                state(Link::Rules),
                state(Link::Forwarding),
                state(Link::Alerting)
            ),
        );
    }
    if shown.len() < report.locations.len() {
        let failed = report
            .locations
            .iter()
            .filter(|row| row.is_broken())
            .count();
        let well = report.locations.len() - failed;
        push_line(
            &mut text,
            &format!(
                "{well} of {} are ok; `--format json` lists all",
                report.locations.len()
            ),
        );
    }
    text
}

fn word(state: LinkState) -> &'static str {
    match state {
        LinkState::Works => "ok",
        LinkState::Broken => "FAILED",
        LinkState::NotProven => "-",
    }
}

/// Every broken link once.
fn broken(report: &ProofReport) -> Vec<String> {
    let of_locations = report.locations.iter().flat_map(|row| &row.broken);
    grouped("broken link", report.hub.iter().chain(of_locations))
}

/// Equal links once, with the locations in which they are.
fn grouped<'a>(word: &str, links: impl Iterator<Item = &'a BrokenLink>) -> Vec<String> {
    let mut grouped: BTreeMap<(String, String, String), Vec<&BrokenLink>> = BTreeMap::new();
    for link in links {
        // What differs from location to location would make as many groups.
        let mask = |text: &str| {
            text.replace(&link.location.account, "ACCOUNT")
                .replace(&link.location.region, "REGION")
        };
        let key = (
            link.link.clone(),
            mask(&link.message),
            mask(&link.fix.to_string()),
        );
        grouped.entry(key).or_default().push(link);
    }
    let mut lines = Vec::new();
    for links in grouped.into_values() {
        let Some(first) = links.first() else {
            continue;
        };
        let mut places: Vec<String> = links.iter().map(|it| it.location.to_string()).collect();
        places.dedup();
        let more = places.len().saturating_sub(NAMED);
        places.truncate(NAMED);
        let mut places = places.join(", ");
        if more > 0 {
            places.push_str(&format!(" and {more} more"));
        }
        lines.push(format!(
            "{word}: {} ({places}): {}",
            first.link, first.message
        ));
        lines.push(format!("  help: {}", first.fix));
    }
    lines
}
