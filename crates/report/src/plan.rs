//! A plan as text.

use std::collections::BTreeMap;

use compiler::Item;
use deployer::plan::{
    BlockedLocation, Change, LeftBehind, Move, Plan, Problem, Reason, RuleChange, RuleChangeKind,
    StackSetPlan,
};
use deployer::ports::Location;
use syntax::untrusted::{code, markdown as markdown_text};

use crate::{plural, push_line};

/// Maximum locations to list by name; the rest are counted.
const LISTED: usize = 12;

/// Maximum rules to list by name; the rest are counted.
const RULES: usize = 100;

/// The plan for a terminal.
pub fn terminal(plan: &Plan) -> String {
    let mut text = problems(&plan.problems);
    if !plan.pinned_regions.is_empty() {
        push_line(&mut text, &pinned(plan));
    }
    let mut lines = Vec::new();
    for set in &plan.stack_sets {
        lines.extend(stack_set(set));
    }
    for stack in &plan.stacks {
        lines.push(format!(
            "  {:<10} stack {} in {}{}",
            stack.change.word(),
            stack.name,
            stack.location,
            explanation(&stack.change)
        ));
        lines.extend(rules(&stack.rules));
    }
    for line in lines {
        push_line(&mut text, &line);
    }
    let changes = plan.rules();
    for change in changes.iter().take(RULES) {
        let what = match change.change {
            RuleChangeKind::Added => "is new",
            RuleChangeKind::Changed => "changes",
            RuleChangeKind::Removed => "goes",
            RuleChangeKind::Moved => "moves",
        };
        push_line(
            &mut text,
            &format!(
                "Rule {} {what}{} in {}.",
                change.rule,
                details(change),
                scope(plan)
            ),
        );
    }
    if changes.len() > RULES {
        let more = plural(changes.len() - RULES, "more rule");
        push_line(
            &mut text,
            &format!("And {more}; the lines `rule` above name all of them."),
        );
    }
    for it in &plan.moves {
        push_line(&mut text, &moved(it));
    }
    for note in &plan.notes {
        push_line(&mut text, &format!("note: {note}"));
    }
    text.push_str(&summary(plan));
    text.push('\n');
    if !plan.is_empty() && plan.problems.is_empty() {
        push_line(&mut text, &estimate(plan));
    }
    text
}

/// What a move means for whoever reads the alerts.
fn moved(it: &Move) -> String {
    let Move {
        item,
        from,
        to,
        minutes,
    } = it;
    let time = plural(usize::try_from(*minutes).unwrap_or(usize::MAX), "minute");
    let (what, twice) = match item {
        Item::Rule(rule) => (format!("Rule {rule}"), "its alerts"),
        Item::Forwarder(source) => (
            format!("The forwarder for {source}"),
            "alerts about its events",
        ),
    };
    if from == to {
        return format!(
            "{what} in {to} is replaced, the new one first: {twice} may come twice for about {time} \
             in each account."
        );
    }
    format!(
        "{what} moves from {from} to {to}, which receives it first: {twice} may come twice for \
         about {time}."
    )
}

/// The Regions that `regions: enabled` stands for.
fn pinned(plan: &Plan) -> String {
    format!(
        "Watching the enabled Regions of the management account: {}.",
        plan.pinned_regions.join(", ")
    )
}

/// The plan's estimated effort, in one line.
fn estimate(plan: &Plan) -> String {
    let sum = &plan.estimate;
    let soak = if sum.soak_minutes > 0 {
        format!(", {} of them soaking", sum.soak_minutes)
    } else {
        String::new()
    };
    format!(
        "Estimate: {} on {}, {} of the management account, about {}{soak}.",
        plural(sum.operations, "operation"),
        plural(sum.instances, "stack instance"),
        plural(sum.stacks, "stack"),
        plural(usize::try_from(sum.minutes).unwrap_or(usize::MAX), "minute"),
    )
}

