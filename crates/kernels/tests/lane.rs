//! One lane of the KV cache token by token, on every instruction set that this machine has and for
//! every pair of types: attention is that of whole batches, a hole is never seen, shares are those
//! of a plain softmax, and slots move as they are.

mod common;

use common::{Random, stored};
use pacemark_kernels::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Query heads, head dimension, slots, window. More heads than a tile has rows, heads that are no
/// whole groups of 32, slots that end within a block and beyond a chunk of attention.
const CASES: [(usize, usize, usize, Option<usize>); 9] = [
    (1, 16, 1, None),
    (1, 64, 300, None),
    (2, 20, 33, Some(9)),
    (3, 64, 64, None),
    (3, 80, 275, Some(100)),
    (4, 32, 100, None),
    (5, 12, 47, Some(1)),
    (9, 64, 50, None),
    (12, 128, 30, Some(64)),
];

fn cases() -> impl Iterator<Item = (usize, usize, usize, Option<usize>)> {
    CASES.into_iter().take(if cfg!(miri) { 1 } else { CASES.len() })
}

fn kernels_and_types() -> impl Iterator<Item = (&'static KernelSet, KvTypes)> {
    available().flat_map(|kernels| KvTypes::all().map(move |kv| (kernels, kv)))
}

/// A lane with a key and a value in every slot, and what of it a sequence holds.
struct Filled {
    kv: KvTypes,
    head_dim: usize,
    k: Vec<u8>,
    v: Vec<u8>,
    /// Blocks are not in order, and some are not the sequence's.
    block_table: Vec<u32>,
    positions: Vec<i32>,
}

impl Filled {
    fn new(kernels: &KernelSet, kv: KvTypes, keys: &[Vec<f32>], values: &[Vec<f32>]) -> Filled {
        let (n_slots, head_dim) = (keys.len(), keys[0].len());
        let n_blocks = n_slots.div_ceil(KV_BLOCK);
        let (k_page, v_page) = kv.page_bytes(head_dim);
        let mut filled = Filled {
            kv,
            head_dim,
            k: vec![0; (2 * n_blocks + 1) * k_page],
            v: vec![0; (2 * n_blocks + 1) * v_page],
            block_table: (0..n_blocks as u32).rev().map(|block| 2 * block + 1).collect(),
            positions: (0..n_slots as i32).collect(),
        };
        for (slot, (key, value)) in keys.iter().zip(values).enumerate() {
            filled.write(kernels, slot, key, value);
        }
        filled
    }

    fn write(&mut self, kernels: &KernelSet, slot: usize, key: &[f32], value: &[f32]) {
        let (k_page, v_page) = self.kv.page_bytes(self.head_dim);
        let (block, offset) = (self.block_table[slot / KV_BLOCK] as usize, slot % KV_BLOCK);
        write_key(kernels, self.kv.k(), key, &mut self.k[block * k_page..][..k_page], offset);
        write_value(kernels, self.kv.v(), value, &mut self.v[block * v_page..][..v_page], offset);
    }

    fn lane(&self) -> KvLane<'_> {
        KvLane { k: &self.k, v: &self.v }
    }

    fn slots(&self) -> LaneSlots<'_> {
        LaneSlots { block_table: &self.block_table, positions: &self.positions }
    }

    fn shape(&self, group: usize, window: Option<usize>) -> AttentionShape {
        let head_dim = self.head_dim;
        AttentionShape { n_heads: group, n_kv_heads: 1, head_dim, scale: 0.3, window, kv: self.kv }
    }
}

fn vectors(n: usize, head_dim: usize, random: &mut Random) -> Vec<Vec<f32>> {
    (0..n).map(|_| random.floats(head_dim)).collect()
}

/// Every third or so.
fn with_holes(positions: &mut [i32], random: &mut Random) {
    for i in (1..positions.len()).rev() {
        positions.swap(i, random.bits() as usize % (i + 1));
    }
    for position in positions.iter_mut().filter(|position| **position > 0) {
        if random.bits().is_multiple_of(3) {
            *position = HOLE;
        }
    }
}

