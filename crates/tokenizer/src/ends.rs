//! Which tokens end a generation.
//!
//! Files name some (`eos`, `eot`, `eom`, and [`END_IDS`] those of Hugging Face directories) and models emit others, so
//! llama.cpp also knows them by their text; this is its list (`src/llama-vocab.cpp`). Such a token is a control token whatever
//! type its file gives it: it is read from a prompt as one, and is no text of an answer.

use crate::TokenizerError;
use crate::vocab::{TokenType, Vocab, invalid_id};
use pacemark_modelfile::Metadata;

/// All ends of a Hugging Face directory; GGUF itself has keys for three.
const END_IDS: &str = "tokenizer.pacemark.end_token_ids";

const TEXTS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
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
    // Padding, repository and file marks of fill-in-the-middle models.
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

/// The token that ends by its text, where the vocabulary has it.
fn named(vocab: &Vocab, text: &str) -> Option<u32> {
    let id = vocab.id(text)?;
    // Gemma has it as a tag of HTML.
    let is_tag = text == "</s>" && vocab.token_type(id) == Some(TokenType::UserDefined);
    (!is_tag).then_some(id)
}

/// Makes control tokens of those that end by their text. Returns a warning for each that was none.
pub fn make_control(vocab: &mut Vocab) -> Vec<String> {
    let mut warnings = Vec::new();
    for text in TEXTS {
        let Some(id) = named(vocab, text) else { continue };
        let token_type = &mut vocab.types[id as usize];
        if *token_type != TokenType::Control {
            warnings.push(format!(
                "token {id}, {text:?}, ends a generation: taken for a control token, not {token_type:?}"
            ));
            *token_type = TokenType::Control;
        }
    }
    warnings
}

/// The ids, ascending.
pub fn end_ids(vocab: &Vocab, metadata: &Metadata) -> Result<Vec<u32>, TokenizerError> {
    let named = |text: &str| named(vocab, text);
    let listed = metadata.opt_u32s(END_IDS)?.unwrap_or_default();
    if let Some(&id) = listed.iter().find(|&&id| vocab.token_type(id).is_none()) {
        return Err(invalid_id(metadata, END_IDS, id, vocab.texts.len()));
    }
    // The harmony format ends a *message* with <|end|>; the generation goes on to <|return|> or <|call|>.
    let goes_on = named("<|return|>").is_some() && named("<|call|>").is_some()
        || named("<|flush|>").is_some() && named("<|calls|>").is_some();
    let by_text = TEXTS.iter().filter(|text| !(goes_on && **text == "<|end|>")).filter_map(|text| named(text));
    let by_key = [vocab.eos, vocab.eot, vocab.eom].into_iter().flatten();
    let mut ids: Vec<u32> = by_key.chain(listed.iter().copied()).chain(by_text).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
