//! Reads a Sigma rule from its file.

use std::sync::Arc;

use syntax::{Diagnostic, Node, SourceFile, SourceLocation, Span, Value};

use crate::condition::{self, Condition, Names};
use crate::evaluate::{self, Record};
use crate::expression::Expression;
use crate::modifiers::{self, Wrong, wrong};

/// Most tests after the condition's selections are substituted.
const MAX_TESTS: usize = 20_000;
/// Most diagnostics of one file.
const MAX_DIAGNOSTICS: usize = 20;
/// Descriptions and similar texts are truncated to this many characters.
const MAX_TEXT: usize = 20_000;

/// One Sigma rule for CloudTrail.
#[derive(Clone, Debug)]
pub struct Rule {
    /// A single line.
    pub title: String,
    /// Usually a UUID.
    pub id: Option<String>,
    /// What the rule detects, as free text.
    pub description: Option<String>,
    /// `stable`, `test`, `experimental`, `deprecated` or `unsupported`.
    pub status: Option<String>,
    /// `informational` to `critical`.
    pub level: Option<String>,
    /// Free text; the license may require it in every alert.
    pub author: Option<String>,
    /// SPDX identifier.
    pub license: Option<String>,
    /// Creation date, unparsed.
    pub date: Option<String>,
    /// Date of the last change, unparsed.
    pub modified: Option<String>,
    /// URLs, unchecked.
    pub references: Vec<String>,
    /// In Sigma's spelling, such as `attack.t1562.008`.
    pub tags: Vec<String>,
    /// Harmless situations in which the rule fires.
    pub false_positives: Vec<String>,
    /// Fields that an analyst should see.
    pub fields: Vec<String>,
    /// The source file, for locations in diagnostics.
    pub file: Arc<SourceFile>,
    pub(crate) expression: Expression,
    pub(crate) detection: Span,
}

impl Rule {
    /// Whether the rule fires on a CloudTrail record, evaluated without an event pattern; see
    /// [`Record`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// let text = "
    /// title: A trail is stopped
    /// logsource: {product: aws, service: cloudtrail}
    /// detection:
    ///   selection: {eventSource: cloudtrail.amazonaws.com, eventName|startswith: stop}
    ///   condition: selection
    /// ";
    /// let file = Arc::new(syntax::SourceFile::new("rule.yml", text));
    /// let rule = sigma::read(&file).map_err(|diagnostics| diagnostics[0].message.clone())?;
    /// let record = serde_json::json!({"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging"});
    /// assert!(rule.matches(&sigma::Record::new(&record)));
    /// # Ok::<(), String>(())
    /// ```
    pub fn matches(&self, record: &Record<'_>) -> bool {
        evaluate::holds(&self.expression, record)
    }

    pub(crate) fn location(&self) -> SourceLocation {
        SourceLocation::new(&self.file, self.detection)
    }
}

/// Reads a Sigma rule. Fails if the file isn't one, or if the rule needs more than one event.
///
/// Codes, besides those of [`syntax::parse`]: `sigma::document`, `sigma::correlation`,
/// `sigma::filter`, `sigma::logsource`, `sigma::detection`, `sigma::condition`,
/// `sigma::aggregation`, `sigma::keywords`, `sigma::modifier`, `sigma::value`,
/// `sigma::placeholder`, `sigma::too-large`.
pub fn read(file: &Arc<SourceFile>) -> Result<Rule, Vec<Diagnostic>> {
    let (root, diagnostics) = syntax::parse(file);
    let mut reader = Reader {
        file,
        diagnostics: diagnostics.into_iter().map(explained).collect(),
    };
    let rule = root.and_then(|root| reader.rule(&root));
    match rule {
        Some(rule) if reader.diagnostics.is_empty() => Ok(rule),
        _ => {
            reader.diagnostics.truncate(MAX_DIAGNOSTICS);
            Err(reader.diagnostics)
        }
    }
}

