//! Ids worked out by hand, and what must hold for every text.

mod fixture;

use fixture::{bpe, build, spm};
use pacemark_modelfile::Value;
use pacemark_tokenizer::{
    DecodeOptions, Detokenizer, EncodeOptions, PRE_TOKENIZERS, TokenType, Tokenizer, TokenizerError,
};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

const PARSE: EncodeOptions = EncodeOptions { add_special: false, parse_special: true };

#[test]
fn bpe_merges_by_rank_and_from_the_left() {
    // 256 "he", 257 "ll", 258 "hell", 259 "lo", 260 "Ġhe"
    let merges = ["h e", "l l", "he ll", "l o", "Ġ he"];
    let tokenizer = build(&bpe("gpt-2", &merges, &[]));
    let plain = |text| tokenizer.encode(text, EncodeOptions::PLAIN);
    assert_eq!(plain("hello"), [258, 111]); // "l l" is earlier than "l o"
    assert_eq!(plain("lo lllo"), [259, 32, 257, 259]);
    assert_eq!(plain("he he"), [256, 260]);
    assert!(plain("").is_empty());
    assert_eq!(tokenizer.decode(&[258, 111, 260]).unwrap(), "hello he");
    assert_eq!(
        (tokenizer.token_text(260), tokenizer.token_bytes(260)),
        (Some("Ġhe"), Some(b" he".to_vec()))
    );
}

#[test]
fn whole_pieces_come_first_where_merges_are_ignored() {
    // "abc" is a token that the merges cannot reach.
    let metadata = |pre| bpe(pre, &["a b"], &[("abc", 1), ("<s>", 3)]);
    let ids = |pre| build(&metadata(pre)).encode("abc abc", EncodeOptions::PLAIN);
    assert_eq!(ids("llama-bpe"), [257, 32, 256, 99]);
    assert_eq!(ids("qwen2"), [256, 99, 32, 256, 99]);
    let mut llama = metadata("llama3");
    llama.set("tokenizer.ggml.bos_token_id", Value::U32(258));
    assert_eq!(build(&llama).encode("a", EncodeOptions::SPECIAL), [258, 97]);
}

#[test]
fn spm_merges_by_score_and_falls_back_to_bytes() {
    let pieces = [
        ("▁", -9.0),
        ("a", -9.0),
        ("b", -9.0),
        ("ab", -2.0),
        ("▁a", -1.0),
        ("ba", -2.0),
        ("▁ab", -5.0),
    ];
    let tokenizer = build(&spm(&pieces, &[]));
    let plain = |text| tokenizer.encode(text, EncodeOptions::PLAIN);
    assert_eq!(plain("ab"), [265]); // ▁a b → ▁ab
    assert_eq!(plain("bab"), [259, 264, 261]); // ▁ ba b: equal scores merge from the left
    assert_eq!(plain("a é"), [263, 259, 3 + 0xc3, 3 + 0xa9]);
    assert_eq!(tokenizer.encode("", EncodeOptions::SPECIAL), [1]);
    assert_eq!(tokenizer.encode("a", EncodeOptions::SPECIAL), [1, 263]);
    assert_eq!(tokenizer.decode(&plain("a é bab")).unwrap(), "a é bab");
}

#[test]
fn the_space_before_the_first_word() {
    let pieces = [("▁", 0.0), ("a", 0.0), ("▁a", 1.0)];
    let with = build(&spm(&pieces, &[("<|x|>", 3)]));
    assert_eq!(with.encode("a<|x|>a a", PARSE), [261, 262, 261, 261]);
    assert_eq!(with.encode(" a", PARSE), [259, 261]);
    // Taken off at the start of a text and nowhere else.
    assert_eq!(with.decode(&[261, 261]).unwrap(), "a a");
    assert_eq!(with.decode_with(&[261, 261], DecodeOptions::default()).unwrap(), " a a");
    let mut without = spm(&pieces, &[("<|x|>", 3)]);
    without.set("tokenizer.ggml.add_space_prefix", Value::Bool(false));
    let without = build(&without);
    assert_eq!(without.encode("a<|x|>a a", PARSE), [260, 262, 260, 261]);
    assert_eq!(without.decode(&[261, 261]).unwrap(), " a a");
}

