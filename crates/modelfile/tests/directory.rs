//! Hugging Face directories that are not whole: each gets an error that names the file and the
//! field, and no panic.

mod common;

use pacemark_modelfile::ModelFile;
use pacemark_modelfile::quantize::Recipe;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A copy of one of the engine's golden directories, to be spoilt.
struct Copy(PathBuf);

impl Copy {
    fn of(name: &str) -> Copy {
        let from =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/data/golden").join(name);
        let unique = std::thread::current().name().unwrap_or("main").to_owned();
        let to = common::directory(&format!("directory-{unique}")).join(name);
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        Copy(to)
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) -> &Copy {
        std::fs::write(self.0.join(file), bytes).unwrap();
        self
    }

    fn remove(&self, file: &str) -> &Copy {
        std::fs::remove_file(self.0.join(file)).unwrap();
        self
    }

    /// Sets a field by its JSON pointer; the last part may be new.
    fn set(&self, file: &str, pointer: &str, value: Value) -> &Copy {
        let mut json: Value =
            serde_json::from_slice(&std::fs::read(self.0.join(file)).unwrap()).unwrap();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        match json.pointer_mut(parent).unwrap() {
            Value::Array(list) => list[field.parse::<usize>().unwrap()] = value,
            parent => parent[field] = value,
        }
        self.write(file, json.to_string())
    }

    fn refused(&self, parts: &[&str]) {
        let message =
            ModelFile::open(&self.0).expect_err("a broken directory was read").to_string();
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    }
}

/// Setting a field of a golden directory's file is refused, with the field and a part of the
/// message.
fn all_refused(name: &str, file: &str, cases: &[(&str, Value, &str)]) {
    for (pointer, value, part) in cases {
        let field = pointer.rsplit('/').next().unwrap();
        let copy = Copy::of(name);
        copy.set(file, pointer, value.clone()).refused(&[file, field, part]);
    }
}

#[test]
fn missing_and_contradictory_configurations_are_refused() {
    let integer = "an integer of at least 1";
    for field in [
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
    ] {
        for value in [
            Value::Null,
            json!(0),
            json!(-1),
            json!("x"),
            json!(1.5),
            json!(1u64 << 32),
            json!([1]),
        ] {
            all_refused("llama", "config.json", &[(&format!("/{field}"), value, integer)]);
        }
    }
    all_refused(
        "llama",
        "config.json",
        &[
            ("/model_type", Value::Null, "a string"),
            (
                "/model_type",
                json!("mamba"),
                "one of llama, qwen2, qwen3, gemma3_text, gpt2, gpt_neox",
            ),
            ("/num_attention_heads", json!(3), "a divisor of hidden_size = 32"),
            ("/num_key_value_heads", json!(3), "a divisor of num_attention_heads = 2"),
            ("/hidden_act", json!("relu"), "silu"),
            ("/attention_bias", json!(true), "not supported"),
            ("/mlp_bias", json!("yes"), "true or false"),
            ("/rms_norm_eps", Value::Null, "a number"),
            ("/rms_norm_eps", json!(1e300), "a number"),
            ("/vocab_size", json!(287), "the rows of the embedding, 287"),
            ("/rope_scaling", json!({"rope_type": "yarn", "factor": 4}), ""),
        ],
    );
    let scaling = |field: &str, value: Value| {
        let copy = Copy::of("llama-rope3");
        copy.set("config.json", &format!("/rope_scaling/{field}"), value)
            .refused(&["rope_scaling", field]);
    };
    scaling("rope_type", json!("yarn"));
    scaling("factor", Value::Null);
    scaling("factor", json!(0));
    scaling("high_freq_factor", json!(1.0));
    scaling("original_max_position_embeddings", json!("x"));
    Copy::of("llama-rope3").set("config.json", "/tie_word_embeddings", json!(false)).refused(&[
        "config.json",
        "tie_word_embeddings",
        "lm_head.weight",
    ]);
}

