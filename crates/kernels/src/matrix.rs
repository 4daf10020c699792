//! A weight matrix packed for one ISA, and its product with activations.

use crate::activations::Activations;
use crate::buffer::{Arena, Chunk};
use crate::cut::{Cut, cut};
use crate::kernel_set::{GemmArgs, KernelSet, MulArgs};
use crate::panel::{self, pack};
use crate::scratch::with_scratch;
use crate::team::{SharedRows, Team};
use pacemark_quant::{Activation, DType, QK};
use std::ops::Range;
use std::sync::Arc;

/// Why a matrix cannot be packed.
#[derive(Debug)]
pub enum MatrixError {
    /// The bytes are not `n_rows` rows of `n_cols` elements of this type.
    Shape {
        /// Type of the elements.
        dtype: DType,
        /// Rows asked for.
        n_rows: usize,
        /// Columns asked for.
        n_cols: usize,
        /// Bytes given.
        bytes: usize,
    },
    /// No memory for the panels.
    Memory(std::io::Error),
}

impl std::fmt::Display for MatrixError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MatrixError::Shape { dtype, n_rows, n_cols, bytes } => {
                write!(
                    f,
                    "{bytes} bytes are not {n_rows} rows of {n_cols} elements of {}",
                    dtype.name()
                )
            }
            MatrixError::Memory(error) => write!(f, "no memory for packed weights: {error}"),
        }
    }
}

impl std::error::Error for MatrixError {}

/// Bytes of a file that live as long as who holds them.
pub type SharedBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// `[n_rows, n_cols]` weights in panels (see the `panel` module): packed once, or from the file's
/// rows each time anew.
pub struct Matrix {
    dtype: DType,
    n_rows: usize,
    n_cols: usize,
    panel_bytes: usize,
    data: Data,
    /// Added to every output row.
    bias: Option<Vec<f32>>,
    kernels: &'static KernelSet,
}

enum Data {
    Panels(Chunk),
    Rows(FileRows),
}

/// A file's rows, of which panels are made when they are needed.
struct FileRows {
    bytes: SharedBytes,
    /// Where in `bytes` the matrix is.
    range: Range<usize>,
    /// The file's row of each row of the matrix, where they are not the same.
    order: Option<Vec<u32>>,
}

/// What a matrix of some shape takes in the file and in panels.
struct Sizes {
    row_bytes: usize,
    panel_bytes: usize,
}

impl Sizes {
    fn of(
        dtype: DType,
        (n_rows, n_cols): (usize, usize),
        bytes: usize,
        lanes: usize,
    ) -> Result<Sizes, MatrixError> {
        let wrong = || MatrixError::Shape { dtype, n_rows, n_cols, bytes };
        let row_bytes = dtype.bytes_for(n_cols).ok_or_else(wrong)?;
        if n_rows == 0 || n_cols == 0 || n_rows.checked_mul(row_bytes) != Some(bytes) {
            return Err(wrong());
        }
        Ok(Sizes {
            row_bytes,
            panel_bytes: panel::panel_bytes(dtype, n_cols, lanes).ok_or_else(wrong)?,
        })
    }
}

impl Matrix {
    /// Packs `bytes`, a file's rows in order, for `kernels`. Row `i` of the result is row
    /// `row_order(i)` of the file.
    pub fn pack(
        team: &Team,
        kernels: &'static KernelSet,
        arena: &mut Arena,
        dtype: DType,
        (n_rows, n_cols): (usize, usize),
        bytes: &[u8],
        row_order: &(dyn Fn(usize) -> usize + Sync),
    ) -> Result<Matrix, MatrixError> {
        let lanes = kernels.lanes;
        let Sizes { row_bytes, panel_bytes } =
            Sizes::of(dtype, (n_rows, n_cols), bytes.len(), lanes)?;
        let total = panel_bytes.checked_mul(n_rows.div_ceil(lanes)).ok_or(MatrixError::Shape {
            dtype,
            n_rows,
            n_cols,
            bytes: bytes.len(),
        })?;
        let mut data = arena.alloc(total).map_err(MatrixError::Memory)?;
        team.rows(data.as_mut_slice(), panel_bytes, &|p, out| {
            let mut rows: [&[u8]; pack::MAX_ROWS] = [&[]; pack::MAX_ROWS];
            let n = lanes.min(n_rows - p * lanes);
            for (lane, row) in rows.iter_mut().enumerate().take(n) {
                *row = &bytes[row_order(p * lanes + lane) * row_bytes..][..row_bytes];
            }
            pack::panel(dtype, n_cols, &rows[..n], lanes, out);
        });
        Ok(Matrix {
            dtype,
            n_rows,
            n_cols,
            panel_bytes,
            data: Data::Panels(data),
            bias: None,
            kernels,
        })
    }

