//! AWS Query and EC2 Query: form-encoded requests, XML responses.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::escape::partial_escape;
use serde_json::{Map, Value};

use super::{Operation, Protocol};
use crate::api::{ApiError, RawRequest};

/// One level of a request with dotted keys such as `Tags.member.1.Key`.
#[derive(Debug, Default)]
struct Tree {
    text: Option<String>,
    children: BTreeMap<String, Tree>,
}

impl Tree {
    fn insert(&mut self, path: &str, text: String) {
        let mut at = self;
        for part in path.split('.') {
            at = at.children.entry(part.to_owned()).or_default();
        }
        at.text = Some(text);
    }

    /// Lists are sent as `X.member.N` (Query) or `X.N` (EC2), maps as `X.entry.N.key` and `.value`.
    fn value(self) -> Value {
        if self.children.is_empty() {
            return Value::String(self.text.unwrap_or_default());
        }
        let mut children = self.children;
        if children.len() == 1 {
            if let Some(list) = children.remove("member") {
                return list.list();
            }
            if let Some(entries) = children.remove("entry") {
                return entries.map();
            }
        }
        if children.keys().all(|key| key.parse::<u32>().is_ok()) {
            return Tree {
                text: None,
                children,
            }
            .list();
        }
        Value::Object(
            children
                .into_iter()
                .map(|(key, child)| (key, child.value()))
                .collect(),
        )
    }

    fn list(self) -> Value {
        let mut items: Vec<(u32, Tree)> = self
            .children
            .into_iter()
            .map(|(key, child)| (key.parse().unwrap_or(u32::MAX), child))
            .collect();
        items.sort_by_key(|(number, _)| *number);
        Value::Array(items.into_iter().map(|(_, child)| child.value()).collect())
    }

    fn map(self) -> Value {
        let mut map = Map::new();
        for mut entry in self.children.into_values() {
            let key = entry
                .children
                .remove("key")
                .and_then(|key| key.text)
                .unwrap_or_default();
            let value = entry
                .children
                .remove("value")
                .map_or(Value::Null, Tree::value);
            map.insert(key, value);
        }
        Value::Object(map)
    }
}

/// Maximum nesting of a request, far above what any AWS operation uses.
const DEPTH: usize = 32;

/// Decodes a request to a service that uses only Query.
pub(super) fn decode(
    request: &RawRequest,
    service: &str,
) -> (Protocol, Result<Operation, ApiError>) {
    let form = if request.method == "GET" {
        form(
            request
                .query
                .iter()
                .map(|(key, value)| (key.into(), value.into())),
        )
    } else {
        form(form_urlencoded::parse(&request.body))
    };
    let version = form.as_ref().map_or("", |form| &form.version).to_owned();
    let operation = form.map(|form| Operation {
        service: None,
        action: form.action,
        input: form.input,
    });
    let operation = operation.ok_or_else(|| {
        ApiError::new(
            "MissingAction",
            "The request names no action in a protocol the simulator knows.",
        )
    });
    let service = service.to_owned();
    (Protocol::Query { service, version }, operation)
}

#[derive(Debug)]
struct Form {
    action: String,
    version: String,
    input: Value,
}

/// Decodes form fields; `None` if they name no action or exceed [`DEPTH`].
fn form<'a>(fields: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Option<Form> {
    let mut tree = Tree::default();
    let mut action = None;
    let mut version = String::new();
    for (key, value) in fields {
        match key.as_ref() {
            "Action" => action = Some(value.into_owned()),
            "Version" => version = value.into_owned(),
            key if key.split('.').count() > DEPTH => return None,
            key => tree.insert(key, value.into_owned()),
        }
    }
    let input = match tree.value() {
        Value::Object(fields) => Value::Object(fields),
        _ => Value::Object(Map::new()),
    };
    Some(Form {
        action: action?,
        version,
        input,
    })
}

/// The XML element names that differ by service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect<'a> {
    pub(super) service: &'a str,
    pub(super) version: &'a str,
}

