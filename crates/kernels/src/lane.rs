//! One lane of the KV cache as one thread works on it, token by token: attention of one token, how
//! much it looks at each slot, and slots that move. What [`crate::attention()`] does for all lanes
//! and tokens at once, for who changes a lane between one token and the next.

use crate::KernelSet;
use crate::attention::{AttentionShape, KvLane, MAX_TILE_ROWS};
use crate::kernel_set::{AttentionArgs, MassArgs};
use crate::kv_page::{KV_BLOCK, KvTypes, MAX_HEAD_DIM, value_dim};
use crate::kv_slot::{Side, copy_slot};
use crate::scratch::with_scratch;

/// A slot that holds nothing: later than every token, so that none sees it.
pub const HOLE: i32 = i32::MAX;

/// What of a lane a sequence holds.
#[derive(Clone, Copy)]
pub struct LaneSlots<'a> {
    /// Its blocks, in order.
    pub block_table: &'a [u32],
    /// Position held by each slot of its blocks, in order; [`HOLE`] where there is none.
    pub positions: &'a [i32],
}

/// `out = softmax(scale * q · K) · V` of the query heads of one KV head, for a token at `position`;
/// `q` and `out` are `[n_heads / n_kv_heads, head_dim]`.
///
/// # Panics
/// If lengths disagree or the block table names a block that the lane does not have.
pub fn attend(
    kernels: &'static KernelSet,
    shape: &AttentionShape,
    lane: KvLane<'_>,
    slots: LaneSlots<'_>,
    position: i32,
    q: &[f32],
    out: &mut [f32],
) {
    check(shape, lane, slots, position, q);
    assert_eq!(q.len(), out.len(), "attend: queries and output differ");
    let kernel = kernels.attention[shape.kv.k() as usize][shape.kv.v() as usize];
    let kernel = kernel.expect("KvTypes are the pairs of the table");
    let (k_page, v_page) = shape.kv.page_bytes(shape.head_dim);
    let tile = MAX_TILE_ROWS * shape.head_dim;
    for (q, out) in q.chunks(tile).zip(out.chunks_mut(tile)) {
        let mut q_rows = [std::ptr::null(); MAX_TILE_ROWS];
        let mut out_rows = [std::ptr::null_mut(); MAX_TILE_ROWS];
        let n = row_pointers(q, shape.head_dim, &mut q_rows);
        for (row, head) in out_rows.iter_mut().zip(out.chunks_exact_mut(shape.head_dim)) {
            *row = head.as_mut_ptr();
        }
        let mut args = AttentionArgs {
            q: &q_rows[..n],
            out: &out_rows[..n],
            row_positions: &[position; MAX_TILE_ROWS][..n],
            window: window(shape),
            block_table: slots.block_table,
            positions: slots.positions,
            k: lane.k.as_ptr(),
            v: lane.v.as_ptr(),
            next_k: std::ptr::null(),
            next_blocks: &[],
            k_page,
            v_page,
            head_dim: shape.head_dim,
            value_dim: value_dim(shape.head_dim),
            scale: shape.scale,
        };
        // SAFETY: the set's ISA was detected; rows are `head_dim` long each and no two are the
        // same; `check` bounded blocks and slots.
        unsafe { kernel(&mut args) }
    }
}

