//! Prompts of random words, to an exact number of tokens.

use super::words::{Words, stream};
use super::{Cache, Encoder, Prompt, PromptError, REMOTE_CHECKS, Session, Source, Turn, Verified};
use crate::lengths::Lengths;
use pacemark_record::rng::SplitMix64;
use std::sync::Arc;

/// Ids of prompts for which there is no encoder: above the special tokens and bytes of common
/// vocabularies, and within all.
const IDS: std::ops::Range<u32> = 500..1280;

/// How prompts are made.
#[derive(Clone, Debug)]
pub struct SyntheticOptions {
    /// Tokens of a prompt, and of each later turn.
    pub input: Lengths,
    /// Tokens of an answer; the server's limit where there is none.
    pub output: Option<Lengths>,
    /// What prompts share.
    pub cache: Cache,
    /// Requests of a session.
    pub turns: u32,
    /// As token ids.
    pub ids: bool,
    /// Counts include the tokens that start a sequence.
    pub special: bool,
    /// Decides lengths.
    pub seed: u64,
    /// Decides words: another one, other prompts of the same lengths.
    pub nonce: u64,
}

/// Makes sessions without end.
pub struct Synthetic {
    options: SyntheticOptions,
    words: Option<Words>,
    encoder: Option<Arc<dyn Encoder>>,
    lengths: SplitMix64,
    text: SplitMix64,
    made: u64,
    checked: u64,
    wrong: u64,
    /// Of a warm cache: the only prompt.
    only: Option<Session>,
}

impl Synthetic {
    /// Finds words for the encoder's vocabulary, and makes sure that the lengths can be made.
    pub fn new(
        options: SyntheticOptions,
        encoder: Option<Arc<dyn Encoder>>,
    ) -> Result<Synthetic, PromptError> {
        let by_ids_alone = options.ids && encoder.is_none();
        let words = if by_ids_alone {
            None
        } else {
            Some(Words::find(encoder.as_deref(), options.special)?)
        };
        let (lengths, text) = (stream(options.seed, 1), stream(options.nonce, 2));
        let mut made = Synthetic {
            options,
            words,
            encoder,
            lengths,
            text,
            made: 0,
            checked: 0,
            wrong: 0,
            only: None,
        };
        // Fails here rather than in the run.
        let probe = made.options.input.draw(&mut made.lengths.clone());
        made.turn(probe, 0, None)?;
        (made.made, made.checked, made.wrong) = (0, 0, 0);
        made.text = stream(made.options.nonce, 2);
        Ok(made)
    }

    /// As it was asked.
    pub(super) fn options(&self) -> &SyntheticOptions {
        &self.options
    }

    fn turn(&mut self, n: u64, turn: u32, group: Option<(u64, u64)>) -> Result<Turn, PromptError> {
        let Some(words) = &self.words else {
            let ids = (0..n).map(|_| IDS.start + self.text.below(IDS.len()) as u32);
            return Ok(Turn {
                prompt: Prompt::Ids(ids.collect()),
                prompt_tokens: Some(n),
                output_tokens: None,
            });
        };
        let n = n.max(words.shortest());
        let text = match group {
            // The prefix is the group's alone; what follows it is the prompt's.
            Some((group, prefix)) if turn == 0 => {
                let mut shared = stream(self.options.nonce ^ self.options.seed, 1000 + group);
                let mut text = words.text(&mut shared, prefix.max(words.shortest()))?;
                words.extend(&mut text, &mut self.text, n);
                text
            }
            _ => words.text(&mut self.text, n)?,
        };
        let mut expected =
            n + group.filter(|_| turn == 0).map_or(0, |(_, prefix)| prefix.max(words.shortest()));
        let mut prompt = Prompt::Text(text);
        // One that is not encoded again is as long as it was made to be if all that were are.
        let mut counted = words.are_verified() && self.wrong == 0;
        if let (Some(encoder), Prompt::Text(text)) = (&self.encoder, &prompt)
            && (self.options.ids || !encoder.is_remote() || self.made < REMOTE_CHECKS)
        {
            let ids = encoder.encode(text, self.options.special)?;
            self.checked += 1;
            self.wrong += u64::from(ids.len() as u64 != expected);
            (expected, counted) = (ids.len() as u64, true);
            if self.options.ids {
                prompt = Prompt::Ids(ids);
            }
        }
        self.made += 1;
        // Later turns hold the answers too, whose template nobody counts but the server.
        let prompt_tokens = (counted && turn == 0).then_some(expected);
        Ok(Turn { prompt, prompt_tokens, output_tokens: None })
    }

