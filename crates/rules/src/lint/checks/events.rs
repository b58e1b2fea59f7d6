//! Checks that the events in a pattern exist and reach the rule.

use cloudtrail::envelope::{DETAIL_TYPES_OF_CLOUDTRAIL, SIGN_IN, SIGN_IN_IN_GUIDE};
use syntax::{Diagnostic, Fix, Node, Span, nearest};

use super::{Scope, scalar};
use crate::event_origin::{GLOBAL_REGION, GLOBAL_SERVICES, SIGN_IN_REGIONS};
use crate::lint::clause::{Clause, Matcher};
use crate::lint::names;
use crate::read::reader::listed;

pub(super) fn check(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    detail_types(scope, diagnostics);
    sources(scope, diagnostics);
    names(scope, diagnostics);
    read_only(scope, diagnostics);
    regions(scope, diagnostics);
    partners(scope, diagnostics);
    resources(scope, diagnostics);
}

fn detail_types(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for clause in scope.at("detail-type") {
        for (text, node) in clause.texts() {
            if DETAIL_TYPES_OF_CLOUDTRAIL.contains(&text) {
                continue;
            }
            let same = DETAIL_TYPES_OF_CLOUDTRAIL
                .iter()
                .find(|it| it.eq_ignore_ascii_case(text));
            if let Some(same) = same {
                diagnostics.push(case(scope, "the detail type", text, same, node));
            } else if let Some(near) = nearest(text, &DETAIL_TYPES_OF_CLOUDTRAIL) {
                diagnostics.push(
                    Diagnostic::error(
                        "pattern::detail-type",
                        format!("CloudTrail has no detail type `{text}`"),
                    )
                    .at(scope.location(node.span))
                    .help(format!("did you mean `{near}`?")),
                );
            }
        }
        let has = |wanted: &str| clause.texts().find(|(text, _)| *text == wanted);
        let (one, other) = match (has(SIGN_IN), has(SIGN_IN_IN_GUIDE)) {
            (Some((_, node)), None) => (node, SIGN_IN_IN_GUIDE),
            (None, Some((_, node))) => (node, SIGN_IN),
            _ => continue,
        };
        let mut diagnostic = Diagnostic::warning(
            "pattern::sign-in-spelling",
            "the detail type of console sign-ins is listed in one of its two spellings",
        )
        .at(scope.location(one.span))
        .note(format!(
            "AWS's guide prints `{SIGN_IN_IN_GUIDE}`, events have `{SIGN_IN}`"
        ))
        .help(format!("also list `{other}`"));
        if let Some(fix) = add_item(scope, clause, one, other) {
            diagnostic = diagnostic.fix(fix);
        }
        diagnostics.push(diagnostic);
    }
}

/// A fix that adds an item after an existing one, in the list's style.
fn add_item(scope: &Scope<'_>, clause: &Clause<'_>, item: &Node, text: &str) -> Option<Fix> {
    let file = &scope.subject.file.text;
    let list = file.get(clause.key.value.span.start..)?;
    let inserted = if list.starts_with('[') {
        format!(", {text}")
    } else {
        let line = file.get(..item.span.start)?.rsplit('\n').next()?;
        let dash = line.rfind('-')?;
        let indent = line.get(..dash)?;
        if !indent.trim().is_empty() {
            return None;
        }
        format!("\n{indent}- {text}")
    };
    let at = item.span.end;
    // Text added after a comment would become part of it.
    let rest = file.get(at..)?.lines().next()?;
    if !list.starts_with('[') && !rest.trim().is_empty() {
        return None;
    }
    Some(Fix::replace(
        format!("also list `{text}`"),
        Span::new(at, at),
        inserted,
    ))
}

/// The diagnostic for a name that differs only in case.
fn case(scope: &Scope<'_>, what: &str, written: &str, right: &str, node: &Node) -> Diagnostic {
    Diagnostic::error(
        "pattern::case",
        format!("{what} is `{right}`, not `{written}`: EventBridge is case-sensitive here"),
    )
    .at(scope.location(node.span))
    .fix(Fix::replace(
        format!("write `{right}`"),
        node.span,
        scalar(right),
    ))
}

fn sources(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for clause in scope.at("detail.eventSource") {
        for (text, node) in clause.texts() {
            if names::is_source(text) {
                mismatch(scope, clause, text, node, diagnostics);
                continue;
            }
            let lower = text.to_ascii_lowercase();
            if names::is_source(&lower) {
                diagnostics.push(case(scope, "the event source", text, &lower, node));
                continue;
            }
            let mut diagnostic = Diagnostic::warning(
                "pattern::unknown-event-source",
                format!("no AWS service is known to record events as `{text}`"),
            )
            .at(scope.location(node.span));
            let with_suffix = format!("{text}.amazonaws.com");
            if let Some(service) = text.strip_prefix("aws.").filter(|it| names::is_service(it)) {
                diagnostic = diagnostic.help(format!(
                    "`{text}` belongs in `source`; here it is `{service}.amazonaws.com`"
                ));
            } else if names::is_source(&with_suffix) {
                diagnostic = diagnostic.help(format!("write `{with_suffix}`"));
            } else {
                let known = names::sources();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                if let Some(near) = nearest(text, &known) {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                }
            }
            diagnostics.push(diagnostic);
        }
    }
}

