//! Messages.
use pattern::transformer::{InputTransformer, TransformerError};

use crate::model::Message;

impl Message {
    /// The transformer as `EventBridge` would run it.
    pub fn transformer(&self) -> Result<InputTransformer, TransformerError> {
        InputTransformer::new(&self.input_paths, &self.input_template)
    }

    /// The JSON paths of all placeholders.
    pub fn placeholders(&self) -> Vec<&str> {
        self.input_paths.values().map(String::as_str).collect()
    }
}
