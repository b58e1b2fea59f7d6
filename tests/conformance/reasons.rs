//! Known findings and differences of third parties, each with a reason.

use serde_yaml::Value;

/// Known findings of a third party.
#[derive(Debug, Default)]
pub(crate) struct Reasons {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    /// A finding is known if it contains all of these.
    parts: Vec<String>,
    is_used: bool,
}

impl Reasons {
    /// The committed ones of a third party: a list of `finding`, in which `*` stands for any text,
    /// and `reason`.
    pub(crate) fn of(third_party: &str) -> Self {
        let path = tests::repository().join(format!("tests/data/{third_party}.yaml"));
        let text = std::fs::read_to_string(&path).expect("the file of reasons");
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let list: Vec<Value> = serde_yaml::from_str(text).expect("a list of findings");
        let mut reasons = Self::default();
        for entry in &list {
            let field = |name: &str| -> &str {
                let value = entry.get(name).and_then(Value::as_str).unwrap_or_default();
                assert!(!value.trim().is_empty(), "{name} is missing in {entry:?}");
                value
            };
            let (finding, _reason) = (field("finding"), field("reason"));
            reasons.add(finding);
        }
        reasons
    }

    /// Adds a finding whose reason stands elsewhere.
    pub(crate) fn add(&mut self, finding: &str) {
        self.known.push(Known {
            parts: finding.split('*').map(str::to_owned).collect(),
            is_used: false,
        });
    }

    /// Whether a finding has a reason, which counts as used then.
    pub(crate) fn explain(&mut self, finding: &str) -> bool {
        let mut is_known = false;
        for known in &mut self.known {
            if known.parts.iter().all(|part| finding.contains(part)) {
                known.is_used = true;
                is_known = true;
            }
        }
        is_known
    }

    /// Fails for findings without a reason and for reasons without a finding. Returns how many
    /// findings have a reason.
    #[track_caller]
    pub(crate) fn settle(mut self, findings: &[String]) -> usize {
        let unknown: Vec<&String> = findings.iter().filter(|it| !self.explain(it)).collect();
        let unused = self.known.iter().filter(|it| !it.is_used);
        let mut faults: Vec<String> = unknown
            .iter()
            .map(|finding| format!("no reason is given for: {finding}"))
            .collect();
        faults.extend(unused.map(|it| format!("no longer found: {}", it.parts.join("*"))));
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        findings.len()
    }
}

/// The text of a failed `settle`.
fn faults(reasons: &str, findings: &[&str]) -> String {
    let reasons = Reasons::parse(reasons);
    let findings: Vec<String> = findings.iter().map(|&it| it.to_owned()).collect();
    let failed = std::panic::catch_unwind(|| reasons.settle(&findings)).expect_err("a failure");
    failed.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_finding_without_a_reason_and_a_reason_without_a_finding_fail() {
    let known = "- finding: CKV_1 * Topic\n  reason: it is public anyway\n";
    let settled = Reasons::parse(known).settle(&["CKV_1 of a Topic".to_owned()]);
    assert_eq!(settled, 1);
    assert_eq!(
        faults(known, &["CKV_1 of a Queue"]),
        "no reason is given for: CKV_1 of a Queue\nno longer found: CKV_1 * Topic"
    );
    assert_eq!(faults(known, &[]), "no longer found: CKV_1 * Topic");
    assert_eq!(
        faults("[]", &["anything"]),
        "no reason is given for: anything"
    );
}