/// Shares of attention of one query by plain softmax in double precision; zero where a slot is not
/// seen.
fn plain_shares(
    q: &[f32],
    keys: &[Vec<f32>],
    positions: &[i32],
    at: i32,
    window: Option<usize>,
) -> Vec<f64> {
    let seen = |key: i32| key <= at && window.is_none_or(|window| at - key < window as i32);
    let score = |(key, position): (&Vec<f32>, &i32)| {
        let dot: f64 = q.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
        if seen(*position) { dot * f64::from(0.3f32) } else { f64::NEG_INFINITY }
    };
    let scores: Vec<f64> = keys.iter().zip(positions).map(score).collect();
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
    scores.iter().map(|score| (score - most).exp() / total).collect()
}

/// Q8_0 is quantized as activations are, by a reciprocal: where an element lies between two codes
/// it may take the other.
fn tolerance(kv: KvTypes) -> f64 {
    if [kv.k(), kv.v()].contains(&KvType::Q8_0) { 1e-4 } else { 1e-5 }
}

#[test]
fn attention_of_one_token_is_that_of_a_batch_to_the_bit() {
    let team = Team::new(2).unwrap();
    for (kernels, kv) in kernels_and_types() {
        let mut random = Random(7);
        for (group, head_dim, n_slots, window) in cases() {
            let keys = vectors(n_slots, head_dim, &mut random);
            let values = vectors(n_slots, head_dim, &mut random);
            let filled = Filled::new(kernels, kv, &keys, &values);
            let shape = filled.shape(group, window);
            let q = random.floats(group * head_dim);
            for at in [n_slots as i32 - 1, n_slots as i32 / 2] {
                let (mut batch, mut alone) = (vec![f32::NAN; q.len()], vec![f32::NAN; q.len()]);
                let span = SequenceSpan {
                    first_row: 0,
                    row_positions: &[at],
                    block_table: &filled.block_table,
                    positions: &filled.positions,
                };
                attention(&team, kernels, &shape, &[filled.lane()], &[span], &q, &mut batch);
                attend(kernels, &shape, filled.lane(), filled.slots(), at, &q, &mut alone);
                let bits = |out: &[f32]| out.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&alone), bits(&batch), "{} {kv:?} {shape:?}", kernels.isa.name());
            }
        }
    }
}

#[test]
fn slots_are_seen_in_any_order_and_holes_never() {
    for (kernels, kv) in kernels_and_types() {
        let mut random = Random(11);
        for (group, head_dim, n_slots, window) in cases() {
            let (mut keys, mut values) =
                (vectors(n_slots, head_dim, &mut random), vectors(n_slots, head_dim, &mut random));
            let q = random.floats(group * head_dim);
            let mut positions: Vec<i32> = (0..n_slots as i32).collect();
            with_holes(&mut positions, &mut random);
            // What was let go is what the first query likes best.
            for slot in (0..n_slots).filter(|slot| positions[*slot] == HOLE) {
                keys[slot] = q[..head_dim].iter().map(|q| 100.0 * q).collect();
                values[slot] = vec![1000.0; head_dim];
            }
            let mut filled = Filled::new(kernels, kv, &keys, &values);
            filled.positions = positions;
            let at = n_slots as i32 - 1;
            let mut out = vec![f32::NAN; q.len()];
            let shape = filled.shape(group, window);
            attend(kernels, &shape, filled.lane(), filled.slots(), at, &q, &mut out);
            let kept = |x: &Vec<f32>, kv_type| stored(kv_type, x);
            let keys: Vec<_> = keys.iter().map(|key| kept(key, kv.k())).collect();
            let values: Vec<_> = values.iter().map(|value| kept(value, kv.v())).collect();
            for (q, out) in q.chunks_exact(head_dim).zip(out.chunks_exact(head_dim)) {
                let mut shares = plain_shares(q, &keys, &filled.positions, at, window);
                if shares[0].is_nan() {
                    shares.fill(0.0); // nothing is seen
                }
                for (d, found) in out.iter().enumerate() {
                    let weighed = shares.iter().zip(&values).map(|(p, v)| p * f64::from(v[d]));
                    let expected: f64 = weighed.sum();
                    assert!(
                        (f64::from(*found) - expected).abs() < tolerance(kv),
                        "{} {kv:?} {shape:?}: {found} {expected}",
                        kernels.isa.name()
                    );
                }
            }
        }
    }
}

