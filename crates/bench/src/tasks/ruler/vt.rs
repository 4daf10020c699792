//! Variable tracking: lines that pass a value on, between lines of noise (`variable_tracking.py` of
//! NVIDIA/RULER: one chain, four hops, a worked example before).

use super::niah::NOISE;
use super::{Maker, Prompt, sample};
use pacemark_record::rng::SplitMix64;

/// Hops of the chain.
const HOPS: usize = 4;

/// Tokens of the example, at most.
const EXAMPLE: usize = 500;

/// Variables, the value of the first, and where their lines stand.
pub(super) struct Chain {
    names: Vec<String>,
    value: String,
    /// For each line a place, in parts of the noise, in order.
    places: Vec<f64>,
}

impl Chain {
    /// With names of so many letters.
    pub(super) fn draw(n_letters: usize, rng: &mut SplitMix64) -> Chain {
        let mut names: Vec<String> = Vec::with_capacity(HOPS + 1);
        while names.len() <= HOPS {
            let letter = |_| char::from(b'A' + rng.below(26) as u8);
            let name: String = (0..n_letters).map(letter).collect();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let value = (10_000 + rng.below(89_999)).to_string();
        // Finer than there are lines of noise in any prompt, so that a larger one is only spread wider.
        const PARTS: usize = 1 << 16;
        let mut places: Vec<f64> =
            sample(PARTS, HOPS + 1, rng).iter().map(|at| *at as f64 / PARTS as f64).collect();
        places.sort_by(f64::total_cmp);
        Chain { names, value, places }
    }

    /// The lines of the chain.
    fn lines(&self) -> Vec<String> {
        let first = format!("VAR {} = {}", self.names[0], self.value);
        let hop = |pair: &[String]| format!("VAR {} = VAR {} ", pair[1], pair[0]);
        std::iter::once(first).chain(self.names.windows(2).map(hop)).collect()
    }

    /// Between `n` lines of noise; no two of the chain at one place.
    fn context(&self, n: usize) -> String {
        let mut lines = vec![NOISE.to_owned(); n];
        let mut least = 0;
        let last = self.places.len();
        for (i, (place, line)) in self.places.iter().zip(self.lines()).enumerate() {
            let most = n.saturating_sub(last - i);
            let at = ((place * n as f64) as usize).clamp(least.min(most), most);
            lines.insert(at + i, line);
            least = at + 1;
        }
        lines.join("\n").replace(". \n", ".\n")
    }

    /// The prompt with `n` lines of noise, behind an example.
    pub(super) fn behind(&self, example: &str, n: usize) -> Prompt {
        Prompt {
            context: format!(
                "{example}Memorize and track the chain(s) of variable assignment hidden in the following \
                 text.\n\n{}",
                self.context(n)
            ),
            question: format!(
                "\nQuestion: Find all variables that are assigned the value {0} in the text above. Answer: \
                 According to the chain(s) of variable assignment in the text above, {1} variables are \
                 assigned the value {0}, they are: ",
                self.value,
                self.names.len()
            ),
            expected: self.names.clone(),
        }
    }
}

/// A prompt with its answer, as long as fits; nothing where not even five lines of noise do.
pub(super) fn example(maker: &Maker<'_>, rng: &mut SplitMix64) -> String {
    let chain = Chain::draw(3, rng);
    let room = EXAMPLE.min(maker.length / 4);
    let whole = |n: usize| {
        let Prompt { context, question, expected } = chain.behind("", n);
        format!("{context}{question} {}\n\n", expected.join(" "))
    };
    let fits = |n: usize| maker.encoder.rest(&whole(n)).len() <= room;
    let most = (HOPS + 1..EXAMPLE).take_while(|n| fits(*n)).last();
    most.map_or(String::new(), whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Expected: `generate_input_output` of RULER's `variable_tracking.py`, run by
    /// `tests/data/make_tasks.py`.
    #[test]
    fn the_text_is_rulers() {
        let golden: Value =
            serde_json::from_str(include_str!("../../../tests/data/tasks.json")).unwrap();
        let case = &golden["ruler"]["vt"];
        let n = case["noises"].as_u64().unwrap() as usize;
        let list = |name: &str| case[name].as_array().unwrap().iter();
        let chain = Chain {
            names: list("names").map(|name| name.as_str().unwrap().to_owned()).collect(),
            value: case["value"].as_str().unwrap().to_owned(),
            places: list("at").map(|at| (at.as_f64().unwrap() + 0.5) / n as f64).collect(),
        };
        let prompt = chain.behind("", n);
        assert_eq!(prompt.context + &prompt.question, case["text"].as_str().unwrap());
        assert_eq!(Value::from(prompt.expected), case["answers"]);
    }

    #[test]
    fn lines_keep_their_order_where_there_is_little_noise() {
        let mut chain = Chain::draw(5, &mut SplitMix64::new(1));
        for places in [[0.0; 5], [0.99; 5], [0.1, 0.2, 0.3, 0.8, 0.9]] {
            chain.places = places.to_vec();
            for n in 5..9 {
                let text = chain.context(n);
                let lines: Vec<&str> = text.lines().collect();
                let found: Vec<usize> = chain
                    .lines()
                    .iter()
                    .map(|line| lines.iter().position(|l| l.trim() == line.trim()).unwrap())
                    .collect();
                assert!(found.is_sorted() && lines.len() == n + 5, "{text}");
                assert_eq!(*lines.last().unwrap() == NOISE, found[4] + 1 < lines.len());
            }
        }
    }
}
