//! Explains one rule: its pattern, its locations, its topics and its alert.

use compiler::organization::{Organization, Topic};
use compiler::{AccountFilter, Bundle, Carrier, Size, Targets};
use rules::{Exception, Response, Rule, run_tests};
use serde::Serialize;
use serde_json::Value;

use crate::{plural, push_line, push_lines};

/// A rule as it is deployed.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// Unique in the rule library.
    pub rule: String,
    /// Appears at the start of its alerts.
    pub title: String,
    /// Decides which topics receive its alerts.
    pub severity: &'static str,
    /// Such as `stable`.
    pub status: &'static str,
    /// Whether deployments include it.
    pub is_deployed: bool,
    /// Whether it receives read-only API calls.
    pub read_only: bool,
    /// The deployed event pattern, which includes the exceptions.
    pub event_pattern: Value,
    /// The event pattern in the rule file, if exceptions changed it.
    pub written_event_pattern: Option<Value>,
    /// Name and last day of each exception.
    pub exceptions: Vec<(String, String)>,
    /// Automatic response to an event.
    pub response: Option<Response>,
    /// The resources that implement it; `None` if the project doesn't compile.
    pub carriers: Option<Vec<Carrier>>,
    /// The topics that receive its alerts, with their subscriptions.
    pub topics: Vec<NamedTopic>,
    /// Its share of AWS quotas.
    pub sizes: Vec<Size>,
    /// The alert of its first positive test that has one.
    pub alert: Option<Alert>,
}

/// A topic and its name on AWS.
#[derive(Clone, Debug, Serialize)]
pub struct NamedTopic {
    /// Name on AWS, such as `gizmos-alerts`.
    pub topic_name: String,
    /// The topic in the organization file.
    #[serde(flatten)]
    pub topic: Topic,
}

/// An alert as subscribers receive it.
#[derive(Clone, Debug, Serialize)]
pub struct Alert {
    /// Name of the test that provides the event.
    pub test: String,
    /// The rendered message.
    pub text: String,
}

impl Explained {
    /// Explains a rule, with details from the bundle and the organization file where available.
    pub fn of(rule: &Rule, bundle: Option<&Bundle>, organization: Option<&Organization>) -> Self {
        let carriers = bundle.map(|bundle| bundle.carriers(&rule.id));
        let targets = |name: &str| {
            let mut carriers = carriers.iter().flatten();
            carriers.any(|carrier| carrier.target_ids.iter().any(|id| id == name))
        };
        let topics: Vec<NamedTopic> = organization
            .into_iter()
            .flat_map(|organization| organization.topics.iter().map(move |it| (organization, it)))
            .filter(|(_, topic)| rule.message.is_some() && targets(&topic.name))
            .map(|(organization, topic)| NamedTopic {
                topic_name: organization.topic_name(topic),
                topic: topic.clone(),
            })
            .collect();
        let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
        let alert = run_tests(rule).into_iter().find_map(|outcome| {
            Some(Alert {
                test: outcome.test,
                text: outcome.message?,
            })
        });
        let exception = |it: &Exception| (it.name.clone(), it.expires.to_string());
        Self {
            rule: rule.id.clone(),
            title: rule.title.clone(),
            severity: rule.severity.as_str(),
            status: rule.status.as_str(),
            is_deployed: rule.is_deployed(),
            read_only: rule.read_only,
            event_pattern: json(rule.pattern.text()),
            written_event_pattern: (rule.pattern != rule.written_pattern)
                .then(|| json(rule.written_pattern.text())),
            exceptions: rule.exceptions.iter().map(exception).collect(),
            response: rule.respond.clone(),
            sizes: compiler::sizes(rule, topics.len()),
            carriers,
            topics,
            alert,
        }
    }
}

