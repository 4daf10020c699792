//! Output held to a form: JSON by a schema, a regular expression, a grammar.
//!
//! The grammar engine is llguidance; this module gives it the vocabulary once per model and turns
//! its masks to logits. A grammar comes from a request, so it is not trusted: llguidance bounds its
//! size and the work per token, but descends as deep as rules refer to each other. So a form is
//! compiled on a thread with a stack for the longest chain that its source has room for, and its
//! first mask is made there too: what is beyond the bounds shows before anybody waits for it.

mod digits;
mod gbnf;
mod json;

use digits::Digits;
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use pacemark_backend::{BackendError, Constraint, TokenId};
use pacemark_tokenizer::{TokenType, Tokenizer};
use std::sync::{Arc, OnceLock};

/// The grammar engine over one vocabulary; made when the first constrained request comes.
#[derive(Default)]
pub(crate) struct Grammars(OnceLock<Result<Vocabulary, String>>);

/// One vocabulary, as grammars are compiled over it.
struct Vocabulary {
    factory: ParserFactory,
    environment: TokEnv,
    /// Tokens that begin with a digit.
    digits: Arc<[TokenId]>,
}

/// Where one output is in its grammar.
pub(crate) struct Form {
    matcher: Matcher,
    /// Of JSON alone.
    numbers: Option<Numbers>,
}

/// What keeps an output's numbers short.
struct Numbers {
    written: Digits,
    environment: TokEnv,
    digits: Arc<[TokenId]>,
}

impl Grammars {
    /// The start of an output of that form.
    pub(crate) fn start(
        &self,
        tokenizer: &Tokenizer,
        constraint: &Constraint,
    ) -> Result<Form, BackendError> {
        let vocabulary = self.0.get_or_init(|| vocabulary(tokenizer)).as_ref();
        let vocabulary = vocabulary
            .map_err(|error| BackendError::Engine(format!("constrained output: {error}")))?;
        let matcher = on_large_stack(|| compile(&vocabulary.factory, constraint)).flatten()?;
        let numbers = matches!(constraint, Constraint::Json(_)).then(|| Numbers {
            written: Digits::default(),
            environment: vocabulary.environment.clone(),
            digits: vocabulary.digits.clone(),
        });
        Ok(Form { matcher, numbers })
    }
}

/// Stack of the thread that compiles: 64 KiB of source, which the server takes at most, with 4 KiB
/// for each byte. Only what is used of it takes memory.
const COMPILER_STACK: usize = 256 << 20;
/// Alternatives of a grammar at most: the grammar engine looks at all of a place together, and
/// takes the square of their time.
const MAX_ALTERNATIVES: usize = 2000;

fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, BackendError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("grammar".into()).stack_size(COMPILER_STACK);
        let thread = thread.spawn_scoped(scope, work);
        let thread = thread
            .map_err(|error| BackendError::Full(format!("no thread to compile a form: {error}")))?;
        // A panic of the grammar engine's: no other form does this.
        thread
            .join()
            .map_err(|_| BackendError::InvalidRequest("this form cannot be compiled".into()))
    })
}

fn compile(factory: &ParserFactory, constraint: &Constraint) -> Result<Matcher, BackendError> {
    let wrong = |what: &str, error: &str| {
        BackendError::InvalidRequest(format!("{what}: {}", first_line(error)))
    };
    match constraint {
        Constraint::Json(form) => {
            let no_schema = |error: String| wrong("JSON schema", &error);
            let closed = json::schema(form, json::Objects::Closed).map_err(no_schema)?;
            start(factory, TopLevelGrammar::from_json_schema(closed)).or_else(|_| {
                // What closing made impossible, or what was before.
                let open = json::schema(form, json::Objects::AsTheyAre).map_err(no_schema)?;
                start(factory, TopLevelGrammar::from_json_schema(open)).map_err(no_schema)
            })
        }
        Constraint::Regex(regex) => start(factory, TopLevelGrammar::from_regex(regex))
            .map_err(|error| wrong("regular expression", &error)),
        Constraint::Grammar(text) => {
            let n = text.matches('|').count();
            if n > MAX_ALTERNATIVES {
                return Err(wrong(
                    "grammar",
                    &format!("expected at most {MAX_ALTERNATIVES} alternatives, found {n}"),
                ));
            }
            let lark = if gbnf::is_gbnf(text) {
                gbnf::to_lark(text).map_err(|error| wrong("grammar", &error.to_string()))?
            } else {
                text.clone()
            };
            start(factory, TopLevelGrammar::from_lark(lark))
                .map_err(|error| wrong("grammar", &error))
        }
    }
}

