//! Attention over the paged KV cache: validates what it is given, cuts it to tiles, hands tiles to
//! the team.
//!
//! Where keys and values live is the engine's business (`engine::kv`); how a page of them looks is
//! `kv_page.rs`'s.

use crate::KernelSet;
use crate::kernel_set::{Attention, AttentionArgs};
use crate::kv_page::{KV_BLOCK, KvTypes, MAX_HEAD_DIM, value_dim};
use crate::team::{SharedRows, Team};

/// Query rows in a tile.
pub(crate) const MAX_TILE_ROWS: usize = 8;

/// What is the same for every sequence and head.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Elements of a head, at most [`MAX_HEAD_DIM`].
    pub head_dim: usize,
    /// Multiplies the queries.
    pub scale: f32,
    /// How many positions a token sees, itself included; `None` for all.
    pub window: Option<usize>,
    /// How keys and values are stored.
    pub kv: KvTypes,
}

/// Keys and values of one (layer, KV head) lane, all blocks.
#[derive(Clone, Copy)]
pub struct KvLane<'a> {
    /// Pages of keys, `[block][KvTypes::page_bytes.0]`.
    pub k: &'a [u8],
    /// Pages of values, `[block][KvTypes::page_bytes.1]`.
    pub v: &'a [u8],
}

/// The tokens of one sequence within a batch.
#[derive(Clone, Copy)]
pub struct SequenceSpan<'a> {
    /// Its rows of the batch.
    pub first_row: usize,
    /// Position of each of those rows.
    pub row_positions: &'a [i32],
    /// Its blocks, in order.
    pub block_table: &'a [u32],
    /// Position held by each slot of its blocks, in order; as many as it has keys.
    pub positions: &'a [i32],
}

/// `out[t] = softmax(scale * q[t] · K) · V` for all rows of all sequences.
///
/// `q` and `out` are `[n_tokens, n_heads * head_dim]`; `lanes` has one entry a KV head.
///
/// # Panics
/// If lengths disagree or a block table names a block that a lane does not have.
pub fn attention(
    team: &Team,
    kernels: &'static KernelSet,
    shape: &AttentionShape,
    lanes: &[KvLane<'_>],
    sequences: &[SequenceSpan<'_>],
    q: &[f32],
    out: &mut [f32],
) {
    check(shape, lanes, sequences, q, out);
    let group = shape.n_heads / shape.n_kv_heads;
    let n_rows: usize =
        sequences.iter().map(|s| s.row_positions.len() * group * shape.n_kv_heads).sum();
    let tile_rows = n_rows.div_ceil(team.n_threads()).clamp(1, MAX_TILE_ROWS);
    let tiles: Vec<Tile> = sequences
        .iter()
        .enumerate()
        .flat_map(|(s, span)| {
            let rows = span.row_positions.len() * group;
            (0..shape.n_kv_heads)
                .flat_map(move |head| (0..rows).step_by(tile_rows).map(move |row| (s, head, row)))
        })
        .collect();
    let kernel = kernels.attention[shape.kv.k() as usize][shape.kv.v() as usize];
    let kernel = kernel.expect("KvTypes are the pairs of the table");
    let work = Work {
        shape,
        lanes,
        sequences,
        q,
        out: SharedRows::new(out, shape.head_dim),
        tile_rows,
        kernel,
    };
    // A task is a few tiles, so that a tile can ask for the keys of the one after it.
    let per_task = (tiles.len() / (team.n_threads() * 8)).clamp(1, 8);
    // Later rows see more keys: longest tiles first keeps the threads level at the end.
    let tile = |i: usize| tiles[tiles.len() - 1 - i];
    team.run(tiles.len().div_ceil(per_task), &|task| {
        let end = tiles.len().min((task + 1) * per_task);
        for i in task * per_task..end {
            // SAFETY: every tile is in one task; the set's ISA was detected, and `check` passed.
            unsafe { work.compute(tile(i), (i + 1 < end).then(|| tile(i + 1))) };
        }
    });
}

/// Sequence, KV head, and the first of its rows.
type Tile = (usize, usize, usize);

/// What all tiles of a call share.
struct Work<'a> {
    shape: &'a AttentionShape,
    lanes: &'a [KvLane<'a>],
    sequences: &'a [SequenceSpan<'a>],
    q: &'a [f32],
    /// A row for each (token, head).
    out: SharedRows<'a, f32>,
    tile_rows: usize,
    kernel: Attention,
}

