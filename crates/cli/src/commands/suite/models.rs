//! The models of a suite: names of the user's own, and what is loaded for each.

use crate::exit::UsageError;
use crate::hub::{self, Here};
use anyhow::Result;
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::catalog::CATALOG;
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::synth::{self, PREFIX, SHAPES};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A model as the file has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ModelEntry {
    pub name: String,
    pub source: String,
    pub quantizations: Vec<Quantization>,
}

/// How its weights are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Quantization {
    /// As they come; of a shape without a type, F16.
    #[default]
    AsItIs,
    /// Q8_0.
    Bits8,
    /// Q4_K_M.
    Bits4,
}

/// A model that is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Model {
    /// What reports call it: the user's name, and its quantization where that was asked for.
    pub name: String,
    /// The user's name, which targets are of.
    pub of: String,
    /// What `-m` takes.
    pub argument: String,
    /// What further arguments make its weights what they are to be.
    pub weights: Vec<String>,
    /// Tokens of its context, where its header says.
    pub n_ctx: Option<u64>,
    /// Bytes of its tensors, and when its file was changed: a suite goes on with no other.
    pub bytes: u64,
    pub changed_unix_s: Option<u64>,
    /// What is to be known of it.
    pub note: Option<String>,
}

impl Model {
    /// That of what has no model.
    pub(super) fn none() -> Model {
        let empty = String::new;
        Model {
            name: empty(),
            of: empty(),
            argument: empty(),
            weights: Vec::new(),
            n_ctx: None,
            bytes: 0,
            changed_unix_s: None,
            note: None,
        }
    }
}

impl ModelEntry {
    /// A name that stands for itself.
    pub(super) fn named(name: &str) -> ModelEntry {
        ModelEntry {
            name: name.to_owned(),
            source: name.to_owned(),
            quantizations: vec![Quantization::AsItIs],
        }
    }

    /// `NAME` or `NAME=SOURCE`, as the flag has it.
    pub(super) fn parse(text: &str) -> ModelEntry {
        match text.split_once('=') {
            Some((name, source)) if !name.contains([':', '/', '{']) => {
                ModelEntry { source: source.to_owned(), ..ModelEntry::named(name) }
            }
            _ => ModelEntry::named(text),
        }
    }

    /// What is loaded for it, once for each quantization; nothing is fetched.
    pub(super) fn models(&self) -> Result<Vec<Model>> {
        let (source, note) = self.known()?;
        self.quantizations.iter().map(|q| self.model(&source, note.clone(), *q)).collect()
    }

    /// What its source stands for: itself, or the shape of that name where there is no such model.
    fn known(&self) -> Result<(String, Option<String>)> {
        if hub::here(&self.source).is_ok() {
            return Ok((self.source.clone(), None));
        }
        if SHAPES.iter().any(|shape| shape.0 == self.source) {
            let synthetic = format!("{PREFIX}{}", self.source);
            let note = format!(
                "{}: there is no file of it, so the figures are those of {synthetic}, its shape with \
                 random weights: the same work, and answers that mean nothing",
                self.name
            );
            return Ok((synthetic, Some(note)));
        }
        // What hub::here says of a name that is a path is its own.
        if self.source.contains(['/', ':']) {
            hub::here(&self.source)?;
        }
        Err(UsageError(self.unknown()).into())
    }

