//! The list of tests: every combination of the parameters' values, in llama-bench's order.

use crate::parameter::{PARAMETERS, Parameter};
use crate::test::Test;

/// Gives a test the value of that number.
type SetValue = dyn Fn(&mut Test, usize);

/// A parameter and the values it takes.
pub struct Axis {
    name: &'static str,
    n_values: usize,
    set: Box<SetValue>,
}

impl Axis {
    /// The values of `parameter` in the order asked for, and what each is to a test.
    pub fn new<T: 'static>(
        parameter: Parameter,
        values: Vec<T>,
        set: impl Fn(&mut Test, &T) + 'static,
    ) -> Axis {
        let n_values = values.len();
        let set = Box::new(move |test: &mut Test, i: usize| set(test, &values[i]));
        Axis { name: parameter.name, n_values, set }
    }

    /// How many values it takes.
    pub fn n_values(&self) -> usize {
        self.n_values
    }
}

/// What is timed for each combination of the axes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shapes {
    /// Prompt lengths (`pp`).
    pub n_prompt: Vec<usize>,
    /// Generated lengths (`tg`).
    pub n_gen: Vec<usize>,
    /// Prompt followed by generation (`pp+tg`).
    pub n_pg: Vec<(usize, usize)>,
}

/// What is asked for: axes, and what is timed for each of their combinations.
#[derive(Default)]
pub struct Grid {
    /// What all tests have in common.
    pub base: Test,
    /// Parameters that vary, in any order.
    pub axes: Vec<Axis>,
    /// What is timed.
    pub shapes: Shapes,
}

impl Grid {
    /// Every combination of the axes' values, in the order of [`PARAMETERS`]: the last axis changes
    /// fastest.
    pub fn combinations(&self) -> Vec<Test> {
        let mut axes: Vec<&Axis> = self.axes.iter().collect();
        axes.sort_by_key(|axis| PARAMETERS.iter().position(|p| p.name == axis.name));
        let mut tests = vec![self.base.clone()];
        for axis in axes {
            let with = |test: &Test, i| {
                let mut test = test.clone();
                (axis.set)(&mut test, i);
                test
            };
            let extended =
                tests.iter().flat_map(|test| (0..axis.n_values).map(move |i| with(test, i)));
            tests = extended.collect();
        }
        tests
    }

    /// All tests of the shapes: for each of the combinations all `pp`, then all `tg`, then all
    /// `pp+tg`; a length of zero (for `pp+tg`: both) asks for nothing and is left out.
    pub fn tests(&self) -> Vec<Test> {
        let Shapes { n_prompt, n_gen, n_pg } = &self.shapes;
        let prompts = n_prompt.iter().map(|&n| (n, 0));
        let generations = n_gen.iter().map(|&n| (0, n));
        let both = n_pg.iter().copied();
        let wanted: Vec<_> =
            prompts.chain(generations).chain(both).filter(|&test| test != (0, 0)).collect();
        let combinations = self.combinations();
        let tests = combinations.iter().flat_map(|test| {
            let shaped = |&(n_prompt, n_gen)| Test { n_prompt, n_gen, ..test.clone() };
            wanted.iter().map(shaped)
        });
        tests.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{N_DEPTH, N_THREADS};

    #[test]
    fn order_is_llama_benchs() {
        // Given the other way round.
        let axes = vec![
            Axis::new(N_DEPTH, vec![0, 64], |test, n| test.n_depth = *n),
            Axis::new(N_THREADS, vec![1, 2], |test, n| test.setup.threads.n = *n),
        ];
        let shapes = Shapes {
            n_prompt: vec![512, 0],
            n_gen: vec![0, 16, 32],
            n_pg: vec![(8, 4), (0, 0), (0, 9)],
        };
        let found: Vec<_> = Grid { axes, shapes, ..Grid::default() }
            .tests()
            .iter()
            .map(|test| [test.setup.threads.n, test.n_depth, test.n_prompt, test.n_gen])
            .collect();
        let tests = [[512, 0], [0, 16], [0, 32], [8, 4], [0, 9]];
        let expected: Vec<_> = [[1, 0], [1, 64], [2, 0], [2, 64]]
            .iter()
            .flat_map(|[threads, depth]| {
                tests.map(|[prompt, gen_]| [*threads, *depth, prompt, gen_])
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_asked_for_is_nothing() {
        let shapes = Shapes { n_prompt: vec![0], n_gen: vec![0], n_pg: vec![] };
        assert_eq!(Grid { shapes, ..Grid::default() }.tests(), []);
    }
}