    /// The same matrix as [`Self::pack`] makes of `bytes[range]`, but nothing is packed now: each
    /// product makes the panels it needs, a few at a time. Slower, and no memory besides the
    /// file's.
    ///
    /// # Panics
    /// If the range is not within the bytes, or `row_order` leads out of the rows.
    pub fn in_place(
        kernels: &'static KernelSet,
        dtype: DType,
        (n_rows, n_cols): (usize, usize),
        bytes: SharedBytes,
        range: Range<usize>,
        row_order: Option<&dyn Fn(usize) -> usize>,
    ) -> Result<Matrix, MatrixError> {
        let len = (*bytes).as_ref()[range.clone()].len();
        let Sizes { panel_bytes, .. } = Sizes::of(dtype, (n_rows, n_cols), len, kernels.lanes)?;
        let checked = |row: usize| {
            assert!(row < n_rows, "matrix: row {row} of {n_rows}");
            row as u32
        };
        let order = row_order.map(|order| (0..n_rows).map(|row| checked(order(row))).collect());
        let data = Data::Rows(FileRows { bytes, range, order });
        Ok(Matrix { dtype, n_rows, n_cols, panel_bytes, data, bias: None, kernels })
    }

    /// The same matrix with a vector that [`matmul`] adds to each output row.
    ///
    /// # Panics
    /// If `bias` is not one element a row.
    pub fn with_bias(mut self, bias: Option<Vec<f32>>) -> Matrix {
        assert!(
            bias.as_ref().is_none_or(|bias| bias.len() == self.n_rows),
            "matrix: a bias of another length"
        );
        self.bias = bias;
        self
    }

    /// Bytes of the panels that [`Self::pack`] makes of a matrix of this type and shape for
    /// `kernels`; `None` where there is no such matrix.
    pub fn packed_bytes(
        kernels: &KernelSet,
        dtype: DType,
        (n_rows, n_cols): (usize, usize),
    ) -> Option<usize> {
        let panel = panel::panel_bytes(dtype, n_cols, kernels.lanes)?;
        panel.checked_mul(n_rows.div_ceil(kernels.lanes))
    }

    /// Rows: the length of an output row.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Columns: the length of an activation row.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Bytes of the weights, as they are held.
    pub fn bytes(&self) -> usize {
        match &self.data {
            Data::Panels(panels) => panels.as_slice().len(),
            Data::Rows(rows) => rows.range.len(),
        }
    }

    /// Computes the panels that `args` names.
    ///
    /// # Safety
    /// The set's ISA was detected, and `args` is of this matrix.
    unsafe fn gemm(&self, args: &GemmArgs) {
        let kernel = self.kernels.gemm[self.dtype as usize];
        match &self.data {
            // SAFETY: the caller's.
            Data::Panels(_) => unsafe { kernel(args) },
            Data::Rows(rows) => with_scratch(AT_ONCE * self.panel_bytes, |scratch| {
                for from in args.panels.clone().step_by(AT_ONCE) {
                    let n = AT_ONCE.min(args.panels.end - from);
                    for (i, out) in scratch.chunks_exact_mut(self.panel_bytes).enumerate().take(n) {
                        self.make_panel(rows, from + i, out);
                    }
                    let first_row = from * self.kernels.lanes;
                    let args = GemmArgs {
                        weights: scratch.as_ptr(),
                        panels: 0..n,
                        n_rows: args.n_rows - first_row,
                        // The columns of these panels, as if they were the first.
                        out: args.out.wrapping_add(first_row),
                        ..args.clone()
                    };
                    // SAFETY: the caller's; the scratch holds the panels that are named now.
                    unsafe { kernel(&args) }
                }
            }),
        }
    }

    fn make_panel(&self, file: &FileRows, panel: usize, out: &mut [u8]) {
        let lanes = self.kernels.lanes;
        let bytes = &(*file.bytes).as_ref()[file.range.clone()];
        let row_bytes = bytes.len() / self.n_rows;
        let mut rows: [&[u8]; pack::MAX_ROWS] = [&[]; pack::MAX_ROWS];
        let n = lanes.min(self.n_rows - panel * lanes);
        for (lane, row) in rows.iter_mut().enumerate().take(n) {
            let at = panel * lanes + lane;
            let at = file.order.as_ref().map_or(at, |order| order[at] as usize);
            *row = &bytes[at * row_bytes..][..row_bytes];
        }
        pack::panel(self.dtype, self.n_cols, &rows[..n], lanes, out);
    }

