//! Activations in the forms in which matrices take them: floats, or blocks of signed bytes in one term
//! or two. The products are `matrix.rs`'s.

use crate::kernel_set::{ACT_GROUP, KernelSet, QuantizeArgs};
use crate::matrix::Matrix;
use crate::scratch::with_scratch_floats;
use crate::team::{SharedRows, Team};
use pacemark_quant::{ActBlock, Activation, QK};

/// Activations of some tokens, in the forms that the matrices they meet want.
#[derive(Default)]
pub struct Activations {
    pub(crate) n_tokens: usize,
    pub(crate) n_cols: usize,
    pub(crate) floats: Vec<f32>,
    /// In the groups that [`GemmArgs::blocks`](crate::kernel_set::GemmArgs::blocks) describes.
    pub(crate) blocks: Vec<ActBlock>,
    /// Rows of blocks for each token, side by side: what the second quantizes is what the first
    /// left over. Zero before anything is prepared.
    pub(crate) terms: usize,
}

impl Activations {
    /// Prepares for `n_tokens` rows of `n_cols` that will meet `weights`, forgetting what was there.
    pub fn reset(&mut self, n_tokens: usize, n_cols: usize, weights: &[&Matrix]) {
        let wanted = |form| weights.iter().any(|w| w.activation() == form);
        self.n_tokens = n_tokens;
        self.n_cols = n_cols;
        let n_floats = if wanted(Activation::F32) { n_tokens * n_cols } else { 0 };
        self.floats.resize(n_floats, 0.0);
        let n_blocks = if wanted(Activation::Int8) { n_tokens * (n_cols / QK) } else { 0 };
        self.blocks.resize(n_blocks, ActBlock::ZERO);
        self.terms = 1;
    }

    /// [`Self::reset`] for activations of about fifteen bits in place of eight, for weights that
    /// [take them](Matrix::takes_two_terms): twice as many products.
    pub fn reset_fine(&mut self, n_tokens: usize, n_cols: usize, weights: &Matrix) {
        self.reset(n_tokens, n_cols, &[weights]);
        if weights.takes_two_terms() {
            self.blocks.resize(2 * n_tokens * (n_cols / QK), ActBlock::ZERO);
            self.terms = 2;
        }
    }

    /// Bytes that `n_tokens` rows take where the widest matrix of floats has `floats` columns, and
    /// the widest quantized one `blocks`.
    pub fn bytes_for(n_tokens: usize, [floats, blocks]: [usize; 2]) -> u64 {
        let row = floats * size_of::<f32>() + blocks / QK * size_of::<ActBlock>();
        (n_tokens as u64).saturating_mul(row as u64)
    }

    /// Rows held.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// Fills every row by `f(token, row)`, which sets all of it, and quantizes it.
    pub fn fill(
        &mut self,
        team: &Team,
        kernels: &'static KernelSet,
        f: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        let (terms, n_cols, n_blocks) = (self.terms, self.n_cols, self.n_cols / QK);
        let n_rows = self.n_tokens * terms;
        if self.blocks.is_empty() {
            team.rows(&mut self.floats, n_cols, f);
            return;
        }
        let blocks = SharedRows::new(&mut self.blocks, 1);
        let quantize = |i: usize, row: &mut [f32], leftover: bool| {
            let group = i / ACT_GROUP * ACT_GROUP;
            let stride = (n_rows - group).min(ACT_GROUP);
            // SAFETY: block b of row i lies at group * n_blocks + b * stride + (i - group), for b
            // below n_blocks: within the n_rows * n_blocks of the array, and at a place of its own.
            let out = unsafe { blocks.row_ptr(group * n_blocks + (i - group)) };
            // SAFETY: the set's ISA was detected; the row has n_blocks blocks.
            unsafe { (kernels.quantize)(QuantizeArgs { x: row.as_ptr(), out, stride, n_blocks }) };
            if leftover {
                for (b, x) in row.chunks_exact_mut(QK).enumerate() {
                    // SAFETY: the block was just written, by this thread.
                    take_off(unsafe { &*out.add(b * stride) }, x);
                }
            }
        };
        if self.floats.is_empty() {
            // A row of the thread's own, which stays in its cache, in place of one for each token.
            team.ranges(self.n_tokens, &|t| {
                with_scratch_floats(n_cols, |row| {
                    f(t, row);
                    for term in 0..terms {
                        quantize(t * terms + term, row, term + 1 < terms);
                    }
                });
            });
            return;
        }
        team.rows(&mut self.floats, n_cols, &|t, row| {
            f(t, row);
            quantize(t, row, false);
        });
    }
}

/// Leaves of `x` what `block`, which quantizes it, does not say.
fn take_off(block: &ActBlock, x: &mut [f32]) {
    for (x, &q) in x.iter_mut().zip(&block.q) {
        *x -= block.scale * f32::from(q);
    }
}