/// No event has a `source` and an `eventSource` of different services.
fn mismatch(
    scope: &Scope<'_>,
    clause: &Clause<'_>,
    text: &str,
    node: &Node,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let wanted = format!("aws.{}", names::service_of(text));
    let mut offered = Vec::new();
    for other in scope.at("source").filter(|other| other.meets(clause)) {
        for term in &other.terms {
            match term.matcher {
                Matcher::Text(source) if source.starts_with("aws.") => offered.push(source),
                Matcher::Prefix(prefix) if !wanted.starts_with(prefix) => {}
                _ => return,
            }
        }
    }
    // A few services have more than one source, so only a clear contradiction counts.
    let related = |source: &&str| {
        let service = source.trim_start_matches("aws.");
        let other = wanted.trim_start_matches("aws.");
        service == other
            || service.contains(other)
            || other.contains(service)
            || !names::is_service(service)
    };
    if !offered.is_empty() && !offered.iter().any(related) {
        diagnostics.push(
            Diagnostic::error(
                "pattern::source-mismatch",
                format!("an event with `eventSource` `{text}` has the source `{wanted}`"),
            )
            .at(scope.location(node.span))
            .note(format!("the pattern requires {}", listed(&offered)))
            .help(format!(
                "add `{wanted}` to `source`, or correct one of the two"
            )),
        );
    }
}

fn names(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    if !scope.is_cloudtrail() {
        return;
    }
    let api_call = scope.is_api_call();
    for clause in scope.at("detail.eventName") {
        let Some(services) = scope.services(clause) else {
            continue;
        };
        for term in &clause.terms {
            match term.matcher {
                Matcher::Text(name) => {
                    name_of(scope, &services, name, term.node, api_call, diagnostics);
                }
                Matcher::Prefix(prefix)
                    if api_call && !services.iter().any(|it| names::is_beginning(it, prefix)) =>
                {
                    diagnostics.push(
                        Diagnostic::warning(
                            "pattern::unknown-event-name",
                            format!(
                                "no event of {} is known to begin with `{prefix}`",
                                listed(&services)
                            ),
                        )
                        .at(scope.location(term.node.span)),
                    );
                }
                _ => {}
            }
        }
    }
}

fn name_of(
    scope: &Scope<'_>,
    services: &[&str],
    name: &str,
    node: &Node,
    api_call: bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let data = |service: &&&str| names::is_data_event(service, name);
    if api_call && services.iter().all(|it| data(&it)) {
        diagnostics.push(
            Diagnostic::error(
                "pattern::data-event",
                format!("`{name}` is a data event, and the trail records management events only"),
            )
            .at(scope.location(node.span))
            .note("without a trail that selects them, CloudTrail sends no data events to EventBridge")
            .help("if another trail of the organization selects them, say so: `# allow: pattern::data-event which trail`"),
        );
        return;
    }
    if services
        .iter()
        .any(|service| names::is_event(service, name))
    {
        let recorded = services
            .iter()
            .find_map(|service| Some((service, names::versioned(service, name)?)));
        if let Some((service, recorded)) = recorded {
            versioned(scope, service, name, recorded, node, diagnostics);
        }
        return;
    }
    let known: Vec<&str> = services.iter().flat_map(|it| names::events(it)).collect();
    if let Some(same) = known.iter().find(|it| it.eq_ignore_ascii_case(name)) {
        diagnostics.push(case(scope, "the event name", name, same, node));
        return;
    }
    if !api_call {
        // Service events and console actions aren't in botocore's models.
        return;
    }
    let diagnostic = Diagnostic::warning(
        "pattern::unknown-event-name",
        format!("{} is not known to record `{name}`", listed(services)),
    )
    .at(scope.location(node.span));
    let elsewhere = names::services_with(name);
    diagnostics.push(match nearest(name, &known) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if !elsewhere.is_empty() => diagnostic.help(format!(
            "it is an event of {}",
            listed(&elsewhere)
        )),
        None => diagnostic.help("some IAM actions are named differently from their API calls; CloudTrail records the call's name"),
    });
}

fn versioned(
    scope: &Scope<'_>,
    service: &str,
    name: &str,
    recorded: &str,
    node: &Node,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let diagnostic = Diagnostic::error(
        "pattern::versioned-name",
        format!("CloudTrail records `{name}` with the API's version, as `{recorded}`"),
    )
    .at(scope.location(node.span))
    .help(format!("write `{{prefix: {name}}}`"));
    // A prefix is a safe fix only if no other event name has it.
    let alone = names::events(service)
        .filter(|other| other.starts_with(name))
        .all(|other| {
            other == name
                || names::versioned(service, name) == Some(other)
                || other
                    .trim_start_matches(name)
                    .starts_with(|c: char| c.is_ascii_digit())
        });
    diagnostics.push(if alone {
        diagnostic.fix(Fix::replace(
            format!("write `{{prefix: {name}}}`"),
            node.span,
            format!("{{prefix: {name}}}"),
        ))
    } else {
        diagnostic
    });
}

