//! Tokenizers of Hugging Face directories in many configurations, against the `tokenizers` library
//! and transformers: `data/tokenizers.json`, made by `data/make_tokenizers.py`. All differences are
//! shown at once.

use pacemark_modelfile::ModelFile;
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    vocabularies: HashMap<String, Map<String, Value>>,
    configurations: Vec<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    name: String,
    vocabulary: String,
    /// Of `tokenizer_config.json`.
    settings: Option<Map<String, Value>>,
    tokenizer: Map<String, Value>,
    ids: Vec<Vec<u32>>,
    /// Special tokens left as text.
    plain: Option<Vec<Vec<u32>>>,
    decoded: Option<Vec<String>>,
}

const N_VOCAB: usize = 512;

/// A Llama of one layer, whose weights are zeros, with this tokenizer.
fn directory(configuration: &Configuration, vocabulary: &Map<String, Value>) -> PathBuf {
    let mut tokenizer = configuration.tokenizer.clone();
    tokenizer["model"].as_object_mut().unwrap().extend(vocabulary.clone());
    // Padding of the embedding is a token of no text; a setting that names one more token would get
    // its id.
    let n_tokens = vocabulary["vocab"].as_object().unwrap().len();
    let added = tokenizer["added_tokens"].as_array().unwrap().iter();
    let n_vocab = added
        .filter_map(|token| token["id"].as_u64())
        .max()
        .map_or(0, |id| id as usize + 1)
        .max(n_tokens);
    assert!(n_vocab <= N_VOCAB);
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("huggingface").join(&configuration.name);
    std::fs::create_dir_all(&directory).unwrap();
    let write =
        |file: &str, value: Value| std::fs::write(directory.join(file), value.to_string()).unwrap();
    write("tokenizer.json", Value::Object(tokenizer));
    write(
        "tokenizer_config.json",
        Value::Object(configuration.settings.clone().unwrap_or_default()),
    );
    write(
        "config.json",
        json!({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": n_vocab, "hidden_size": 8,
            "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1,
            "max_position_embeddings": 32, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
            "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2}),
    );
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let mut shapes = vec![("model.embed_tokens.weight".to_owned(), vec![n_vocab, 8])];
    shapes.push(("model.norm.weight".to_owned(), vec![8]));
    shapes
        .extend(["input_layernorm", "post_attention_layernorm"].map(|name| (layer(name), vec![8])));
    let matrices = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"];
    shapes.extend(matrices.map(|name| (layer(name), vec![8, 8])));
    shapes.extend(
        ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"].map(|name| (layer(name), vec![8, 8])),
    );
    let mut header = Map::new();
    let mut end = 0;
    for (name, shape) in shapes {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        header.insert(name, json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]}));
    }
    let header = Value::Object(header).to_string();
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; end]].concat();
    std::fs::write(directory.join("model.safetensors"), bytes).unwrap();
    directory
}

#[test]
fn ids_and_texts_are_those_of_hugging_face() {
    let golden: Golden = serde_json::from_str(include_str!("data/tokenizers.json")).unwrap();
    let (mut n_ids, mut different) = (0, Vec::new());
    for configuration in &golden.configurations {
        let model = ModelFile::open(directory(
            configuration,
            &golden.vocabularies[&configuration.vocabulary],
        ));
        let model = model.unwrap_or_else(|error| panic!("{}: {error}", configuration.name));
        let tokenizer = Tokenizer::from_metadata(model.metadata()).unwrap();
        for (at, text) in golden.texts.iter().enumerate() {
            let mut expect =
                |what: &str, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
                    n_ids += 1;
                    let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
                    if found != expected {
                        different.push(format!(
                            "{}, {what} of {text:?}: {found}, expected {expected}",
                            configuration.name
                        ));
                    }
                };
            let ids = &configuration.ids[at];
            expect("ids", &tokenizer.encode(text, EncodeOptions::SPECIAL), ids);
            if let Some(plain) = &configuration.plain {
                expect("plain ids", &tokenizer.encode(text, EncodeOptions::PLAIN), &plain[at]);
            }
            if let Some(decoded) = &configuration.decoded {
                expect("text", &tokenizer.decode(ids).unwrap(), &decoded[at]);
            }
        }
    }
    assert!(
        different.is_empty(),
        "{} of {n_ids} differ\n{}",
        different.len(),
        different.join("\n")
    );
    assert!(n_ids > 6500, "{n_ids}");
}
