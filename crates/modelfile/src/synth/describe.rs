//! What a file of a shape would say: its metadata, its tensors and a vocabulary that can spell any
//! text.

use super::Shape;
use crate::{DType, Metadata, Strings, TensorInfo, Value};

/// The pairs of bytes that the vocabulary merges: few, but llama.cpp wants some.
const MERGES: [(&str, &str); 7] =
    [("t", "h"), ("th", "e"), ("i", "n"), ("Ġ", "t"), ("Ġ", "a"), ("e", "r"), ("o", "n")];

/// Tokens that the vocabulary needs: an end, the bytes, the merges.
pub(super) const MIN_VOCAB: u32 = 1 + 256 + MERGES.len() as u32;

/// Rotation factors of Llama 3.2 (`rope_scaling` of its `config.json`: factor 32, 1 and 4 times an
/// original context of 8192), as llama.cpp's converter writes them.
fn rope_factors(shape: &Shape) -> Vec<f32> {
    let (factor, low, high, original) = (32.0, 1.0, 4.0, 8192.0);
    let dim = shape.head_dim();
    let half = (0..dim / 2).map(|i| {
        let wavelength = 2.0
            * std::f64::consts::PI
            * f64::from(shape.rope_theta).powf(f64::from(2 * i) / f64::from(dim));
        if wavelength < original / high {
            1.0
        } else if wavelength > original / low {
            factor
        } else {
            let smooth = (original / wavelength - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    });
    half.map(|x| x as f32).collect()
}

/// Whether the shape is one of Llama 3.2, which scales its rotation.
fn scales_rope(shape: &Shape) -> bool {
    shape.architecture == "llama" && shape.rope_theta == 500_000.0
}

/// The values of a tensor that are not drawn at random: rotation factors, and norms, which are 1.
pub(super) fn fixed_values(shape: &Shape, tensor: &TensorInfo) -> Option<Vec<f32>> {
    if tensor.name == "rope_freqs.weight" {
        return Some(rope_factors(shape));
    }
    tensor.name.ends_with("norm.weight").then(|| vec![1.0; tensor.n_elements() as usize])
}

/// The keys of the shape.
pub(super) fn metadata(shape: &Shape, type_name: &str) -> Metadata {
    let arch = shape.architecture.as_str();
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", Value::String(arch.into()));
    metadata.set("general.name", Value::String(format!("synthetic {} {type_name}", shape.name)));
    metadata.set(super::SYNTHETIC_KEY, Value::Bool(true));
    let mut size = |key: &str, value: u32| {
        metadata.set(format!("{arch}.{key}"), Value::U32(value));
    };
    size("block_count", shape.n_layers);
    size("context_length", shape.n_ctx);
    size("embedding_length", shape.n_embd);
    size("feed_forward_length", shape.n_ff);
    size("attention.head_count", shape.n_heads);
    size("attention.head_count_kv", shape.n_kv_heads());
    match arch {
        "gptneox" => size("rope.dimension_count", shape.head_dim() / 4 / 2 * 2),
        "gpt2" => {}
        _ => {
            size("attention.key_length", shape.head_dim());
            size("attention.value_length", shape.head_dim());
            size("rope.dimension_count", shape.head_dim());
        }
    }
    if arch == "gemma3" {
        size("attention.sliding_window", 512);
    }
    let epsilon = if matches!(arch, "gpt2" | "gptneox") {
        "layer_norm_epsilon"
    } else {
        "layer_norm_rms_epsilon"
    };
    metadata.set(format!("{arch}.attention.{epsilon}"), Value::F32(1e-5));
    if arch != "gpt2" {
        metadata.set(format!("{arch}.rope.freq_base"), Value::F32(shape.rope_theta));
    }
    if arch == "gptneox" {
        metadata.set("gptneox.use_parallel_residual", Value::Bool(true));
    }
    vocabulary(&mut metadata, shape.n_vocab);
    metadata
}

/// Byte-level BPE with the bytes, a few merges, and tokens that no text gives up to the shape's
/// number.
fn vocabulary(metadata: &mut Metadata, n_vocab: u32) {
    const NORMAL: i32 = 1;
    const CONTROL: i32 = 3;
    let visible = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut moved = 256;
    let bytes = (0..=255u8).map(|byte| {
        if visible(byte) {
            return char::from(byte).to_string();
        }
        moved += 1;
        char::from_u32(moved - 1).unwrap_or('?').to_string()
    });
    let tokens: Strings = std::iter::once("<|endoftext|>".to_string())
        .chain(bytes)
        .chain(MERGES.iter().map(|(a, b)| format!("{a}{b}")))
        .chain((MIN_VOCAB..n_vocab).map(|id| format!("<{id}>")))
        .collect();
    let kinds = (0..n_vocab).map(|id| if id == 0 { CONTROL } else { NORMAL }).collect();
    metadata.set("tokenizer.ggml.model", Value::String("gpt2".into()));
    metadata.set("tokenizer.ggml.pre", Value::String("gpt-2".into()));
    metadata.set("tokenizer.ggml.tokens", Value::Strings(tokens));
    metadata.set("tokenizer.ggml.token_type", Value::I32s(kinds));
    let merges: Strings = MERGES.iter().map(|(a, b)| format!("{a} {b}")).collect();
    metadata.set("tokenizer.ggml.merges", Value::Strings(merges));
    metadata.set("tokenizer.ggml.bos_token_id", Value::U32(0));
    metadata.set("tokenizer.ggml.eos_token_id", Value::U32(0));
    metadata.set("tokenizer.ggml.add_bos_token", Value::Bool(false));
}

/// The tensors of the shape, all F32 until a mixture of types is chosen. ggml's order: a row's
/// length first.
pub(super) fn tensors(shape: &Shape) -> Vec<TensorInfo> {
    let (d, ff, vocab) = (u64::from(shape.n_embd), u64::from(shape.n_ff), u64::from(shape.n_vocab));
    let head = u64::from(shape.head_dim());
    let (q, kv) = (u64::from(shape.n_heads) * head, u64::from(shape.n_kv_heads()) * head);
    let mut list = Vec::new();
    let mut add = |name: String, dims: &[u64]| list.push(TensorInfo::new(name, dims, DType::F32));
    add("token_embd.weight".into(), &[d, vocab]);
    add("output_norm.weight".into(), &[d]);
    if !shape.tied {
        add("output.weight".into(), &[d, vocab]);
    }
    if scales_rope(shape) {
        add("rope_freqs.weight".into(), &[head / 2]);
    }
    let arch = shape.architecture.as_str();
    let biased = matches!(arch, "gpt2" | "gptneox");
    if arch == "gpt2" {
        add("position_embd.weight".into(), &[d, u64::from(shape.n_ctx)]);
    }
    if biased {
        add("output_norm.bias".into(), &[d]);
    }
    for layer in 0..shape.n_layers {
        // (name, row length, rows, has a bias); no row length for a vector
        let mut parts = vec![("attn_norm", 0, d, biased)];
        match arch {
            "gpt2" | "gptneox" => parts.push(("attn_qkv", d, q + 2 * kv, true)),
            _ => {
                let biased = arch == "qwen2";
                parts.extend([
                    ("attn_q", d, q, biased),
                    ("attn_k", d, kv, biased),
                    ("attn_v", d, kv, biased),
                ]);
            }
        }
        parts.push(("attn_output", q, d, biased));
        if matches!(arch, "qwen3" | "gemma3") {
            parts.extend([("attn_q_norm", 0, head, false), ("attn_k_norm", 0, head, false)]);
        }
        if arch == "gemma3" {
            parts.extend([("post_attention_norm", 0, d, false), ("post_ffw_norm", 0, d, false)]);
        }
        parts.push(("ffn_norm", 0, d, biased));
        if !biased {
            parts.push(("ffn_gate", d, ff, false));
        }
        parts.extend([("ffn_up", d, ff, biased), ("ffn_down", ff, d, biased)]);
        for (name, row, rows, bias) in parts {
            let dims = if row == 0 { vec![rows] } else { vec![row, rows] };
            add(format!("blk.{layer}.{name}.weight"), &dims);
            if bias {
                add(format!("blk.{layer}.{name}.bias"), &[rows]);
            }
        }
    }
    list
}
