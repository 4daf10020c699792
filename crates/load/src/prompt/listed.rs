//! Sessions of the conversations of a file, in random order, round after round.

use super::{
    Answer, Asked, Cache, Encoder, Prompt, REMOTE_CHECKS, Session, Source, Talk, Turn, Verified,
};
use crate::lengths::Lengths;
use pacemark_record::rng::SplitMix64;
use std::sync::Arc;

/// What a listed source is asked for, besides its conversations.
pub struct ListedOptions {
    /// Turns of a conversation that are kept, at most.
    pub turns: u32,
    /// Tokens of answers, instead of the file's.
    pub output: Option<Lengths>,
    /// What prompts share.
    pub cache: Cache,
    /// Counts include the tokens that start a sequence.
    pub special: bool,
    /// Decides lengths and order.
    pub seed: u64,
    /// Decides the words that make prompts new.
    pub nonce: u64,
}

/// Conversations that were read, given in random order, again and again.
pub struct Listed {
    talks: Vec<Talk>,
    options: ListedOptions,
    encoder: Option<Arc<dyn Encoder>>,
    nonce: SplitMix64,
    lengths: SplitMix64,
    order: SplitMix64,
    /// What is left of this round.
    left: Vec<usize>,
    made: u64,
}

impl Listed {
    /// Of the conversations of a file; the encoder counts their answers, each when it is first
    /// needed.
    pub fn new(
        mut talks: Vec<Talk>,
        options: ListedOptions,
        encoder: Option<Arc<dyn Encoder>>,
    ) -> Listed {
        talks.iter_mut().for_each(|talk| talk.truncate(options.turns.max(1) as usize));
        let stream = super::words::stream;
        let (nonce, lengths, order) =
            (stream(options.nonce, 3), stream(options.seed, 4), stream(options.seed, 5));
        Listed { talks, options, encoder, nonce, lengths, order, left: Vec::new(), made: 0 }
    }

    /// The file says how long answers are to be, or somebody here can count them.
    pub fn tells_lengths(&self) -> bool {
        let known = |asked: &Asked| match asked.answer {
            Answer::Unknown => false,
            Answer::Text(_) => self.encoder.is_some(),
            Answer::Tokens(_) => true,
        };
        self.talks.iter().flatten().any(known)
    }

    /// Tokens of an answer of the file.
    fn answer_tokens(&mut self, talk: usize, turn: usize) -> Option<u64> {
        let encoder = self.encoder.clone();
        let answer = &mut self.talks.get_mut(talk)?.get_mut(turn)?.answer;
        if let (Answer::Text(text), Some(encoder)) = (&*answer, encoder) {
            let counted = encoder.encode(text, false).ok();
            *answer =
                counted.map_or(Answer::Unknown, |ids| Answer::Tokens(ids.len().max(1) as u64));
        }
        match answer {
            Answer::Tokens(n) => Some(*n),
            Answer::Unknown | Answer::Text(_) => None,
        }
    }
}

impl Source for Listed {
    fn next(&mut self) -> Option<Session> {
        if self.left.is_empty() {
            self.left = (0..self.talks.len()).collect();
        }
        let chosen = match self.options.cache {
            // One prompt for all, as everywhere.
            Cache::Warm => 0,
            _ => self.left.swap_remove(self.order.below(self.left.len().max(1))),
        };
        let mut turns = Vec::new();
        for i in 0..self.talks.get(chosen)?.len() {
            let mut text = self.talks[chosen][i].prompt.clone();
            if self.options.cache == Cache::Cold && i == 0 {
                text = super::words::mark(&mut self.nonce, &text);
            }
            let output_tokens = match self.options.output {
                Some(output) => Some(output.draw(&mut self.lengths)),
                None => self.answer_tokens(chosen, i),
            };
            let first = self.made < REMOTE_CHECKS;
            let counts =
                self.encoder.as_ref().filter(|encoder| i == 0 && (first || !encoder.is_remote()));
            let ids = counts.and_then(|encoder| encoder.encode(&text, self.options.special).ok());
            let prompt_tokens = ids.map(|ids| ids.len() as u64);
            turns.push(Turn { prompt: Prompt::Text(text), prompt_tokens, output_tokens });
        }
        self.made += 1;
        Some(Session { turns })
    }

    /// Counted here where that costs no request; nothing was made to a length.
    fn lengths(&self) -> Verified {
        Verified {
            counted: self.encoder.as_ref().is_some_and(|encoder| !encoder.is_remote()),
            checked: 0,
            wrong: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{lines, share_gpt};

    fn bytes(text: &str, _: bool) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    fn options() -> ListedOptions {
        ListedOptions {
            turns: 1,
            output: None,
            cache: Cache::Cold,
            special: false,
            seed: 1,
            nonce: 2,
        }
    }

    #[test]
    fn answers_of_the_file_give_lengths() {
        let talk = r#"[{"conversations":[{"from":"human","value":"q1"},{"from":"gpt","value":"four"},
            {"from":"human","value":"q2"},{"from":"gpt","value":"12345"}]}]"#;
        let talks = share_gpt("f", talk).unwrap().talks;
        let mut listed =
            Listed::new(talks, ListedOptions { turns: 2, ..options() }, Some(Arc::new(bytes)));
        assert!(listed.tells_lengths());
        let outputs: Vec<_> =
            listed.next().unwrap().turns.iter().map(|turn| turn.output_tokens).collect();
        assert_eq!(outputs, [Some(4), Some(5)]);
    }

    #[test]
    fn lengths_that_nobody_counts_are_not_made_up() {
        let talk =
            r#"[{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"four"}]}]"#;
        let mut listed = Listed::new(share_gpt("f", talk).unwrap().talks, options(), None);
        assert!(!listed.tells_lengths());
        assert_eq!(listed.next().unwrap().turns[0].output_tokens, None);
    }

    #[test]
    fn every_prompt_once_a_round_and_never_alike() {
        let talks = lines("f", "a\nb\nc").unwrap().talks;
        let mut listed = Listed::new(talks.clone(), options(), Some(Arc::new(bytes)));
        let six: Vec<Session> = (0..6).map(|_| listed.next().unwrap()).collect();
        let texts: Vec<&str> = six
            .iter()
            .map(|s| match &s.turns[0].prompt {
                Prompt::Text(text) => text.as_str(),
                Prompt::Ids(_) => panic!(),
            })
            .collect();
        for round in texts.chunks(3) {
            let mut ends: Vec<_> = round.iter().map(|text| &text[11..]).collect();
            ends.sort_unstable();
            assert_eq!(ends, ["a", "b", "c"]);
        }
        assert_eq!((six[0].turns[0].prompt_tokens, listed.lengths().counted), (Some(12), true));
        let mut starts: Vec<_> = texts.iter().map(|text| &text[..10]).collect();
        starts.sort_unstable();
        starts.dedup();
        assert_eq!(starts.len(), 6);
        let warm =
            ListedOptions { output: Some(Lengths::Fixed(5)), cache: Cache::Warm, ..options() };
        let mut warm = Listed::new(talks, warm, None);
        let first = warm.next().unwrap();
        assert_eq!(
            first.turns[0],
            Turn { prompt: Prompt::Text("a".into()), prompt_tokens: None, output_tokens: Some(5) }
        );
        assert_eq!(warm.next().unwrap(), first);
    }
}