/// Adds to `mass[slot]` the share of attention that the query heads of `q` give to each slot, the
/// mean over them: what [`attend`] weighs values by. What the token does not see gets nothing.
///
/// # Panics
/// If lengths disagree or the block table names a block that the lane does not have.
pub fn attention_mass(
    kernels: &'static KernelSet,
    shape: &AttentionShape,
    lane: KvLane<'_>,
    slots: LaneSlots<'_>,
    position: i32,
    q: &[f32],
    mass: &mut [f32],
) {
    check(shape, lane, slots, position, q);
    assert_eq!(mass.len(), slots.positions.len(), "attention_mass: a place for each slot");
    let kernel = kernels.attention_mass[shape.kv.k() as usize];
    let n_slots = slots.positions.len().next_multiple_of(KV_BLOCK);
    let (k_page, _) = shape.kv.page_bytes(shape.head_dim);
    with_scratch(n_slots * MAX_TILE_ROWS * size_of::<f32>(), |scores| {
        for q in q.chunks(MAX_TILE_ROWS * shape.head_dim) {
            let mut rows = [std::ptr::null(); MAX_TILE_ROWS];
            let n = row_pointers(q, shape.head_dim, &mut rows);
            let mut args = MassArgs {
                q: &rows[..n],
                position,
                window: window(shape),
                block_table: slots.block_table,
                positions: slots.positions,
                k: lane.k.as_ptr(),
                k_page,
                head_dim: shape.head_dim,
                scale: shape.scale,
                weight: (shape.n_kv_heads as f32) / (shape.n_heads as f32),
                scores: scores.as_mut_ptr().cast(),
                mass,
            };
            // SAFETY: the set's ISA was detected; `check` bounded rows, blocks and slots; the
            // scratch memory is aligned, and long enough for the scores of a tile.
            unsafe { kernel(&mut args) }
        }
    });
}

/// Moves what slot `from` of a sequence holds to slot `to`.
///
/// # Panics
/// If a slot is beyond the blocks, or a block beyond the lane.
pub fn move_slot(
    types: KvTypes,
    head_dim: usize,
    (keys, values): (&mut [u8], &mut [u8]),
    block_table: &[u32],
    from: usize,
    to: usize,
) {
    let (k_page, v_page) = types.page_bytes(head_dim);
    let place = |slot: usize| (block_table[slot / KV_BLOCK] as usize, slot % KV_BLOCK);
    let (from, to) = (place(from), place(to));
    copy_slot(types.k(), Side::Key, head_dim, (keys, k_page), from, to);
    copy_slot(types.v(), Side::Value, value_dim(head_dim), (values, v_page), from, to);
}

/// The rows of `q`, and how many there are.
fn row_pointers(q: &[f32], head_dim: usize, rows: &mut [*const f32; MAX_TILE_ROWS]) -> usize {
    for (row, head) in rows.iter_mut().zip(q.chunks_exact(head_dim)) {
        *row = head.as_ptr();
    }
    q.len() / head_dim
}

fn window(shape: &AttentionShape) -> i32 {
    shape.window.map_or(i32::MAX, |window| i32::try_from(window).unwrap_or(i32::MAX))
}

fn check(shape: &AttentionShape, lane: KvLane<'_>, slots: LaneSlots<'_>, position: i32, q: &[f32]) {
    assert!((1..=MAX_HEAD_DIM).contains(&shape.head_dim), "lane: head_dim {}", shape.head_dim);
    assert!(
        shape.n_kv_heads > 0 && shape.n_heads.is_multiple_of(shape.n_kv_heads),
        "lane: heads do not divide"
    );
    let rows = shape.n_heads / shape.n_kv_heads;
    assert_eq!(q.len(), rows * shape.head_dim, "lane: query heads");
    let (k_page, v_page) = shape.kv.page_bytes(shape.head_dim);
    let n_blocks = (lane.k.len() / k_page).min(lane.v.len() / v_page);
    let used = slots.positions.len().div_ceil(KV_BLOCK);
    assert!(used <= slots.block_table.len(), "lane: more slots than blocks");
    // Folded and not searched: this is asked for every token and head, and a search that may end
    // early goes slot by slot.
    let last = slots.block_table[..used].iter().fold(0, |last, &block| last.max(block));
    assert!(used == 0 || (last as usize) < n_blocks, "lane: block out of range");
    let signs = slots.positions.iter().fold(0, |signs, &position| signs | position);
    assert!(signs >= 0, "lane: negative position");
    assert!((0..HOLE).contains(&position), "lane: a token at {position}");
}
