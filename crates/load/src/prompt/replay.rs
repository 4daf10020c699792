//! Requests of a trace in its order, each made when it is needed: a day's prompts would not fit.

use super::words::{mark, stream};
use super::{
    Arrived, Cache, Encoder, Prompt, PromptError, REMOTE_CHECKS, Session, Source, Synthetic, Turn,
    Verified,
};
use crate::lengths::Lengths;
use pacemark_record::rng::SplitMix64;
use std::sync::Arc;

/// A trace's requests.
pub struct Replay {
    arrived: std::vec::IntoIter<Arrived>,
    /// Tokens of answers of which the trace says nothing.
    output: Option<Lengths>,
    /// Makes the prompts of which the trace has only the length.
    words: Synthetic,
    /// Counts the prompts that the trace holds.
    encoder: Option<Arc<dyn Encoder>>,
    /// Of a cold cache: makes those prompts new.
    nonce: Option<SplitMix64>,
    /// Some of them are text.
    holds_text: bool,
    made: u64,
}

impl Replay {
    /// Of what arrived. `words` makes prompts; its options say what the cache may know.
    pub fn new(
        arrived: Vec<Arrived>,
        output: Option<Lengths>,
        words: Synthetic,
        encoder: Option<Arc<dyn Encoder>>,
    ) -> Replay {
        let options = words.options();
        let nonce = (options.cache == Cache::Cold).then(|| stream(options.nonce, 3));
        let holds_text = arrived.iter().any(|arrived| arrived.prompt.is_some());
        Replay { arrived: arrived.into_iter(), output, words, encoder, nonce, holds_text, made: 0 }
    }

    /// With its own prompt, or one of its length.
    fn session(&mut self, arrived: Arrived) -> Result<Session, PromptError> {
        let output_tokens =
            arrived.output_tokens.or_else(|| self.output.map(|output| self.words.draw(output)));
        let Some(text) = arrived.prompt else {
            return self.words.of_length(arrived.input_tokens.unwrap_or(1), output_tokens);
        };
        let text = self.nonce.as_mut().map(|nonce| mark(nonce, &text)).unwrap_or(text);
        let special = self.words.options().special;
        self.made += 1;
        let counts = self
            .encoder
            .as_ref()
            .filter(|encoder| self.made <= REMOTE_CHECKS || !encoder.is_remote());
        let ids = counts.map(|encoder| encoder.encode(&text, special)).transpose()?;
        let prompt_tokens = ids.map(|ids| ids.len() as u64);
        Ok(Session {
            turns: vec![Turn { prompt: Prompt::Text(text), prompt_tokens, output_tokens }],
        })
    }
}

impl Source for Replay {
    fn next(&mut self) -> Option<Session> {
        let arrived = self.arrived.next()?;
        // A server that no longer counts ends the load.
        self.session(arrived).ok()
    }

    fn lengths(&self) -> Verified {
        let made = self.words.lengths();
        let here = self.encoder.as_ref().is_some_and(|encoder| !encoder.is_remote());
        Verified { counted: made.counted && (here || !self.holds_text), ..made }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{SyntheticOptions, trace};

    fn bytes(text: &str, _: bool) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    fn replay(cache: Cache, nonce: u64, encoder: Option<Arc<dyn Encoder>>) -> Replay {
        let text = "{\"arrival_s\":0,\"prompt\":\"hi\"}\n{\"arrival_s\":1,\"prompt\":\"hi\",\"output_tokens\":3}\n\
            {\"arrival_s\":2,\"input_tokens\":5}";
        let options = SyntheticOptions {
            input: Lengths::Fixed(1),
            output: None,
            cache,
            turns: 1,
            ids: false,
            special: false,
            seed: 1,
            nonce,
        };
        let words = Synthetic::new(options, None).unwrap();
        Replay::new(trace("t", text).unwrap(), Some(Lengths::Fixed(7)), words, encoder)
    }

    fn made(mut of: Replay) -> Vec<Turn> {
        std::iter::from_fn(|| of.next()).flat_map(|session| session.turns).collect()
    }

    #[test]
    fn recorded_prompts_are_new_unless_the_cache_may_know_them() {
        let text = |turn: &Turn| match &turn.prompt {
            Prompt::Text(text) => text.clone(),
            Prompt::Ids(_) => panic!("ids"),
        };
        let cold = made(replay(Cache::Cold, 1, Some(Arc::new(bytes))));
        assert!(text(&cold[0]).ends_with("] hi") && text(&cold[0]) != text(&cold[1]), "{cold:?}");
        assert_eq!(
            (cold[0].prompt_tokens, cold[0].output_tokens, cold[1].output_tokens),
            (Some(13), Some(7), Some(3))
        );
        assert_eq!(text(&cold[2]).split(' ').count(), 5);
        assert!(
            cold.iter().zip(made(replay(Cache::Cold, 2, None))).all(|(a, b)| text(a) != text(&b)),
            "nor in the next run"
        );
        let warm = made(replay(Cache::Warm, 1, None));
        assert_eq!((text(&warm[0]).as_str(), warm[0].prompt_tokens), ("hi", None));
        assert_eq!(warm, made(replay(Cache::Warm, 1, None)));
    }

    #[test]
    fn who_counts() {
        assert!(
            !replay(Cache::Cold, 1, Some(Arc::new(bytes))).lengths().counted,
            "the made ones are not"
        );
        assert!(!replay(Cache::Cold, 1, None).lengths().counted);
    }
}