    /// A length from the same seed as all others.
    pub fn draw(&mut self, lengths: Lengths) -> u64 {
        lengths.draw(&mut self.lengths)
    }

    /// A session of one prompt of `input` tokens.
    pub fn of_length(&mut self, input: u64, output: Option<u64>) -> Result<Session, PromptError> {
        let turn = self.turn(input, 0, None)?;
        Ok(Session { turns: vec![Turn { output_tokens: output, ..turn }] })
    }

    fn session(&mut self) -> Result<Session, PromptError> {
        let group = match self.options.cache {
            Cache::Shared { prefix, groups } => {
                Some((self.text.below(groups.max(1) as usize) as u64, prefix))
            }
            Cache::Cold | Cache::Warm => None,
        };
        let mut turns = Vec::new();
        for turn in 0..self.options.turns.max(1) {
            let n = self.options.input.draw(&mut self.lengths);
            let output_tokens = self.options.output.map(|output| output.draw(&mut self.lengths));
            turns.push(Turn { output_tokens, ..self.turn(n, turn, group)? });
        }
        Ok(Session { turns })
    }
}

impl Source for Synthetic {
    /// Counted where ids are sent, or an encoder said that the words are single tokens.
    fn lengths(&self) -> Verified {
        let counted = self.words.as_ref().is_none_or(Words::are_verified);
        Verified { counted, checked: self.checked, wrong: self.wrong }
    }

    fn next(&mut self) -> Option<Session> {
        if let Some(only) = &self.only {
            return Some(only.clone());
        }
        // What could fail was tried in `new`; a server that no longer counts ends the load.
        let session = self.session().ok()?;
        if self.options.cache == Cache::Warm {
            self.only = Some(session.clone());
        }
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, special: bool) -> Vec<u32> {
        vec![9; text.split_whitespace().count() + usize::from(special)]
    }

    fn options() -> SyntheticOptions {
        SyntheticOptions {
            input: Lengths::Uniform(4, 40),
            output: Some(Lengths::Fixed(7)),
            cache: Cache::Cold,
            turns: 1,
            ids: false,
            special: true,
            seed: 1,
            nonce: 1,
        }
    }

    fn made(options: SyntheticOptions, n: usize) -> Vec<Session> {
        let mut source = Synthetic::new(options, Some(Arc::new(words))).unwrap();
        (0..n).map(|_| source.next().unwrap()).collect()
    }

    fn text(turn: &Turn) -> &str {
        match &turn.prompt {
            Prompt::Text(text) => text,
            Prompt::Ids(_) => panic!("ids"),
        }
    }

