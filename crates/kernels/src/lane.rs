//! One lane of the KV cache as one thread works on it, token by token: attention of one token, how
//! much it looks at each slot, and slots that move. What [`crate::attention()`] does for all lanes
//! and tokens at once, for who changes a lane between one token and the next.

use crate::KernelSet;
use crate::attention::{AttentionShape, KvLane, MAX_TILE_ROWS};
use crate::kernel_set::AttentionArgs;
use crate::kv_page::{KV_BLOCK, KvTypes, MAX_HEAD_DIM, Side, copy_slot, read_key, value_dim};

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
    check(shape, lane, slots);
    let rows = shape.n_heads / shape.n_kv_heads * shape.head_dim;
    assert!(q.len() == rows && out.len() == rows, "attend: query heads");
    assert!(position >= 0, "attend: negative position");
    let kernel = kernels.attention[shape.kv.k() as usize][shape.kv.v() as usize];
    let kernel = kernel.expect("KvTypes are the pairs of the table");
    let (k_page, v_page) = shape.kv.page_bytes(shape.head_dim);
    let tile = MAX_TILE_ROWS * shape.head_dim;
    for (q, out) in q.chunks(tile).zip(out.chunks_mut(tile)) {
        let n = q.len() / shape.head_dim;
        let mut q_rows = [std::ptr::null(); MAX_TILE_ROWS];
        let mut out_rows = [std::ptr::null_mut(); MAX_TILE_ROWS];
        for (row, head) in q_rows.iter_mut().zip(q.chunks_exact(shape.head_dim)) {
            *row = head.as_ptr();
        }
        for (row, head) in out_rows.iter_mut().zip(out.chunks_exact_mut(shape.head_dim)) {
            *row = head.as_mut_ptr();
        }
        let mut args = AttentionArgs {
            q: &q_rows[..n],
            out: &out_rows[..n],
            row_positions: &[position; MAX_TILE_ROWS][..n],
            window: shape.window.map_or(i32::MAX, |w| i32::try_from(w).unwrap_or(i32::MAX)),
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
/// mean over them: what [`attend`] weighs values by. By plain code: who asks for it pays for it.
pub fn attention_mass(
    shape: &AttentionShape,
    lane: KvLane<'_>,
    slots: LaneSlots<'_>,
    position: i32,
    q: &[f32],
    mass: &mut [f32],
) {
    check(shape, lane, slots);
    let n = slots.positions.len();
    assert_eq!(mass.len(), n, "attention_mass: a place for each slot");
    let window = shape.window.map_or(i64::from(i32::MAX), |w| w as i64);
    let sees = |key: i32| key <= position && i64::from(position) - i64::from(key) < window;
    let (k_page, _) = shape.kv.page_bytes(shape.head_dim);
    let heads = q.len() / shape.head_dim;
    let mut scores = vec![f32::NEG_INFINITY; heads * n];
    let mut key = [0.0f32; MAX_HEAD_DIM];
    let key = &mut key[..shape.head_dim];
    for (slot, _) in slots.positions.iter().enumerate().filter(|(_, at)| sees(**at)) {
        let block = slots.block_table[slot / KV_BLOCK] as usize;
        read_key(shape.kv.k(), &lane.k[block * k_page..][..k_page], slot % KV_BLOCK, key);
        for (head, q) in q.chunks_exact(shape.head_dim).enumerate() {
            let dot: f32 = q.iter().zip(&*key).map(|(q, k)| q * k).sum();
            scores[head * n + slot] = dot * shape.scale;
        }
    }
    for row in scores.chunks_exact_mut(n.max(1)) {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if most == f32::NEG_INFINITY {
            continue;
        }
        let total: f32 = row.iter().map(|score| (score - most).exp()).sum();
        for (mass, score) in mass.iter_mut().zip(&*row) {
            *mass += (score - most).exp() / total / heads as f32;
        }
    }
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

fn check(shape: &AttentionShape, lane: KvLane<'_>, slots: LaneSlots<'_>) {
    assert!((1..=MAX_HEAD_DIM).contains(&shape.head_dim), "lane: head_dim {}", shape.head_dim);
    assert!(
        shape.n_kv_heads > 0 && shape.n_heads.is_multiple_of(shape.n_kv_heads),
        "lane: heads do not divide"
    );
    let (k_page, v_page) = shape.kv.page_bytes(shape.head_dim);
    let n_blocks = (lane.k.len() / k_page).min(lane.v.len() / v_page);
    let used = slots.positions.len().div_ceil(KV_BLOCK);
    assert!(used <= slots.block_table.len(), "lane: more slots than blocks");
    assert!(
        slots.block_table[..used].iter().all(|&block| (block as usize) < n_blocks),
        "lane: block out of range"
    );
    assert!(slots.positions.iter().all(|&position| position >= 0), "lane: negative position");
}