/// The plan for a pull request comment.
pub fn markdown(plan: &Plan) -> String {
    let mut text = format!(
        "### Plan for organization {}\n\n{}\n",
        code(&plan.organization),
        summary(plan)
    );
    if !plan.pinned_regions.is_empty() {
        text.push('\n');
        push_line(&mut text, &markdown_text(&pinned(plan)));
    }
    for problem in &plan.problems {
        markdown_problem(problem, &mut text);
    }
    if plan.is_empty() {
        return text;
    }
    text.push_str(
        "\n| | what | instances added | updated | removed | why |\n|---|---|---:|---:|---:|---|\n",
    );
    for set in plan.stack_sets.iter().filter(|set| !set.is_unchanged()) {
        push_line(
            &mut text,
            &format!(
                "| {} | stack set {} | {} | {} | {} | {} |",
                set.change.word(),
                code(&set.name),
                set.add.len(),
                set.update.len(),
                set.remove.len(),
                markdown_text(explanation(&set.change).trim_start_matches(": "))
            ),
        );
    }
    for stack in plan
        .stacks
        .iter()
        .filter(|stack| stack.change != Change::Unchanged)
    {
        push_line(
            &mut text,
            &format!(
                "| {} | stack {} in {} | | | | {} |",
                stack.change.word(),
                code(&stack.name),
                markdown_text(&stack.location.to_string()),
                markdown_text(explanation(&stack.change).trim_start_matches(": "))
            ),
        );
    }
    markdown_regions(plan, &mut text);
    let changes = plan.rules();
    if !changes.is_empty() {
        text.push('\n');
    }
    for change in &changes {
        push_line(
            &mut text,
            &format!(
                "- rule {} {}{}, in {}",
                code(&change.rule),
                change.change.word(),
                markdown_text(&details(change)),
                scope(plan)
            ),
        );
    }
    for it in &plan.moves {
        push_line(&mut text, &format!("- {}", markdown_text(&moved(it))));
    }
    let blocked: Vec<&BlockedLocation> = plan
        .stack_sets
        .iter()
        .flat_map(|set| &set.blocked)
        .collect();
    if !blocked.is_empty() {
        text.push('\n');
    }
    for line in blocked_locations(&blocked) {
        push_line(&mut text, &format!("- {}", markdown_text(&line)));
    }
    let left = plan
        .stack_sets
        .iter()
        .flat_map(|set| left_behind(&set.left_behind));
    let notes = plan.notes.iter().map(|note| format!("note: {note}"));
    let lines: Vec<String> = left
        .map(|line| line.trim().to_owned())
        .chain(notes)
        .collect();
    if !lines.is_empty() {
        text.push('\n');
    }
    for line in lines {
        push_line(&mut text, &format!("- {}", markdown_text(&line)));
    }
    if plan.problems.is_empty() {
        text.push('\n');
        push_line(&mut text, &estimate(plan));
    }
    text
}

fn markdown_problem(problem: &Problem, text: &mut String) {
    let (message, fix) = (&problem.message, problem.fix.to_string());
    text.push('\n');
    push_line(text, &format!("> **{}**", markdown_text(message)));
    push_line(text, &format!("> {}", markdown_text(&fix)));
}

/// One table per changed stack set: what happens in each Region.
fn markdown_regions(plan: &Plan, text: &mut String) {
    for set in plan.stack_sets.iter().filter(|set| !set.is_unchanged()) {
        text.push('\n');
        push_line(text, &format!("{} by Region", code(&set.name)));
        text.push_str(
            "\n| Region | add | update | remove | repair | blocked | unchanged |\n\
             |---|---:|---:|---:|---:|---:|---:|\n",
        );
        for (region, cells) in set.matrix() {
            push_line(
                text,
                &format!(
                    "| {} | {} | {} | {} | {} | {} | {} |",
                    markdown_text(region),
                    cells.create,
                    cells.update,
                    cells.delete,
                    cells.repair,
                    cells.blocked,
                    cells.unchanged
                ),
            );
        }
    }
}

/// The number of watched accounts and Regions.
fn scope(plan: &Plan) -> String {
    format!(
        "{} x {}",
        plural(plan.accounts, "account"),
        plural(plan.regions, "Region")
    )
}

/// The plan in one line.
pub fn summary(plan: &Plan) -> String {
    if !plan.problems.is_empty() {
        return format!(
            "Blocked: {}; nothing was changed.",
            plural(plan.problems.len(), "problem")
        );
    }
    let sum = plan.summary();
    let scope = scope(plan);
    if plan.is_empty() {
        let blocked = if sum.instances_blocked + sum.blocked > 0 {
            format!(", {} blocked", sum.instances_blocked + sum.blocked)
        } else {
            String::new()
        };
        return format!(
            "Nothing to do: {scope}, {} up to date{blocked}.",
            plural(sum.instances_unchanged, "stack instance"),
        );
    }
    format!(
        "Plan for {scope}: {} to create, {} to update, {} to delete, {} unchanged, {} blocked; \
         stack instances: {} to add, {} to update, {} to remove, {} unchanged, {} blocked.",
        sum.create,
        sum.update,
        sum.delete,
        sum.unchanged,
        sum.blocked,
        sum.instances_add,
        sum.instances_update,
        sum.instances_remove,
        sum.instances_unchanged,
        sum.instances_blocked
    )
}

/// Problems that block a deployment, with fixes.
pub fn problems(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        push_line(&mut text, &format!("error: {}", problem.message));
        push_line(&mut text, &format!("  help: {}", problem.fix));
    }
    text
}

/// Blocked locations: one line per reason, with a readable number of accounts.
pub(crate) fn blocked(locations: &[BlockedLocation]) -> Vec<String> {
    let locations: Vec<&BlockedLocation> = locations.iter().collect();
    let lines = blocked_locations(&locations).into_iter();
    lines.map(|line| format!("      {line}")).collect()
}

