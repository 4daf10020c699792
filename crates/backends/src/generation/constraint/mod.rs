//! Output held to a form: JSON by a schema, a regular expression, a grammar.
//!
//! The grammar engine is llguidance; this module gives it the vocabulary once per model and turns its masks to logits. A
//! grammar comes from a request, so it is not trusted: llguidance bounds its size and the work per token.

mod gbnf;
mod json;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use pacemark_backend::{BackendError, Constraint, TokenId};
use pacemark_tokenizer::{TokenType, Tokenizer};
use std::sync::{Arc, OnceLock};

/// The grammar engine over one vocabulary; made when the first constrained request comes.
#[derive(Default)]
pub(crate) struct Grammars(OnceLock<Result<ParserFactory, String>>);

/// Where one output is in its grammar.
pub(crate) struct Form(Matcher);

impl Grammars {
    /// The start of an output of that form.
    pub fn start(&self, tokenizer: &Tokenizer, constraint: &Constraint) -> Result<Form, BackendError> {
        let factory = self.0.get_or_init(|| factory(tokenizer)).as_ref();
        let factory = factory.map_err(|error| BackendError::Engine(format!("constrained output: {error}")))?;
        let wrong = |what: &str, error: &str| BackendError::InvalidRequest(format!("{what}: {}", first_line(error)));
        let (what, grammar) = match constraint {
            Constraint::Json(form) => {
                let schema = json::schema(form).map_err(|error| wrong("JSON schema", &error))?;
                ("JSON schema", TopLevelGrammar::from_json_schema(schema))
            }
            Constraint::Regex(regex) => ("regular expression", TopLevelGrammar::from_regex(regex)),
            Constraint::Grammar(text) if text.contains("::=") => {
                let lark = gbnf::to_lark(text).map_err(|error| wrong("grammar", &error.to_string()))?;
                ("grammar", TopLevelGrammar::from_lark(lark))
            }
            Constraint::Grammar(text) => ("grammar", TopLevelGrammar::from_lark(text.clone())),
        };
        let matcher = Matcher::new(factory.create_parser(grammar));
        match matcher.get_error() {
            Some(error) => Err(wrong(what, &error)),
            None => Ok(Form(matcher)),
        }
    }
}

impl Form {
    /// Makes every token impossible that the form does not allow next. An error says that it allows none, or is more
    /// complex than the grammar engine's bounds.
    pub fn mask(&mut self, logits: &mut [f32]) -> Result<(), BackendError> {
        let mask = self.0.compute_mask_or_eos().map_err(|error| unfit(&error.to_string()))?;
        let allowed = mask.len().min(logits.len());
        for (id, logit) in logits[..allowed].iter_mut().enumerate() {
            if !mask.is_allowed(id as TokenId) {
                *logit = f32::NEG_INFINITY;
            }
        }
        logits[allowed..].fill(f32::NEG_INFINITY);
        Ok(())
    }

    /// Takes the chosen token; whether the form is complete, so that nothing may follow.
    pub fn push(&mut self, token: TokenId) -> Result<bool, BackendError> {
        self.0.consume_token(token).map_err(|error| unfit(&error.to_string()))?;
        Ok(self.0.is_stopped())
    }
}

/// An error in the course of an output is its form's: every token was one that it allowed.
fn unfit(error: &str) -> BackendError {
    BackendError::InvalidRequest(format!("this form cannot be kept to: {}", first_line(error)))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn factory(tokenizer: &Tokenizer) -> Result<ParserFactory, String> {
    let n_vocab = tokenizer.vocab_size();
    let words: Vec<Vec<u8>> = (0..n_vocab as TokenId).map(|id| word(tokenizer, id)).collect();
    let ends = tokenizer.end_of_generation();
    let first = *ends.first().ok_or("the model has no token that ends its output")?;
    let info = TokRxInfo::new(n_vocab as u32, first);
    let trie = TokTrie::from(&info, &words).with_eos_tokens(ends);
    let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
    let mut factory = ParserFactory::new_simple(&environment).map_err(|error| error.to_string())?;
    factory.quiet();
    Ok(factory)
}

/// The bytes of a token as the trie wants them: those of tokens that are no text are marked, so that they match none.
fn word(tokenizer: &Tokenizer, id: TokenId) -> Vec<u8> {
    let is_text = |kind| matches!(kind, TokenType::Normal | TokenType::UserDefined | TokenType::Byte);
    let bytes = tokenizer.token_bytes(id).unwrap_or_default();
    if tokenizer.token_type(id).is_some_and(is_text) && !tokenizer.is_end_of_generation(id) {
        return bytes;
    }
    let name = tokenizer.token_text(id).unwrap_or_default();
    [&[TokTrie::SPECIAL_TOKEN_MARKER], name.as_bytes()].concat()
}
