//! `AWS::IAM::Role` and the policies attached to roles.

#![expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]

use serde_json::{Map, Value, json};

use super::{ManagedPolicy, Role, create_role, parse_role};
use crate::Services;
use crate::policy::{Document, Kind};
use crate::resources::policies::document;
use crate::resources::shape::{Property, Shape, TAGS};
use crate::resources::{
    Change, Created, Made, ResourceError, ResourceLocation, Type, created, generated, gone,
    handler_message, name_or_generated, refused, text, texts,
};

pub(crate) const TYPES: &[Type] = &[
    Type {
        name: "AWS::IAM::Role",
        properties: &[
            Property::new("RoleName", Shape::Text).fixed(),
            Property::new("Path", Shape::Text).fixed(),
            Property::new("AssumeRolePolicyDocument", Shape::Document).required(),
            Property::new("Description", Shape::Text),
            Property::new("ManagedPolicyArns", Shape::List(&Shape::Text)),
            Property::new("MaxSessionDuration", Shape::Integer),
            Property::new(
                "Policies",
                Shape::List(&Shape::Object(&[
                    Property::new("PolicyName", Shape::Text).required(),
                    Property::new("PolicyDocument", Shape::Document).required(),
                ])),
            ),
            TAGS,
        ],
        create,
        update,
        delete,
        read: Some(read),
    },
    Type {
        name: "AWS::IAM::ManagedPolicy",
        properties: &[
            Property::new("ManagedPolicyName", Shape::Text).fixed(),
            Property::new("Path", Shape::Text).fixed(),
            Property::new("Description", Shape::Text).fixed(),
            Property::new("PolicyDocument", Shape::Document).required(),
            Property::new("Roles", Shape::List(&Shape::Text)),
        ],
        create: create_managed,
        update: update_managed,
        delete: delete_managed,
        read: Some(read_managed),
    },
    Type {
        name: "AWS::IAM::RolePolicy",
        properties: &[
            Property::new("PolicyName", Shape::Text).required().fixed(),
            Property::new("RoleName", Shape::Text).required().fixed(),
            Property::new("PolicyDocument", Shape::Document).required(),
        ],
        create: create_role_policy,
        update: update_role_policy,
        delete: delete_role_policy,
        read: Some(read_role_policy),
    },
    Type {
        name: "AWS::IAM::Policy",
        properties: &[
            Property::new("PolicyName", Shape::Text).required().fixed(),
            Property::new("PolicyDocument", Shape::Document).required(),
            Property::new("Roles", Shape::List(&Shape::Text))
                .required()
                .fixed(),
        ],
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
        read: None,
    },
];

fn made(role: &Role) -> Created {
    created(
        role.name.as_str(),
        [("Arn", json!(role.arn)), ("RoleId", json!(role.id))],
    )
}