fn read_only(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    if !scope.is_api_call() {
        return;
    }
    let flag = scope.subject.root.get("read_only");
    let mut all_delivered = true;
    let mut some = false;
    for clause in scope.at("detail.eventName") {
        let services = scope.services(clause).unwrap_or_default();
        for term in &clause.terms {
            some = true;
            let (Matcher::Text(name) | Matcher::Prefix(name)) = term.matcher else {
                all_delivered = false;
                continue;
            };
            let reads = if services.is_empty() {
                names::is_read_only("", name)
            } else {
                services.iter().all(|it| names::is_read_only(it, name))
            };
            all_delivered &= match term.matcher {
                Matcher::Text(_) => !reads,
                _ => !cloudtrail::may_begin_reading_name(name),
            };
            if reads && !scope.subject.read_only {
                diagnostics.push(
                    Diagnostic::error(
                        "pattern::read-only-call",
                        format!("`{name}` is a read-only call, but the rule doesn't request those"),
                    )
                    .at(scope.location(term.node.span))
                    .help("write `read_only: true`; EventBridge then receives every read-only call of every account, at a cost")
                    .note("EventBridge delivers management events that begin with List, Get or Describe to no other rules"),
                );
            }
        }
    }
    if let Some(node) = flag.filter(|_| scope.subject.read_only && some && all_delivered) {
        diagnostics.push(
            Diagnostic::warning(
                "rule::needless-read-only",
                "the rule requests read-only calls, but none of its event names is one that EventBridge withholds",
            )
            .note("EventBridge withholds management events only if the name begins with List, Get or Describe and `readOnly` is true")
            .at(scope.location(node.span))
            .fix(Fix::replace("write `false`", node.span, "false")),
        );
    }
}

fn regions(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for path in ["region", "detail.awsRegion"] {
        for clause in scope.at(path) {
            let mut named = Vec::new();
            for (region, node) in clause.texts() {
                named.push(region);
                if names::REGIONS.contains(&region)
                    || (path == "detail.awsRegion" && !scope.is_cloudtrail())
                {
                    continue;
                }
                let lower = region.to_ascii_lowercase();
                if names::REGIONS.contains(&lower.as_str()) {
                    diagnostics.push(case(scope, "the Region", region, &lower, node));
                    continue;
                }
                let diagnostic = Diagnostic::warning(
                    "pattern::unknown-region",
                    format!("there is no Region `{region}`"),
                )
                .at(scope.location(node.span));
                diagnostics.push(match nearest(region, &names::REGIONS) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic,
                });
            }
            if named.len() != clause.terms.len() {
                continue;
            }
            let Some(services) = scope.services(clause) else {
                continue;
            };
            let all = |wanted: &[&str]| services.iter().all(|it| wanted.contains(it));
            if all(&GLOBAL_SERVICES) && !named.contains(&GLOBAL_REGION) && scope.is_cloudtrail() {
                diagnostics.push(
                    Diagnostic::error(
                        "pattern::global-region",
                        format!(
                            "events of {} are recorded in us-east-1 only",
                            listed(&services)
                        ),
                    )
                    .at(scope.location(clause.span()))
                    .help("leave the Region out, or add us-east-1"),
                );
            } else if all(&["signin"]) && !SIGN_IN_REGIONS.iter().all(|it| named.contains(it)) {
                diagnostics.push(
                    Diagnostic::error(
                        "pattern::global-region",
                        "console sign-ins are recorded in more Regions than these",
                    )
                    .at(scope.location(clause.span()))
                    .note("root users: us-east-1; IAM users: there, or us-east-2, eu-north-1, ap-southeast-2; and wherever a regional endpoint is used")
                    .help("leave the Region out"),
                );
            }
        }
    }
}

/// Sources of software partners, whose events arrive on buses of their own.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-saas.html>
const PARTNERS: &str = "aws.partner/";

fn partners(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for clause in scope.at("source") {
        for term in &clause.terms {
            let (Matcher::Text(source) | Matcher::Prefix(source)) = term.matcher else {
                continue;
            };
            if source.starts_with(PARTNERS) {
                diagnostics.push(
                    Diagnostic::error(
                        "pattern::partner-source",
                        format!(
                            "events of `{source}` arrive on a partner event bus only, and rules watch the default bus"
                        ),
                    )
                    .at(scope.location(term.node.span))
                    .help("forward them from the partner's bus by a rule of your own, or take the source out"),
                );
            }
        }
    }
}

fn resources(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    if !scope.is_cloudtrail() {
        return;
    }
    for clause in scope.at("resources") {
        let asks_for_none = clause
            .terms
            .iter()
            .all(|term| matches!(term.matcher, Matcher::Exists(false)));
        if !asks_for_none {
            diagnostics.push(
                Diagnostic::warning(
                    "pattern::empty-resources",
                    "the `resources` of CloudTrail's events are empty",
                )
                .at(scope.location(clause.span()))
                .help("use `detail.resources`, or the call's `detail.requestParameters`"),
            );
        }
    }
}