fn start(factory: &ParserFactory, grammar: TopLevelGrammar) -> Result<Matcher, String> {
    let mut matcher = Matcher::new(factory.create_parser(grammar));
    if let Some(error) = matcher.get_error() {
        return Err(error);
    }
    matcher.compute_mask_or_eos().map_err(|error| error.to_string())?;
    Ok(matcher)
}

impl Form {
    /// Makes every token impossible that the form does not allow next. An error says that it allows
    /// none, or is more complex than the grammar engine's bounds.
    pub(crate) fn mask(&mut self, logits: &mut [f32]) -> Result<(), BackendError> {
        let mut mask =
            self.matcher.compute_mask_or_eos().map_err(|error| unfit(&error.to_string()))?;
        if let Some(numbers) = self.numbers.as_ref().filter(|numbers| numbers.written.enough()) {
            let mut without = mask.clone();
            numbers.digits.iter().for_each(|id| without.disallow_token(*id));
            if !without.is_zero() {
                mask = without;
            }
        }
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
    pub(crate) fn push(&mut self, token: TokenId) -> Result<bool, BackendError> {
        self.matcher.consume_token(token).map_err(|error| unfit(&error.to_string()))?;
        if let Some(numbers) = &mut self.numbers {
            numbers.written.push(numbers.environment.tok_trie().token(token));
        }
        Ok(self.matcher.is_stopped())
    }
}

/// An error in the course of an output is its form's: every token was one that it allowed.
fn unfit(error: &str) -> BackendError {
    BackendError::InvalidRequest(format!("this form cannot be kept to: {}", first_line(error)))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn vocabulary(tokenizer: &Tokenizer) -> Result<Vocabulary, String> {
    let n_vocab = tokenizer.vocab_size();
    let words: Vec<Vec<u8>> = (0..n_vocab as TokenId).map(|id| word(tokenizer, id)).collect();
    let ends = tokenizer.end_of_generation();
    let digit = |(id, word): (usize, &Vec<u8>)| {
        word.first().is_some_and(u8::is_ascii_digit).then_some(id as TokenId)
    };
    let digits = words.iter().enumerate().filter_map(digit).collect();
    let first = *ends.first().ok_or("the model has no token that ends its output")?;
    let info = TokRxInfo::new(n_vocab as u32, first);
    let trie = TokTrie::from(&info, &words).with_eos_tokens(ends);
    let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
    let mut factory = ParserFactory::new_simple(&environment).map_err(|error| error.to_string())?;
    factory.quiet();
    Ok(Vocabulary { factory, environment, digits })
}

/// The bytes of a token as the trie wants them: those of tokens that are no text are marked, so
/// that they match none.
fn word(tokenizer: &Tokenizer, id: TokenId) -> Vec<u8> {
    let is_text =
        |kind| matches!(kind, TokenType::Normal | TokenType::UserDefined | TokenType::Byte);
    let bytes = tokenizer.token_bytes(id).unwrap_or_default();
    if tokenizer.token_type(id).is_some_and(is_text) && !tokenizer.is_end_of_generation(id) {
        return bytes;
    }
    let name = tokenizer.token_text(id).unwrap_or_default();
    [&[TokTrie::SPECIAL_TOKEN_MARKER], name.as_bytes()].concat()
}
