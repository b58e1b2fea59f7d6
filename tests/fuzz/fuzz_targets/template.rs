//! Any text as a template of `stacksets/`, or as its organization file: refused with a diagnostic, or
//! compiled to a bundle that is JSON and compiles to itself once it is deployed.
//!
//! The first line of the input names the file, the rest is its text.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use compiler::organization::{self, Artifacts, Organization, Topology};
use compiler::{Bundle, Templates};
use fuzz::{check, library, organization, repository};
use libfuzzer_sys::fuzz_target;
use rules::Rule;
use syntax::Diagnostic;
use tempfile::TempDir;

const ORGANIZATION: &str = "organization.yaml";

/// A copy of `stacksets/`, in which one file at a time has another text.
struct Stage {
    folder: TempDir,
    files: Vec<(PathBuf, String)>,
    rules: Vec<Rule>,
    hub: Organization,
    local: Organization,
    templates: Templates,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    for entry in fs::read_dir(repository("stacksets")).expect("templates") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".j2") || name == ORGANIZATION {
            let text = fs::read_to_string(&path).expect("a template");
            let copy = folder.path().join(name);
            fs::write(&copy, &text).expect("a copy");
            files.push((copy, text));
        }
    }
    files.sort();
    // Every part is in one of the two.
    let mut hub = organization();
    hub.drift_schedule = Some("rate(1 day)".to_owned());
    hub.artifacts = Some(Artifacts {
        bucket: "gizmos-artifacts-111122223333-eu-central-1".to_owned(),
        administrators: Vec::new(),
    });
    let mut local = hub.clone();
    local.topology = Topology::Local;
    let stage = Stage {
        templates: Templates::load(folder.path()).expect("the repository's templates"),
        folder,
        files,
        rules: some_rules(),
        hub,
        local,
    };
    for organization in [&stage.hub, &stage.local] {
        let bundle = fuzz::compile(&stage.rules, organization, &stage.templates);
        assert!(bundle.is_some(), "the repository's own templates compile");
    }
    stage
});

/// One that alerts, one that responds and one that calls reach which only read.
fn some_rules() -> Vec<Rule> {
    let mut rules = library();
    let alerting = rules
        .iter()
        .position(|it| it.message.is_some() && !it.read_only);
    let responding = rules.iter().position(|it| it.respond.is_some());
    let reading = rules.iter().position(|it| it.read_only);
    let chosen = [alerting, responding, reading];
    let mut index = 0;
    rules.retain(|_| {
        index += 1;
        chosen.contains(&Some(index - 1))
    });
    rules
}

impl Stage {
    fn file(&self, name: &str) -> Option<&(PathBuf, String)> {
        let unknown = name.bytes().map(usize::from).sum::<usize>() % self.files.len();
        let named = self.files.iter().find(|(path, _)| path.ends_with(name));
        named.or_else(|| self.files.get(unknown))
    }

    fn organization(&self, file: &Path) -> Result<Option<Bundle>, Vec<Diagnostic>> {
        let (organization, diagnostics) = organization::load(file);
        check(&diagnostics);
        let organization = organization.ok_or(diagnostics)?;
        Ok(fuzz::compile(&self.rules, &organization, &self.templates))
    }

    /// Compiles for the topology that the template belongs to.
    fn template(&self, file: &Path) -> Result<Option<Bundle>, Vec<Diagnostic>> {
        let templates = Templates::load(self.folder.path())?;
        let is_local = file.to_string_lossy().contains("local");
        let organization = if is_local { &self.local } else { &self.hub };
        Ok(fuzz::compile(&self.rules, organization, &templates))
    }
}

fuzz_target!(|input: &[u8]| {
    let end = input
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(input.len());
    let (name, text) = input.split_at(end);
    let text = text.strip_prefix(b"\n").unwrap_or_default();
    let Some((file, original)) = STAGE.file(&String::from_utf8_lossy(name)) else {
        return;
    };
    fs::write(file, text).expect("the file of the template");
    let outcome = if file.ends_with(ORGANIZATION) {
        STAGE.organization(file)
    } else {
        STAGE.template(file)
    };
    fs::write(file, original).expect("the file of the template");
    if let Err(diagnostics) = outcome {
        assert!(diagnostics.iter().any(Diagnostic::is_error));
        check(&diagnostics);
    }
});