impl Work<'_> {
    /// Computes a tile; `next` is what this thread computes after it.
    ///
    /// # Safety
    /// No tile may be computed twice; the kernel's ISA was detected, and [`check`] bounded every
    /// row, block and length.
    unsafe fn compute(&self, (sequence, head, first): Tile, next: Option<Tile>) {
        let Work { shape, lanes, sequences, .. } = self;
        let span = &sequences[sequence];
        let group = shape.n_heads / shape.n_kv_heads;
        let last = (first + self.tile_rows).min(span.row_positions.len() * group);
        // Row numbers in units of heads, for queries and output alike.
        let head_row = |row: usize| {
            (span.first_row + row / group) * shape.n_heads + head * group + row % group
        };
        let mut q = [std::ptr::null(); MAX_TILE_ROWS];
        let mut out = [std::ptr::null_mut(); MAX_TILE_ROWS];
        let mut positions = [0i32; MAX_TILE_ROWS];
        for (n, row) in (first..last).enumerate() {
            q[n] = self.q[head_row(row) * shape.head_dim..].as_ptr();
            // SAFETY: every (row, head) belongs to exactly one tile, so no output row is handed out
            // twice.
            out[n] = unsafe { self.out.row_ptr(head_row(row)) };
            positions[n] = span.row_positions[row / group];
        }
        let n = last - first;
        let (k_page, v_page) = shape.kv.page_bytes(shape.head_dim);
        let mut args = AttentionArgs {
            q: &q[..n],
            out: &out[..n],
            row_positions: &positions[..n],
            window: shape.window.map_or(i32::MAX, |w| i32::try_from(w).unwrap_or(i32::MAX)),
            block_table: span.block_table,
            positions: span.positions,
            k: lanes[head].k.as_ptr(),
            v: lanes[head].v.as_ptr(),
            next_k: next.map_or(std::ptr::null(), |(_, head, _)| lanes[head].k.as_ptr()),
            next_blocks: next.map_or(&[], |(sequence, ..)| sequences[sequence].block_table),
            k_page,
            v_page,
            head_dim: shape.head_dim,
            value_dim: value_dim(shape.head_dim),
            scale: shape.scale,
        };
        // SAFETY: the caller's; pointers and lengths are those that `check` bounded.
        unsafe { (self.kernel)(&mut args) }
    }
}

fn check(
    shape: &AttentionShape,
    lanes: &[KvLane<'_>],
    sequences: &[SequenceSpan<'_>],
    q: &[f32],
    out: &[f32],
) {
    assert!((1..=MAX_HEAD_DIM).contains(&shape.head_dim), "attention: head_dim {}", shape.head_dim);
    assert!(
        shape.n_kv_heads > 0 && shape.n_heads.is_multiple_of(shape.n_kv_heads),
        "attention: heads do not divide"
    );
    assert_eq!(lanes.len(), shape.n_kv_heads, "attention: one lane a KV head");
    let (k_block, v_block) = shape.kv.page_bytes(shape.head_dim);
    let n_blocks = lanes
        .iter()
        .map(|lane| (lane.k.len() / k_block).min(lane.v.len() / v_block))
        .min()
        .unwrap_or(0);
    let width = shape.n_heads * shape.head_dim;
    assert_eq!(q.len(), out.len(), "attention: queries and output differ");
    let mut seen = 0;
    for s in sequences {
        assert!(s.first_row >= seen, "attention: sequences overlap or are out of order");
        seen = s.first_row + s.row_positions.len();
        assert!(
            s.row_positions.iter().chain(s.positions).all(|&p| p >= 0),
            "attention: negative position"
        );
        let blocks = s.positions.len().div_ceil(KV_BLOCK);
        assert!(blocks <= s.block_table.len(), "attention: more keys than blocks");
        assert!(
            s.block_table[..blocks].iter().all(|&b| (b as usize) < n_blocks),
            "attention: block out of range"
        );
    }
    assert!(seen * width <= q.len(), "attention: more rows than queries");
}
