//! Parses template text: JSON, or YAML with short function forms.

use serde_json::{Map, Value};

/// Parses JSON or YAML to JSON with the long forms of all functions.
pub(crate) fn read(body: &str) -> Result<Value, String> {
    let document = if body.trim_start().starts_with('{') {
        serde_json::from_str(body).map_err(|error| {
            format!(
                "Template format error: JSON not well-formed. (line {}, column {})",
                error.line(),
                error.column()
            )
        })?
    } else {
        let yaml: serde_yaml::Value =
            serde_yaml::from_str(body).map_err(|error| match error.location() {
                Some(at) => format!(
                    "Template format error: YAML not well-formed. (line {}, column {})",
                    at.line(),
                    at.column()
                ),
                None => format!("Template format error: YAML not well-formed. ({error})"),
            })?;
        from_yaml(yaml)?
    };
    if !document.is_object() {
        return Err("Template format error: unsupported structure.".to_owned());
    }
    no_nulls(&document, "")?;
    Ok(document)
}

fn from_yaml(value: serde_yaml::Value) -> Result<Value, String> {
    Ok(match value {
        serde_yaml::Value::Null => Value::Null,
        serde_yaml::Value::Bool(flag) => Value::Bool(flag),
        serde_yaml::Value::Number(number) => {
            serde_json::to_value(number).map_err(|error| error.to_string())?
        }
        serde_yaml::Value::String(text) => Value::String(text),
        serde_yaml::Value::Sequence(items) => {
            Value::Array(items.into_iter().map(from_yaml).collect::<Result<_, _>>()?)
        }
        serde_yaml::Value::Mapping(entries) => {
            let mut fields = Map::new();
            for (key, value) in entries {
                let key = match from_yaml(key)? {
                    Value::String(key) => key,
                    Value::Number(key) => key.to_string(),
                    Value::Bool(key) => key.to_string(),
                    _ => return Err("Template format error: keys must be strings.".to_owned()),
                };
                fields.insert(key, from_yaml(value)?);
            }
            Value::Object(fields)
        }
        serde_yaml::Value::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let value = from_yaml(tagged.value)?;
            let (name, value) = match (name, value) {
                ("Ref" | "Condition", value) => (name.to_owned(), value),
                ("GetAtt", Value::String(path)) => {
                    let (resource, attribute) =
                        path.split_once('.').ok_or("Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")?;
                    (
                        "Fn::GetAtt".to_owned(),
                        Value::from(vec![resource, attribute]),
                    )
                }
                (name, value) => (format!("Fn::{name}"), value),
            };
            Value::Object(Map::from_iter([(name, value)]))
        }
    })
}

fn no_nulls(value: &Value, path: &str) -> Result<(), String> {
    match value {
        Value::Null => Err(format!(
            "Template format error: [{path}] 'null' values are not allowed in templates"
        )),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| no_nulls(item, &format!("{path}/{index}"))),
        Value::Object(fields) => fields
            .iter()
            .try_for_each(|(key, value)| no_nulls(value, &format!("{path}/{key}"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_forms_become_long_ones() {
        let yaml = "\
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties:
      Name: !Ref BusName
      Arn: !GetAtt Queue.Nested.Arn
      Text: !Sub \"${AWS::Region}-x\"
      Join: !Join [',', [a, !Ref B]]
      If: !If [Yes1, !Ref AWS::NoValue, 'no']
      Account: 012345678901
";
        let document = read(yaml).unwrap();
        assert_eq!(
            document["Resources"]["Bus"]["Properties"],
            json!({
                "Name": {"Ref": "BusName"},
                "Arn": {"Fn::GetAtt": ["Queue", "Nested.Arn"]},
                "Text": {"Fn::Sub": "${AWS::Region}-x"},
                "Join": {"Fn::Join": [",", ["a", {"Ref": "B"}]]},
                "If": {"Fn::If": ["Yes1", {"Ref": "AWS::NoValue"}, "no"]},
                "Account": "012345678901",
            })
        );
    }

    #[test]
    fn says_where_text_is_broken() {
        assert_eq!(
            read("{\"a\": }").unwrap_err(),
            "Template format error: JSON not well-formed. (line 1, column 7)"
        );
        assert!(
            read("a: [")
                .unwrap_err()
                .starts_with("Template format error: YAML not well-formed.")
        );
        assert_eq!(
            read("just text").unwrap_err(),
            "Template format error: unsupported structure."
        );
        assert!(
            read("{\"a\": {\"b\": null}}")
                .unwrap_err()
                .contains("[/a/b] 'null' values")
        );
    }
}
