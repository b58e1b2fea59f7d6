//! A pattern's paths, and the values it pins them to.

use std::collections::BTreeSet;

use crate::pattern::Pattern;

impl Pattern {
    /// The joined paths (`detail.eventName`) that decide, sorted, each once.
    pub fn field_paths(&self) -> Vec<String> {
        let paths: BTreeSet<&str> = self
            .alternatives
            .iter()
            .flat_map(|alternative| &alternative.fields)
            .map(|field| field.path.as_ref())
            .collect();
        paths.into_iter().map(str::to_owned).collect()
    }

    /// The exact strings that `path` is pinned to in every `$or` branch, sorted; `None` if some
    /// branch leaves the path free or pins it by anything but exact strings.
    ///
    /// ```
    /// let pattern = eventbridge_pattern::Pattern::parse(r#"{"source": ["aws.s3", "aws.ec2"], "detail": {"eventName": [{"prefix": "Put"}]}}"#)?;
    /// assert_eq!(pattern.exact_values("source"), Some(vec!["aws.ec2".to_owned(), "aws.s3".to_owned()]));
    /// assert_eq!(pattern.exact_values("detail.eventName"), None);
    /// # Ok::<(), eventbridge_pattern::PatternError>(())
    /// ```
    pub fn exact_values(&self, path: &str) -> Option<Vec<String>> {
        let mut values: BTreeSet<&str> = BTreeSet::new();
        for alternative in self.alternatives.iter() {
            let field = alternative
                .fields
                .iter()
                .find(|field| field.path.as_ref() == path)?;
            values.extend(field.list.exact_texts()?);
        }
        Some(values.into_iter().map(str::to_owned).collect())
    }

    /// How many combinations the pattern's `$or`s multiply to (1 without `$or`).
    pub fn combinations(&self) -> usize {
        self.alternatives.len()
    }

    /// Paths that are given more than once, where only the last one counts: legal, and rarely
    /// meant.
    pub fn overridden_paths(&self) -> Vec<String> {
        self.overridden.iter().cloned().collect()
    }
}
