//! Deploys compiled templates as ordinary stacks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tests::{Client, Project};

/// A member account that organizational units hold. Emulators treat all members alike, so one
/// stands for all.
pub(crate) const SPOKE: &str = "012345678901";

/// A project's templates.
pub(crate) struct Compiled {
    bundle: Value,
    folder: PathBuf,
}

/// A stack set's template in one location.
pub(crate) struct Stack<'a> {
    pub(crate) name: &'a str,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) template: String,
    set: &'a Value,
}

impl Compiled {
    pub(crate) fn of(project: &Project, topology: &str) -> Self {
        let folder = project.path("compiled");
        let bundle = project.compile(topology, &folder);
        Self { bundle, folder }
    }

    /// Every stack set in every location that it targets, with one member account of each kind, in
    /// the order of dependencies.
    pub(crate) fn stacks(&self) -> Vec<Stack<'_>> {
        let mut stacks = Vec::new();
        for set in self.bundle["stack_sets"].as_array().expect("stack sets") {
            let name = set["name"].as_str().expect("a name");
            let template = read(&self.folder, name);
            let locations = locations(&self.bundle, set);
            assert!(!locations.is_empty(), "{name} targets no location");
            stacks.extend(locations.into_iter().map(|(account, region)| Stack {
                name,
                account,
                region,
                template: template.clone(),
                set,
            }));
        }
        stacks
    }
}

fn read(folder: &Path, name: &str) -> String {
    let file = folder.join(format!("{name}.template.json"));
    std::fs::read_to_string(file).expect("a template")
}

fn locations(bundle: &Value, set: &Value) -> Vec<(String, String)> {
    let organization = &bundle["organization"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .map(|items| items.iter().map(text).collect())
            .unwrap_or_default()
    };
    let mut locations = Vec::new();
    let targets = &set["targets"];
    for region in list(&targets["management_regions"]) {
        locations.push((text(&organization["accounts"]["management"]), region));
    }
    let members = &targets["members"];
    if !members.is_null() {
        // Either `{"only": [ids]}` or a filter that workload accounts pass.
        let only = members["accounts"]
            .as_object()
            .and_then(|filter| {
                filter
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case("only"))
            })
            .map(|(_, accounts)| list(accounts));
        for account in only.unwrap_or_else(|| vec![SPOKE.to_owned()]) {
            for region in list(&members["regions"]) {
                locations.push((account.clone(), region));
            }
        }
    }
    locations
}

impl Stack<'_> {
    /// Creates the stack and waits for it.
    #[track_caller]
    pub(crate) fn create(&self, client: &Client, caller: &str) {
        let mut form = vec![
            ("Action".to_owned(), "CreateStack".to_owned()),
            ("StackName".to_owned(), self.name.to_owned()),
            ("TemplateBody".to_owned(), self.template.clone()),
        ];
        let capabilities = self.set["capabilities"].as_array().into_iter().flatten();
        for (index, capability) in capabilities.enumerate() {
            let name = format!("Capabilities.member.{}", index + 1);
            form.push((name, capability.as_str().unwrap_or_default().to_owned()));
        }
        let parameters = self.set["parameters"].as_object().into_iter().flatten();
        for (index, (key, value)) in parameters.enumerate() {
            let name = format!("Parameters.member.{}.Parameter", index + 1);
            form.push((format!("{name}Key"), key.clone()));
            let value = value.as_str().unwrap_or_default().to_owned();
            form.push((format!("{name}Value"), value));
        }
        let form: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let query =
            |form: &[(&str, &str)]| client.query(caller, &self.region, "cloudformation", form);
        query(&form);
        let describe = |action| query(&[("Action", action), ("StackName", self.name)]);
        let status = loop {
            let described = describe("DescribeStacks");
            let status = between(&described, "<StackStatus>").expect("a status");
            if !status.ends_with("_IN_PROGRESS") {
                break status.to_owned();
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        assert_eq!(
            status,
            "CREATE_COMPLETE",
            "{} in {} {}: {}",
            self.name,
            self.account,
            self.region,
            describe("DescribeStackEvents")
        );
    }
}

/// The text between an opening tag and the next tag.
pub(crate) fn between<'a>(xml: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(tag)?;
    rest.split('<').next()
}