    fn unknown(&self) -> String {
        let near = |names: &mut dyn Iterator<Item = &'static str>| {
            let names: Vec<&str> = names.collect();
            let near = pacemark_files::by_likeness(&self.source, names);
            near.into_iter().take(3).collect::<Vec<_>>()
        };
        let models = near(&mut CATALOG.iter().map(|model| model.name)).join(", ");
        let shapes = near(&mut SHAPES.iter().map(|shape| shape.0));
        let shapes: Vec<String> = shapes.iter().map(|name| format!("{PREFIX}{name}")).collect();
        let name = pacemark_files::quoted(&self.source);
        format!(
            "model {name} is neither a file nor in the catalog: nearest are {models}, and shapes with \
             random weights {}; `models: {{{}: PATH}}` or --model {}=PATH says what it stands for",
            shapes.join(", "),
            pacemark_files::excerpt(&self.name),
            pacemark_files::excerpt(&self.name),
        )
    }

    fn model(&self, source: &str, note: Option<String>, q: Quantization) -> Result<Model> {
        let (argument, weights) = self.loaded(source, q)?;
        let several = self.quantizations.len() > 1 || q != Quantization::AsItIs;
        let name = match q {
            Quantization::AsItIs if several => format!("{} (as it is)", self.name),
            Quantization::AsItIs => self.name.clone(),
            Quantization::Bits8 => format!("{} (8bit)", self.name),
            Quantization::Bits4 => format!("{} (4bit)", self.name),
        };
        let path = match hub::here(&argument)? {
            Here::Path(path) => Some(path),
            Here::Shape(shape) => Some(shape.into()),
            Here::Absent => None,
        };
        let file = path.as_ref().map(ModelFile::open).transpose()?;
        let n_ctx = file.as_ref().map(Summary::of).transpose()?.and_then(|s| s.context_length);
        let bytes = file.as_ref().map_or(0, ModelFile::n_bytes);
        let changed_unix_s = path.and_then(|path| {
            let changed = path.metadata().ok()?.modified().ok()?;
            Some(changed.duration_since(UNIX_EPOCH).ok()?.as_secs())
        });
        let of = self.name.clone();
        Ok(Model { name, of, argument, weights, n_ctx, bytes, changed_unix_s, note })
    }

    /// What `-m` takes, and further arguments.
    fn loaded(&self, source: &str, q: Quantization) -> Result<(String, Vec<String>)> {
        let wanted = match q {
            Quantization::AsItIs => None,
            Quantization::Bits8 => Some("Q8_0"),
            Quantization::Bits4 => Some("Q4_K_M"),
        };
        if source.starts_with(PREFIX) {
            let (shape, typed) = synth::split(source);
            return match (typed, wanted) {
                (None, wanted) => {
                    Ok((format!("{PREFIX}{shape}:{}", wanted.unwrap_or("F16")), Vec::new()))
                }
                (Some(_), None) => Ok((source.to_owned(), Vec::new())),
                (Some(typed), Some(wanted)) if typed == wanted => {
                    Ok((source.to_owned(), Vec::new()))
                }
                (Some(typed), Some(_)) => Err(self.typed(typed)),
            };
        }
        let Some(wanted) = wanted else { return Ok((source.to_owned(), Vec::new())) };
        if Path::new(source).is_dir() {
            return Ok((source.to_owned(), vec!["--type".to_owned(), wanted.to_owned()]));
        }
        Err(self.typed("a file"))
    }

    fn typed(&self, what: &str) -> anyhow::Error {
        let name = pacemark_files::excerpt(&self.name);
        UsageError(format!(
            "model {name}: quantization is of shapes without a type and of Hugging Face directories, \
             found {what}; `pacemark models quantize` makes a file of a type"
        ))
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_themselves_or_for_what_is_said() {
        let of = |text: &str| {
            let entry = ModelEntry::parse(text);
            (entry.name, entry.source)
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(of("gpt2"), pair("gpt2", "gpt2"));
        assert_eq!(of("mine=/models/a=b.gguf"), pair("mine", "/models/a=b.gguf"));
        assert_eq!(of("./x=y.gguf"), pair("./x=y.gguf", "./x=y.gguf"));
    }

    #[test]
    fn a_known_shape_stands_in_for_a_model_that_is_not_there() {
        let models = ModelEntry::named("gpt2").models().unwrap();
        assert_eq!(models[0].argument, "synth:gpt2:F16");
        assert_eq!((models[0].name.as_str(), models[0].n_ctx), ("gpt2", Some(1024)));
        assert!(models[0].note.as_ref().unwrap().contains("random weights"));
        let all = ModelEntry {
            source: "synth:gpt2".into(),
            quantizations: vec![Quantization::AsItIs, Quantization::Bits8, Quantization::Bits4],
            name: "g".into(),
        };
        let models = all.models().unwrap();
        let arguments: Vec<_> = models.iter().map(|model| model.argument.as_str()).collect();
        assert_eq!(arguments, ["synth:gpt2:F16", "synth:gpt2:Q8_0", "synth:gpt2:Q4_K_M"]);
        assert_eq!(models[1].name, "g (8bit)");
        let typed = ModelEntry { source: "synth:gpt2:Q4_0".into(), ..all };
        assert!(typed.models().unwrap_err().to_string().contains("found Q4_0"));
    }

    #[test]
    fn an_unknown_name_is_told_the_nearest() {
        let said = ModelEntry::named("gpt3").models().unwrap_err().to_string();
        assert!(said.contains("synth:gpt2") && said.contains("smollm2-135m"), "{said}");
        let said = ModelEntry::named("./no.gguf").models().unwrap_err().to_string();
        assert!(said.contains("neither a file"), "{said}");
    }
}
