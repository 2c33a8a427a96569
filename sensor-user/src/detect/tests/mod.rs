mod chain;
mod detections;
mod errors;
mod evaluate;
mod exemptions;
mod fed;
mod recorded;
mod screen;
mod shipped;
mod watch;

use std::fs;
use std::path::Path;

use super::{Format, LoadErrors, RuleSet, Sources};

/// A folder of rule files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn load(&self) -> Result<RuleSet, LoadErrors> {
        RuleSet::load(&Sources {
            rule_dirs: vec![self.path().to_owned()],
            ..Sources::default()
        })
    }

    /// The problems as text, with the folder's name left out.
    fn errors(&self) -> String {
        let errors = self.load().expect_err("these rules are wrong");
        let folder = format!("{}/", self.path().display());
        errors.render(Format::Text).replace(&folder, "")
    }
}

/// A rule of that category with these lines as its selection.
fn rule(category: &str, id: u32, selection: &str) -> String {
    format!(
        "title: Rule {id}\nid: 00000000-0000-4000-8000-{id:012}\nlogsource:\n  category: {category}\n  \
         product: linux\ndetection:\n  selection:\n    {selection}\n  condition: selection\nlevel: high\n"
    )
}