    /// Whether activations in two terms ([`Activations::reset_fine`]) cost a few tokens next to
    /// nothing: types with a scale for every 32 weights are bound by reading them for twice as many.
    pub fn takes_two_terms(&self) -> bool {
        self.activation() == Activation::Int8 && self.dtype.info().block_len == QK
    }

    /// What its activations must be.
    pub fn activation(&self) -> Activation {
        self.dtype.info().activation
    }
}

/// Panels that are made at a time of a matrix that is not packed: one pass of the single-token
/// kernel.
const AT_ONCE: usize = 4;

/// One product of [`matmul`]: `out[t] = weights · activations[t]`, plus the weights' bias if they
/// have one.
pub struct Product<'a> {
    /// The matrix.
    pub weights: &'a Matrix,
    /// `[n_tokens, weights.n_rows()]`.
    pub out: &'a mut [f32],
}

/// Computes several products of the same activations as one operation of the team.
///
/// # Panics
/// If shapes disagree.
pub fn matmul(team: &Team, activations: &Activations, products: &mut [Product<'_>]) {
    let mut jobs: [Option<(GemmArgs, &Matrix, SharedRows<'_, f32>)>; 4] = [const { None }; 4];
    assert!(products.len() <= jobs.len(), "matmul: at most {} products", jobs.len());
    let n_tokens = activations.n_tokens;
    if n_tokens == 0 {
        return;
    }
    let mut n_panels = [0; 4];
    for (i, product) in products.iter_mut().enumerate() {
        let w = product.weights;
        assert_eq!(w.n_cols, activations.n_cols, "matmul: activation row and weight row differ");
        assert_eq!(product.out.len(), n_tokens * w.n_rows, "matmul: output of the wrong size");
        let there = match w.activation() {
            Activation::F32 => !activations.floats.is_empty(),
            Activation::Int8 => !activations.blocks.is_empty(),
        };
        assert!(there, "matmul: activations in another form than the weights want");
        n_panels[i] = w.n_rows.div_ceil(w.kernels.lanes);
        let out = SharedRows::new(&mut *product.out, w.n_rows);
        let args = GemmArgs {
            weights: match &w.data {
                Data::Panels(panels) => panels.as_slice().as_ptr(),
                Data::Rows(_) => std::ptr::null(),
            },
            panel_bytes: w.panel_bytes,
            panels: 0..n_panels[i],
            n_rows: w.n_rows,
            k: w.n_cols,
            blocks: activations.blocks.as_ptr(),
            floats: activations.floats.as_ptr(),
            n_tokens: n_tokens * activations.terms,
            terms: activations.terms,
            // SAFETY: only written by the tasks below, each of which writes the columns of its own
            // panels.
            out: unsafe { out.row_ptr(0) },
            out_stride: w.n_rows,
        };
        jobs[i] = Some((args, w, out));
    }
    let cuts = cut(n_panels, team.n_threads());
    let tasks_before = |i: usize| cuts[..i].iter().map(Cut::n_tasks).sum::<usize>();
    team.run(tasks_before(cuts.len()), &|task| {
        let i = (0..cuts.len())
            .rev()
            .find(|&i| tasks_before(i) <= task && n_panels[i] > 0)
            .unwrap_or(0);
        let Some((args, w, _)) = &jobs[i] else { return };
        let args = GemmArgs { panels: cuts[i].panels(task - tasks_before(i)), ..args.clone() };
        // SAFETY: the set's ISA was detected; shapes were checked above; panels were packed by this
        // crate for this type and ISA.
        unsafe { w.gemm(&args) }
        if let Some(bias) = &w.bias {
            add_bias(w.kernels, bias, &args);
        }
    });
}

/// Adds to the outputs of the panels just computed, which are still in the cache. Apart from the
/// product's kernels, so that none of them need know of biases.
fn add_bias(kernels: &KernelSet, bias: &[f32], args: &GemmArgs) {
    let columns =
        args.panels.start * kernels.lanes..(args.panels.end * kernels.lanes).min(args.n_rows);
    let bias = &bias[columns.clone()];
    for token in 0..args.n_tokens / args.terms {
        // SAFETY: `out` has `n_tokens / terms` rows of `out_stride` with a column for each row of the matrix, of
        // which there are as many as elements of the bias; these columns are this task's alone.
        unsafe {
            let out = args.out.add(token * args.out_stride + columns.start);
            (kernels.add)(MulArgs { a: out, b: bias.as_ptr(), out, n: bias.len() });
        }
    }
}
