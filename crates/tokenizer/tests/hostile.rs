//! Vocabularies that cannot work are refused with a message that names key, expected and found.

mod fixture;

use fixture::{MERGES, SCORES, TOKENS, TYPES, bpe, build, spm, strings};
use pacemark_modelfile::{Metadata, Value};
use pacemark_tokenizer::{EncodeOptions, Tokenizer};

/// The message for `metadata`, after `change`.
fn refusal(mut metadata: Metadata, change: impl Fn(&mut Metadata)) -> String {
    change(&mut metadata);
    Tokenizer::from_metadata(&metadata).expect_err("this vocabulary must be refused").to_string()
}

fn expect(metadata: Metadata, key: &str, value: Value, message: &str) {
    let found = refusal(metadata, |metadata| {
        metadata.set(key, value.clone());
    });
    assert_eq!(found, format!(": {message}"));
}

fn byte_bpe() -> Metadata {
    bpe("gpt-2", &["a b"], &[("<s>", 3)])
}

fn small_spm() -> Metadata {
    spm(&[("a", 0.0)], &[])
}

#[test]
fn unknown_kinds_are_named_with_those_that_are_known() {
    let key = "tokenizer.ggml.model";
    let message = "expected gpt2 (byte-level BPE) or llama (SPM-BPE), found \"bert\"";
    expect(byte_bpe(), key, Value::String("bert".into()), &format!("{key}: {message}"));
    let message = refusal(byte_bpe(), |m| {
        m.set("tokenizer.ggml.pre", Value::String("tekken".into()));
    });
    assert!(
        message.starts_with(": tokenizer.ggml.pre: expected one of default, gpt-2, "),
        "{message}"
    );
    assert!(message.contains("smollm") && message.ends_with("found \"tekken\""), "{message}");
    assert_eq!(
        refusal(Metadata::new(), |_| ()),
        ": tokenizer.ggml.model: expected a string, found no such key"
    );
}

#[test]
fn lists_that_do_not_fit() {
    let message = "tokenizer.ggml.token_type: expected 258 entries, one for each token, found 2";
    expect(byte_bpe(), TYPES, Value::I32s(vec![1, 1]), message);
    let message = "tokenizer.ggml.scores: expected 260 entries, one for each token, found 1";
    expect(small_spm(), SCORES, Value::F32s(vec![0.0]), message);
    let types = (0..258).map(|id| if id == 7 { 9 } else { 1 }).collect();
    let message = "tokenizer.ggml.token_type[7]: expected a type from 0 to 6, found 9";
    expect(byte_bpe(), TYPES, Value::I32s(types), message);
    let message = "tokenizer.ggml.tokens: expected at least one token, found none";
    expect(byte_bpe(), TOKENS, strings::<&str>([]), message);
    expect(small_spm(), TOKENS, strings::<&str>([]), message);
    let message = "tokenizer.ggml.tokens: expected each token once, found \"b\" at 1 and at 3";
    expect(small_spm(), TOKENS, strings(["a", "b", "c", "b"]), message);
    expect(
        small_spm(),
        TOKENS,
        Value::U32(3),
        "tokenizer.ggml.tokens: expected an array of strings, found u32 3",
    );
}

#[test]
fn merges_that_make_no_token() {
    let message = |found| {
        format!(
            "tokenizer.ggml.merges[0]: expected tokens whose concatenation is a token, found {found}"
        )
    };
    expect(byte_bpe(), MERGES, strings(["b a"]), &message("\"b a\": \"ba\" is no token"));
    expect(byte_bpe(), MERGES, strings(["xy a"]), &message("\"xy a\": \"xy\" is no token"));
    expect(
        byte_bpe(),
        MERGES,
        strings([" a"]),
        "tokenizer.ggml.merges[0]: expected two tokens with a space between them, found \" a\"",
    );
    for malformed in ["ab", "", "é"] {
        let expected =
            "tokenizer.ggml.merges[0]: expected two tokens with a space between them, found";
        expect(byte_bpe(), MERGES, strings([malformed]), &format!("{expected} {malformed:?}"));
    }
    expect(
        byte_bpe(),
        MERGES,
        Value::Bool(true),
        "tokenizer.ggml.merges: expected an array of strings, found bool true",
    );
    let mut without = Metadata::new();
    byte_bpe().iter().filter(|(key, _)| *key != MERGES).for_each(|(key, value)| {
        without.set(key, value.clone());
    });
    assert_eq!(
        refusal(without, |_| ()),
        ": tokenizer.ggml.merges: expected an array of strings, found no such key"
    );
}

#[test]
fn merges_in_any_order_come_to_an_end() {
    // A merge listed before the one that makes its part, one listed twice, one that makes a byte's
    // token of two.
    let tokenizer = build(&bpe("gpt-2", &["aa aa", "a a"], &[]));
    assert_eq!(tokenizer.encode("aaaaa", EncodeOptions::PLAIN), [256, 97]);
    let mut twice = bpe("gpt-2", &["a b", "b c"], &[]);
    twice.set(MERGES, strings(["b c", "a b", "b c"]));
    assert_eq!(build(&twice).encode("abc", EncodeOptions::PLAIN), [97, 257]);
}

#[test]
fn special_ids_outside_the_vocabulary() {
    for name in ["bos", "eos", "eot", "eom", "unknown"] {
        let key = format!("tokenizer.ggml.{name}_token_id");
        // No token, and so none of the kind: with a warning, as llama.cpp goes on.
        let mut beyond = byte_bpe();
        beyond.set(key.clone(), Value::U32(258));
        let tokenizer = Tokenizer::from_metadata(&beyond).unwrap();
        let warning = format!("{key}: expected an id below 258, the number of tokens, found 258");
        assert!(
            tokenizer.warnings().iter().any(|told| told.ends_with(&warning)),
            "{:?}",
            tokenizer.warnings()
        );
        let message = refusal(byte_bpe(), |m| {
            m.set(key.clone(), Value::I32(-1));
        });
        assert!(
            message.starts_with(&format!(": {key}: expected an integer that fits u32")),
            "{message}"
        );
    }
    let (key, id) = ("tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id");
    let message = format!("{id}: expected an id, since add_bos_token is true, found no such key");
    expect(byte_bpe(), key, Value::Bool(true), &message);
}

#[test]
fn missing_bytes() {
    // SPM: the unknown token stands in; without one there is nothing to fall back to.
    let mut metadata = Metadata::new();
    metadata
        .set("tokenizer.ggml.model", Value::String("llama".into()))
        .set(TOKENS, strings(["<unk>", "<s>", "▁a"]))
        .set(SCORES, Value::F32s(vec![f32::NAN, f32::NEG_INFINITY, f32::INFINITY]));
    assert_eq!(build(&metadata).encode("aé", EncodeOptions::PLAIN), [2, 0, 0]);
    // Byte-level BPE: passed over.
    let mut metadata = bpe("gpt-2", &[], &[]);
    metadata.set(TOKENS, strings(["a", ""])).set(TYPES, Value::I32s(vec![1, 6]));
    let tokenizer = build(&metadata);
    assert_eq!(tokenizer.encode("bab", EncodeOptions::PLAIN), [0]);
    assert_eq!(tokenizer.decode(&[1, 0, 1]).unwrap(), "a");
}
