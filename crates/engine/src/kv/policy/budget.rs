//! How many tokens stay, and when the others go: one of three ways, so that who plans memory can
//! ask of any policy how much it will need.

/// A number of tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// So many.
    Tokens(usize),
    /// A share, above 0 and up to 1, of the tokens there are: at least one.
    Share(f64),
}

impl Size {
    /// Of `n` tokens.
    pub fn of(self, n: usize) -> usize {
        match self {
            Size::Tokens(size) => size,
            // What is removed is rounded up, as kvpress does.
            Size::Share(share) => ((n as f64 * share) as usize).max(1),
        }
    }
}

/// When tokens go, and how many stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// After every token all but the sum of these.
    Always(Size, Size),
    /// As soon as there are `from` tokens, all but a share of them.
    Sawtooth {
        /// What stays.
        keep: f64,
        /// Tokens from which on some go.
        from: usize,
    },
    /// Once, when the prompt has been computed.
    Prompt {
        /// What stays of it.
        size: Size,
        /// At least so many, where the size is a share.
        least: usize,
        /// After the prompt, or of a text that is none, whenever there are so many more.
        every: Option<usize>,
        /// How sizes differ by layer.
        depth: Option<Pyramid>,
    },
}

/// The first layers keep more than the last: sizes fall linearly with depth (Cai et al., 2024,
/// arXiv 2406.02069).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pyramid {
    /// By which the last layer's size is less than the mean.
    pub beta: usize,
    /// Last tokens that every layer keeps.
    pub window: usize,
}

/// Where a sequence is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Tokens that it has had.
    pub n_tokens: usize,
    /// Of those, and of what may follow, the prompt's; [`None`] where nothing is a prompt.
    pub n_prompt: Option<usize>,
    /// Which layer of how many.
    pub layer: usize,
    /// How many.
    pub n_layers: usize,
}

impl Budget {
    /// How many of `held` tokens of a layer stay.
    pub fn keep(self, held: usize, at: &Moment) -> usize {
        let keep = match self {
            Budget::Always(a, b) => a.of(at.n_tokens).saturating_add(b.of(at.n_tokens)),
            Budget::Sawtooth { from, .. } if held < from => held,
            Budget::Sawtooth { keep, .. } => (held as f64 * keep).ceil() as usize,
            Budget::Prompt { size, least, every, depth } => {
                let n = at.n_prompt.unwrap_or(at.n_tokens);
                let size = size.of(n).max(least);
                let keep = depth.map_or(size, |depth| depth.size(size, n, at));
                match every {
                    _ if at.n_prompt == Some(at.n_tokens) => keep,
                    Some(every)
                        if at.n_prompt.is_none_or(|prompt| at.n_tokens > prompt)
                            && held >= keep.saturating_add(every) =>
                    {
                        keep
                    }
                    _ => held,
                }
            }
        };
        keep.min(held)
    }

    /// Tokens up to which nothing goes.
    pub fn whole(self, n_prompt: Option<usize>) -> usize {
        match self {
            Budget::Always(Size::Tokens(a), Size::Tokens(b)) => a.saturating_add(b),
            // A share of the first tokens may be all of them, rounded; no need to be exact.
            Budget::Always(..) => 0,
            Budget::Sawtooth { from, .. } => from - 1,
            Budget::Prompt { size, every, depth, .. } => match (n_prompt, every, size) {
                (Some(prompt), ..) => prompt.saturating_sub(1),
                (None, None, _) => usize::MAX,
                // The last layers of a pyramid keep less.
                (None, Some(every), Size::Tokens(size)) if depth.is_none() => {
                    (size + every).saturating_sub(1)
                }
                (None, Some(_), _) => 0,
            },
        }
    }

    /// Tokens that a head holds at most while `n_total` come, the one before others go included,
    /// where `window` stay anyway, and a head of heads that hold a number on the mean may hold
    /// `of_one_head` of it.
    pub fn most(
        self,
        n_prompt: Option<usize>,
        n_total: usize,
        window: usize,
        of_one_head: &dyn Fn(usize) -> usize,
    ) -> usize {
        let bound = match self {
            Budget::Always(a, b) => {
                let kept = a.of(n_total).saturating_add(b.of(n_total));
                of_one_head(kept.max(window).saturating_add(1))
            }
            // A share of few tokens may be all of them, rounded up: of fewer than these.
            Budget::Sawtooth { keep, from } => {
                let fewest = (1.0 / (1.0 - keep)).ceil() as usize;
                of_one_head(from.max(fewest.saturating_add(1)).max(window.saturating_add(1)))
            }
            Budget::Prompt { size, least, every, depth } => {
                let n_prompt = n_prompt.unwrap_or(0).min(n_total);
                // A pyramid's first layer has up to twice the mean.
                let of = if n_prompt > 0 { n_prompt } else { n_total };
                let kept = size.of(of).max(least) * if depth.is_some() { 2 } else { 1 };
                let after = every.unwrap_or(n_total - n_prompt).min(n_total - n_prompt);
                // Of the prompt itself every head holds all.
                n_prompt.max(of_one_head(kept.max(window).saturating_add(after)))
            }
        };
        bound.min(n_total)
    }

