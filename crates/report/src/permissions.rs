//! IAM policies as text.

use deployer::permissions::{Command, Policy};

use syntax::untrusted::{fence, markdown as markdown_text};

use crate::{push_line, push_lines};

/// What the policies of a deployment leave out, on purpose.
const NOTES: [&str; 3] = [
    "Switching trusted access on, once, takes an administrator of the management account.",
    "Before `topology` changes, or `artifacts` or `drift_schedule` goes, keep the previous policy \
     until the deployment that removes those resources is done.",
    "Deleting what is left of an INOPERABLE stack instance takes permission for its resources; \
     OrganizationAccountAccessRole has it.",
];

/// Every document with its principal, for a terminal.
pub fn terminal(command: Command, policies: &[Policy]) -> String {
    let mut text = String::new();
    for policy in policies {
        push_line(
            &mut text,
            &format!("# {}: for {}", policy.name, policy.holder),
        );
        push_lines(&mut text, &format!("{:#}", policy.document));
        text.push('\n');
    }
    for note in notes(command) {
        push_line(&mut text, &format!("# {note}"));
    }
    text
}

/// Every document with its principal, for a pull request comment.
pub fn markdown(command: Command, policies: &[Policy]) -> String {
    let mut text = String::new();
    for policy in policies {
        push_line(
            &mut text,
            &format!(
                "**{}**, for {}",
                markdown_text(&policy.name),
                markdown_text(&policy.holder)
            ),
        );
        text.push('\n');
        text.push_str(&fence("json", &format!("{:#}", policy.document)));
        text.push('\n');
    }
    for note in notes(command) {
        push_line(&mut text, &format!("- {note}"));
    }
    text
}

fn notes(command: Command) -> &'static [&'static str] {
    match command {
        Command::Deploy => &NOTES,
        Command::Plan | Command::Drift | Command::Verify => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn permissions_say_whom_each_policy_is_for() {
        let policies = [Policy {
            name: "gizmos-plan".to_owned(),
            holder: "the role that runs `plan`, in account 111122223333".to_owned(),
            document: json!({"Version": "2012-10-17", "Statement": []}),
        }];
        assert_eq!(
            terminal(Command::Plan, &policies),
            "# gizmos-plan: for the role that runs `plan`, in account 111122223333\n\
             {\n  \"Version\": \"2012-10-17\",\n  \"Statement\": []\n}\n\n"
        );
        let deploy = markdown(Command::Deploy, &policies);
        assert!(deploy.contains("```json\n{"), "{deploy}");
        assert!(deploy.contains("- Before `topology` changes"), "{deploy}");
    }
}
