//! A compiled graph as an engine of `generation`.
//!
//! A graph of a language model keeps its keys and values itself: a state of each infer request. So a
//! sequence is a request of its own, sequences are computed one after the other, and a state can be
//! gone on with or dropped whole, but not cut.

use crate::generation::{Engine, Item, Keeping, Wanted};
use openvino::{CompiledModel, ElementType, InferRequest, InferenceError, Shape, Tensor};
use pacemark_backend::{BackendError, MemoryUsage, TokenId};
use pacemark_engine::TokenLogprobs;

/// The only output that is read.
const LOGITS: &str = "logits";

/// Inputs that are known: name, type, number of dimensions, whether every graph has it.
const INPUTS: [(Input, &str, ElementType, usize, bool); 4] = [
    (Input::Ids, "input_ids", ElementType::I64, 2, true),
    (Input::Mask, "attention_mask", ElementType::I64, 2, true),
    (Input::Positions, "position_ids", ElementType::I64, 2, false),
    (Input::Beam, "beam_idx", ElementType::I32, 1, false),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// The step's tokens, `[1, n]`.
    Ids,
    /// Ones, `[1, past + n]`.
    Mask,
    /// `past .. past + n`, `[1, n]`.
    Positions,
    /// Which row of the state each row of the batch goes on from, `[1]`.
    Beam,
}

/// A compiled graph.
pub(super) struct CapiEngine {
    model: CompiledModel,
    inputs: Vec<(Input, &'static str)>,
    /// Zero before the first step.
    n_vocab: usize,
    /// Wanted logits of the last step, `[rows, n_vocab]`.
    rows: Vec<f32>,
}

/// One request's state.
#[derive(Default)]
pub(super) struct Sequence {
    /// `None` while it holds nothing.
    request: Option<InferRequest>,
    len: usize,
}

impl CapiEngine {
    /// Over a graph, if it is one of a language model; else why not.
    pub(super) fn new(model: CompiledModel) -> Result<CapiEngine, String> {
        let there = ports(&model).map_err(|error| error.to_string())?;
        Ok(CapiEngine { inputs: known(&there)?, model, n_vocab: 0, rows: Vec::new() })
    }

    /// Tokens of the vocabulary, as the last step's logits had them.
    pub(super) fn n_vocab(&self) -> usize {
        self.n_vocab
    }

    /// What the graph was compiled with.
    pub(super) fn model(&self) -> &CompiledModel {
        &self.model
    }

    /// Computes one item; its wanted logits are put at the end of `rows`.
    fn compute(&mut self, item: &mut Item<'_, Sequence>) -> Result<(), String> {
        let told = |error: InferenceError| error.to_string();
        let Sequence { request, len } = &mut *item.sequence;
        let request = match request {
            Some(request) => request,
            none => none.insert(self.model.create_infer_request().map_err(told)?),
        };
        let (past, n) = (*len, item.tokens.len());
        for &(input, name) in &self.inputs {
            let tensor = match input {
                Input::Ids => longs(n, item.tokens.iter().map(|&id| i64::from(id))),
                Input::Mask => longs(past + n, std::iter::repeat(1)),
                Input::Positions => longs(n, (past..past + n).map(|at| at as i64)),
                Input::Beam => Shape::new(&[1]).and_then(|one| Tensor::new(ElementType::I32, &one)),
            };
            tensor.and_then(|tensor| request.set_tensor(name, &tensor)).map_err(told)?;
        }
        request.infer().map_err(told)?;
        *len += n;
        let logits = request.get_tensor(LOGITS).map_err(told)?;
        let found = logits.get_element_type().map_err(told)?;
        if found != ElementType::F32 {
            return Err(format!("{LOGITS}: expected f32, found {found:?}"));
        }
        let shape = logits.get_shape().map_err(told)?;
        let (n_rows, n_vocab) = rows_of(shape.get_dimensions(), n, item.wanted)?;
        if self.n_vocab != 0 && self.n_vocab != n_vocab {
            return Err(format!("{LOGITS}: {n_vocab} tokens, of before {}", self.n_vocab));
        }
        self.n_vocab = n_vocab;
        let all = logits.get_data::<f32>().map_err(told)?;
        let first = match item.wanted {
            Wanted::None => n_rows,
            Wanted::Last => n_rows - 1,
            Wanted::All => 0,
        };
        let wanted = all.get(first * n_vocab..n_rows * n_vocab);
        self.rows.extend_from_slice(wanted.ok_or("logits: fewer than their shape says")?);
        Ok(())
    }
}

/// Names, types and numbers of dimensions of a graph's inputs; the last is `None` where it is open.
fn ports(
    model: &CompiledModel,
) -> Result<Vec<(String, ElementType, Option<usize>)>, InferenceError> {
    let of = |index| {
        let port = model.get_input_by_index(index)?;
        let rank = port.get_partial_shape()?.get_rank();
        let rank = (rank.get_min() == rank.get_max())
            .then(|| usize::try_from(rank.get_max()).unwrap_or(0));
        Ok((port.get_name()?, port.get_element_type()?, rank))
    };
    (0..model.get_input_size()?).map(of).collect()
}

/// The inputs to be set, if all of them are known.
fn known(
    there: &[(String, ElementType, Option<usize>)],
) -> Result<Vec<(Input, &'static str)>, String> {
    let mut inputs = Vec::new();
    for (name, element, rank) in there {
        let Some(&(input, name, expected, n_dims, _)) = INPUTS.iter().find(|row| row.1 == name)
        else {
            let known = INPUTS.map(|row| row.1).join(", ");
            return Err(format!("it has the input {name}; known are {known}"));
        };
        if *element != expected || rank.is_some_and(|rank| rank != n_dims) {
            let dims = rank.map_or("any number of".to_owned(), |rank| rank.to_string());
            return Err(format!(
                "input {name}: expected {expected:?} of {n_dims} dimensions, found {element:?} of {dims}"
            ));
        }
        inputs.push((input, name));
    }
    match INPUTS.iter().find(|row| row.4 && inputs.iter().all(|(_, name)| *name != row.1)) {
        Some(row) => Err(format!("it lacks the input {}", row.1)),
        None => Ok(inputs),
    }
}

/// Rows and columns of logits of `n` tokens; a graph may give those of the last one only.
fn rows_of(dims: &[i64], n: usize, wanted: Wanted) -> Result<(usize, usize), String> {
    let size = |dim: i64| usize::try_from(dim).unwrap_or(0);
    match *dims {
        [1, rows, n_vocab]
            if n_vocab > 0 && (size(rows) == n || (rows == 1 && wanted != Wanted::All)) =>
        {
            Ok((size(rows), size(n_vocab)))
        }
        _ => Err(format!("{LOGITS} of {n} tokens: expected [1, {n}, vocabulary], found {dims:?}")),
    }
}

/// `[1, n]` whole numbers.
fn longs(n: usize, numbers: impl Iterator<Item = i64>) -> Result<Tensor, InferenceError> {
    let mut tensor = Tensor::new(ElementType::I64, &Shape::new(&[1, n as i64])?)?;
    for (to, number) in tensor.get_data_mut::<i64>()?.iter_mut().zip(numbers) {
        *to = number;
    }
    Ok(tensor)
}

impl Engine for CapiEngine {
    type Sequence = Sequence;

