//! `cargo bench -p pacemark-kernels --bench lane [-- SLOTS [HEAD_DIM [GROUP]]]`: one token's attention over
//! one lane of the KV cache, and what it costs to ask how much it looks at each slot, as
//! nanoseconds on one thread.
//!
//! Prints the best of many runs, for the reason that `kernels.rs` gives. The lane stays in the
//! caches, so that arithmetic is measured and not memory.

use pacemark_kernels::{
    AttentionShape, KV_BLOCK, KvLane, KvTypes, LaneSlots, attend, attention_mass, kernels,
    write_key, write_value,
};
use std::time::{Duration, Instant};

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let size = |i: usize, usual: usize| sizes.get(i).copied().unwrap_or(usual);
    let (n_slots, head_dim, group) = (size(0, 512), size(1, 64), size(2, 3));
    let set = kernels().expect("a valid PACEMARK_ISA");
    println!("{}: {n_slots} slots, {head_dim} dimensions, {group} query heads", set.isa.name());
    println!("{:>6} {:>6} {:>12} {:>12}", "keys", "values", "attend ns", "mass ns");
    let q = floats(group * head_dim);
    let positions: Vec<i32> = (0..n_slots as i32).collect();
    let block_table: Vec<u32> = (0..n_slots.div_ceil(KV_BLOCK) as u32).rev().collect();
    let slots = LaneSlots { block_table: &block_table, positions: &positions };
    let (mut out, mut mass) = (vec![0.0; q.len()], vec![0.0; n_slots]);
    for kv in KvTypes::all() {
        let (k_page, v_page) = kv.page_bytes(head_dim);
        let (mut k, mut v) =
            (vec![0; block_table.len() * k_page], vec![0; block_table.len() * v_page]);
        for slot in 0..n_slots {
            let (block, offset) = (block_table[slot / KV_BLOCK] as usize, slot % KV_BLOCK);
            let x = floats(head_dim);
            write_key(set, kv.k(), &x, &mut k[block * k_page..], offset);
            write_value(set, kv.v(), &x, &mut v[block * v_page..], offset);
        }
        let shape = AttentionShape {
            n_heads: group,
            n_kv_heads: 1,
            head_dim,
            scale: 0.125,
            window: None,
            kv,
        };
        let (lane, at) = (KvLane { k: &k, v: &v }, n_slots as i32);
        let attend_ns = best_ns(|| attend(set, &shape, lane, slots, at, &q, &mut out));
        let mass_ns = best_ns(|| attention_mass(set, &shape, lane, slots, at, &q, &mut mass));
        println!("{:>6} {:>6} {attend_ns:12.0} {mass_ns:12.0}", kv.k().name(), kv.v().name());
    }
}

/// Some numbers between -1 and 1.
fn floats(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0).collect()
}

/// The best time of a call, over samples of sixteen.
fn best_ns(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 16;
    let (started, mut best) = (Instant::now(), f64::INFINITY);
    while started.elapsed() < Duration::from_millis(300) {
        let from = Instant::now();
        (0..CALLS).for_each(|_| call());
        best = best.min(from.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS));
    }
    best
}