#[test]
fn special_tokens_are_parsed_on_request_and_added_ones_always() {
    let special = [("<|im_end|>", 3), ("<tag>", 4), ("<unk>", 2)];
    let mut metadata = bpe("gpt-2", &[], &special);
    metadata
        .set("tokenizer.ggml.eos_token_id", Value::U32(256))
        .set("tokenizer.ggml.add_eos_token", Value::Bool(true));
    let tokenizer = build(&metadata);
    let text = "a<tag>b<|im_end|><unk>";
    assert_eq!(tokenizer.encode(text, PARSE), [97, 257, 98, 256, 258]);
    let plain = tokenizer.encode(text, EncodeOptions::PLAIN);
    assert_eq!(plain[..4], [97, 257, 98, 60]);
    assert_eq!(tokenizer.encode("a", EncodeOptions::SPECIAL), [97, 256]);
    assert_eq!(tokenizer.decode(&[97, 256, 257]).unwrap(), "a<tag>");
    let special = DecodeOptions { special: true, ..DecodeOptions::default() };
    assert_eq!(tokenizer.decode_with(&[97, 256, 257], special).unwrap(), "a<|im_end|><tag>");
    assert!(tokenizer.is_end_of_generation(256) && !tokenizer.is_end_of_generation(257));
    assert_eq!(tokenizer.token_type(257), Some(TokenType::UserDefined));
}

#[test]
fn what_ends_a_generation() {
    let special = [
        ("<EOT>", 1),
        ("</s>", 4),
        ("<|eot_id|>", 4),
        ("<|end|>", 3),
        ("<x>", 3),
        ("<y>", 3),
        ("<z>", 1),
    ];
    let mut metadata = bpe("gpt-2", &[], &special);
    metadata
        .set("tokenizer.ggml.eot_token_id", Value::U32(260))
        .set("tokenizer.ggml.eom_token_id", Value::I32(261));
    metadata.set("tokenizer.pacemark.end_token_ids", Value::U32s(vec![260, 97, 262]));
    let tokenizer = build(&metadata);
    assert_eq!(tokenizer.end_of_generation(), [97, 256, 258, 259, 260, 261, 262]); // not HTML's </s>
    assert_eq!(tokenizer.eot(), Some(260));
    // Whatever their types were, they steer.
    assert_eq!([256, 257, 258, 262].map(|id| tokenizer.token_type(id).unwrap()), {
        use TokenType::*;
        [Control, UserDefined, Control, Normal]
    });
    assert_eq!(tokenizer.warnings().len(), 2, "{:?}", tokenizer.warnings());
    metadata.set("tokenizer.pacemark.end_token_ids", Value::U32s(vec![263]));
    let error = Tokenizer::from_metadata(&metadata).unwrap_err().to_string();
    assert!(error.contains("end_token_ids: expected an id below 263"), "{error}");
    // SentencePiece's end is a tag of HTML elsewhere: Qwen's vocabulary has it as ordinary text.
    let ends = |token_type| {
        build(&bpe("gpt-2", &[], &[("</s>", token_type)])).end_of_generation().to_vec()
    };
    assert_eq!((ends(1), ends(3), ends(4)), (vec![], vec![256], vec![]));
    let mut suppressing = bpe("gpt-2", &[], &[]);
    suppressing.set("tokenizer.ggml.suppress_tokens", Value::I32s(vec![97]));
    assert_eq!(build(&suppressing).warnings(), ["tokenizer.ggml.suppress_tokens: not followed"]);
    let harmony = build(&bpe("gpt-2", &[], &[("<|end|>", 3), ("<|return|>", 3), ("<|call|>", 3)]));
    assert_eq!(harmony.end_of_generation(), [257, 258]);
}

#[test]
fn a_prompt_that_brings_its_bos_gets_no_second() {
    let tokenizer = build(&spm(&[("▁a", 0.0)], &[]));
    assert_eq!(tokenizer.encode_prompt("<s>a"), [1, 259]);
    assert_eq!(tokenizer.encode_prompt("a"), [1, 259]);
}

#[test]
fn ids_outside_the_vocabulary_are_refused_and_change_nothing() {
    let tokenizer = build(&bpe("gpt-2", &[], &[]));
    let error = tokenizer.decode(&[97, 256]).unwrap_err();
    assert!(matches!(error, TokenizerError::UnknownId { id: 256, vocab_size: 256 }));
    assert_eq!(
        error.to_string(),
        "token id: expected less than 256, the size of the vocabulary; found 256"
    );
    let mut detokenizer = Detokenizer::new(Arc::new(tokenizer), DecodeOptions::default());
    assert_eq!(detokenizer.push(0xf0).unwrap(), "");
    assert!(detokenizer.push(u32::MAX).is_err());
    assert_eq!(detokenizer.push(0x9f).unwrap(), "");
    assert_eq!(detokenizer.push(0x99).unwrap(), "");
    assert_eq!(detokenizer.push(0x82).unwrap(), "🙂");
    assert_eq!(detokenizer.push(0xff).unwrap(), "\u{fffd}");
    assert_eq!(detokenizer.push(0xc3).unwrap(), "");
    assert_eq!(detokenizer.push(97).unwrap(), "\u{fffd}a");
    assert_eq!(detokenizer.push(0xc3).unwrap(), "");
    assert_eq!(detokenizer.finish(), "\u{fffd}");
}

