//! The list of tests: every combination of the parameters' values, in llama-bench's order.

use serde_json::{Map, Value};

/// Parameters of one test by name.
pub type Params = Map<String, Value>;

/// A parameter and the values it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Its name in records, llama-bench's where it has one.
    pub name: &'static str,
    /// Its values, in the order asked for.
    pub values: Vec<Value>,
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

/// Every combination of the axes' values; the last axis changes fastest.
pub fn combinations(axes: &[Axis]) -> Vec<Params> {
    let mut combinations = vec![Params::new()];
    for axis in axes {
        let extended = combinations.iter().flat_map(|params| {
            axis.values.iter().map(|value| {
                let mut params = params.clone();
                params.insert(axis.name.to_owned(), value.clone());
                params
            })
        });
        combinations = extended.collect();
    }
    combinations
}

/// All tests: for each of the [`combinations`] all `pp`, then all `tg`, then all `pp+tg`; a length
/// of zero (for `pp+tg`: both) asks for nothing and is left out.
pub fn cases(axes: &[Axis], shapes: &Shapes) -> Vec<Params> {
    let combinations = combinations(axes);
    let prompts = shapes.n_prompt.iter().map(|&n| (n, 0));
    let generations = shapes.n_gen.iter().map(|&n| (0, n));
    let both = shapes.n_pg.iter().copied();
    let wanted: Vec<_> =
        prompts.chain(generations).chain(both).filter(|&test| test != (0, 0)).collect();
    let tests = combinations.iter().flat_map(|params| {
        wanted.iter().map(|&(n_prompt, n_gen)| {
            let mut params = params.clone();
            params.insert("n_prompt".to_owned(), n_prompt.into());
            params.insert("n_gen".to_owned(), n_gen.into());
            params
        })
    });
    tests.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_llama_benchs() {
        let axis = |name, values: &[u64]| Axis {
            name,
            values: values.iter().map(|&v| v.into()).collect(),
        };
        let axes = [axis("n_threads", &[1, 2]), axis("n_depth", &[0, 64])];
        let shapes = Shapes {
            n_prompt: vec![512, 0],
            n_gen: vec![0, 16, 32],
            n_pg: vec![(8, 4), (0, 0), (0, 9)],
        };
        let found: Vec<_> = cases(&axes, &shapes)
            .iter()
            .map(|p| {
                ["n_threads", "n_depth", "n_prompt", "n_gen"].map(|name| p[name].as_u64().unwrap())
            })
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
        assert_eq!(cases(&[], &shapes), [] as [Params; 0]);
    }
}
