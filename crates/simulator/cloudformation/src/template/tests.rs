//! Checks that precede any operation.

use std::collections::BTreeMap;

use super::Template;
use super::parameter::{Given, values};

#[test]
fn broken_templates_are_refused_with_the_reason() {
    for (template, message) in [
        (
            "Resources: {}",
            "At least one Resources member must be defined",
        ),
        (
            "Surprise: {}\nResources: {A: {Type: T}}",
            "Invalid template property or properties [Surprise]",
        ),
        (
            "Transform: x\nResources: {A: {Type: T}}",
            "does not support the Transform section",
        ),
        (
            "Resources: {A-b: {Type: T}}",
            "Resource name A-b is non alphanumeric",
        ),
        ("Resources: {A: {}}", "must contain a Type member"),
        (
            "Resources: {A: {Type: T, Surprise: 1}}",
            "Invalid template resource property 'Surprise'",
        ),
        (
            "Resources: {A: {Type: T, DependsOn: B}}",
            "Unresolved resource dependencies [B] in the Resources block",
        ),
        (
            "Resources: {A: {Type: T, Properties: {X: !Ref B}}}",
            "Unresolved resource dependencies [B]",
        ),
        (
            "Resources: {A: {Type: T, Properties: {X: !GetAtt B.C}}}",
            "Unresolved resource dependencies [B]",
        ),
        (
            "Resources: {A: {Type: T, Properties: {X: !Sub '${B.C}'}}}",
            "Unresolved resource dependencies [B]",
        ),
        (
            "Resources: {A: {Type: T, Properties: {X: !Sub '${B C}'}}}",
            "variable names in Fn::Sub syntax",
        ),
        (
            "Resources: {A: {Type: T, Properties: {X: !Nope 1}}}",
            "the function Fn::Nope is not supported",
        ),
        (
            "Resources: {A: {Type: T, Condition: C}}",
            "Unresolved condition dependency C",
        ),
        (
            "Resources: {A: {Type: T, Properties: {X: !If [C, 1, 2]}}}",
            "Unresolved condition dependency C",
        ),
        (
            "Conditions: {C: !Equals [!Ref A, 1]}\nResources: {A: {Type: T}}",
            "Cannot reference resources in the Conditions block",
        ),
        (
            "Conditions: {C: !Not [Condition: D], D: !Not [Condition: C]}\nResources: {A: {Type: T}}",
            "Circular dependency between conditions: [C, D]",
        ),
        (
            "Resources: {A: {Type: T, Properties: {X: !Ref B}}, B: {Type: T, DependsOn: A}}",
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Resources: {A: {Type: T, Properties: {X: !Ref A}}}",
            "Circular dependency between resources: [A]",
        ),
        (
            "Resources: {A: {Type: T, DeletionPolicy: Keep}}",
            "Unrecognized DeletionPolicy Keep",
        ),
        (
            "Resources: {A: {Type: T, Properties: {X: '{{resolve:ssm:x}}'}}}",
            "does not support dynamic references",
        ),
        (
            "Resources: {A: {Type: T}}\nOutputs: {O: {Value: !Ref B}}",
            "[B] in the Outputs block",
        ),
        (
            "Parameters: {P: {Type: Strin}}\nResources: {A: {Type: T}}",
            "Unrecognized parameter type: Strin",
        ),
        (
            "Parameters: {P: {Type: Number, Default: x}}\nResources: {A: {Type: T}}",
            "must be a number",
        ),
    ] {
        let error = Template::parse(template).expect_err(template);
        assert!(error.contains(message), "{template}\n  gave {error}");
    }
}

#[test]
fn resources_are_ordered_after_their_dependencies() {
    let template = Template::parse(
        "
         Resources:
           Alpha: {Type: T, Properties: {X: !Sub '${Zulu.Arn}'}}
           Bravo: {Type: T, DependsOn: [Alpha]}
           Zulu: {Type: T, Properties: {X: !If [Yes1, !GetAtt Yankee.Arn, a]}}
           Yankee: {Type: T}
         Conditions: {Yes1: !Equals [1, 1]}",
    )
    .unwrap();
    assert_eq!(template.order, ["Yankee", "Zulu", "Alpha", "Bravo"]);
}

#[test]
fn named_roles_need_the_stronger_capability() {
    let role = |properties: &str| {
        Template::parse(&format!(
            "Resources: {{R: {{Type: 'AWS::IAM::Role', Properties: {properties}}}}}"
        ))
        .unwrap()
    };
    assert_eq!(role("{}").capability().unwrap().0, "CAPABILITY_IAM");
    assert_eq!(
        role("{RoleName: x}").capability().unwrap().0,
        "CAPABILITY_NAMED_IAM"
    );
    let topic = Template::parse("Resources: {T: {Type: 'AWS::SNS::Topic'}}").unwrap();
    assert!(topic.capability().is_none());
}

#[test]
fn parameters_keep_their_constraints() {
    let template = Template::parse(
        "
         Parameters:
           Id: {Type: String, AllowedPattern: 'o-[a-z0-9]{3}'}
           Size: {Type: Number, Default: 5, MinValue: 2, MaxValue: 9}
           Stage: {Type: String, Default: dev, AllowedValues: [dev, prod], ConstraintDescription: dev or prod}
           Items: {Type: CommaDelimitedList, Default: 'a,b'}
         Resources: {T: {Type: T}}",
    )
    .unwrap();
    let check = |given: &[(&str, &str)]| {
        let given: BTreeMap<String, Given> = given
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Given::Value((*value).to_owned())))
            .collect();
        values(&template, &given, None)
    };
    assert_eq!(check(&[("Id", "o-abc")]).unwrap()["Size"], "5");
    for (given, message) in [
        (&[][..], "Parameters: [Id] must have values"),
        (
            &[("Id", "o-abc"), ("Nope", "1")][..],
            "Parameters: [Nope] do not exist in the template",
        ),
        // A pattern must match the whole value.
        (&[("Id", "xo-abc")][..], "Parameter 'Id' must match pattern"),
        (&[("Id", "o-abc"), ("Size", "1")][..], "not less than 2"),
        (&[("Id", "o-abc"), ("Size", "ten")][..], "must be a number"),
        (
            &[("Id", "o-abc"), ("Stage", "test")][..],
            "failed to satisfy constraint: dev or prod",
        ),
    ] {
        let error = check(given).unwrap_err();
        assert!(error.contains(message), "{given:?} gave {error}");
    }
    let previous = BTreeMap::from([("Id".to_owned(), "o-old".to_owned())]);
    let reuse = BTreeMap::from([("Id".to_owned(), Given::Previous)]);
    assert_eq!(
        values(&template, &reuse, Some(&previous)).unwrap()["Id"],
        "o-old"
    );
    assert!(values(&template, &reuse, None).is_err());
}
