//! Which tokens end a generation.
//!
//! Files name one or two (`eos`, `eot`, `eom`) and models emit others, so llama.cpp also knows them by their text; this is
//! its list (`src/llama-vocab.cpp`). A text counts only where the vocabulary has it as a control or user-defined token.

use crate::vocab::{TokenType, Vocab};

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

/// The ids, ascending.
pub fn end_ids(vocab: &Vocab) -> Vec<u32> {
    let named = |text: &str| {
        let id = vocab.id(text)?;
        match vocab.token_type(id)? {
            TokenType::Control => Some(id),
            // Gemma has it as a tag of HTML.
            TokenType::UserDefined if text != "</s>" => Some(id),
            _ => None,
        }
    };
    // The harmony format ends a *message* with <|end|>; the generation goes on to <|return|> or <|call|>.
    let goes_on = named("<|return|>").is_some() && named("<|call|>").is_some()
        || named("<|flush|>").is_some() && named("<|calls|>").is_some();
    let by_text = TEXTS.iter().filter(|text| !(goes_on && **text == "<|end|>")).filter_map(|text| named(text));
    let mut ids: Vec<u32> = [vocab.eos, vocab.eot, vocab.eom].into_iter().flatten().chain(by_text).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
