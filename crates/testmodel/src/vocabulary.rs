//! Vocabularies of [`crate::N_VOCAB`] tokens that can spell any text.

use crate::N_VOCAB;
use pacemark_modelfile::{Metadata, Strings, Value};

/// Token types of GGUF.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const BYTE: i32 = 6;
const UNUSED: i32 = 5;

/// The character that stands for `byte` in byte-level BPE (GPT-2): itself where it is visible, else
/// moved beyond U+0100.
fn byte_level_char(byte: u8) -> char {
    let visible = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if visible(byte) {
        return byte as char;
    }
    let moved = (0..byte).filter(|&b| !visible(b)).count() as u32;
    char::from_u32(256 + moved).unwrap_or('?')
}

/// Byte-level BPE: three control tokens, 256 bytes, a few merges; ChatML template.
pub(crate) fn byte_level(metadata: &mut Metadata) {
    let mut tokens: Vec<(String, i32)> = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        .iter()
        .map(|t| (t.to_string(), CONTROL))
        .collect();
    tokens.extend((0..=255).map(|byte| (byte_level_char(byte).to_string(), NORMAL)));
    let merges =
        [("t", "h"), ("th", "e"), ("i", "n"), ("Ġ", "t"), ("Ġ", "a"), ("e", "r"), ("o", "n")];
    tokens.extend(merges.iter().map(|(a, b)| (format!("{a}{b}"), NORMAL)));
    put(metadata, "gpt2", tokens);
    metadata.set("tokenizer.ggml.pre", Value::String("smollm".into()));
    let merges: Strings = merges.iter().map(|(a, b)| format!("{a} {b}")).collect();
    metadata.set("tokenizer.ggml.merges", Value::Strings(merges));
    metadata.set("tokenizer.ggml.bos_token_id", Value::U32(1));
    metadata.set("tokenizer.ggml.eos_token_id", Value::U32(2));
    metadata.set("tokenizer.ggml.add_bos_token", Value::Bool(false));
    let template = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}\
                    {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    metadata.set("tokenizer.chat_template", Value::String(template.into()));
}

/// SPM: four control tokens, 256 byte tokens, the letters; adds BOS, brings no template.
pub(crate) fn sentence_piece(metadata: &mut Metadata) {
    let mut tokens: Vec<(String, i32)> =
        ["<pad>", "<eos>", "<bos>", "<unk>"].iter().map(|t| (t.to_string(), CONTROL)).collect();
    tokens.extend((0..=255).map(|byte: u32| (format!("<0x{byte:02X}>"), BYTE)));
    tokens.push(("\u{2581}".into(), NORMAL));
    tokens.extend(('a'..='z').map(|c| (c.to_string(), NORMAL)));
    tokens.extend(["th", "the", "\u{2581}t", "in"].map(|t| (t.into(), NORMAL)));
    let n = tokens.len();
    put(metadata, "llama", tokens);
    let scores = (0..N_VOCAB).map(|id| if id < n { -(id as f32) } else { -1e4 }).collect();
    metadata.set("tokenizer.ggml.scores", Value::F32s(scores));
    metadata.set("tokenizer.ggml.bos_token_id", Value::U32(2));
    metadata.set("tokenizer.ggml.eos_token_id", Value::U32(1));
    metadata.set("tokenizer.ggml.unknown_token_id", Value::U32(3));
    metadata.set("tokenizer.ggml.add_bos_token", Value::Bool(true));
    metadata.set("tokenizer.ggml.add_space_prefix", Value::Bool(false));
}

/// Fills up with unused tokens and writes the common keys.
fn put(metadata: &mut Metadata, model: &str, mut tokens: Vec<(String, i32)>) {
    for id in tokens.len()..N_VOCAB {
        tokens.push((format!("<unused{id}>"), UNUSED));
    }
    let texts: Strings = tokens.iter().map(|(text, _)| text.as_str()).collect();
    metadata.set("tokenizer.ggml.model", Value::String(model.into()));
    metadata.set("tokenizer.ggml.tokens", Value::Strings(texts));
    metadata.set(
        "tokenizer.ggml.token_type",
        Value::I32s(tokens.iter().map(|(_, kind)| *kind).collect()),
    );
}