/// The explanation for a terminal.
pub fn text(explained: &Explained) -> String {
    let mut text = String::new();
    push_line(
        &mut text,
        &format!("{}: {}", explained.rule, explained.title),
    );
    push_line(
        &mut text,
        &format!(
            "{}, {}{}",
            explained.severity,
            explained.status,
            if explained.is_deployed {
                ""
            } else {
                ", not deployed"
            }
        ),
    );
    let with = if explained.exceptions.is_empty() {
        ""
    } else {
        ", with the exceptions"
    };
    heading(&mut text, &format!("Event pattern{with}"));
    push_lines(
        &mut text,
        &indented(&format!("{:#}", explained.event_pattern)),
    );
    for (name, expires) in &explained.exceptions {
        push_line(&mut text, &format!("  exception `{name}` until {expires}"));
    }
    heading(&mut text, "Where it runs");
    match &explained.carriers {
        None => {
            push_line(
                &mut text,
                &format!(
                    "  unknown until the project compiles; {} shows why it doesn't",
                    remedy::Command::Check
                ),
            );
        }
        Some(carriers) if carriers.is_empty() => {
            push_line(&mut text, "  nowhere");
        }
        Some(carriers) => {
            for carrier in carriers {
                for line in carrier_lines(explained, carrier) {
                    push_line(&mut text, &format!("  {line}"));
                }
            }
        }
    }
    if explained.alert.is_some() && explained.carriers.is_some() {
        heading(&mut text, "Subscribers");
        if explained.topics.is_empty() {
            push_line(&mut text, "  no topic receives this severity");
        }
        for NamedTopic { topic_name, topic } in &explained.topics {
            push_line(&mut text, &format!("  topic {topic_name}"));
            for subscription in &topic.subscriptions {
                let protocol = format!("{:?}", subscription.protocol).to_lowercase();
                push_line(
                    &mut text,
                    &format!("    {protocol}: {}", subscription.endpoint),
                );
            }
            if topic.subscriptions.is_empty() {
                push_line(&mut text, "    no subscriptions");
            }
        }
    }
    if let Some(response) = &explained.response {
        heading(&mut text, "Response");
        push_line(&mut text, &response_text(response));
    }
    heading(&mut text, "Sizes");
    for size in &explained.sizes {
        push_line(
            &mut text,
            &format!("  {} of {} {}", size.used, size.quota, size.what),
        );
    }
    if let Some(alert) = &explained.alert {
        heading(
            &mut text,
            &format!("Its alert on the test \"{}\"", alert.test),
        );
        push_lines(&mut text, &indented(alert.text.trim()));
    }
    text
}

fn response_text(response: &Response) -> String {
    let Response::StartInstance {
        instance,
        tag_key,
        tag_value,
    } = response;
    format!("  starts the instance at {instance} again if it has the tag {tag_key}={tag_value}")
}

/// A resource that implements the rule, in a few lines.
fn carrier_lines(explained: &Explained, carrier: &Carrier) -> Vec<String> {
    let state = carrier.state.as_ref();
    let state = state.map(|state| format!(" ({state})")).unwrap_or_default();
    let mut lines = vec![
        format!("{} {}{state}", carrier.kind, carrier.resource),
        format!("  stack set {}", carrier.stack_set),
        format!("  {}", target_text(&carrier.targets)),
    ];
    let others = carrier.rules.len().saturating_sub(1);
    if let Some(pattern) = &carrier.pattern
        && others > 0
    {
        lines.push(format!(
            "  shared with {}; pattern of {} characters",
            plural(others, "other rule"),
            pattern.chars().count()
        ));
    } else if carrier.pattern.is_some() && carrier.rules == [explained.rule.clone()] {
        lines.push("  used by this rule only".to_owned());
    }
    lines
}

fn target_text(targets: &Targets) -> String {
    let mut parts = Vec::new();
    if let Some(members) = &targets.members {
        let units = members.organizational_units.join(", ");
        let accounts = match &members.accounts {
            AccountFilter::All => format!("every account of {units}"),
            AccountFilter::Only(accounts) => format!("account {}", accounts.join(", ")),
            AccountFilter::Except(accounts) => {
                format!("every account of {units} but {}", accounts.join(", "))
            }
        };
        parts.push(format!("{accounts}: {}", members.regions.join(", ")));
    }
    if !targets.management_regions.is_empty() {
        parts.push(format!(
            "management account: {}",
            targets.management_regions.join(", ")
        ));
    }
    parts.join("; ")
}

/// Appends an empty line and a heading.
fn heading(text: &mut String, heading: &str) {
    text.push('\n');
    push_line(text, heading);
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}