#[test]
fn mass_is_the_mean_share_of_the_heads() {
    for (kernels, kv) in kernels_and_types() {
        let mut random = Random(17);
        for (group, head_dim, n_slots, window) in cases() {
            let keys = vectors(n_slots, head_dim, &mut random);
            let mut filled = Filled::new(kernels, kv, &keys, &keys);
            with_holes(&mut filled.positions, &mut random);
            let at = n_slots as i32 - 1;
            let q = random.floats(group * head_dim);
            let shape = filled.shape(group, window);
            let mut mass = vec![0.0; n_slots];
            attention_mass(kernels, &shape, filled.lane(), filled.slots(), at, &q, &mut mass);
            let label = format!("{} {kv:?} {shape:?}", kernels.isa.name());
            let keys: Vec<_> = keys.iter().map(|key| stored(kv.k(), key)).collect();
            let mut expected = vec![0.0; n_slots];
            for q in q.chunks_exact(head_dim) {
                let shares = plain_shares(q, &keys, &filled.positions, at, window);
                let sum = expected.iter_mut().zip(shares);
                sum.for_each(|(sum, share)| *sum += share / group as f64);
            }
            if expected[0].is_nan() {
                expected.fill(0.0); // nothing is seen
            }
            for (found, expected) in mass.iter().zip(&expected) {
                assert!((f64::from(*found) - expected).abs() < tolerance(kv), "{label}");
                assert_eq!(*found == 0.0, *expected == 0.0, "{label}: {found} {expected}");
            }
            let total: f64 = mass.iter().map(|share| f64::from(*share)).sum();
            let seen = expected.iter().any(|share| *share > 0.0);
            assert!((total - f64::from(u8::from(seen))).abs() < 1e-5, "{label}: {total}");
            // It is added to what is there.
            let mut twice = mass.clone();
            attention_mass(kernels, &shape, filled.lane(), filled.slots(), at, &q, &mut twice);
            let close = |(twice, once): (&f32, &f32)| (twice - 2.0 * once).abs() < 1e-6;
            assert!(twice.iter().zip(&mass).all(close), "{label}");
        }
    }
}

