//! A model in the backend that was asked for, and the text that belongs to it.

use crate::backend::{self, is_native};
use anyhow::{Context, Result, anyhow, bail};
use pacemark_backend::{Backend, BackendError};
use pacemark_backends::native::NativeBackend;
use pacemark_backends::{BackendEntry, ModelText};
use pacemark_setup::Setup;
use pacemark_tokenizer::{ChatTemplates, Tokenizer};
use std::path::Path;

/// That texts cannot be read and written.
pub(crate) fn no_tokenizer(path: &Path) -> String {
    let missing = match path.is_dir() {
        true => "the directory has no tokenizer (tokenizer.json and config.json)",
        false => "the file has no tokenizer",
    };
    format!("{}: {missing}", path.display())
}

/// A loaded model.
pub(crate) enum Engine {
    /// Pacemark's own, which reads the model's text itself.
    Native(Box<NativeBackend>),
    /// Any other: token ids go in and out, the text is read from the file.
    Other { backend: Box<dyn Backend>, text: Box<ModelText> },
}

impl Engine {
    /// Loads the model at `path`, which must have a tokenizer.
    pub(crate) fn load(entry: &BackendEntry, path: &Path, setup: &Setup) -> Result<Engine> {
        if is_native(entry) {
            let backend = NativeBackend::load(path, setup, &mut |_, _| {})?;
            return Ok(Engine::Native(Box::new(backend)));
        }
        let Some(text) = ModelText::open(path)? else { bail!(no_tokenizer(path)) };
        let backend = backend::load(entry, path, setup)?;
        Ok(Engine::Other { backend, text: Box::new(text) })
    }

    /// What computes.
    pub(crate) fn backend(&self) -> &dyn Backend {
        match self {
            Engine::Native(backend) => &**backend,
            Engine::Other { backend, .. } => &**backend,
        }
    }

    /// The model's tokenizer, if its file has one.
    pub(crate) fn tokenizer(&self) -> Option<&Tokenizer> {
        match self {
            Engine::Native(backend) => backend.tokenizer(),
            Engine::Other { text, .. } => Some(text.tokenizer()),
        }
    }

    /// The model's chat templates, or ChatML if it brings none.
    pub(crate) fn chat_templates(&self) -> Result<ChatTemplates> {
        match self {
            Engine::Native(backend) => {
                Ok(backend.chat_templates().context("the file has no tokenizer")??)
            }
            Engine::Other { text, .. } => {
                text.chat_templates().cloned().map_err(|error| anyhow!("{error}"))
            }
        }
    }

    /// Tokens that may follow a prompt under a policy.
    pub(crate) fn room(&self, kv: Option<&str>, n_prompt: usize) -> Result<usize, BackendError> {
        match self {
            Engine::Native(backend) => backend.room(kv, n_prompt),
            // All is kept, so that the context bounds it.
            Engine::Other { backend, .. } => Ok(backend.info().n_ctx.saturating_sub(n_prompt)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Directory;
    use pacemark_backends::find;
    use pacemark_setup::Threads;
    use pacemark_testmodel::TestModel;

    /// The native engine as if it were another.
    const OTHER: BackendEntry = BackendEntry {
        name: "other",
        help: "for this test",
        files_only: true,
        kv_policies: false,
        supports: |_| Ok(()),
        load: Ok(|path, setup, progress| Ok(Box::new(NativeBackend::load(path, setup, progress)?))),
    };

    #[test]
    fn another_backend_has_the_same_text_and_room() {
        let folder = Directory::new("run-engine");
        let path = folder.join("tiny.gguf");
        TestModel::llama().write(&path).unwrap();
        let setup = Setup { threads: Threads::new(1), n_ctx: Some(64), ..Setup::default() };
        let native = Engine::load(find("native").unwrap(), &path, &setup).unwrap();
        let other = Engine::load(&OTHER, &path, &setup).unwrap();
        assert!(matches!((&native, &other), (Engine::Native(_), Engine::Other { .. })));
        let ids = |engine: &Engine| engine.tokenizer().unwrap().encode_prompt("abc in the");
        assert_eq!(ids(&native), ids(&other));
        let names = |engine: &Engine| engine.chat_templates().unwrap().is_chatml();
        assert_eq!(names(&native), names(&other));
        assert_eq!((native.room(None, 10), other.room(None, 10)), (Ok(54), Ok(54)));
        assert_eq!(other.room(None, 100), Ok(0));
        assert_eq!(other.backend().info().model_type, native.backend().info().model_type);
    }

    #[test]
    fn a_synthetic_model_has_a_tokenizer_too() {
        let shape = r#"synth:{"architecture": "llama", "n_embd": 64, "n_ff": 64, "n_layers": 1, "n_heads": 2, "n_vocab": 300}:Q8_0"#;
        let setup = Setup { threads: Threads::new(1), ..Setup::default() };
        let engine = Engine::load(&OTHER, Path::new(shape), &setup).unwrap();
        assert!(engine.tokenizer().is_some());
    }
}
