//! The table of kernels of one ISA, and safe calls into it.
//!
//! A kernel takes one struct of pointers and lengths. The methods of [`KernelSet`] build those
//! structs from slices after checking their lengths; nothing outside this crate sees a pointer.

use crate::Isa;
use pacemark_quant::{ActBlock, DType, QK};
use std::ops::Range;

/// Tokens whose activation blocks lie side by side: as many as a tile has at most. A tile then
/// reads one stream, and finds every token at a constant distance from it.
pub(crate) const ACT_GROUP: usize = 16;

/// Arguments of a matrix kernel. Everything is row-major.
#[derive(Clone)]
pub(crate) struct GemmArgs {
    /// First panel of the matrix.
    pub weights: *const u8,
    /// Distance between panels.
    pub panel_bytes: usize,
    /// Panels to compute.
    pub panels: Range<usize>,
    /// Rows of the matrix; the last panel may reach beyond them.
    pub n_rows: usize,
    /// Length of a weight row.
    pub k: usize,
    /// For quantized weights: groups of [`ACT_GROUP`] tokens, of which the last may have fewer; `[k
    /// / 32, tokens]` in each.
    pub blocks: *const ActBlock,
    /// `[n_tokens, k]`, for float weights.
    pub floats: *const f32,
    /// Rows of activations.
    pub n_tokens: usize,
    /// Rows of activations that are summed to one of the output: one, or two side by side.
    pub terms: usize,
    /// `[n_tokens / terms, out_stride]`.
    pub out: *mut f32,
    pub out_stride: usize,
}

/// Arguments of [`crate::generic::attention::tile`].
pub(crate) struct AttentionArgs<'a> {
    /// Query rows, `[head_dim]` each.
    pub q: &'a [*const f32],
    /// Output rows, `[head_dim]` each.
    pub out: &'a [*mut f32],
    /// Position of each query row.
    pub row_positions: &'a [i32],
    /// A key is visible if it is not later than the query and less than this far before it.
    pub window: i32,
    /// Blocks of the sequence, in order.
    pub block_table: &'a [u32],
    /// Position stored in each slot of the sequence's blocks.
    pub positions: &'a [i32],
    /// Keys of this lane, `[block]` pages (`kv_page.rs`).
    pub k: *const u8,
    /// Values of this lane, likewise.
    pub v: *const u8,
    /// Keys of the lane that this thread reads next, to be asked for in time, and its sequence's
    /// blocks; none at the end.
    pub next_k: *const u8,
    pub next_blocks: &'a [u32],
    /// Bytes of a page of keys.
    pub k_page: usize,
    /// Bytes of a page of values.
    pub v_page: usize,
    pub head_dim: usize,
    /// `head_dim` rounded up to whole vectors.
    pub value_dim: usize,
    pub scale: f32,
}

/// Arguments of [`crate::generic::mass::add`].
pub(crate) struct MassArgs<'a> {
    /// Query rows of one token, `[head_dim]` each.
    pub q: &'a [*const f32],
    /// The token's position.
    pub position: i32,
    /// As in [`AttentionArgs`], as are the next five.
    pub window: i32,
    pub block_table: &'a [u32],
    pub positions: &'a [i32],
    pub k: *const u8,
    pub k_page: usize,
    pub head_dim: usize,
    pub scale: f32,
    /// Multiplies what a row adds.
    pub weight: f32,
    /// Room for scores: `[MAX_TILE_ROWS]`, each of all slots of the blocks in use.
    pub scores: *mut f32,
    /// What is added to, a place for each of `positions`.
    pub mass: &'a mut [f32],
}

pub(crate) struct RmsNormArgs {
    pub x: *const f32,
    pub weight: *const f32,
    pub out: *mut f32,
    pub n: usize,
    pub eps: f32,
}

pub(crate) struct LayerNormArgs {
    pub x: *const f32,
    pub weight: *const f32,
    pub bias: *const f32,
    pub out: *mut f32,
    pub n: usize,
    pub eps: f32,
}

pub(crate) struct QuantizeArgs {
    pub x: *const f32,
    pub out: *mut ActBlock,
    /// Distance between the row's blocks.
    pub stride: usize,
    pub n_blocks: usize,
}

/// Arguments of the kernels of [`crate::generic::peak`].
pub(crate) struct PeakArgs {
    pub memory: *const u8,
    /// Steps, or bytes where a step is a byte.
    pub steps: usize,
    /// What came out, so that nothing is left out.
    pub sum: f32,
}

