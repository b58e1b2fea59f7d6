//! Everything that the compiler can write.

use std::fs;

use serde_json::Value;

use crate::Project;

/// Lines for the organization file that add every optional resource.
pub const EVERY_OPTION: &str = "drift_schedule: cron(0 6 * * ? *)\n\
                    artifacts: {administrators: [\"333344445555\"]}\n";

/// A stack set of one variant of the organization file.
#[derive(Clone, Debug)]
pub struct CompiledStackSet {
    /// Topology and way of publishing, such as `hub-role`.
    pub variant: String,
    /// Unique in the variant.
    pub name: String,
    /// The template.
    pub template: Value,
    /// Values of the template's parameters.
    pub parameters: Value,
}

/// Compiles a project in both topologies and both ways of publishing, with every option.
pub fn compile_every_variant(project: &Project) -> Vec<CompiledStackSet> {
    let file = "stacksets/organization.yaml";
    project.replace(
        file,
        "      # - protocol: https\n      #   endpoint:",
        "      - protocol: https\n        endpoint:",
    );
    let text = fs::read_to_string(project.path(file)).expect("the organization file");
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("publish:"))
        .collect();
    let text = kept.join("\n");
    let mut compiled = Vec::new();
    for topology in ["hub", "local"] {
        for publish in ["role", "policy"] {
            project.write(file, &format!("{text}\npublish: {publish}\n{EVERY_OPTION}"));
            let variant = format!("{topology}-{publish}");
            let folder = project.path(&format!("target/{variant}"));
            let bundle = project.compile(topology, &folder);
            let sets = bundle.get("stack_sets").and_then(Value::as_array);
            for set in sets.expect("stack sets") {
                let name = set.get("name").and_then(Value::as_str).expect("a name");
                let file = folder.join(format!("{name}.template.json"));
                let text = fs::read_to_string(file).expect("a template");
                compiled.push(CompiledStackSet {
                    variant: variant.clone(),
                    name: name.to_owned(),
                    template: serde_json::from_str(&text).expect("JSON"),
                    parameters: set.get("parameters").cloned().unwrap_or_default(),
                });
            }
        }
    }
    compiled
}