#[test]
fn mass_asks_nothing_of_what_a_hole_holds() {
    for kernels in available() {
        for kv in KvTypes::all().filter(|kv| [KvType::F32, KvType::F16].contains(&kv.k())) {
            let mut random = Random(19);
            let mut keys = vectors(40, 16, &mut random);
            for (slot, x) in [(3, f32::NAN), (20, f32::INFINITY), (38, f32::NEG_INFINITY)] {
                keys[slot].fill(x);
            }
            let mut filled = Filled::new(kernels, kv, &keys, &vectors(40, 16, &mut random));
            for slot in [3, 20, 38] {
                filled.positions[slot] = HOLE;
            }
            let q = random.floats(2 * 16);
            let mut mass = vec![0.0; 40];
            let shape = filled.shape(2, None);
            attention_mass(kernels, &shape, filled.lane(), filled.slots(), 39, &q, &mut mass);
            let nothing = (0..40).filter(|slot| mass[*slot] == 0.0);
            assert_eq!(nothing.collect::<Vec<_>>(), [3, 20, 38], "{} {kv:?}", kernels.isa.name());
            assert!((mass.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{} {kv:?}", kernels.isa.name());
        }
    }
}

#[test]
fn a_slot_is_read_as_it_was_written() {
    let mut random = Random(23);
    for kernels in available() {
        for kv_type in KvType::ALL {
            for head_dim in [1, 12, 16, 32, 80, 128, 256, MAX_HEAD_DIM] {
                let rows = vectors(KV_BLOCK, head_dim, &mut random);
                let mut keys = vec![0; kv_type.page_bytes(head_dim)];
                let mut values = vec![0; kv_type.page_bytes(value_dim(head_dim))];
                for (slot, row) in rows.iter().enumerate() {
                    write_key(kernels, kv_type, row, &mut keys, slot);
                    write_value(kernels, kv_type, row, &mut values, slot);
                }
                for (slot, row) in rows.iter().enumerate() {
                    let (mut key, mut value) = (vec![f32::NAN; head_dim], vec![f32::NAN; head_dim]);
                    read_key(kv_type, &keys, slot, &mut key);
                    read_value(kv_type, &values, slot, &mut value);
                    let label = format!("{} {} {head_dim}", kernels.isa.name(), kv_type.name());
                    assert_eq!(key, value, "{label}");
                    for (found, expected) in key.iter().zip(stored(kv_type, row)) {
                        // A step of Q8_0: see `tolerance`.
                        let step = if kv_type == KvType::Q8_0 { 1.01 / 127.0 } else { 0.0 };
                        assert!((found - expected).abs() <= step, "{label}: {found} {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_moved_slot_is_as_if_it_had_been_written_there() {
    let mut random = Random(31);
    let kernels = kernels().unwrap();
    for kv in KvTypes::all() {
        for head_dim in [12, 32, 64, 80] {
            let keys = vectors(40, head_dim, &mut random);
            let values = vectors(40, head_dim, &mut random);
            for (from, to) in [(39, 0), (5, 9), (9, 5), (16, 15), (7, 7), (0, 39)] {
                let mut moved = Filled::new(kernels, kv, &keys, &values);
                let mut written = Filled::new(kernels, kv, &keys, &values);
                let pages = (&mut moved.k[..], &mut moved.v[..]);
                move_slot(kv, head_dim, pages, &moved.block_table, from, to);
                written.write(kernels, to, &keys[from], &values[from]);
                assert!(moved.k == written.k, "{kv:?} {head_dim}: key {from} to {to}");
                assert!(moved.v == written.v, "{kv:?} {head_dim}: value {from} to {to}");
            }
        }
    }
}

#[test]
fn an_empty_lane_gives_nothing() {
    for kernels in available() {
        let mut filled =
            Filled::new(kernels, KvTypes::default(), &[vec![1.0; 16]], &[vec![1.0; 16]]);
        filled.positions.clear();
        let (shape, mut out) = (filled.shape(1, None), [f32::NAN; 16]);
        attend(kernels, &shape, filled.lane(), filled.slots(), 0, &[1.0; 16], &mut out);
        assert_eq!(out, [0.0; 16]);
        attention_mass(kernels, &shape, filled.lane(), filled.slots(), 0, &[1.0; 16], &mut []);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let kernels = kernels().unwrap();
    let whole = || {
        Filled::new(kernels, KvTypes::default(), &vec![vec![1.0; 16]; 40], &vec![vec![1.0; 16]; 40])
    };
    let refused = |what: &str, change: &dyn Fn(&mut Filled), at: i32, n_q: usize, n_mass: usize| {
        let mut filled = whole();
        change(&mut filled);
        let (shape, q) = (filled.shape(2, None), vec![1.0; n_q]);
        let (mut out, mut mass) = (vec![0.0; n_q], vec![0.0; n_mass]);
        let (lane, slots) = (filled.lane(), filled.slots());
        let attended = catch_unwind(AssertUnwindSafe(|| {
            attend(kernels, &shape, lane, slots, at, &q, &mut out);
        }));
        let weighed = catch_unwind(AssertUnwindSafe(|| {
            attention_mass(kernels, &shape, lane, slots, at, &q, &mut mass);
        }));
        // A place for each slot is what mass alone wants.
        assert_eq!(attended.is_err(), n_mass == 40 && what != "nothing", "attend: {what}");
        assert_eq!(weighed.is_err(), what != "nothing", "attention_mass: {what}");
    };
    refused("nothing", &|_| {}, 39, 32, 40);
    refused("a block beyond the lane", &|filled| filled.block_table[1] = 7, 39, 32, 40);
    refused("the largest block there is", &|filled| filled.block_table[0] = u32::MAX, 39, 32, 40);
    refused("fewer blocks than slots", &|filled| filled.block_table.truncate(2), 39, 32, 40);
    refused("a negative position", &|filled| filled.positions[17] = -1, 39, 32, 40);
    refused("a negative token", &|_| {}, -1, 32, 40);
    refused("a token that sees holes", &|_| {}, HOLE, 32, 40);
    refused("a head too few", &|_| {}, 39, 16, 40);
    refused("half a head", &|_| {}, 39, 24, 40);
    refused("a place too few", &|_| {}, 39, 32, 39);
}
