//! Templates that passed CloudFormation's static checks.

pub(crate) mod document;
pub(crate) mod evaluate;
pub(crate) mod parameter;
mod references;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::template::evaluate::Scope;
use crate::template::parameter::Parameter;
use crate::template::references::{check, order};

/// Maximum size of `TemplateBody`, in bytes.
pub(crate) const BODY_LIMIT: usize = 51_200;
/// Maximum size of a template at `TemplateURL`, in bytes.
pub(crate) const URL_LIMIT: usize = 1_000_000;

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Transform",
    "Resources",
    "Outputs",
];
/// `CreationPolicy` and `UpdatePolicy` apply only to types that aren't simulated.
const RESOURCE_KEYS: &[&str] = &[
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
];
const FUNCTIONS: &[&str] = &[
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::Join",
    "Fn::Select",
    "Fn::Split",
    "Fn::FindInMap",
    "Fn::Base64",
    "Fn::ImportValue",
    "Fn::GetAZs",
    "Fn::If",
    "Fn::And",
    "Fn::Or",
    "Fn::Not",
    "Fn::Equals",
];
const PSEUDO: &[&str] = &[
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];
/// Types that require `CAPABILITY_IAM`, with the property that requires `CAPABILITY_NAMED_IAM`.
const IAM_TYPES: &[(&str, &str)] = &[
    ("AWS::IAM::AccessKey", ""),
    ("AWS::IAM::Group", "GroupName"),
    ("AWS::IAM::GroupPolicy", ""),
    ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
    ("AWS::IAM::Policy", ""),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::RolePolicy", ""),
    ("AWS::IAM::User", "UserName"),
    ("AWS::IAM::UserPolicy", ""),
    ("AWS::IAM::UserToGroupAddition", ""),
];

pub(crate) const RULE: &str = "AWS::Events::Rule";
/// The property of a rule that is kept as text.
pub(crate) const PATTERN: &str = "EventPattern";

/// `DeletionPolicy` or `UpdateReplacePolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Delete,
    Retain,
    /// Retained, unless the operation that created it is rolled back.
    RetainExceptOnCreate,
}

/// One entry of `Resources`.
#[derive(Debug, Clone)]
pub(crate) struct Declaration {
    pub(crate) kind: String,
    /// Unresolved, as written except for the constant patterns of rules, which are text; an empty
    /// object if missing.
    pub(crate) properties: Value,
    pub(crate) condition: Option<String>,
    pub(crate) metadata: Value,
    pub(crate) deletion_policy: Policy,
    pub(crate) update_replace_policy: Policy,
    /// Logical ids of its dependencies.
    pub(crate) needs: BTreeSet<String>,
}

impl Declaration {
    /// The properties without functions, as a resource handler gets them.
    pub(crate) fn resolve(&self, scope: &Scope<'_>) -> Result<Value, String> {
        let resolved = scope.resolve(&self.properties)?;
        let mut resolved = resolved.unwrap_or_else(|| Value::Object(Map::new()));
        if self.kind == RULE {
            compact(&mut resolved);
        }
        Ok(resolved)
    }
}

/// Turns the pattern of an EventBridge rule into its text. A fleet has thousands of copies of each,
/// and a text takes a fraction of a tree's memory and time.
fn compact(properties: &mut Value) {
    if let Some(pattern) = properties.get_mut(PATTERN)
        && pattern.is_object()
    {
        *pattern = Value::String(pattern.to_string());
    }
}

/// A resource's properties with the pattern of an EventBridge rule as a document again.
pub(crate) fn with_documents(properties: &Value) -> Value {
    let mut properties = properties.clone();
    if let Some(pattern) = properties.get_mut(PATTERN)
        && let Some(Ok(document)) = pattern.as_str().map(serde_json::from_str)
    {
        *pattern = document;
    }
    properties
}

/// Whether a value has no functions.
fn is_constant(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields
            .iter()
            .all(|(key, value)| key != "Ref" && !key.starts_with("Fn::") && is_constant(value)),
        Value::Array(items) => items.iter().all(is_constant),
        _ => true,
    }
}