pub(crate) struct MulArgs {
    pub a: *const f32,
    pub b: *const f32,
    pub out: *mut f32,
    pub n: usize,
}

pub(crate) struct RopeArgs {
    pub x: *mut f32,
    pub half: usize,
    pub cos: *const f32,
    pub sin: *const f32,
}

pub(crate) struct ToF16Args {
    pub x: *const f32,
    pub out: *mut u16,
    pub n: usize,
}

pub(crate) struct LogSumExpArgs {
    pub x: *const f32,
    pub n: usize,
    pub result: f64,
}

pub(crate) struct ArgmaxArgs {
    pub x: *const f32,
    pub n: usize,
    pub result: usize,
}

/// Attention over pages of one pair of types.
pub(crate) type Attention = for<'a> unsafe fn(&mut AttentionArgs<'a>);

/// How much a token looks at each slot, over pages of one type of keys.
pub(crate) type AttentionMass = for<'a> unsafe fn(&mut MassArgs<'a>);

/// The kernels of one ISA.
///
/// Every pointer is a function that needs the ISA's CPU features and valid arguments;
/// [`crate::available`] hands out a set only on a CPU that has them.
pub struct KernelSet {
    /// Which ISA.
    pub isa: Isa,
    /// Floats in a vector, rows in a panel.
    pub lanes: usize,
    /// Indexed by [`DType`].
    pub(crate) gemm: [unsafe fn(&GemmArgs); DType::COUNT],
    /// Indexed by [`crate::KvType`] of keys, then of values.
    pub(crate) attention: [[Option<Attention>; 4]; 4],
    /// Indexed by [`crate::KvType`] of keys.
    pub(crate) attention_mass: [AttentionMass; 4],
    pub(crate) rms_norm: unsafe fn(RmsNormArgs),
    pub(crate) layer_norm: unsafe fn(LayerNormArgs),
    pub(crate) quantize: unsafe fn(QuantizeArgs),
    pub(crate) silu_mul: unsafe fn(MulArgs),
    pub(crate) gelu_mul: unsafe fn(MulArgs),
    pub(crate) gelu_tanh: unsafe fn(MulArgs),
    pub(crate) gelu_erf: unsafe fn(MulArgs),
    pub(crate) add: unsafe fn(MulArgs),
    pub(crate) rope: unsafe fn(RopeArgs),
    pub(crate) to_f16: unsafe fn(ToF16Args),
    pub(crate) log_sum_exp: unsafe fn(&mut LogSumExpArgs),
    pub(crate) argmax: unsafe fn(&mut ArgmaxArgs),
    pub(crate) read_1: unsafe fn(&mut PeakArgs),
    pub(crate) read_4: unsafe fn(&mut PeakArgs),
    pub(crate) int8_peak: unsafe fn(&mut PeakArgs),
    pub(crate) f32_peak: unsafe fn(&mut PeakArgs),
}

impl KernelSet {
    /// `out = x / sqrt(mean(x²) + eps) * weight` (Zhang and Sennrich, 2019). All slices have one
    /// length.
    pub fn rms_norm(&self, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        assert!(x.len() == weight.len() && x.len() == out.len(), "rms_norm: lengths differ");
        let args = RmsNormArgs {
            x: x.as_ptr(),
            weight: weight.as_ptr(),
            out: out.as_mut_ptr(),
            n: x.len(),
            eps,
        };
        // SAFETY: the set's ISA was detected; the lengths were checked.
        unsafe { (self.rms_norm)(args) }
    }

    /// [`Self::rms_norm`] of `x` onto itself.
    pub fn rms_norm_in_place(&self, x: &mut [f32], weight: &[f32], eps: f32) {
        assert_eq!(x.len(), weight.len(), "rms_norm: lengths differ");
        let out = x.as_mut_ptr();
        let args = RmsNormArgs { x: out, weight: weight.as_ptr(), out, n: x.len(), eps };
        // SAFETY: as above; the kernel reads an element before it writes it.
        unsafe { (self.rms_norm)(args) }
    }

    /// `out = (x - mean(x)) / sqrt(variance(x) + eps) * weight + bias` (Ba, Kiros and Hinton,
    /// 2016). All slices have one length.
    pub fn layer_norm(&self, x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
        let n = x.len();
        assert!(
            n == weight.len() && n == bias.len() && n == out.len(),
            "layer_norm: lengths differ"
        );
        let (weight, bias) = (weight.as_ptr(), bias.as_ptr());
        let args = LayerNormArgs { x: x.as_ptr(), weight, bias, out: out.as_mut_ptr(), n, eps };
        // SAFETY: the set's ISA was detected; the lengths were checked.
        unsafe { (self.layer_norm)(args) }
    }