    /// Whether what is held stays below some size however long a text is.
    pub fn is_bounded(self) -> bool {
        match self {
            Budget::Always(a, b) => [a, b].iter().all(|size| matches!(size, Size::Tokens(_))),
            Budget::Sawtooth { keep, .. } => keep < 1.0,
            Budget::Prompt { every, .. } => every.is_some(),
        }
    }
}

impl Pyramid {
    /// What a layer keeps of a prompt of `n` tokens where the mean is `size`: PyramidKV's published
    /// code, in whole tokens.
    fn size(self, size: usize, n: usize, at: &Moment) -> usize {
        if n < size {
            return size;
        }
        let rest = size - self.window.min(size);
        let mut least = rest / self.beta.max(1);
        let mut most = 2 * rest - least;
        let others = n - self.window.min(n);
        if most >= others {
            most = others;
            least = (2 * rest).saturating_sub(most);
        }
        let step = most.saturating_sub(least) / at.n_layers.saturating_sub(1).max(1);
        most - at.layer * step + self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n_tokens: usize, n_prompt: Option<usize>) -> Moment {
        Moment { n_tokens, n_prompt, layer: 0, n_layers: 4 }
    }

    /// What is held token by token.
    fn course(budget: Budget, n_prompt: Option<usize>, n: usize) -> Vec<usize> {
        course_of(0, budget, n_prompt, n)
    }

    fn course_of(layer: usize, budget: Budget, n_prompt: Option<usize>, n: usize) -> Vec<usize> {
        let mut held = 0;
        let step = |n_tokens| {
            held = budget.keep(held + 1, &Moment { layer, ..at(n_tokens, n_prompt) });
            held
        };
        (1..=n).map(step).collect()
    }

    const BUDGETS: &[Budget] = &[
        Budget::Always(Size::Tokens(3), Size::Tokens(1)),
        Budget::Always(Size::Tokens(0), Size::Share(0.25)),
        Budget::Sawtooth { keep: 0.5, from: 6 },
        Budget::Prompt { size: Size::Tokens(5), least: 0, every: None, depth: None },
        Budget::Prompt { size: Size::Share(0.3), least: 0, every: Some(4), depth: None },
        Budget::Prompt {
            size: Size::Tokens(6),
            least: 2,
            every: Some(1),
            depth: Some(Pyramid { beta: 20, window: 2 }),
        },
    ];

    #[test]
    fn courses_by_hand() {
        assert_eq!(course(BUDGETS[0], None, 6), [1, 2, 3, 4, 4, 4]);
        assert_eq!(course(BUDGETS[2], None, 10), [1, 2, 3, 4, 5, 3, 4, 5, 3, 4]);
        assert_eq!(course(BUDGETS[3], Some(8), 10), [1, 2, 3, 4, 5, 6, 7, 5, 6, 7]);
        assert_eq!(course(BUDGETS[4], Some(10), 16)[9..], [3, 4, 5, 6, 3, 4, 5]);
        assert_eq!(course(BUDGETS[4], None, 6), [1, 2, 3, 4, 1, 2], "shares of what there is");
    }

    #[test]
    fn what_is_promised_of_a_course_holds() {
        for budget in BUDGETS {
            let prompts = [None, Some(1), Some(8), Some(40)];
            for (layer, n_prompt) in
                (0..4).flat_map(|layer| prompts.map(|n_prompt| (layer, n_prompt)))
            {
                let course = course_of(layer, *budget, n_prompt, 60);
                let whole = budget.whole(n_prompt).min(60);
                let first = course.iter().zip(1..).take_while(|(held, n)| *held == n).count();
                assert!(first >= whole, "{budget:?} {n_prompt:?}: {first} are held, not {whole}");
                // Before others go there is one more.
                let most = course.iter().scan(0, |before, held| {
                    let with_it = *before + 1;
                    *before = *held;
                    Some(with_it)
                });
                for (n, held) in most.enumerate().map(|(i, held)| (i + 1, held)) {
                    let bound = budget.most(n_prompt, 60, 0, &|held| held);
                    assert!(held <= bound, "{budget:?} {n_prompt:?} {n}: {held} > {bound}");
                }
            }
        }
    }

    #[test]
    fn a_pyramid_has_the_mean_that_was_asked_for() {
        let budget = Budget::Prompt {
            size: Size::Tokens(100),
            least: 8,
            every: None,
            depth: Some(Pyramid { beta: 20, window: 8 }),
        };
        let of = |layer| budget.keep(500, &Moment { layer, ..at(500, Some(500)) });
        // 92 beside the window: from 2 * 92 - 4 down to 4.. in steps of 176 / 3.
        assert_eq!([0, 1, 2, 3].map(of), [188, 130, 72, 14]);
    }
}
