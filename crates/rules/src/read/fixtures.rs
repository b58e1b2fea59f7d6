//! Loads events shared by tests: JSON files under the rules folder's `fixtures/`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

/// Largest event, in bytes: `EventBridge`'s limit of 256 KB.
pub(crate) const MAX_EVENT_BYTES: usize = 256 * 1024;
/// Most tests in a library.
const MAX_TESTS: usize = 10_000;
/// Total size limit of the events of a library's tests, in bytes of memory.
const MAX_MEMORY: usize = 96 * 1024 * 1024;

/// Loads fixtures, each at most once, and counts what the library's tests need.
#[derive(Debug)]
pub(crate) struct Fixtures {
    rules: PathBuf,
    cache: BTreeMap<String, Result<Value, String>>,
    tests: usize,
    memory: usize,
}

impl Fixtures {
    /// A loader for the rules folder `rules`.
    pub(crate) fn new(rules: &Path) -> Self {
        Self {
            rules: rules.to_owned(),
            cache: BTreeMap::new(),
            tests: 0,
            memory: 0,
        }
    }

    /// Counts a test. An error says that the library has too many, or that their events need too much
    /// memory.
    pub(crate) fn count(&mut self, event: &Value) -> Result<(), String> {
        self.tests += 1;
        self.memory = self.memory.saturating_add(memory(event));
        if self.tests > MAX_TESTS {
            Err(format!("the library has more than {MAX_TESTS} tests"))
        } else if self.memory > MAX_MEMORY {
            Err(format!(
                "the events of the library's tests need more than {MAX_MEMORY} bytes of memory"
            ))
        } else {
            Ok(())
        }
    }

    /// The fixture with this name, or why it can't be loaded.
    pub(crate) fn get(&mut self, name: &str) -> Result<Value, String> {
        if let Some(known) = self.cache.get(name) {
            return known.clone();
        }
        let result = read(&self.rules, name);
        self.cache.insert(name.to_owned(), result.clone());
        result
    }
}

fn read(rules: &Path, name: &str) -> Result<Value, String> {
    let relative = Path::new(name);
    let plain = relative
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    if !plain || name.contains('\\') || name.is_empty() {
        return Err(format!(
            "`{name}` is not a path below the rules folder's `fixtures/`"
        ));
    }
    if relative
        .extension()
        .is_none_or(|extension| extension != "json")
    {
        return Err(format!("`{name}` is not a .json file"));
    }
    let path = rules.join("fixtures").join(relative);
    let shown = path.display();
    let missing = |error: std::io::Error| format!("can't read {shown}: {error}");
    let folder = rules.canonicalize().map_err(missing)?;
    let real = path.canonicalize().map_err(missing)?;
    if !real.starts_with(&folder) {
        return Err(format!("{shown} is a link that leaves the rules folder"));
    }
    let text = syntax::files::read(&real, MAX_EVENT_BYTES).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => {
            format!("{shown} is larger than an event can be ({MAX_EVENT_BYTES} bytes)")
        }
        ErrorKind::InvalidInput => format!("{shown} is not a file"),
        _ => missing(error),
    })?;
    serde_json::from_str(&text).map_err(|error| format!("{shown} is not JSON: {error}"))
}

/// The memory that a value takes, in bytes: its text, and 64 for each value and key.
fn memory(value: &Value) -> usize {
    const EACH: usize = 64;
    EACH + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(memory).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| EACH + key.len() + memory(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Applies `patch` to `base`: objects merge, `null` removes a key, everything else replaces.
pub(crate) fn merge(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    base.shift_remove(key);
                } else if let Some(below) = base.get_mut(key) {
                    merge(below, value);
                } else {
                    let mut fresh = Value::Object(serde_json::Map::new());
                    merge(&mut fresh, value);
                    base.insert(key.clone(), fresh);
                }
            }
        }
        (base, patch) => *base = patch.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_merges_replaces_and_removes() {
        let mut event = json!({"a": {"b": 1, "c": 2}, "d": [1, 2], "e": "x"});
        merge(
            &mut event,
            &json!({"a": {"b": null, "n": {"x": null, "y": 1}}, "d": [3], "e": null}),
        );
        assert_eq!(event, json!({"a": {"c": 2, "n": {"y": 1}}, "d": [3]}));
    }

    #[test]
    fn fixtures_stay_inside_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("fixtures")).unwrap();
        std::fs::write(folder.path().join("fixtures/a.json"), "{\"a\": 1}").unwrap();
        std::fs::write(folder.path().join("fixtures/bad.json"), "{\"a\": ").unwrap();
        let mut fixtures = Fixtures::new(folder.path());
        assert_eq!(fixtures.get("a.json"), Ok(json!({"a": 1})));
        assert!(fixtures.get("bad.json").unwrap_err().contains("not JSON"));
        for outside in [
            "../a.json",
            "/etc/passwd",
            "x/../../a.json",
            "",
            "..",
            "a.yaml",
            "./../a.json",
            "C:\\a.json",
        ] {
            assert!(fixtures.get(outside).is_err(), "{outside}");
        }
        assert!(
            fixtures
                .get("absent.json")
                .unwrap_err()
                .contains("can't read")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_refused() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.json"), "{}").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("fixtures")).unwrap();
        std::os::unix::fs::symlink(
            outside.path().join("secret.json"),
            folder.path().join("fixtures/link.json"),
        )
        .unwrap();
        let error = Fixtures::new(folder.path()).get("link.json").unwrap_err();
        assert!(error.contains("leaves the rules folder"), "{error}");
    }
}