#[test]
fn what_other_families_need_is_checked() {
    let types = json!(["full_attention"]);
    all_refused("gemma3", "config.json", &[("/layer_types", types, "num_hidden_layers = 7")]);
    all_refused(
        "gemma3",
        "config.json",
        &[("/hidden_activation", json!("silu"), "gelu_pytorch_tanh")],
    );
    for (field, value) in [
        ("attn_logit_softcapping", json!(30.0)),
        ("final_logit_softcapping", json!(-1)),
        ("query_pre_attn_scalar", json!(0)),
        ("sliding_window", Value::Null),
        ("use_bidirectional_attention", json!(true)),
    ] {
        Copy::of("gemma3")
            .set("config.json", &format!("/{field}"), value)
            .refused(&["config.json", field]);
    }
    Copy::of("gemma3")
        .set("config.json", "/layer_types/3", json!("linear"))
        .refused(&["layer_types", "\"linear\""]);
    all_refused(
        "gptneox",
        "config.json",
        &[
            ("/rotary_pct", json!(0), "a share"),
            ("/rotary_pct", json!(1.5), "a share"),
            ("/hidden_act", json!("x"), "gelu"),
        ],
    );
    // Heads that the fused matrix was not made for.
    Copy::of("gptneox")
        .set("config.json", "/hidden_size", json!(64))
        .refused(&["query_key_value", "3 * 2 heads of 32"]);
    all_refused(
        "gpt2",
        "config.json",
        &[
            ("/n_head", json!(3), "n_embd = 32"),
            ("/activation_function", json!("relu"), "gelu_new"),
        ],
    );
    all_refused("qwen2", "config.json", &[("/use_sliding_window", json!(true), "not supported")]);
}

#[test]
fn files_that_are_missing_or_no_json_are_named() {
    Copy::of("llama").remove("config.json").refused(&["a directory with config.json"]);
    Copy::of("llama").remove("tokenizer.json").refused(&["tokenizer.json", "cannot open"]);
    Copy::of("llama")
        .remove("model.safetensors")
        .refused(&["model.safetensors or model.safetensors.index.json"]);
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        for content in ["", "[]", "{\"a\":", "\u{0}", &"[".repeat(10_000)] {
            Copy::of("llama").write(file, content).refused(&[file, "a JSON object"]);
        }
    }
    Copy::of("llama")
        .write("config.json", vec![b' '; (1 << 20) + 1])
        .refused(&["config.json", "at most 1048576 bytes"]);
    Copy::of("llama")
        .write("chat_template.jinja", b"\xff")
        .refused(&["chat_template.jinja", "UTF-8"]);
}

