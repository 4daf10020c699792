//! Which tokens end a generation.
//!
//! Files name some (`eos`, `eot`, `eom`, and [`END_IDS`] those of Hugging Face directories) and
//! models emit others, so llama.cpp also knows them by their text; this is its list
//! (`src/llama-vocab.cpp`). A token that ends a turn is a control token whatever type its file
//! gives it: it is read from a prompt as one, and is no text of an answer. Marks that are also
//! ordinary text somewhere count only where their type says that they are marks.

use crate::TokenizerError;
use crate::vocab::{TokenType, Vocab, invalid_id};
use pacemark_modelfile::Metadata;

/// All ends of a Hugging Face directory, of which GGUF itself has keys for three; and the list that
/// Ollama writes.
const END_IDS: [&str; 2] = ["tokenizer.pacemark.end_token_ids", "tokenizer.ggml.eos_token_ids"];
/// Marks that are named by key; they end a generation too.
const MARK_IDS: [&str; 3] = [
    "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.fim_rep_token_id",
    "tokenizer.ggml.fim_sep_token_id",
];

/// Ends of a turn or a text.
const TURNS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Padding, repository and file marks of fill-in-the-middle models.
const MARKS: &[&str] = &[
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
];

/// SentencePiece's end; in other vocabularies a tag of HTML (Gemma's is an added token, Qwen's a
/// piece of text).
const TAG: &str = "</s>";

/// The token of this text, where its type is one of `types`.
fn named(vocab: &Vocab, text: &str, types: &[TokenType]) -> Option<u32> {
    vocab
        .id(text)
        .filter(|&id| vocab.token_type(id).is_some_and(|token_type| types.contains(&token_type)))
}

/// Makes control tokens of those that end a turn by their text, and warns of each that was none.
pub(crate) fn make_control(vocab: &mut Vocab) {
    for text in TURNS {
        let Some(id) = vocab.id(text) else { continue };
        let token_type = &mut vocab.types[id as usize];
        if *token_type != TokenType::Control {
            vocab.warnings.push(format!(
                "token {id}, {text:?}, ends a turn: taken for a control token, not {token_type:?}"
            ));
            *token_type = TokenType::Control;
        }
    }
}

/// The ids, ascending.
pub(crate) fn end_ids(vocab: &Vocab, metadata: &Metadata) -> Result<Vec<u32>, TokenizerError> {
    let mut listed = Vec::new();
    for key in END_IDS {
        let ids = metadata.opt_u32s(key)?.unwrap_or_default();
        if let Some(&id) = ids.iter().find(|&&id| vocab.token_type(id).is_none()) {
            return Err(invalid_id(metadata, key, id, vocab.texts.len()));
        }
        listed.extend_from_slice(&ids);
    }
    for key in MARK_IDS {
        listed.extend(metadata.opt_u32(key)?.filter(|&id| vocab.token_type(id).is_some()));
    }
    // The harmony format ends a *message* with <|end|>; the generation goes on to <|return|> or
    // <|call|>.
    let both = |a: &str, b: &str| vocab.id(a).is_some() && vocab.id(b).is_some();
    let goes_on = both("<|return|>", "<|call|>") || both("<|flush|>", "<|calls|>");
    let turns = TURNS
        .iter()
        .filter(|text| !(goes_on && **text == "<|end|>"))
        .filter_map(|text| vocab.id(text));
    let marks = MARKS
        .iter()
        .filter_map(|text| named(vocab, text, &[TokenType::Control, TokenType::UserDefined]));
    let by_key =
        [vocab.eos, vocab.eot, vocab.eom].into_iter().flatten().chain(listed.iter().copied());
    let mut ids: Vec<u32> =
        by_key.chain(turns).chain(marks).chain(named(vocab, TAG, &[TokenType::Control])).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