/// Adds advice for imports to the YAML parser's errors.
fn explained(diagnostic: Diagnostic) -> Diagnostic {
    match diagnostic.code {
        "yaml::documents" => diagnostic
            .note("Sigma puts correlations, and rules that share a part, into one file")
            .help("put each rule in its own file; correlations can't be imported"),
        "yaml::anchor" | "yaml::alias" | "yaml::merge-key" => {
            diagnostic.help("write the value out where it is used")
        }
        _ => diagnostic,
    }
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn push(&mut self, diagnostic: Diagnostic, span: Span) {
        self.diagnostics
            .push(diagnostic.at(SourceLocation::new(self.file, span)));
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>, span: Span) {
        self.push(Diagnostic::error(code, message), span);
    }

    fn rule(&mut self, root: &Node) -> Option<Rule> {
        if root.as_mapping().is_none() {
            self.error(
                "sigma::document",
                format!("a Sigma rule is a mapping, not {}", root.kind()),
                root.span,
            );
            return None;
        }
        if let Some(entry) = root.entry("correlation") {
            self.push(
                Diagnostic::error(
                    "sigma::correlation",
                    "the rule correlates events, and EventBridge evaluates one event at a time",
                )
                .help("import the rules that it refers to; for counting use a metric filter on the trail's log group and a CloudWatch alarm"),
                entry.key_span,
            );
            return None;
        }
        if let Some(entry) = root.entry("action") {
            self.push(
                Diagnostic::error(
                    "sigma::document",
                    "the file is a collection of rules that share a part",
                )
                .help("write each rule out in its own file"),
                entry.key_span,
            );
            return None;
        }
        if let (Some(entry), None) = (root.entry("filter"), root.entry("detection")) {
            self.push(
                Diagnostic::error(
                    "sigma::filter",
                    "the file is a filter over other rules, not a rule",
                )
                .help("write it as an `exception` into each of the imported rules that it names"),
                entry.key_span,
            );
            return None;
        }
        let title = self.title(root);
        self.log_source(root);
        let expression = self.detection(root);
        let words = |name: &str| text(root.get(name));
        Some(Rule {
            title: title?,
            id: words("id"),
            description: words("description"),
            status: words("status"),
            level: words("level"),
            author: words("author").or_else(|| joined(root.get("author"))),
            license: words("license"),
            date: words("date"),
            modified: words("modified"),
            references: list(root.get("references")),
            tags: list(root.get("tags")),
            false_positives: list(root.get("falsepositives")),
            fields: list(root.get("fields")),
            file: Arc::clone(self.file),
            expression: expression?,
            detection: root
                .entry("detection")
                .map_or(root.span, |entry| entry.key_span),
        })
    }

    fn title(&mut self, root: &Node) -> Option<String> {
        let title = text(root.get("title"));
        if title.is_none() {
            let span = root.get("title").map_or(Span::default(), |node| node.span);
            self.error("sigma::document", "the rule has no `title`", span);
        }
        title
    }

    fn log_source(&mut self, root: &Node) {
        let Some(entry) = root.entry("logsource") else {
            self.error(
                "sigma::logsource",
                "the rule has no `logsource`",
                Span::default(),
            );
            return;
        };
        let word = |name: &str| text(entry.value.get(name)).unwrap_or_default();
        let (product, service) = (word("product"), word("service"));
        let fits =
            product.eq_ignore_ascii_case("aws") && service.eq_ignore_ascii_case("cloudtrail");
        if !fits {
            self.push(
                Diagnostic::error(
                    "sigma::logsource",
                    format!("the rule is for product `{product}`, service `{service}`"),
                )
                .help("rules for `product: aws` and `service: cloudtrail` can be imported"),
                entry.value.span,
            );
        }
    }

    /// The valid conditions with their spans.
    fn conditions(&mut self, node: &Node) -> Vec<(Condition, Span)> {
        let conditions: Vec<&Node> = match &node.value {
            Value::Sequence(items) => items.iter().collect(),
            _ => vec![node],
        };
        let mut parsed = Vec::new();
        for node in conditions {
            let Some(text) = node.as_str() else {
                self.error(
                    "sigma::condition",
                    format!("a condition is text, not {}", node.kind()),
                    node.span,
                );
                continue;
            };
            match condition::parse(text) {
                Ok(condition) => parsed.push((condition, node.span)),
                Err(bad) => self.push(
                    Diagnostic::error(bad.code, bad.message).help(bad.help),
                    node.span,
                ),
            }
        }
        parsed
    }

    fn detection(&mut self, root: &Node) -> Option<Expression> {
        let Some(entry) = root.entry("detection") else {
            self.error(
                "sigma::detection",
                "the rule has no `detection`",
                Span::default(),
            );
            return None;
        };
        let Some(entries) = entry.value.as_mapping() else {
            self.error(
                "sigma::detection",
                format!("`detection` is a mapping, not {}", entry.value.kind()),
                entry.value.span,
            );
            return None;
        };
        let before = self.diagnostics.len();
        let mut selections = Vec::new();
        for entry in entries {
            if matches!(entry.key.as_str(), "condition" | "timeframe") {
                continue;
            }
            match selection(&entry.value) {
                Ok(expression) => selections.push(Selection {
                    name: &entry.key,
                    expression,
                    used: false,
                }),
                Err(Wrong { diagnostic, span }) => self.push(*diagnostic, span),
            }
        }
        let Some(condition) = entries.iter().find(|entry| entry.key == "condition") else {
            self.error(
                "sigma::condition",
                "`detection` has no `condition`",
                entry.key_span,
            );
            return None;
        };
        let parsed = self.conditions(&condition.value);
        if self.diagnostics.len() > before {
            return None;
        }
        if let Some(entry) = entries.iter().find(|entry| entry.key == "timeframe") {
            self.push(
                Diagnostic::error(
                    "sigma::aggregation",
                    "the rule has a `timeframe`, and EventBridge evaluates one event at a time",
                )
                .help("remove the `timeframe` if every single event is worth an alert"),
                entry.key_span,
            );
            return None;
        }
        let mut any = Vec::new();
        let mut size = 0;
        for (condition, span) in parsed {
            match resolve(&condition, &mut selections, &mut size) {
                Ok(expression) => any.push(expression),
                Err((code, message)) => self.error(code, message, span),
            }
        }
        if let Some(unused) = selections
            .iter()
            .find(|selection| !selection.used && !selection.name.starts_with('_'))
            && self.diagnostics.len() == before
        {
            self.push(
                Diagnostic::error(
                    "sigma::condition",
                    format!("the condition doesn't use the selection `{}`", unused.name),
                )
                .help("remove the selection, or begin its name with `_`"),
                condition.value.span,
            );
        }
        match any.len() {
            1 => any.pop(),
            0 => None,
            _ => Some(Expression::Or(any)),
        }
    }
}

