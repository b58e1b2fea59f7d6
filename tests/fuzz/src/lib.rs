//! What the fuzz targets share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use compiler::organization::{self, Organization};
use compiler::{Bundle, Placement, Templates};
use jiff::civil::Date;
use rules::{Library, Rule};
use serde_json::Value;
use syntax::untrusted::is_deceptive;
use syntax::{Diagnostic, SourceFile};

/// The date against which rules are checked.
pub const TODAY: Date = jiff::civil::date(2026, 11, 23);

/// Most diagnostics that are rendered; rendering takes longer than anything else.
const RENDERED: usize = 5;

static FIXTURES: LazyLock<PathBuf> = LazyLock::new(|| repository("rules"));

/// A file or folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The organization of the repository.
pub fn organization() -> Organization {
    let (organization, diagnostics) =
        organization::load(&repository("stacksets/organization.yaml"));
    organization.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// A small library.
pub fn library() -> Vec<Rule> {
    let options = rules::Options { today: TODAY };
    rules::load(&repository("tests/library/rules"), &options).rules
}

/// A text as a rule file, under the name that its id demands.
pub fn rule_file(text: &str) -> Arc<SourceFile> {
    let file = Arc::new(SourceFile::new("rules/example.yaml", text));
    let (node, _) = syntax::parse(&file);
    let id = node.as_ref().and_then(|node| node.get("id")?.as_str());
    match id.filter(|id| rules::is_id(id)) {
        Some(id) => Arc::new(SourceFile::new(format!("rules/{id}.yaml"), text)),
        None => file,
    }
}

/// What `check` says about a rule file.
pub fn check_rule(file: &Arc<SourceFile>) -> Library {
    let options = rules::Options { today: TODAY };
    let library = rules::check_file(file, &FIXTURES, &options);
    check(&library.diagnostics);
    library
}

/// Every diagnostic points into its file, and reports can show it.
pub fn check(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        assert!(!diagnostic.message.is_empty());
        if let Some(location) = &diagnostic.location {
            let (text, span) = (&location.file.text, location.span);
            assert!(text.get(span.start..span.end).is_some(), "{diagnostic:?}");
        }
    }
    let some = diagnostics.get(..RENDERED).unwrap_or(diagnostics);
    let text = report::diagnostics::terminal(some, false);
    assert!(!text.contains(is_deceptive), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("::")), "{text:?}");
}

/// Compiles, and checks what every bundle must keep to.
pub fn compile(
    rules: &[Rule],
    organization: &Organization,
    templates: &Templates,
) -> Option<Bundle> {
    let (bundle, diagnostics) = compiler::compile(rules, organization, templates);
    check(&diagnostics);
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(bundle.is_none(), failed, "{diagnostics:?}");
    let bundle = bundle?;
    let mut placement = Placement::default();
    for set in &bundle.stack_sets {
        assert!(set.template.len() <= 1_000_000, "{}", set.name);
        let template: Value = serde_json::from_str(&set.template).expect("a template is JSON");
        assert!(template["Resources"].is_object(), "{}", set.name);
        check_text(&template);
        placement.add(&set.name, &set.template);
    }
    // Deployed, it is what the next deployment compiles.
    let (again, _) = compiler::compile_onto(rules, organization, templates, &placement);
    assert_eq!(again.as_ref(), Some(&bundle));
    Some(bundle)
}

/// CloudFormation replaces dynamic references wherever they stand.
fn check_text(value: &Value) {
    match value {
        Value::String(text) => assert!(!text.contains("{{resolve:"), "{text}"),
        Value::Array(items) => items.iter().for_each(check_text),
        Value::Object(members) => members.values().for_each(check_text),
        _ => {}
    }
}