    #[test]
    fn exact_and_never_twice() {
        let sessions = made(options(), 200);
        let mut starts: Vec<String> = Vec::new();
        for session in &sessions {
            let turn = &session.turns[0];
            assert_eq!(turn.prompt_tokens, Some(words(text(turn), true).len() as u64));
            assert!(
                (4..=40).contains(&turn.prompt_tokens.unwrap()) && turn.output_tokens == Some(7)
            );
            starts.push(text(turn).split(' ').take(6).collect::<Vec<_>>().join(" "));
        }
        let long: Vec<_> = starts.iter().filter(|start| start.split(' ').count() == 6).collect();
        let mut distinct = long.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), long.len(), "no prefix is shared");
        // The nonce changes words, not lengths; the same nonce repeats all.
        let other = made(SyntheticOptions { nonce: 2, ..options() }, 200);
        assert!(
            other
                .iter()
                .zip(&sessions)
                .all(|(a, b)| a.turns[0].prompt_tokens == b.turns[0].prompt_tokens)
        );
        assert_ne!(other, sessions);
        assert_eq!(made(options(), 200), sessions);
    }

    #[test]
    fn shared_prefixes_and_warm_caches() {
        let shared =
            SyntheticOptions { cache: Cache::Shared { prefix: 20, groups: 3 }, ..options() };
        let sessions = made(shared, 60);
        let prefix = |session: &Session| {
            text(&session.turns[0]).split(' ').take(19).collect::<Vec<_>>().join(" ")
        };
        let mut prefixes: Vec<String> = sessions.iter().map(prefix).collect();
        prefixes.sort();
        prefixes.dedup();
        assert_eq!(prefixes.len(), 3);
        assert!(
            sessions.iter().all(|s| s.turns[0].prompt_tokens.unwrap() >= 24),
            "the prefix comes on top"
        );
        let warm = made(SyntheticOptions { cache: Cache::Warm, ..options() }, 3);
        assert!(warm[0] == warm[1] && warm[1] == warm[2]);
    }

    #[test]
    fn turns_and_ids() {
        let sessions = made(SyntheticOptions { turns: 3, ..options() }, 2);
        assert!(sessions.iter().all(|s| s.turns.len() == 3 && s.turns[1].prompt_tokens.is_none()));
        let ids = made(SyntheticOptions { ids: true, input: Lengths::Fixed(12), ..options() }, 1);
        assert_eq!(ids[0].turns[0].prompt, Prompt::Ids(vec![9; 12]));
        let mut alone = Synthetic::new(SyntheticOptions { ids: true, ..options() }, None).unwrap();
        let turn = alone.next().unwrap().turns.remove(0);
        let Prompt::Ids(ids) = turn.prompt else { panic!() };
        assert!(
            alone.lengths().counted
                && turn.prompt_tokens == Some(ids.len() as u64)
                && ids.iter().all(|id| IDS.contains(id))
        );
    }

    #[test]
    fn prompts_that_are_not_as_long_as_they_were_made_are_counted() {
        // A vocabulary that has one token more for every text of over 300 words, of which nobody
        // can know before.
        let odd = |text: &str, _: bool| {
            let n = text.split_whitespace().count();
            vec![9; n + usize::from(n > 300)]
        };
        let of = |n| SyntheticOptions { input: Lengths::Fixed(n), ..options() };
        let mut source = Synthetic::new(of(300), Some(Arc::new(odd))).unwrap();
        source.next().unwrap();
        assert_eq!(source.lengths(), Verified { counted: true, checked: 1, wrong: 0 });
        let mut source = Synthetic::new(of(301), Some(Arc::new(odd))).unwrap();
        let turns: Vec<Turn> = (0..3).flat_map(|_| source.next().unwrap().turns).collect();
        assert!(
            turns.iter().all(|turn| turn.prompt_tokens == Some(302)),
            "what it is, not what it was to be"
        );
        assert_eq!(source.lengths(), Verified { counted: true, checked: 3, wrong: 3 });
    }

    /// The same behind a server, which is asked for the first prompts only.
    struct Remote;

    impl Encoder for Remote {
        fn encode(&self, text: &str, _: bool) -> Result<Vec<u32>, super::super::EncodeError> {
            let n = text.split_whitespace().count();
            Ok(vec![9; n + usize::from(n > 300)])
        }

        fn is_remote(&self) -> bool {
            true
        }
    }

    #[test]
    fn the_first_prompts_of_a_remote_tokenizer_are_encoded_again() {
        let of = |n| SyntheticOptions { input: Lengths::Fixed(n), ..options() };
        for (n, first, later) in [(20, 20, Some(20)), (301, 302, None)] {
            let mut source = Synthetic::new(of(n), Some(Arc::new(Remote))).unwrap();
            let turns: Vec<Turn> = (0..70).flat_map(|_| source.next().unwrap().turns).collect();
            assert_eq!(
                (turns[63].prompt_tokens, turns[64].prompt_tokens),
                (Some(first), later),
                "{n}"
            );
            assert_eq!(source.lengths().checked, 64);
        }
    }

    #[test]
    fn without_an_encoder_no_count_is_claimed() {
        let mut source = Synthetic::new(options(), None).unwrap();
        assert!(!source.lengths().counted);
        assert_eq!(source.next().unwrap().turns[0].prompt_tokens, None);
    }
}