struct Selection<'a> {
    name: &'a str,
    expression: Expression,
    used: bool,
}

/// A selection: a mapping joins its entries by "and", a list its items by "or".
fn selection(node: &Node) -> Result<Expression, Wrong> {
    match &node.value {
        Value::Mapping(entries) if !entries.is_empty() => {
            let all = entries
                .iter()
                .map(modifiers::entry)
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Expression::And(all))
        }
        Value::Sequence(items) if !items.is_empty() => {
            let any = items.iter().map(selection).collect::<Result<Vec<_>, _>>()?;
            Ok(Expression::Or(any))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Err(modifiers::keywords(node.span)),
        Value::Mapping(_) | Value::Sequence(_) | Value::Null => Err(wrong(
            "sigma::detection",
            "the selection is empty",
            node.span,
        )),
    }
}

/// Replaces names with their selections.
fn resolve(
    condition: &Condition,
    selections: &mut [Selection<'_>],
    size: &mut usize,
) -> Result<Expression, (&'static str, String)> {
    match condition {
        Condition::Selection(name) => {
            let Some(found) = selections.iter_mut().find(|it| it.name == name) else {
                let known: Vec<String> = selections
                    .iter()
                    .take(20)
                    .map(|it| format!("`{}`", it.name))
                    .collect();
                return Err((
                    "sigma::condition",
                    format!(
                        "there is no selection `{name}`; the selections are {}",
                        known.join(", ")
                    ),
                ));
            };
            take(found, size)
        }
        Condition::Quantified { all, names } => {
            let mut found = Vec::new();
            for selection in selections.iter_mut() {
                let fits = match names {
                    Names::Them => !selection.name.starts_with('_'),
                    Names::Like(name) => {
                        crate::text::Text::parse(name).matches(selection.name, false)
                    }
                };
                if fits {
                    found.push(take(selection, size)?);
                }
            }
            if found.is_empty() {
                let names = match names {
                    Names::Them => "them",
                    Names::Like(name) => name,
                };
                return Err((
                    "sigma::condition",
                    format!("no selection matches `{names}`"),
                ));
            }
            Ok(if *all {
                Expression::And(found)
            } else {
                Expression::Or(found)
            })
        }
        Condition::Not(inside) => Ok(Expression::Not(Box::new(resolve(
            inside, selections, size,
        )?))),
        Condition::And(all) => Ok(Expression::And(resolve_all(all, selections, size)?)),
        Condition::Or(any) => Ok(Expression::Or(resolve_all(any, selections, size)?)),
    }
}

fn resolve_all(
    conditions: &[Condition],
    selections: &mut [Selection<'_>],
    size: &mut usize,
) -> Result<Vec<Expression>, (&'static str, String)> {
    conditions
        .iter()
        .map(|condition| resolve(condition, selections, size))
        .collect()
}

/// Clones a selection, counting its tests before cloning.
fn take(
    selection: &mut Selection<'_>,
    size: &mut usize,
) -> Result<Expression, (&'static str, String)> {
    selection.used = true;
    *size += selection.expression.size();
    if *size > MAX_TESTS {
        return Err((
            "sigma::too-large",
            format!("the rule has more than {MAX_TESTS} tests"),
        ));
    }
    Ok(selection.expression.clone())
}

/// A scalar's text, trimmed and truncated.
fn text(node: Option<&Node>) -> Option<String> {
    let text = match &node?.value {
        Value::String(text) | Value::Number(text) => text.trim().to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => return None,
    };
    let text: String = text.chars().take(MAX_TEXT).collect();
    (!text.is_empty()).then_some(text)
}

/// Most items kept of references, tags and similar lists.
const MAX_ITEMS: usize = 200;

fn list(node: Option<&Node>) -> Vec<String> {
    let items = match node.map(|node| &node.value) {
        Some(Value::Sequence(items)) => items.as_slice(),
        Some(_) => return text(node).into_iter().collect(),
        None => return Vec::new(),
    };
    items
        .iter()
        .take(MAX_ITEMS)
        .filter_map(|item| text(Some(item)))
        .collect()
}

fn joined(node: Option<&Node>) -> Option<String> {
    let all = list(node);
    (!all.is_empty()).then(|| all.join(", "))
}
