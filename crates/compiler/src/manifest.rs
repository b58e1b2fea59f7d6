//! Writes the bundle to disk.

use std::io;
use std::path::{Path, PathBuf};

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::{Bundle, StackSet};

const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const SUFFIX: &str = ".template.json";

impl Serialize for StackSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("StackSet", 13)?;
        out.serialize_field("name", &self.name)?;
        out.serialize_field("part", &self.part)?;
        out.serialize_field("description", &self.description)?;
        out.serialize_field("template", &format!("{}{SUFFIX}", self.name))?;
        out.serialize_field("template_bytes", &self.template.len())?;
        out.serialize_field("template_sha256", &sha256(&self.template))?;
        out.serialize_field("parameters", &self.parameters)?;
        out.serialize_field("tags", &self.tags)?;
        out.serialize_field("capabilities", &self.capabilities)?;
        out.serialize_field("targets", &self.targets)?;
        out.serialize_field("depends_on", &self.depends_on)?;
        out.serialize_field("auto_deployment", &self.auto_deployment)?;
        out.serialize_field("rules", &self.rules)?;
        out.end()
    }
}

impl Serialize for Bundle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Bundle", 3)?;
        out.serialize_field("format", &FORMAT)?;
        out.serialize_field("organization", &self.organization)?;
        out.serialize_field("stack_sets", &self.stack_sets)?;
        out.end()
    }
}

fn sha256(text: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(text.as_bytes()))
}

impl Bundle {
    /// Writes `<name>.template.json` for every stack set and `manifest.json` into a directory,
    /// which is created if necessary. Stale templates of an earlier run are removed; other files
    /// are left alone. Unchanged files aren't rewritten. Returns the paths of the bundle's files.
    pub fn write(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        std::fs::create_dir_all(directory)?;
        let mut manifest = serde_json::to_string_pretty(self)?;
        manifest.push('\n');
        let mut files: Vec<(PathBuf, &str)> = self
            .stack_sets
            .iter()
            .map(|set| {
                (
                    directory.join(format!("{}{SUFFIX}", set.name)),
                    set.template.as_str(),
                )
            })
            .collect();
        // The manifest is written last: if it exists, so does every file it lists.
        files.push((directory.join(MANIFEST), &manifest));

        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            let ours = entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with("gizmos-") && name.ends_with(SUFFIX));
            if ours && entry.file_type()?.is_file() && !files.iter().any(|(kept, _)| *kept == path)
            {
                std::fs::remove_file(path)?;
            }
        }
        for (path, text) in &files {
            if std::fs::read(path).ok().as_deref() != Some(text.as_bytes()) {
                syntax::files::write(directory, path, text)?;
            }
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }
}