/// A checked template.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The text as sent.
    pub(crate) body: String,
    /// The whole template as JSON with long function forms.
    pub(crate) document: Value,
    pub(crate) parameters: BTreeMap<String, Parameter>,
    pub(crate) resources: BTreeMap<String, Declaration>,
    /// Logical ids, dependencies first.
    pub(crate) order: Vec<String>,
    /// See [`Template::rule_list`].
    rules: OnceLock<Arc<Template>>,
    /// See [`Template::misread`].
    misread: [OnceLock<Vec<String>>; 2],
}

impl Template {
    /// Parses and checks a template; the error is CloudFormation's message.
    pub(crate) fn parse(body: &str) -> Result<Template, String> {
        let document = document::read(body)?;
        let unknown: Vec<&str> = document
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
            .filter(|key| !SECTIONS.contains(key))
            .collect();
        if !unknown.is_empty() {
            return Err(format!(
                "Invalid template property or properties [{}]",
                unknown.join(", ")
            ));
        }
        if let Some(section) = ["Transform", "Rules"]
            .into_iter()
            .find(|name| document.get(name).is_some())
        {
            return Err(format!(
                "Template error: the simulator does not support the {section} section"
            ));
        }
        if let Some(version) = document.get("AWSTemplateFormatVersion")
            && version != "2010-09-09"
        {
            return Err(
                "Template format error: unsupported value for AWSTemplateFormatVersion.".to_owned(),
            );
        }
        if document
            .get("Description")
            .is_some_and(|text| !text.is_string())
        {
            return Err("Template format error: [/Description] expected a text.".to_owned());
        }
        let parameters = section(&document, "Parameters")?
            .map(|(name, value)| Ok((name.clone(), Parameter::parse(name, value)?)))
            .collect::<Result<BTreeMap<_, _>, String>>()?;
        let mut resources = section(&document, "Resources")?
            .map(|(name, value)| Ok((name.clone(), declaration(name, value)?)))
            .collect::<Result<BTreeMap<_, _>, String>>()?;
        if resources.is_empty() {
            return Err(
                "Template format error: At least one Resources member must be defined.".to_owned(),
            );
        }
        for (what, count, limit) in [
            ("resources", resources.len(), 500),
            ("parameters", parameters.len(), 200),
            ("outputs", section(&document, "Outputs")?.count(), 200),
            ("mappings", section(&document, "Mappings")?.count(), 200),
        ] {
            if count > limit {
                return Err(format!(
                    "Template format error: Number of {what}, {count}, is greater than maximum allowed, {limit}"
                ));
            }
        }
        check(&document, &parameters, &mut resources)?;
        let order = order(&resources)?;
        Ok(Template {
            body: body.to_owned(),
            document,
            parameters,
            resources,
            order,
            rules: OnceLock::new(),
            misread: Default::default(),
        })
    }

    /// Only the EventBridge rules, without their targets: enough for a list of rules.
    pub(crate) fn rule_list(&self) -> &Arc<Template> {
        self.rules.get_or_init(|| {
            let sections = ["Conditions", "Mappings"].into_iter();
            let document: Map<String, Value> = sections
                .filter_map(|name| Some((name.to_owned(), self.document.get(name)?.clone())))
                .collect();
            let rules = self.resources.iter().filter(|(_, it)| it.kind == RULE);
            let resources: BTreeMap<String, Declaration> = rules
                .map(|(name, rule)| {
                    let mut rule = rule.clone();
                    if let Some(properties) = rule.properties.as_object_mut() {
                        properties.shift_remove("Targets");
                    }
                    rule.metadata = Value::Null;
                    (name.clone(), rule)
                })
                .collect();
            let order = self.order.iter();
            Arc::new(Template {
                body: String::new(),
                document: Value::Object(document),
                parameters: self.parameters.clone(),
                order: order
                    .filter(|it| resources.contains_key(*it))
                    .cloned()
                    .collect(),
                resources,
                rules: OnceLock::new(),
                misread: Default::default(),
            })
        })
    }

    /// What drift detection misreads in every stack of the template, found once; the answer depends
    /// on whether it reads the details of targets.
    pub(crate) fn misread(
        &self,
        target_details: bool,
        find: impl FnOnce() -> Vec<String>,
    ) -> &[String] {
        let [without, with] = &self.misread;
        let known = if target_details { with } else { without };
        known.get_or_init(find)
    }