fn blocked_locations(locations: &[&BlockedLocation]) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<&BlockedLocation>> = BTreeMap::new();
    for it in locations {
        by_reason.entry(&it.reason).or_default().push(it);
    }
    let mut lines = Vec::new();
    for (reason, locations) in by_reason {
        for it in locations.iter().take(LISTED) {
            let name = it
                .account_name
                .as_ref()
                .map(|name| format!(" ({name})"))
                .unwrap_or_default();
            lines.push(format!("blocked  {}{name}: {reason}", it.location));
        }
        if locations.len() > LISTED {
            lines.push(format!(
                "blocked  and {} more locations: {reason}",
                locations.len() - LISTED
            ));
        }
    }
    lines
}

fn stack_set(set: &StackSetPlan) -> Vec<String> {
    let mut lines = vec![format!(
        "  {:<10} stack set {}{}",
        set.change.word(),
        set.name,
        explanation(&set.change)
    )];
    for operation in &set.in_progress {
        lines.push(format!("      running  operation {operation}"));
    }
    for (word, locations) in [
        ("add", &set.add),
        ("update", &set.update),
        ("remove", &set.remove),
    ] {
        if !locations.is_empty() {
            lines.push(format!(
                "      {word:<8} {}: {}",
                plural(locations.len(), "instance"),
                list(locations)
            ));
        }
    }
    let size = set.add.len() + set.update.len() + set.remove.len() + set.blocked.len();
    if size > LISTED {
        lines.extend(matrix(set));
    }
    lines.extend(rules(&set.rules));
    for repair in set.repair.iter().take(LISTED) {
        lines.push(format!(
            "      repair   {}: {}",
            repair.location, repair.reason
        ));
    }
    if set.repair.len() > LISTED {
        lines.push(format!(
            "      repair   and {} more",
            set.repair.len() - LISTED
        ));
    }
    lines.extend(left_behind(&set.left_behind));
    lines.extend(blocked(&set.blocked));
    lines
}

/// Stacks that stay in accounts out of reach: one line per reason.
pub(crate) fn left_behind(all: &[LeftBehind]) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<Location>> = BTreeMap::new();
    for it in all {
        let locations = by_reason.entry(&it.reason).or_default();
        locations.push(it.location.clone());
    }
    let line = |(reason, locations): (&str, Vec<Location>)| {
        format!(
            "      leave    {}: {}: {reason}; until somebody deletes them there, the stacks stay",
            plural(locations.len(), "stack"),
            list(&locations)
        )
    };
    by_reason.into_iter().map(line).collect()
}

/// Counts of planned actions by Region.
fn matrix(set: &StackSetPlan) -> Vec<String> {
    let mut lines = vec![format!(
        "      {:<16}{:>8}{:>8}{:>8}{:>8}{:>9}{:>11}",
        "Region", "add", "update", "remove", "repair", "blocked", "unchanged"
    )];
    lines.extend(set.matrix().iter().map(|(region, cells)| {
        format!(
            "      {region:<16}{:>8}{:>8}{:>8}{:>8}{:>9}{:>11}",
            cells.create, cells.update, cells.delete, cells.repair, cells.blocked, cells.unchanged
        )
    }));
    lines
}

fn rules(changes: &[RuleChange]) -> Vec<String> {
    changes
        .iter()
        .map(|it| {
            format!(
                "      rule     {} {}{}",
                it.rule,
                it.change.word(),
                details(it)
            )
        })
        .collect()
}

fn details(change: &RuleChange) -> String {
    if change.details.is_empty() {
        String::new()
    } else {
        format!(": {}", change.details.join(", "))
    }
}

fn explanation(change: &Change) -> String {
    match change {
        Change::Update { reasons } => {
            let reasons: Vec<String> = reasons.iter().map(Reason::describe).collect();
            format!(": {}", reasons.join("; "))
        }
        Change::Replace { status } => format!(": its first creation ended in {status}"),
        Change::Blocked { reason } => format!(": {reason}"),
        Change::Create | Change::Delete | Change::Unchanged => String::new(),
    }
}

/// Locations by account: `012345678901 in eu-central-1, us-east-1; …`.
pub(crate) fn list(locations: &[Location]) -> String {
    let mut accounts: Vec<(&str, Vec<&str>)> = Vec::new();
    for location in locations {
        match accounts.last_mut() {
            Some((account, regions)) if *account == location.account => {
                regions.push(&location.region);
            }
            _ => accounts.push((&location.account, vec![&location.region])),
        }
    }
    let mut parts: Vec<String> = accounts
        .iter()
        .take(LISTED)
        .map(|(account, regions)| format!("{account} in {}", regions.join(", ")))
        .collect();
    if accounts.len() > LISTED {
        parts.push(format!(
            "and {} more",
            plural(accounts.len() - LISTED, "account")
        ));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests;