fn create(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Made {
    let name = name_or_generated(services, location, properties, "RoleName", 64);
    let arn = create_role(services, &location.account, &name, properties.clone())?;
    services
        .iam
        .roles
        .get(&arn)
        .map(made)
        .ok_or_else(|| gone(&arn))
}

fn update(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
    change: &Change,
) -> Made {
    let (trust, inline) = parse_role(services, &change.new)?;
    let role = services
        .iam
        .role_by_name_mut(&location.account, name)
        .ok_or_else(|| gone(name))?;
    // Removes only inline policies of this resource, not those of an `AWS::IAM::RolePolicy`.
    let old = change.old.get("Policies").and_then(Value::as_array);
    for policy in old.into_iter().flatten() {
        if let Some(name) = policy.get("PolicyName").and_then(Value::as_str) {
            role.inline.remove(name);
        }
    }
    role.inline.extend(inline);
    role.trust = trust;
    role.properties.clone_from(&change.new);
    Ok(made(role))
}

fn delete(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
) -> Result<(), ResourceError> {
    let arn = services
        .iam
        .role_by_name(&location.account, name)
        .map(|role| role.arn.clone());
    if let Some(arn) = arn {
        services.iam.roles.remove(&arn);
    }
    Ok(())
}

fn read(
    services: &Services,
    location: &ResourceLocation,
    name: &str,
) -> Option<Map<String, Value>> {
    let role = services.iam.role_by_name(&location.account, name)?;
    Some(role.properties.clone())
}

fn parse(properties: &Map<String, Value>) -> Result<Document, ResourceError> {
    Document::parse(&document(properties), Kind::Identity).map_err(|error| {
        let code = "MalformedPolicyDocument";
        ResourceError::Invalid(handler_message(&error.to_string(), code))
    })
}

/// Attaches a managed policy to roles, or detaches it.
fn attach(
    services: &mut Services,
    location: &ResourceLocation,
    arn: &str,
    names: &[String],
    on: bool,
) -> Result<(), ResourceError> {
    for name in names {
        let Some(role) = services.iam.role_by_name_mut(&location.account, name) else {
            if on {
                return Err(gone(name));
            }
            continue;
        };
        role.attach(arn, on);
    }
    Ok(())
}

fn create_managed(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Made {
    let document = parse(properties)?;
    let name = name_or_generated(services, location, properties, "ManagedPolicyName", 128);
    let path = text(properties, "Path").unwrap_or("/");
    let arn = format!("arn:aws:iam::{}:policy{path}{name}", location.account);
    if services.iam.policies.contains_key(&arn) {
        return Err(ResourceError::AlreadyExists(format!(
            "A policy called {name} already exists."
        )));
    }
    let names = texts(properties, "Roles");
    if let Some(missing) = names
        .iter()
        .find(|name| services.iam.role_by_name(&location.account, name).is_none())
    {
        return Err(gone(missing));
    }
    let policy = ManagedPolicy {
        arn: arn.clone(),
        name,
        properties: properties.clone(),
        document,
    };
    services.iam.policies.insert(arn.clone(), policy);
    attach(services, location, &arn, &names, true)?;
    Ok(created(arn.as_str(), [("PolicyArn", json!(arn))]))
}

fn update_managed(
    services: &mut Services,
    location: &ResourceLocation,
    arn: &str,
    change: &Change,
) -> Made {
    let document = parse(&change.new)?;
    attach(services, location, arn, &texts(&change.old, "Roles"), false)?;
    attach(services, location, arn, &texts(&change.new, "Roles"), true)?;
    let policy = services
        .iam
        .policies
        .get_mut(arn)
        .ok_or_else(|| gone(arn))?;
    policy.document = document;
    policy.properties.clone_from(&change.new);
    Ok(created(arn, [("PolicyArn", json!(arn))]))
}

fn delete_managed(
    services: &mut Services,
    location: &ResourceLocation,
    arn: &str,
) -> Result<(), ResourceError> {
    let own = match services.iam.policies.get(arn) {
        Some(policy) => texts(&policy.properties, "Roles"),
        None => return Ok(()),
    };
    attach(services, location, arn, &own, false)?;
    let attached = services
        .iam
        .roles
        .values()
        .any(|role| role.attached().contains(&arn));
    if attached {
        return Err(refused(
            "Cannot delete a policy attached to entities.",
            "DeleteConflict",
        ));
    }
    services.iam.policies.remove(arn);
    Ok(())
}

fn read_managed(
    services: &Services,
    location: &ResourceLocation,
    arn: &str,
) -> Option<Map<String, Value>> {
    let policy = services.iam.policies.get(arn)?;
    let mut live = policy.properties.clone();
    if live.contains_key("Roles") {
        let attached: Vec<Value> = texts(&policy.properties, "Roles")
            .iter()
            .filter_map(|name| services.iam.role_by_name(&location.account, name))
            .filter(|role| role.attached().contains(&policy.arn.as_str()))
            .map(|role| json!(role.name))
            .collect();
        live.insert("Roles".to_owned(), Value::Array(attached));
    }
    Some(live)
}

fn put_inline(
    services: &mut Services,
    location: &ResourceLocation,
    role: &str,
    name: &str,
    properties: &Map<String, Value>,
) -> Result<(), ResourceError> {
    services
        .iam
        .put_inline(&location.account, role, name, document(properties))?;
    Ok(())
}

fn create_role_policy(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Made {
    let role = text(properties, "RoleName").unwrap_or_default();
    let name = text(properties, "PolicyName").unwrap_or_default();
    let taken = services
        .iam
        .role_by_name(&location.account, role)
        .is_some_and(|role| role.inline.contains_key(name));
    if taken {
        return Err(ResourceError::AlreadyExists(format!(
            "{name}|{role} already exists"
        )));
    }
    put_inline(services, location, role, name, properties)?;
    Ok(created(format!("{name}|{role}"), []))
}

fn update_role_policy(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
    change: &Change,
) -> Made {
    let (name, role) = id.split_once('|').ok_or_else(|| gone(id))?;
    put_inline(services, location, role, name, &change.new)?;
    Ok(created(id, []))
}

fn delete_role_policy(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
) -> Result<(), ResourceError> {
    if let Some((name, role)) = id.split_once('|') {
        services.iam.delete_inline(&location.account, role, name);
    }
    Ok(())
}

fn read_role_policy(
    services: &Services,
    location: &ResourceLocation,
    id: &str,
) -> Option<Map<String, Value>> {
    let (name, role) = id.split_once('|')?;
    let policy = services
        .iam
        .role_by_name(&location.account, role)?
        .inline
        .get(name)?;
    let mut live = Map::new();
    live.insert("PolicyName".to_owned(), json!(name));
    live.insert("RoleName".to_owned(), json!(role));
    live.insert("PolicyDocument".to_owned(), policy.written.clone());
    Some(live)
}

fn create_policy(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Made {
    let name = text(properties, "PolicyName")
        .unwrap_or_default()
        .to_owned();
    let names = texts(properties, "Roles");
    for role in &names {
        put_inline(services, location, role, &name, properties)?;
    }
    let id = format!(
        "{}|{name}|{}",
        generated(services, location, 128),
        names.join("|")
    );
    Ok(created(id.as_str(), [("Id", json!(id))]))
}

fn update_policy(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
    change: &Change,
) -> Made {
    let name = text(&change.new, "PolicyName").unwrap_or_default();
    for role in texts(&change.new, "Roles") {
        put_inline(services, location, &role, name, &change.new)?;
    }
    Ok(created(id, [("Id", json!(id))]))
}

fn delete_policy(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
) -> Result<(), ResourceError> {
    let mut parts = id.split('|').skip(1);
    if let Some(name) = parts.next() {
        for role in parts {
            services.iam.delete_inline(&location.account, role, name);
        }
    }
    Ok(())
}