    /// The top-level `Description`.
    pub(crate) fn description(&self) -> Option<&str> {
        self.document.get("Description").and_then(Value::as_str)
    }

    /// An entry of a section, for example of `Conditions`.
    pub(crate) fn entry(&self, section: &str, name: &str) -> Option<&Value> {
        self.document.get(section)?.get(name)
    }

    /// The outputs in template order.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.document
            .get("Outputs")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
    }

    /// The required capability, and the types of the resources that require it.
    pub(crate) fn capability(&self) -> Option<(&'static str, Vec<&str>)> {
        let mut reasons = Vec::new();
        let mut named = false;
        for declaration in self.resources.values() {
            if let Some((kind, name)) = IAM_TYPES.iter().find(|(kind, _)| *kind == declaration.kind)
            {
                named |= !name.is_empty() && declaration.properties.get(name).is_some();
                if !reasons.contains(kind) {
                    reasons.push(kind);
                }
            }
        }
        let capability = if named {
            "CAPABILITY_NAMED_IAM"
        } else {
            "CAPABILITY_IAM"
        };
        (!reasons.is_empty()).then_some((capability, reasons))
    }

    /// The distinct resource types.
    pub(crate) fn types(&self) -> BTreeSet<&str> {
        self.resources
            .values()
            .map(|declaration| declaration.kind.as_str())
            .collect()
    }
}

/// The entries of a section; empty if it is missing.
fn section<'a>(
    document: &'a Value,
    name: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, String> {
    let entries = match document.get(name) {
        None => None,
        Some(Value::Object(entries)) => Some(entries),
        Some(_) => {
            return Err(format!(
                "Template format error: [/{name}] expected an object."
            ));
        }
    };
    Ok(entries.into_iter().flatten())
}

fn declaration(name: &str, value: &Value) -> Result<Declaration, String> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) || name.is_empty() || name.len() > 255
    {
        return Err(format!(
            "Template format error: Resource name {name} is non alphanumeric."
        ));
    }
    let fields = value.as_object().ok_or_else(|| {
        format!("Template format error: [/Resources/{name}] resource definition is malformed")
    })?;
    if let Some(key) = fields
        .keys()
        .find(|key| !RESOURCE_KEYS.contains(&key.as_str()))
    {
        return Err(format!("Invalid template resource property '{key}'"));
    }
    let kind = fields.get("Type").and_then(Value::as_str).ok_or_else(|| {
        format!("Template format error: [/Resources/{name}] Every Resources object must contain a Type member.")
    })?;
    let mut properties = match fields.get("Properties") {
        None => Value::Object(Map::new()),
        Some(Value::Object(properties)) => Value::Object(properties.clone()),
        Some(_) => {
            return Err(format!(
                "Template format error: [/Resources/{name}/Properties] expected an object."
            ));
        }
    };
    if kind == RULE && properties.get(PATTERN).is_some_and(is_constant) {
        compact(&mut properties);
    }
    let condition = match fields.get("Condition") {
        None => None,
        Some(Value::String(condition)) => Some(condition.clone()),
        Some(_) => {
            return Err(format!(
                "Template format error: Every Condition member must be a string. ([/Resources/{name}])"
            ));
        }
    };
    let needs = match fields.get("DependsOn") {
        None => BTreeSet::new(),
        Some(Value::String(one)) => BTreeSet::from([one.clone()]),
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(_) => {
            return Err(
                "Template format error: DependsOn must be a string or list of strings.".to_owned(),
            );
        }
    };
    let policy = |key: &str| match fields
        .get(key)
        .map(|value| value.as_str().unwrap_or_default())
    {
        None | Some("Delete") => Ok(Policy::Delete),
        Some("Retain") => Ok(Policy::Retain),
        Some("RetainExceptOnCreate") if key == "DeletionPolicy" => Ok(Policy::RetainExceptOnCreate),
        Some(other) => Err(format!(
            "Template error: Unrecognized {key} {other} for resource {name}"
        )),
    };
    Ok(Declaration {
        kind: kind.to_owned(),
        properties,
        condition,
        metadata: fields.get("Metadata").cloned().unwrap_or(Value::Null),
        deletion_policy: policy("DeletionPolicy")?,
        update_replace_policy: policy("UpdateReplacePolicy")?,
        needs,
    })
}

#[cfg(test)]
mod tests;