#[test]
fn chat_templates_are_checked() {
    let config = "tokenizer_config.json";
    let many: Vec<Value> =
        (0..65).map(|i| json!({"name": i.to_string(), "template": ""})).collect();
    for (value, part) in [
        (json!(3), "a template, or at most 64"),
        (json!(many), "a template, or at most 64"),
        (json!([3]), "an object"),
        (json!([{"name": "x"}]), "template: expected a string"),
        (json!([{"template": "x"}]), "name: expected a string"),
        (
            json!([{"name": "a b", "template": "x"}]),
            "chat_template[0].name: expected a template's name",
        ),
        (json!({"../a": "x"}), "a template's name"),
        (json!({"a": 3}), "chat_template.a: expected a string"),
    ] {
        Copy::of("llama").set(config, "/chat_template", value).refused(&[
            config,
            "chat_template",
            part,
        ]);
    }
    let additional = |name: &str, content: &[u8]| {
        let copy = Copy::of("llama");
        std::fs::create_dir_all(copy.0.join("additional_chat_templates")).unwrap();
        copy.write(&format!("additional_chat_templates/{name}"), content);
        copy
    };
    additional("a b.jinja", b"x").refused(&["a b.jinja", "a template's name"]);
    additional(".jinja", b"x").refused(&[".jinja", "a template's name"]);
    additional("a.jinja", b"\xff").refused(&["a.jinja", "UTF-8"]);
    additional("a.jinja", &vec![b' '; (4 << 20) + 1])
        .refused(&["a.jinja", "at most 4194304 bytes"]);
    let copy = additional("0.jinja", b"x");
    for i in 1..65 {
        copy.write(&format!("additional_chat_templates/{i}.jinja"), "x");
    }
    copy.refused(&["additional_chat_templates", "at most 64 chat templates"]);
    // What processors had before there were files of Jinja counts where there is nothing else.
    let copy = Copy::of("llama");
    copy.set(config, "/chat_template", Value::Null)
        .write("chat_template.json", r#"{"chat_template": "legacy"}"#);
    let model = ModelFile::open(&copy.0).unwrap();
    assert_eq!(model.metadata().string("tokenizer.chat_template").unwrap(), "legacy");
}

#[test]
fn shard_indexes_are_checked() {
    let index = "model.safetensors.index.json";
    for name in ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "", "..", ".", "a\\b"] {
        let copy = Copy::of("llama-grouped");
        copy.set(index, "/weight_map/lm_head.weight", json!(name)).refused(&[
            index,
            "lm_head.weight",
            "same directory",
        ]);
    }
    let copy = Copy::of("llama-grouped");
    copy.set(index, "/weight_map/lm_head.weight", json!("absent.safetensors"))
        .refused(&["absent.safetensors"]);
    let copy = Copy::of("llama-grouped");
    copy.set(index, "/weight_map/more.weight", json!("model-00001-of-00003.safetensors"));
    copy.refused(&[index, "more.weight", "no such tensor"]);
    let copy = Copy::of("llama-grouped");
    copy.remove("model-00002-of-00003.safetensors")
        .refused(&["model-00002-of-00003.safetensors", "cannot open"]);
    // The same bytes under two names: every tensor of the second is in the first already.
    let copy = Copy::of("llama-grouped");
    std::fs::copy(
        copy.0.join("model-00001-of-00003.safetensors"),
        copy.0.join("model-00003-of-00003.safetensors"),
    )
    .unwrap();
    copy.refused(&[index, "weight_map"]);
    Copy::of("llama-grouped").set(index, "/weight_map", json!([1])).refused(&[
        index,
        "weight_map",
        "an object",
    ]);
}