impl Dialect<'_> {
    fn namespace(self) -> String {
        format!(
            "http://{}.amazonaws.com/doc/{}/",
            self.service, self.version
        )
    }

    pub(super) fn answer(self, action: &str, output: &Value, request_id: &str) -> String {
        let mut xml = format!("<{action}Response xmlns=\"{}\">", self.namespace());
        if self.service == "ec2" {
            xml.push_str(&format!("<requestId>{request_id}</requestId>"));
            self.fields(&mut xml, output);
        } else {
            xml.push_str(&format!("<{action}Result>"));
            self.fields(&mut xml, output);
            xml.push_str(&format!(
                "</{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
            ));
        }
        xml.push_str(&format!("</{action}Response>"));
        xml
    }

    pub(super) fn error(self, error: &ApiError, request_id: &str) -> String {
        let (code, message) = (text(&error.code), text(&error.message));
        if self.service == "ec2" {
            return format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>"
            );
        }
        let party = if error.status >= 500 {
            "Receiver"
        } else {
            "Sender"
        };
        format!(
            "<ErrorResponse xmlns=\"{}\"><Error><Type>{party}</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            self.namespace()
        )
    }

    fn fields(self, xml: &mut String, value: &Value) {
        if let Value::Object(fields) = value {
            for (name, value) in fields {
                self.field(xml, name, value);
            }
        }
    }

    fn field(self, xml: &mut String, name: &str, value: &Value) {
        if value.is_null() {
            return;
        }
        for part in ["<", name, ">"] {
            xml.push_str(part);
        }
        match value {
            Value::Array(items) => {
                let item_name = if self.service == "ec2" {
                    "item"
                } else {
                    "member"
                };
                for item in items {
                    self.field(xml, item_name, item);
                }
            }
            // SNS returns attribute maps; all other objects of Query services are structures.
            Value::Object(entries) if self.service == "sns" && name == "Attributes" => {
                for (key, value) in entries {
                    xml.push_str("<entry>");
                    self.field(xml, "key", &Value::String(key.clone()));
                    self.field(xml, "value", value);
                    xml.push_str("</entry>");
                }
            }
            Value::Object(_) => self.fields(xml, value),
            Value::String(raw) => xml.push_str(&text(raw)),
            scalar => xml.push_str(&text(&crate::scalar(scalar).unwrap_or_default())),
        }
        for part in ["</", name, ">"] {
            xml.push_str(part);
        }
    }
}

/// Escapes text for XML 1.0, which can't represent most control characters.
fn text(raw: &str) -> Cow<'_, str> {
    let is_odd = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n');
    if !raw.bytes().any(is_odd) {
        return partial_escape(raw);
    }
    let clean: String = raw
        .chars()
        .map(|c| {
            if c < ' ' && !matches!(c, '\t' | '\n' | '\r') {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    Cow::Owned(partial_escape(&clean).replace('\r', "&#13;"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use serde_json::json;

    fn read(body: &[u8]) -> Option<Form> {
        form(form_urlencoded::parse(body))
    }

    #[test]
    fn decodes_lists_structures_and_maps() {
        let body = b"Action=CreateStack&Version=2010-05-15&StackName=a%20b&Parameters.member.1.ParameterKey=K\
            &Parameters.member.1.ParameterValue=V&Regions.member.2=y&Regions.member.1=x&Regions.member.10=z\
            &Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=D&Filter.1.Name=n&Filter.1.Value.1=v";
        let request = read(body).unwrap();
        assert_eq!(request.action, "CreateStack");
        assert_eq!(
            request.input,
            json!({
                "StackName": "a b",
                "Parameters": [{"ParameterKey": "K", "ParameterValue": "V"}],
                "Regions": ["x", "y", "z"],
                "Attributes": {"DisplayName": "D"},
                "Filter": [{"Name": "n", "Value": ["v"]}],
            })
        );
    }

    #[test]
    fn a_body_without_action_is_no_request() {
        assert!(read(b"StackName=a").is_none());
        let deep = format!("Action=A&{}=1", vec!["a"; 100_000].join("."));
        assert!(read(deep.as_bytes()).is_none());
    }

    #[test]
    fn wraps_results_as_each_service_does() {
        let cloudformation = Dialect {
            service: "cloudformation",
            version: "2010-05-15",
        };
        assert_eq!(
            cloudformation.answer(
                "ListThings",
                &json!({"Things": [{"Name": "a<b"}], "Nothing": null}),
                "1"
            ),
            "<ListThingsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><ListThingsResult>\
             <Things><member><Name>a&lt;b</Name></member></Things></ListThingsResult>\
             <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></ListThingsResponse>"
        );
        let ec2 = Dialect {
            service: "ec2",
            version: "2016-11-15",
        };
        assert_eq!(
            ec2.answer("DescribeX", &json!({"xSet": [{"a": true}]}), "1"),
            "<DescribeXResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>1</requestId>\
             <xSet><item><a>true</a></item></xSet></DescribeXResponse>"
        );
        let sns = Dialect {
            service: "sns",
            version: "2010-03-31",
        };
        assert!(
            sns.answer(
                "GetTopicAttributes",
                &json!({"Attributes": {"TopicArn": "t"}}),
                "1"
            )
            .contains(
                "<Attributes><entry><key>TopicArn</key><value>t</value></entry></Attributes>"
            )
        );
    }

    #[test]
    fn text_stays_well_formed_xml() {
        assert_eq!(text("a\u{1}b\r\"<&"), "a\u{fffd}b&#13;\"&lt;&amp;");
    }

    proptest! {
        #[test]
        fn any_form_is_decoded_without_a_panic(body in "(Action=[A-Z]|[A-Za-z.0-9]{0,12}=[a-z%&+]{0,6}|&){0,12}") {
            let request = read(body.as_bytes());
            prop_assert!(request.is_none_or(|request| request.input.is_object()));
        }

        #[test]
        fn any_text_survives_the_xml(raw in "\\PC{0,40}") {
            let escaped = text(&raw);
            prop_assert_eq!(quick_xml::escape::unescape(&escaped).unwrap(), raw.as_str());
        }
    }
}
