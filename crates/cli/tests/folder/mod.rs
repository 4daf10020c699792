//! A folder with a tiny model and texts, and the real binary run in it.

use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;

/// A folder with a model, removed at its end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// With the model of that architecture, a text of some hundred tokens and a shorter one.
    pub(crate) fn new(name: &str, architecture: &str) -> Folder {
        let folder =
            std::env::temp_dir().join(format!("pacemark-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        TestModel::of(architecture).write(&folder.join("model.gguf")).unwrap();
        let words = "to be or not to be that is the ";
        std::fs::write(folder.join("text.txt"), words.repeat(40)).unwrap();
        std::fs::write(folder.join("prompt.txt"), words.repeat(4)).unwrap();
        Folder(folder)
    }

    /// Runs a command line in which `M`, `T` and `P` are the model, a text and a prompt.
    pub(crate) fn pacemark(&self, line: &str) -> Output {
        let path = |name: &str| self.0.join(name).display().to_string();
        let argument = |word: &str| match word {
            "M" => path("model.gguf"),
            "T" => path("text.txt"),
            "P" => path("prompt.txt"),
            word => word.to_owned(),
        };
        let arguments: Vec<String> = line.split(' ').map(argument).collect();
        crate::binary::pacemark().args(arguments).output().unwrap()
    }

    /// The JSON that a command line prints, which is to succeed.
    pub(crate) fn json(&self, line: &str) -> Value {
        let output = self.pacemark(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Exit code and the words on standard error, clap's line ends taken away.
    pub(crate) fn failure(&self, line: &str) -> (i32, String) {
        let output = self.pacemark(line);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
        (output.status.code().unwrap(), stderr.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