/// The weight file with one piece of its header replaced by another, padded to the same length.
fn with_header(copy: &Copy, from: &str, to: &str) {
    let bytes = std::fs::read(copy.0.join("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    assert!(header.contains(from), "{from} is not in {header}");
    let header = header.replacen(from, to, 1);
    let mut changed = (header.len() as u64).to_le_bytes().to_vec();
    changed.extend(header.bytes());
    changed.extend(&bytes[8 + length..]);
    copy.write("model.safetensors", changed);
}

#[test]
fn unknown_tensors_and_types_are_named() {
    let copy = Copy::of("llama");
    with_header(&copy, "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.lora_A");
    copy.refused(&["model.layers.1.mlp.up_proj.lora_A", "a tensor of llama"]);
    let copy = Copy::of("llama");
    with_header(&copy, "model.layers.1.", "model.layers.01.");
    copy.refused(&["model.layers.01.", "an unknown name"]);
    let copy = Copy::of("llama");
    with_header(
        &copy,
        "\"lm_head.weight\":{\"dtype\":\"F32\"",
        "\"lm_head.weight\":{\"dtype\":\"I32\"",
    );
    copy.refused(&["lm_head.weight", "F32, F16 or BF16", "I32"]);
    let copy = Copy::of("llama");
    with_header(&copy, "model.embed_tokens.weight", "model.layers.0.mlp.x.bias");
    copy.refused(&["model.layers.0.mlp.x.bias"]);
}

#[test]
fn an_embedding_of_many_rows_and_no_bytes_is_refused() {
    let copy = Copy::of("llama");
    let empty = r#""model.embed_tokens.weight":{"dtype":"F32","shape":[4294967295,0],"data_offsets":[0,0]},"x.weight":"#;
    with_header(&copy, r#""model.embed_tokens.weight":"#, empty);
    copy.set("config.json", "/vocab_size", json!(u32::MAX))
        .refused(&["token_embd.weight", "at least 1"]);
}

#[test]
fn tokenizers_of_other_kinds_are_refused() {
    let file = "tokenizer.json";
    all_refused(
        "qwen2",
        file,
        &[
            ("/model/type", json!("Unigram"), "BPE"),
            ("/model/type", json!("WordPiece"), "BPE"),
            ("/model/continuing_subword_prefix", json!("##"), "none"),
            ("/model/end_of_word_suffix", json!("</w>"), "none"),
            ("/model/dropout", json!(0.1), "none"),
            ("/model/byte_fallback", json!(true), "false beside"),
            ("/model/unk_token", json!("nobody"), "a token of the vocabulary"),
            ("/model/cache", json!(1), "only type, vocab"),
            ("/stemmer", json!({}), "only version"),
            ("/model/vocab/A", json!(288), "below vocab_size = 288"),
            ("/model/vocab/A", json!(-1), "below vocab_size = 288"),
            ("/model/vocab/A", json!(1), "an id of its own"),
            ("/model/merges", json!({}), "an array"),
            ("/model/merges", json!([["a"]]), "two tokens"),
            ("/model/merges", json!(["ab"]), "two tokens"),
            ("/model/merges", json!([["a", "b c"]]), "two tokens"),
            ("/normalizer/type", json!("BertNormalizer"), "NFC"),
            ("/normalizer/type", json!("Precompiled"), "NFC"),
            (
                "/normalizer",
                json!({"type": "Replace", "pattern": {"Regex": " +"}, "content": " "}),
                "only String",
            ),
            ("/decoder/type", json!("WordPiece"), "ByteLevel"),
            ("/pre_tokenizer", json!({"type": "Whitespace"}), "ByteLevel"),
            ("/pre_tokenizer", json!({"type": "Sequence", "pretokenizers": []}), "qwen2"),
            ("/pre_tokenizer", Value::Null, "an object"),
        ],
    );
    let refused = |pointer: &str, value: Value, parts: &[&str]| {
        Copy::of("qwen2").set(file, pointer, value).refused(parts);
    };
    refused(
        "/pre_tokenizer/pretokenizers/0/pattern",
        json!({"Regex": "."}),
        &[file, "pre_tokenizer", "Split(\".\")"],
    );
    refused(
        "/pre_tokenizer/pretokenizers/0/behavior",
        json!("Removed"),
        &[file, "pretokenizers[0].behavior"],
    );
    refused(
        "/pre_tokenizer/pretokenizers/1/add_prefix_space",
        json!(true),
        &[file, "add_prefix_space"],
    );
    refused("/added_tokens/0/single_word", json!(true), &[file, "added_tokens[0].single_word"]);
    refused("/added_tokens/0/trailing", json!(true), &[file, "added_tokens[0].trailing"]);
    refused("/added_tokens/0/content", json!("A"), &[file, "added_tokens[0].content"]);
    refused("/post_processor", json!({"type": "BertProcessing"}), &[file, "post_processor.type"]);
    let llama = |pointer: &str, value: Value, parts: &[&str]| {
        Copy::of("llama").set(file, pointer, value).refused(parts);
    };
    llama("/normalizer", Value::Null, &[file, "normalizer"]);
    llama("/normalizer", json!({"type": "NFKC"}), &[file, "normalizer"]);
    llama("/normalizer/normalizers/1/content", json!("_"), &[file, "normalizers[1].content"]);
    llama("/decoder/decoders/0/content", json!(""), &[file, "decoders[0].content"]);
    llama("/decoder/decoders/3/start", json!(2), &[file, "decoders[3].content"]);
    llama("/decoder/decoders", json!([{"type": "Fuse"}]), &[file, "decoder", "Metaspace"]);
    let metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "sometimes"});
    llama("/pre_tokenizer", metaspace, &[file, "prepend_scheme"]);
    llama(
        "/post_processor/single/0/SpecialToken/id",
        json!("<unk>"),
        &[file, "single[0].SpecialToken.id", "BOS"],
    );
    llama(
        "/post_processor/single/1",
        json!({"Sequence": {"id": "B"}}),
        &[file, "single[1].Sequence", "the text A"],
    );
    llama("/post_processor/special_tokens/<s>/ids", json!([2]), &[file, "<s>.ids", "[1]"]);
    let beyond = Copy::of("llama");
    let beyond =
        ModelFile::open(&beyond.set("config.json", "/eos_token_id", json!([2, 9999])).0).unwrap();
    assert!(
        beyond.warnings()[0].contains("eos_token_id: expected an id below vocab_size"),
        "{:?}",
        beyond.warnings()
    );
    Copy::of("llama")
        .set("config.json", "/bos_token_id", json!("x"))
        .refused(&["config.json", "bos_token_id"]);
    let settings = [
        ("/eos_token", json!("</x>"), "</x>"),
        ("/extra_special_tokens", json!(["<x>"]), "a token of the vocabulary"),
        ("/added_tokens_decoder", json!({"7": {"content": "<x>"}}), "a token of tokenizer.json"),
        ("/split_special_tokens", json!(true), "not supported"),
        ("/do_lower_case", json!(true), "not supported"),
        ("/add_prefix_space", json!(false), "true, as tokenizer.json has it"),
    ];
    for (pointer, value, part) in settings {
        let field = &pointer[1..];
        Copy::of("llama").set("tokenizer_config.json", pointer, value).refused(&[
            "tokenizer_config.json",
            field,
            part,
        ]);
    }
}

#[test]
fn a_directory_tells_its_size_and_parts() {
    let copy = Copy::of("llama-grouped");
    let model = ModelFile::open_as(&copy.0, Some(Recipe::Q8_0)).unwrap();
    assert_eq!(model.n_parts(), 3);
    assert_eq!(model.path(), copy.0);
    let on_disk: u64 = std::fs::read_dir(&copy.0)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".safetensors"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert_eq!(model.file_bytes(), on_disk);
    assert_eq!(model.metadata().string("general.name").unwrap(), "llama-grouped");
}

#[test]
fn pooling_is_what_sentence_transformers_wrote() {
    let file = "1_Pooling/config.json";
    let with = |content: Value| {
        let copy = Copy::of("qwen3");
        std::fs::create_dir(copy.0.join("1_Pooling")).unwrap();
        copy.write(file, content.to_string());
        copy
    };
    let off = json!({"word_embedding_dimension": 32, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": false});
    let switch = |name: &str| {
        let mut content = off.clone();
        content[name] = json!(true);
        content
    };
    let known = [
        (switch("pooling_mode_mean_tokens"), 1),
        (switch("pooling_mode_cls_token"), 2),
        (switch("pooling_mode_lasttoken"), 3),
        (json!({"pooling_mode": "lasttoken"}), 3),
        (json!({"pooling_mode": ["mean"]}), 1),
    ];
    for (content, number) in known {
        let model = ModelFile::open(&with(content).0).unwrap();
        assert_eq!(model.metadata().u32("qwen3.pooling_type").unwrap(), number);
    }
    let mut both = switch("pooling_mode_mean_tokens");
    both["pooling_mode_lasttoken"] = json!(true);
    for (content, part) in [
        (off.clone(), "none that is switched on"),
        (switch("pooling_mode_max_tokens"), "pooling_mode_max_tokens"),
        (both, "one mode of pooling"),
        (json!({"pooling_mode": "attention"}), "none that is switched on"),
        (json!({"pooling_mode": 3}), "a string"),
    ] {
        with(content).refused(&[file, part]);
    }
}

#[test]
fn more_ends_than_gguf_has_keys_for_are_kept() {
    let copy = Copy::of("llama");
    copy.write("generation_config.json", json!({"eos_token_id": [2, 65, 66, 67, 65]}).to_string());
    let model = ModelFile::open(&copy.0).unwrap();
    assert_eq!(
        *model.metadata().u32s("tokenizer.pacemark.end_token_ids").unwrap(),
        [2, 65, 66, 67]
    );
}

#[test]
fn fields_that_nothing_reads_are_told() {
    let copy = Copy::of("llama");
    copy.set("config.json", "/something_new", json!(1)).set(
        "config.json",
        "/use_cache",
        json!(true),
    );
    let model = ModelFile::open(&copy.0).unwrap();
    assert_eq!(
        model.warnings(),
        ["config.json: not read, since llama has no such fields: something_new"]
    );
}

#[test]
fn modules_of_sentence_transformers_are_followed_or_refused() {
    let module = |kind: &str, path: &str| json!({"type": format!("sentence_transformers.models.{kind}"), "path": path});
    let with = |modules: Value| {
        let copy = Copy::of("qwen3");
        for directory in ["1_Pooling", "9_Pooling"] {
            std::fs::create_dir(copy.0.join(directory)).unwrap();
        }
        copy.write("1_Pooling/config.json", json!({"pooling_mode": "mean"}).to_string());
        copy.write("9_Pooling/config.json", json!({"pooling_mode": "lasttoken"}).to_string());
        copy.write("modules.json", modules.to_string());
        copy
    };
    let modules = json!([
        module("Transformer", ""),
        module("Pooling", "9_Pooling"),
        module("Normalize", "2_Normalize")
    ]);
    let model = ModelFile::open(&with(modules).0).unwrap();
    assert_eq!(model.metadata().u32("qwen3.pooling_type").unwrap(), 3);
    for modules in [
        json!([
            module("Transformer", ""),
            module("Pooling", "1_Pooling"),
            module("Dense", "2_Dense")
        ]),
        json!([module("Pooling", "1_Pooling"), module("Pooling", "9_Pooling")]),
        json!([module("Pooling", "../1_Pooling")]),
        json!({"a": 1}),
    ] {
        with(modules).refused(&["modules.json"]);
    }
    let attention = Copy::of("qwen3");
    std::fs::create_dir(attention.0.join("1_Pooling")).unwrap();
    let mut both = json!({"pooling_mode_mean_tokens": true, "pooling_mode_attention": true});
    attention.write("1_Pooling/config.json", both.to_string()).refused(&["pooling_mode_attention"]);
    both["pooling_mode_attention"] = json!(false);
    assert!(ModelFile::open(&attention.write("1_Pooling/config.json", both.to_string()).0).is_ok());
}

#[test]
fn older_files_of_special_tokens_must_agree_with_the_tokenizer() {
    let (map, added) = ("special_tokens_map.json", "added_tokens.json");
    Copy::of("llama")
        .write(map, json!({"additional_special_tokens": ["th"]}).to_string())
        .refused(&[map, "th"]);
    Copy::of("llama").write(added, json!({"th": 276}).to_string()).refused(&[added, "th"]);
    Copy::of("llama").write(added, json!({"</s>": 1}).to_string()).refused(&[added, "</s>"]);
    let agreed = Copy::of("llama");
    agreed.write(map, json!({"bos_token": {"content": "<s>"}, "unk_token": "<unk>"}).to_string());
    agreed.write(added, json!({"</s>": 2, "<beyond>": 9999}).to_string());
    assert!(ModelFile::open(&agreed.0).is_ok());
    let specific = json!({"image_token": "<s>"});
    let file = "tokenizer_config.json";
    Copy::of("llama")
        .set(file, "/model_specific_special_tokens", specific)
        .refused(&[file, "model_specific"]);
    // Nothing adds BOS but the post-processor's template, and that is told.
    let gpt2 = Copy::of("gpt2");
    let model = ModelFile::open(&gpt2.set(file, "/add_bos_token", json!(true)).0).unwrap();
    assert_eq!(model.metadata().opt_bool("tokenizer.ggml.add_bos_token").unwrap(), Some(false));
    assert!(model.warnings()[0].contains("add_bos_token: not followed"), "{:?}", model.warnings());
}

/// Text to the bytes of a file.
type Encode<'a> = &'a dyn Fn(&str) -> Vec<u8>;

/// Windows' editors and PowerShell begin files with a mark.
#[test]
fn byte_order_marks_change_nothing() {
    let utf16 = |text: &str| {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let encodings: [Encode<'_>; 2] = [&|text| format!("\u{feff}{text}").into_bytes(), &utf16];
    for encode in encodings {
        let copy = Copy::of("llama");
        let sentences =
            json!([{"path": "", "type": "a.Transformer"}, {"path": "pool", "type": "a.Pooling"}]);
        copy.write("modules.json", sentences.to_string());
        std::fs::create_dir_all(copy.0.join("pool")).unwrap();
        copy.write("pool/config.json", r#"{"pooling_mode": "mean"}"#);
        std::fs::create_dir_all(copy.0.join("additional_chat_templates")).unwrap();
        copy.write("additional_chat_templates/rag.jinja", "é")
            .write("chat_template.jinja", "{{ messages }}");
        copy.write("generation_config.json", "{}")
            .write("special_tokens_map.json", "{}")
            .write("added_tokens.json", "{}");
        let weights = std::fs::read(copy.0.join("model.safetensors")).unwrap();
        let length = u64::from_le_bytes(*weights.first_chunk().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&weights[8..8 + length]).unwrap();
        let names = header.as_object().unwrap().keys().filter(|name| *name != "__metadata__");
        let map: serde_json::Map<_, _> =
            names.map(|name| (name.clone(), "w.safetensors".into())).collect();
        std::fs::rename(copy.0.join("model.safetensors"), copy.0.join("w.safetensors")).unwrap();
        copy.write("model.safetensors.index.json", json!({ "weight_map": map }).to_string());
        let plain = ModelFile::open(&copy.0).unwrap();
        let mut n_files = 0;
        for folder in ["", "pool", "additional_chat_templates"] {
            for entry in
                std::fs::read_dir(copy.0.join(folder)).unwrap().map(|entry| entry.unwrap().path())
            {
                if entry.extension().is_some_and(|ending| ending == "json" || ending == "jinja") {
                    let text = std::fs::read_to_string(&entry).unwrap();
                    std::fs::write(&entry, encode(&text)).unwrap();
                    n_files += 1;
                }
            }
        }
        let marked = ModelFile::open(&copy.0).unwrap();
        assert_eq!((n_files, marked.metadata()), (11, plain.metadata()));
    }
}

/// Root may read everything: a link in a circle stands for a file that may not be looked at.
#[cfg(unix)]
#[test]
fn files_that_cannot_be_looked_at_are_not_absent() {
    for file in [
        "generation_config.json",
        "chat_template.jinja",
        "modules.json",
        "added_tokens.json",
        "additional_chat_templates",
        "1_Pooling",
    ] {
        let copy = Copy::of("llama");
        std::os::unix::fs::symlink(file, copy.0.join(file)).unwrap();
        copy.refused(&[file, "cannot"]);
        std::fs::remove_file(copy.0.join(file)).unwrap();
        std::os::unix::fs::symlink("nowhere", copy.0.join(file)).unwrap();
        if file != "1_Pooling" {
            copy.refused(&[file, "cannot"]);
        }
    }
    let copy = Copy::of("llama");
    copy.remove("model.safetensors");
    std::os::unix::fs::symlink("model.safetensors", copy.0.join("model.safetensors")).unwrap();
    copy.refused(&["model.safetensors", "cannot open"]);
}