    fn open(&mut self, _: Option<Keeping>) -> Sequence {
        Sequence::default()
    }

    /// All or nothing.
    fn truncate(&mut self, sequence: &mut Sequence, len: usize) -> usize {
        if len < sequence.len {
            *sequence = Sequence::default();
        }
        sequence.len
    }

    fn close(&mut self, sequence: Sequence) {
        drop(sequence);
    }

    fn forward(&mut self, items: &mut [Item<'_, Sequence>]) -> Result<(), BackendError> {
        self.rows.clear();
        for item in items.iter_mut().filter(|item| !item.tokens.is_empty()) {
            if let Err(why) = self.compute(item) {
                // What its state holds now is not known.
                *item.sequence = Sequence::default();
                let n = item.tokens.len();
                return Err(BackendError::Engine(format!(
                    "OpenVINO could not compute {n} tokens: {why}"
                )));
            }
        }
        Ok(())
    }

    fn logits(&self, row: usize) -> &[f32] {
        &self.rows[row * self.n_vocab..][..self.n_vocab]
    }

    fn logprobs(&self, logits: &[f32], chosen: TokenId, n_top: usize) -> TokenLogprobs {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
        let total = f64::from(max) + sum.ln();
        let of = |logit: f32| (f64::from(logit) - total) as f32;
        let mut top: Vec<(f32, TokenId)> = Vec::with_capacity(n_top + 1);
        for (id, &logit) in logits.iter().enumerate() {
            if top.len() < n_top || top.last().is_some_and(|&(least, _)| logit > least) {
                let at = top.partition_point(|&(better, _)| better >= logit);
                top.insert(at, (logit, id as TokenId));
                top.truncate(n_top);
            }
        }
        TokenLogprobs {
            chosen: logits.get(chosen as usize).map_or(f32::NAN, |&logit| of(logit)),
            top: top.into_iter().map(|(logit, id)| (id, of(logit))).collect(),
        }
    }

    /// OpenVINO's C interface does not tell.
    fn memory(&self) -> Option<MemoryUsage> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, element: ElementType, rank: usize) -> (String, ElementType, Option<usize>) {
        (name.to_owned(), element, Some(rank))
    }

    #[test]
    fn inputs_are_known_or_refused_by_name() {
        let plain =
            [port("input_ids", ElementType::I64, 2), port("attention_mask", ElementType::I64, 2)];
        assert_eq!(
            known(&plain).unwrap(),
            [(Input::Ids, "input_ids"), (Input::Mask, "attention_mask")]
        );
        let with = |more| known(&[&plain[..], &[more]].concat());
        assert!(with(port("beam_idx", ElementType::I32, 1)).is_ok());
        let refused = |more| with(more).unwrap_err();
        let unknown = refused(port("past_key_values.0.key", ElementType::F32, 4));
        assert!(unknown.starts_with("it has the input past_key_values.0.key; known are input_ids"));
        let rotary = refused(port("position_ids", ElementType::I64, 3));
        assert_eq!(rotary, "input position_ids: expected I64 of 2 dimensions, found I64 of 3");
        assert_eq!(known(&plain[..1]).unwrap_err(), "it lacks the input attention_mask");
    }

    #[test]
    fn logits_have_a_row_for_each_token_that_is_wanted() {
        assert_eq!(rows_of(&[1, 5, 320], 5, Wanted::All), Ok((5, 320)));
        assert_eq!(rows_of(&[1, 1, 320], 5, Wanted::Last), Ok((1, 320)));
        for (dims, wanted) in [
            (&[1, 1, 320][..], Wanted::All),
            (&[2, 5, 320], Wanted::Last),
            (&[5, 320], Wanted::Last),
            (&[1, 5, 0], Wanted::None),
            (&[1, -1, 320], Wanted::Last),
        ] {
            let why = rows_of(dims, 5, wanted).unwrap_err();
            assert!(why.contains("expected [1, 5, vocabulary]"), "{why}");
        }
    }
}
