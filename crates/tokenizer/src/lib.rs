//! Text to token ids and back, and chats to prompts.
//!
//! [`Tokenizer::from_metadata`] builds the tokenizer that a GGUF file describes: byte-level BPE
//! (`gpt2`) with the pre-tokenizers of [`PRE_TOKENIZERS`], or SPM-BPE (`llama`). [`Detokenizer`]
//! turns a stream of ids to text without ever emitting half a character. [`ChatTemplates`] puts
//! messages in the model's Jinja template.
//!
//! The ids are those of llama.cpp, special cases included; where we depart from it, the place says
//! so. A vocabulary that was read from a `tokenizer.json` carries Hugging Face's rules with it, and
//! its ids are theirs (docs/tokenizers.md). Reading the file is left to `modelfile`; which prompt
//! to build, and when to stop, to the callers.

mod added;
mod bpe;
mod bytes;
mod chars;
mod chat;
mod detokenizer;
mod ends;
mod error;
mod index;
mod merge;
mod normalizer;
mod pairs;
mod pre;
mod rules;
mod scan;
mod special;
mod spm;
mod symbols;
mod tokenizer;
mod unicode;
mod unicode_tables;
mod vocab;

pub use chat::{ChatTemplate, ChatTemplates, Content, Message, RenderOptions, TemplateError};
pub use detokenizer::{DecodeOptions, Detokenizer};
pub use error::TokenizerError;
pub use pre::{PRE_TOKENIZERS, PreTokenizer, Step};
pub use tokenizer::{EncodeOptions, Tokenizer};
pub use vocab::TokenType;