    /// Quantizes one row of activations.
    pub fn quantize(&self, x: &[f32], out: &mut [ActBlock]) {
        assert_eq!(x.len(), out.len() * QK, "quantize: row and block count disagree");
        let args =
            QuantizeArgs { x: x.as_ptr(), out: out.as_mut_ptr(), stride: 1, n_blocks: out.len() };
        // SAFETY: the set's ISA was detected; the lengths were checked.
        unsafe { (self.quantize)(args) }
    }

    /// `gate = silu(gate) * up`.
    pub fn silu_mul(&self, gate: &mut [f32], up: &[f32]) {
        Self::in_place(self.silu_mul, gate, up);
    }

    /// `gate = gelu(gate) * up`, the tanh form of GELU.
    pub fn gelu_mul(&self, gate: &mut [f32], up: &[f32]) {
        Self::in_place(self.gelu_mul, gate, up);
    }

    /// `x = gelu(x)`, the tanh form of GELU.
    pub fn gelu_tanh(&self, x: &mut [f32]) {
        Self::alone(self.gelu_tanh, x);
    }

    /// `x = gelu(x)`, by the error function.
    pub fn gelu_erf(&self, x: &mut [f32]) {
        Self::alone(self.gelu_erf, x);
    }

    fn alone(kernel: unsafe fn(MulArgs), x: &mut [f32]) {
        let out = x.as_mut_ptr();
        // SAFETY: the set's ISA was detected; one length; each element is read before it is
        // written.
        unsafe { kernel(MulArgs { a: out, b: out, out, n: x.len() }) }
    }

    /// `x += y`.
    pub fn add(&self, x: &mut [f32], y: &[f32]) {
        Self::in_place(self.add, x, y);
    }

    fn in_place(kernel: unsafe fn(MulArgs), x: &mut [f32], y: &[f32]) {
        assert_eq!(x.len(), y.len(), "elementwise: lengths differ");
        let args = MulArgs { a: x.as_ptr(), b: y.as_ptr(), out: x.as_mut_ptr(), n: x.len() };
        // SAFETY: the set's ISA was detected; the lengths were checked; each element is read before
        // it is written.
        unsafe { kernel(args) }
    }

    /// Rotates the pairs `(x[i], x[i + half])`, `half = cos.len()`, of one head (Su et al., 2021;
    /// half-rotation style).
    pub fn rope(&self, x: &mut [f32], cos: &[f32], sin: &[f32]) {
        assert!(cos.len() == sin.len() && x.len() >= 2 * cos.len(), "rope: lengths differ");
        let args =
            RopeArgs { x: x.as_mut_ptr(), half: cos.len(), cos: cos.as_ptr(), sin: sin.as_ptr() };
        // SAFETY: the set's ISA was detected; the lengths were checked.
        unsafe { (self.rope)(args) }
    }

    /// Converts to IEEE halves, ties to even.
    pub fn to_f16(&self, x: &[f32], out: &mut [u16]) {
        assert_eq!(x.len(), out.len(), "to_f16: lengths differ");
        // SAFETY: the set's ISA was detected; the lengths were checked.
        unsafe { (self.to_f16)(ToF16Args { x: x.as_ptr(), out: out.as_mut_ptr(), n: x.len() }) }
    }

    /// `log Σ e^x`.
    pub fn log_sum_exp(&self, x: &[f32]) -> f64 {
        let mut args = LogSumExpArgs { x: x.as_ptr(), n: x.len(), result: 0.0 };
        // SAFETY: the set's ISA was detected; the slice gives the length.
        unsafe { (self.log_sum_exp)(&mut args) };
        args.result
    }

    /// The first of the largest, NaN never being it; 0 if there is none.
    pub fn argmax(&self, x: &[f32]) -> usize {
        let mut args = ArgmaxArgs { x: x.as_ptr(), n: x.len(), result: 0 };
        // SAFETY: the set's ISA was detected; the slice gives the length.
        unsafe { (self.argmax)(&mut args) };
        args.result
    }
}

// SAFETY: GemmArgs is shared by the threads of one operation, each of which computes other panels,
// so no two write the same output; weights and activations are only read.
unsafe impl Sync for GemmArgs {}
// SAFETY: as for Sync; the pointers stay valid because `Team::run` returns only after all threads
// are done.
unsafe impl Send for GemmArgs {}