/// A tokenizer of each kind: every pre-tokenizer, and SPM whose tokens reach over spaces and do
/// not.
static ALL: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let merges = ["Ġ a", "a b", "ab a", "Ã ©", "1 2", "Ċ Ċ", "Ġ Ġ", "ĠĠ ĠĠ", "' s", "Ġa b"];
    let special = [("<x>", 3), ("<xx>", 4), ("\n\n", 4)];
    let rows = PRE_TOKENIZERS.iter().map(|row| bpe(row.names[0], &merges, &special));
    let mut pieces = vec![
        ("▁", -9.0),
        ("a", -3.0),
        ("b", -3.0),
        ("ab", -1.0),
        ("▁a", -2.0),
        ("aba", -1.5),
        ("▁▁", -1.0),
    ];
    let words = spm(&pieces, &special);
    pieces.extend([("b▁a", -0.5), ("b▁", -0.7)]);
    rows.chain([words, spm(&pieces, &special)]).map(|metadata| build(&metadata)).collect()
});

/// llama.cpp's SPM loop as it is written there: the whole text at once, always the best pair, the
/// leftmost of equals.
fn naive_spm(text: &str, score: impl Fn(&str) -> Option<f32>) -> Vec<String> {
    let mut symbols: Vec<String> = text.chars().map(String::from).collect();
    loop {
        let pairs = symbols
            .windows(2)
            .enumerate()
            .filter_map(|(at, pair)| Some((score(&pair.concat())?, at)));
        let Some((_, at)) = pairs.reduce(|best, pair| if pair.0 > best.0 { pair } else { best })
        else {
            return symbols;
        };
        let right = symbols.remove(at + 1);
        symbols[at] += &right;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn decoding_gives_the_text_again(text in r"(?s)[ ab'sé1\n<>x🙂]{0,60}|.{0,40}") {
        // What SPM writes as ▁ comes back as a space, and it sets a space after each added token.
        let is_lossy = ["▁", "<xx>", "\n\n"].iter().any(|found| text.contains(found));
        for tokenizer in ALL.iter().take(if is_lossy { PRE_TOKENIZERS.len() } else { ALL.len() }) {
            let ids = tokenizer.encode(&text, EncodeOptions::PLAIN);
            prop_assert_eq!(&tokenizer.decode(&ids).unwrap(), &text, "{:?}", tokenizer);
        }
    }

    #[test]
    fn streaming_gives_the_whole(ids in prop::collection::vec(0_u32..270, 0..40)) {
        for tokenizer in &*ALL {
            let ids: Vec<u32> = ids.iter().map(|id| id % tokenizer.vocab_size() as u32).collect();
            let bytes: Vec<u8> = ids
                .iter()
                .filter(|&&id| !matches!(tokenizer.token_type(id), Some(TokenType::Control | TokenType::Unknown)))
                .flat_map(|&id| tokenizer.token_bytes(id).unwrap())
                .collect();
            let whole = tokenizer.decode_with(&ids, DecodeOptions::default()).unwrap();
            prop_assert_eq!(whole, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn cutting_at_spaces_changes_nothing(text in "[ab ▁<]{0,60}") {
        for tokenizer in &ALL[PRE_TOKENIZERS.len()..] {
            let scores = |text: &str| match text {
                "ab" | "▁▁" => Some(-1.0),
                "▁a" => Some(-2.0),
                "aba" => Some(-1.5),
                "b▁a" if tokenizer.token_id(text).is_some() => Some(-0.5),
                "b▁" if tokenizer.token_id(text).is_some() => Some(-0.7),
                _ => None,
            };
            let spaced = if text.is_empty() { String::new() } else { format!("▁{}", text.replace(' ', "▁")) };
            let expected: Vec<u32> = naive_spm(&spaced, scores)
                .iter()
                .flat_map(|symbol| match tokenizer.token_id(symbol) {
                    Some(id) => vec![id],
                    None => symbol.bytes().map(|byte| 3 + u32::from(byte)).collect(),
                })
                .collect();
            prop_assert_eq!(tokenizer.encode(&text, EncodeOptions::PLAIN), expected);
        }
    }
}

#[test]
fn long_texts_without_a_place_to_cut() {
    // Generous bounds: they catch what is quadratic, not what is slow.
    let start = std::time::Instant::now();
    for tokenizer in &*ALL {
        for text in
            ["ab".repeat(1 << 17), " ".repeat(1 << 17), "\n".repeat(1 << 17), "<".repeat(1 << 17)]
        {
            assert!(!tokenizer.encode(&text, EncodeOptions::SPECIAL).is_empty());
        }
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
