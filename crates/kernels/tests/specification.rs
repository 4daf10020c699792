//! Every kernel of every instruction set that this machine has, against the scalar specification in
//! `quant`.

mod common;

use common::{Random, stored};
use half::f16;
use pacemark_kernels::*;
use pacemark_quant::{
    ActBlock, Activation, DTYPES, DType, act_dot, dequantize_row, quantize_activations,
};

/// Random rows of a type: random bits everywhere, so that all codes and scales occur, with sane
/// floating-point scales.
fn random_rows(dtype: DType, n_rows: usize, n_cols: usize, random: &mut Random) -> Vec<u8> {
    let info = dtype.info();
    let n_blocks = n_rows * n_cols / info.block_len;
    let mut bytes: Vec<u8> =
        (0..n_blocks * info.block_bytes).map(|_| random.bits() as u8).collect();
    for block in bytes.chunks_exact_mut(info.block_bytes) {
        let mut put =
            |at: usize, x: f32| block[at..at + 2].copy_from_slice(&f16::from_f32(x).to_le_bytes());
        match dtype {
            DType::F32 => block.copy_from_slice(&random.unit().to_le_bytes()),
            DType::F16 => put(0, random.unit()),
            DType::BF16 => {
                block.copy_from_slice(&half::bf16::from_f32(random.unit()).to_le_bytes())
            }
            DType::Q4_0 | DType::Q5_0 | DType::Q8_0 => put(0, random.unit() * 0.1),
            DType::IQ4NL => put(0, random.unit() * 0.01),
            DType::IQ4XS => put(0, random.unit() * 0.001),
            DType::MXFP4 => block[0] = 120 + (random.bits() >> 29) as u8,
            DType::Q2K => {
                put(80, random.unit() * 0.1);
                put(82, random.unit() * 0.1);
            }
            DType::Q3K => put(108, random.unit() * 0.01),
            DType::Q4_1 | DType::Q5_1 | DType::Q4K | DType::Q5K => {
                put(0, random.unit() * 0.1);
                put(2, random.unit());
            }
            DType::Q6K => put(208, random.unit() * 0.01),
        }
    }
    bytes
}

/// `[n_tokens][n_rows]` by the specification, in double precision, and the magnitude that errors
/// are relative to.
///
/// The activations are quantized by `kernels`, which may round a tie otherwise than the
/// specification does (a test of its own): here that would hide how exact the product is.
fn expected(
    kernels: &KernelSet,
    dtype: DType,
    n_cols: usize,
    w: &[f32],
    x: &[f32],
) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    for x in x.chunks(n_cols) {
        let mut blocks = vec![ActBlock::ZERO; n_cols / 32];
        kernels.quantize(x, &mut blocks);
        for w in w.chunks(n_cols) {
            let exact = match dtype.info().activation {
                Activation::F32 => {
                    w.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum()
                }
                Activation::Int8 => act_dot(w, &blocks),
            };
            let size = w.iter().zip(x).map(|(&w, &x)| f64::from((w * x).abs())).sum();
            out.push((exact, size));
        }
    }
    out
}

#[test]
fn every_isa_and_type_multiplies_as_specified() {
    let team = Team::new(2).unwrap();
    let mut random = Random(7);
    for info in DTYPES {
        // Odd row counts leave a partial panel, odd token counts every size of tile.
        for (n_rows, n_cols) in [(37, info.block_len.max(32)), (80, info.block_len.max(32) * 3)] {
            let bytes = random_rows(info.dtype, n_rows, n_cols, &mut random);
            let mut plain = vec![0.0; n_rows * n_cols];
            dequantize_row(info.dtype, &bytes, &mut plain).unwrap();
            for n_tokens in if cfg!(miri) { vec![1, 7] } else { vec![1, 2, 3, 7, 8, 23, 31, 512] } {
                let x = random.floats(n_tokens * n_cols);
                for kernels in available() {
                    let expected = expected(kernels, info.dtype, n_cols, &plain, &x);
                    let mut arena = Arena::default();
                    let shape = (n_rows, n_cols);
                    let w =
                        Matrix::pack(&team, kernels, &mut arena, info.dtype, shape, &bytes, &|i| i)
                            .unwrap();
                    let mut activations = Activations::default();
                    activations.reset(n_tokens, n_cols, &[&w]);
                    activations.fill(&team, kernels, &|t, row| {
                        row.copy_from_slice(&x[t * n_cols..][..n_cols])
                    });
                    let mut out = vec![f32::NAN; n_tokens * n_rows];
                    matmul(&team, &activations, &mut [Product { weights: &w, out: &mut out }]);
                    for (i, (&found, &(exact, size))) in out.iter().zip(&expected).enumerate() {
                        let tolerance = size * 1e-6 + 1e-6;
                        assert!(
                            (f64::from(found) - exact).abs() <= tolerance,
                            "{} on {}, {n_tokens} tokens, token {}, row {}: {found}, specified {exact}",
                            info.name,
                            kernels.isa.name(),
                            i / n_rows,
                            i % n_rows,
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn rows_in_place_give_what_packed_ones_give() {
    let team = Team::new(2).unwrap();
    let mut random = Random(31);
    for info in DTYPES {
        // Not all of the bytes, rows in another order, more panels than are made at a time, and one
        // that is not full.
        let (n_rows, n_cols, before) =
            (if cfg!(miri) { 17 } else { 150 }, info.block_len.max(32) * 2, 3);
        let bytes = random_rows(info.dtype, n_rows + before, n_cols, &mut random);
        let range = bytes.len() / (n_rows + before) * before..bytes.len();
        let shared: SharedBytes = std::sync::Arc::new(bytes.clone());
        let order = |row: usize| (row + 7) % n_rows;
        for kernels in available() {
            for order in [None, Some(&order as &(dyn Fn(usize) -> usize + Sync))] {
                let in_order = |row: usize| order.map_or(row, |order| order(row));
                let (dtype, shape) = (info.dtype, (n_rows, n_cols));
                let (mut arena, rows) = (Arena::default(), &bytes[range.clone()]);
                let packed =
                    Matrix::pack(&team, kernels, &mut arena, dtype, shape, rows, &in_order)
                        .unwrap();
                let unpacked: Option<&dyn Fn(usize) -> usize> =
                    if order.is_some() { Some(&in_order) } else { None };
                let in_place = Matrix::in_place(
                    kernels,
                    dtype,
                    shape,
                    shared.clone(),
                    range.clone(),
                    unpacked,
                )
                .unwrap();
                assert_eq!(in_place.bytes(), rows.len());
                let bias = Some(random.floats(n_rows));
                let matrices = [packed.with_bias(bias.clone()), in_place.with_bias(bias)];
                for n_tokens in [1, 3, 40] {
                    let x = random.floats(n_tokens * n_cols);
                    let mut activations = Activations::default();
                    activations.reset(n_tokens, n_cols, &[&matrices[0]]);
                    activations.fill(&team, kernels, &|t, row| {
                        row.copy_from_slice(&x[t * n_cols..][..n_cols])
                    });
                    let [packed, in_place] = matrices.each_ref().map(|weights| {
                        let mut out = vec![f32::NAN; n_tokens * n_rows];
                        matmul(&team, &activations, &mut [Product { weights, out: &mut out }]);
                        out.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
                    });
                    assert!(
                        packed == in_place,
                        "{} on {}, {n_tokens} tokens",
                        info.name,
                        kernels.isa.name()
                    );
                }
            }
        }
    }
}

#[test]
fn matrices_of_two_forms_share_activations() {
    let team = Team::new(2).unwrap();
    let mut random = Random(23);
    let (n_rows, n_cols, n_tokens) = (20, 64, 19);
    let x = random.floats(n_tokens * n_cols);
    for kernels in available() {
        let mut arena = Arena::default();
        let mut pack = |dtype| {
            let bytes = random_rows(dtype, n_rows, n_cols, &mut random);
            Matrix::pack(&team, kernels, &mut arena, dtype, (n_rows, n_cols), &bytes, &|i| i)
                .unwrap()
        };
        let (float, bytes) = (pack(DType::F32), pack(DType::Q8_0));
        let products = |activations: &mut Activations, weights: &[&Matrix]| {
            activations.reset(n_tokens, n_cols, weights);
            activations
                .fill(&team, kernels, &|t, row| row.copy_from_slice(&x[t * n_cols..][..n_cols]));
            let mut outs = vec![vec![f32::NAN; n_tokens * n_rows]; weights.len()];
            for (weights, out) in weights.iter().zip(&mut outs) {
                matmul(&team, activations, &mut [Product { weights, out }]);
            }
            outs
        };
        let mut activations = Activations::default();
        let together = products(&mut activations, &[&float, &bytes]);
        let alone = [&float, &bytes].map(|w| products(&mut activations, &[w]).remove(0));
        assert_eq!(together, alone, "{}", kernels.isa.name());
    }
}

#[test]
fn two_terms_leave_a_hundredth_of_the_error() {
    let team = Team::new(2).unwrap();
    let mut random = Random(29);
    let (n_rows, n_cols) = (37, 96);
    for dtype in [DType::Q8_0, DType::Q4_1, DType::Q5_0] {
        let bytes = random_rows(dtype, n_rows, n_cols, &mut random);
        let mut plain = vec![0.0; n_rows * n_cols];
        dequantize_row(dtype, &bytes, &mut plain).unwrap();
        let bias = random.floats(n_rows);
        for (kernels, n_tokens) in
            available().flat_map(|kernels| [1, 3, 4, 8, 9, 33].map(|n| (kernels, n)))
        {
            let mut arena = Arena::default();
            let shape = (n_rows, n_cols);
            let w = Matrix::pack(&team, kernels, &mut arena, dtype, shape, &bytes, &|i| i)
                .unwrap()
                .with_bias(Some(bias.clone()));
            let x = random.floats(n_tokens * n_cols);
            let mut errors = [0.0f64; 2];
            for (fine, error) in [false, true].into_iter().zip(&mut errors) {
                let mut activations = Activations::default();
                if fine {
                    activations.reset_fine(n_tokens, n_cols, &w);
                } else {
                    activations.reset(n_tokens, n_cols, &[&w]);
                }
                activations.fill(&team, kernels, &|t, row| {
                    row.copy_from_slice(&x[t * n_cols..][..n_cols])
                });
                let mut out = vec![f32::NAN; n_tokens * n_rows];
                matmul(&team, &activations, &mut [Product { weights: &w, out: &mut out }]);
                for (i, found) in out.iter().enumerate() {
                    let (x, row) = (&x[i / n_rows * n_cols..], &plain[i % n_rows * n_cols..]);
                    let exact: f64 = (0..n_cols).map(|k| f64::from(x[k]) * f64::from(row[k])).sum();
                    *error += (f64::from(*found) - exact - f64::from(bias[i % n_rows])).powi(2);
                }
            }
            let ratio = (errors[1] / errors[0]).sqrt();
            let label = (kernels.isa.name(), dtype.name(), n_tokens);
            assert!(ratio < 0.01, "{label:?}: {ratio}");
        }
    }
}

#[test]
fn rows_can_be_reordered_while_packing() {
    let team = Team::new(1).unwrap();
    let bytes: Vec<u8> =
        (0..20 * 32).flat_map(|i| (i as f32 / 32.0).floor().to_le_bytes()).collect();
    let mut arena = Arena::default();
    let kernels = available().next().unwrap();
    let w = Matrix::pack(&team, kernels, &mut arena, DType::F32, (20, 32), &bytes, &|i| 19 - i)
        .unwrap();
    let mut x = Activations::default();
    x.reset(1, 32, &[&w]);
    x.fill(&team, kernels, &|_, row| row.fill(1.0 / 32.0));
    let mut out = vec![0.0; 20];
    matmul(&team, &x, &mut [Product { weights: &w, out: &mut out }]);
    assert_eq!(out, (0..20).map(|i| 19.0 - i as f32).collect::<Vec<_>>());
}

#[test]
fn wrong_sizes_are_refused() {
    let team = Team::new(1).unwrap();
    let kernels = available().next().unwrap();
    for (shape, bytes) in
        [((4, 33), 4 * 18), ((4, 32), 3 * 18), ((0, 32), 0), ((usize::MAX, 32), 18)]
    {
        let packed = Matrix::pack(
            &team,
            kernels,
            &mut Arena::default(),
            DType::Q4_0,
            shape,
            &vec![0; bytes],
            &|i| i,
        );
        assert!(packed.is_err(), "{shape:?}");
        let shared = std::sync::Arc::new(vec![0; bytes]);
        assert!(
            Matrix::in_place(kernels, DType::Q4_0, shape, shared, 0..bytes, None).is_err(),
            "{shape:?}"
        );
    }
}

#[test]
fn quantized_activations_are_those_of_the_specification() {
    let mut random = Random(3);
    let x: Vec<f32> =
        random.floats(320).iter().enumerate().map(|(i, x)| x * (i / 32) as f32).collect();
    let mut specified = vec![ActBlock::ZERO; 10];
    quantize_activations(&x, &mut specified);
    for kernels in available() {
        let mut found = vec![ActBlock::ZERO; 10];
        kernels.quantize(&x, &mut found);
        for (found, specified) in found.iter().zip(&specified) {
            assert!(
                (found.scale - specified.scale).abs() <= 1e-6 * specified.scale,
                "{}",
                kernels.isa.name()
            );
            for (a, b) in found.q.iter().zip(&specified.q) {
                assert!((i32::from(*a) - i32::from(*b)).abs() <= 1);
            }
            assert_eq!(found.neg_sum, -found.q.iter().map(|&q| i32::from(q)).sum::<i32>());
            assert_eq!(found.neg_sum_lo, -found.q[..16].iter().map(|&q| i32::from(q)).sum::<i32>());
        }
    }
}

#[test]
fn elementwise_and_reducing_kernels_agree_with_plain_arithmetic() {
    let mut random = Random(11);
    for n in [1, 15, 16, 64, 577] {
        let (x, y) = (random.floats(n), random.floats(n));
        let (x, y): (Vec<f32>, Vec<f32>) = (x.iter().map(|v| v * 9.0).collect(), y);
        for kernels in available() {
            let close = |what: &str, found: &[f32], exact: &dyn Fn(usize) -> f64| {
                for (i, &found) in found.iter().enumerate() {
                    let exact = exact(i);
                    let tolerance = 2e-6 * exact.abs().max(1.0);
                    assert!(
                        (f64::from(found) - exact).abs() <= tolerance,
                        "{what} {}: {found} {exact}",
                        kernels.isa.name()
                    );
                }
            };
            let wide = |i: usize| (f64::from(x[i]), f64::from(y[i]));
            let mut out = x.clone();
            kernels.silu_mul(&mut out, &y);
            close("silu", &out, &|i| wide(i).0 / (1.0 + (-wide(i).0).exp()) * wide(i).1);
            let mut out = x.clone();
            kernels.gelu_mul(&mut out, &y);
            close("gelu", &out, &|i| {
                let (x, y) = wide(i);
                let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
                0.5 * x * (1.0 + u.tanh()) * y
            });
            let mut out = x.clone();
            kernels.gelu_tanh(&mut out);
            close("gelu alone", &out, &|i| {
                let x = wide(i).0;
                0.5 * x
                    * (1.0
                        + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
            });
            let mut out = x.clone();
            kernels.gelu_erf(&mut out);
            close("gelu erf", &out, &|i| 0.5 * wide(i).0 * (1.0 + erf(wide(i).0 / 2f64.sqrt())));
            let mut out = x.clone();
            kernels.add(&mut out, &y);
            close("add", &out, &|i| wide(i).0 + wide(i).1);
            kernels.rms_norm(&x, &y, 1e-5, &mut out);
            let mean = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / n as f64;
            close("rms_norm", &out, &|i| wide(i).0 / (mean + 1e-5).sqrt() * wide(i).1);
            // A mean far from zero: where sums of squares would lose what the distances keep.
            let (far, bias): (Vec<f32>, Vec<f32>) = x.iter().map(|v| (v + 100.0, v * 0.5)).unzip();
            kernels.layer_norm(&far, &y, &bias, 1e-5, &mut out);
            let mean = far.iter().map(|&v| f64::from(v)).sum::<f64>() / n as f64;
            let variance =
                far.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n as f64;
            for (i, &found) in out.iter().enumerate() {
                let unit = (f64::from(far[i]) - mean) / (variance + 1e-5).sqrt();
                let exact = unit * f64::from(y[i]) + f64::from(bias[i]);
                assert!(
                    (f64::from(found) - exact).abs() < 1e-4,
                    "layer_norm {}: {found} {exact}",
                    kernels.isa.name()
                );
            }
            let sum: f64 = x.iter().map(|&v| f64::from(v).exp()).sum();
            assert!(
                (kernels.log_sum_exp(&x) - sum.ln()).abs() < 1e-5,
                "log_sum_exp {}",
                kernels.isa.name()
            );
            let first = (0..n).rev().max_by(|&i, &j| x[i].total_cmp(&x[j])).unwrap();
            assert_eq!(kernels.argmax(&x), first, "argmax {}", kernels.isa.name());
            let mut halves = vec![0; n];
            kernels.to_f16(&x, &mut halves);
            assert!(halves.iter().zip(&x).all(|(&h, &x)| h == f16::from_f32(x).to_bits()));
        }
    }
}

/// The error function by its series of positive terms (formula 7.1.6 of Abramowitz and Stegun).
fn erf(z: f64) -> f64 {
    let (mut term, mut sum) = (z, z);
    for n in 1..400 {
        term *= 2.0 * z * z / f64::from(2 * n + 1);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * (-z * z).exp() * sum
}

#[test]
fn a_bias_is_added_to_every_row_once() {
    let team = Team::new(2).unwrap();
    let mut random = Random(17);
    let (n_rows, n_cols) = (83, 64);
    for dtype in [DType::F32, DType::Q4_0] {
        let bytes = random_rows(dtype, n_rows, n_cols, &mut random);
        let bias = random.floats(n_rows);
        for (kernels, n_tokens) in
            available().flat_map(|kernels| [1, 2, 9, 33].map(|n| (kernels, n)))
        {
            let mut arena = Arena::default();
            let mut pack = || {
                Matrix::pack(&team, kernels, &mut arena, dtype, (n_rows, n_cols), &bytes, &|i| i)
                    .unwrap()
            };
            let (plain, biased) = (pack(), pack().with_bias(Some(bias.clone())));
            let x = random.floats(n_tokens * n_cols);
            let mut activations = Activations::default();
            activations.reset(n_tokens, n_cols, &[&plain]);
            activations
                .fill(&team, kernels, &|t, row| row.copy_from_slice(&x[t * n_cols..][..n_cols]));
            let (mut without, mut with) =
                (vec![0.0; n_tokens * n_rows], vec![0.0; n_tokens * n_rows]);
            let mut products = [
                Product { weights: &plain, out: &mut without },
                Product { weights: &biased, out: &mut with },
            ];
            matmul(&team, &activations, &mut products);
            for (i, (with, without)) in with.iter().zip(&without).enumerate() {
                assert_eq!(
                    *with,
                    without + bias[i % n_rows],
                    "{} {n_tokens} tokens, {i}",
                    kernels.isa.name()
                );
            }
        }
    }
}

#[test]
fn rope_turns_pairs_by_their_angles() {
    let mut random = Random(5);
    for half in [4, 16, 20, 32] {
        let x = random.floats(2 * half);
        let angles: Vec<f32> = random.floats(half);
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|a| (a.cos(), a.sin())).unzip();
        for kernels in available() {
            let mut out = x.clone();
            kernels.rope(&mut out, &cos, &sin);
            for i in 0..half {
                let (a, b) = (x[i], x[i + half]);
                assert!((out[i] - (a * cos[i] - b * sin[i])).abs() < 1e-6);
                assert!((out[i + half] - (a * sin[i] + b * cos[i])).abs() < 1e-6);
            }
        }
    }
}

/// Plain softmax attention in double precision over halves.
#[allow(clippy::too_many_arguments, reason = "a reference: the formula's own variables")]
fn plain_attention(
    q: &[f32],
    k: &[Vec<f32>],
    v: &[Vec<f32>],
    row: i32,
    scale: f32,
    window: Option<usize>,
) -> Vec<f64> {
    let seen = |p: usize| p as i32 <= row && window.is_none_or(|w| (row - p as i32) < w as i32);
    let scores: Vec<f64> = (0..k.len())
        .map(|p| {
            if seen(p) {
                q.iter().zip(&k[p]).map(|(a, b)| f64::from(a * b)).sum::<f64>() * f64::from(scale)
            } else {
                f64::NEG_INFINITY
            }
        })
        .collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|s| (s - max).exp()).sum();
    (0..q.len())
        .map(|d| scores.iter().zip(v).map(|(s, v)| (s - max).exp() / total * f64::from(v[d])).sum())
        .collect()
}

/// heads, KV heads, head_dim, keys, query rows, window
type AttentionCase = (usize, usize, usize, usize, usize, Option<usize>);

const ATTENTION_CASES: [AttentionCase; 7] = [
    (2, 2, 16, 33, 33, None),
    (9, 3, 64, 50, 1, None),
    (4, 1, 256, 700, 5, Some(40)),
    (8, 1, 80, 300, 3, Some(17)),
    // Heads that are no whole number of vectors, or of pairs of them.
    (2, 2, 80, 40, 40, None),
    (4, 2, 100, 70, 9, None),
    (3, 1, 8, 30, 1, None),
];

/// Keys or values of one head, `[position][head_dim]`.
type Head = Vec<Vec<f32>>;

/// Writes a vector to a slot of a page.
type WriteSlot<'a> = dyn Fn(&[f32], &mut [u8], usize) + 'a;

/// The pages of one head: every position in its block of `table`.
fn pages(
    n_blocks: usize,
    page: usize,
    table: &[u32],
    head: &Head,
    write: &WriteSlot<'_>,
) -> Vec<u8> {
    let mut pages = vec![0; n_blocks * page];
    for (p, x) in head.iter().enumerate() {
        write(x, &mut pages[table[p / KV_BLOCK] as usize * page..][..page], p % KV_BLOCK);
    }
    pages
}

fn check_attention(
    (n_heads, n_kv, head_dim, n_keys, n_rows, window): AttentionCase,
    kv: KvTypes,
    random: &mut Random,
) {
    let team = Team::new(2).unwrap();
    let mut heads = || -> Vec<Head> {
        (0..n_kv).map(|_| (0..n_keys).map(|_| random.floats(head_dim)).collect()).collect()
    };
    let (k, v) = (heads(), heads());
    let as_stored = |heads: &[Head], kv_type: KvType| -> Vec<Head> {
        heads.iter().map(|head| head.iter().map(|x| stored(kv_type, x)).collect()).collect()
    };
    let (exact_k, exact_v) = (as_stored(&k, kv.k()), as_stored(&v, kv.v()));
    let n_blocks = n_keys.div_ceil(KV_BLOCK);
    // Blocks are not in order, as in a cache that was used before.
    let table: Vec<u32> = (0..n_blocks as u32).rev().collect();
    let positions: Vec<i32> = (0..n_keys as i32).collect();
    let rows: Vec<i32> = (n_keys as i32 - n_rows as i32..n_keys as i32).collect();
    let q = random.floats(n_rows * n_heads * head_dim);
    let exact: Vec<f64> = (0..n_rows * n_heads)
        .flat_map(|i| {
            let (row, head) = (i / n_heads, i % n_heads / (n_heads / n_kv));
            plain_attention(
                &q[i * head_dim..][..head_dim],
                &exact_k[head],
                &exact_v[head],
                rows[row],
                0.3,
                window,
            )
        })
        .collect();
    let shape = AttentionShape { n_heads, n_kv_heads: n_kv, head_dim, scale: 0.3, window, kv };
    // Q8_0 is quantized as activations are, by a reciprocal: where an element lies between two
    // codes it may take the other.
    let tolerance = if [kv.k(), kv.v()].contains(&KvType::Q8_0) { 1e-4 } else { 1e-5 };
    let (k_page, v_page) = kv.page_bytes(head_dim);
    for kernels in available() {
        let key =
            |x: &[f32], page: &mut [u8], slot: usize| write_key(kernels, kv.k(), x, page, slot);
        let value =
            |x: &[f32], page: &mut [u8], slot: usize| write_value(kernels, kv.v(), x, page, slot);
        let lanes_k: Vec<_> =
            k.iter().map(|head| pages(n_blocks, k_page, &table, head, &key)).collect();
        let lanes_v: Vec<_> =
            v.iter().map(|head| pages(n_blocks, v_page, &table, head, &value)).collect();
        let lanes: Vec<KvLane> =
            lanes_k.iter().zip(&lanes_v).map(|(k, v)| KvLane { k, v }).collect();
        let mut out = vec![f32::NAN; q.len()];
        let span = SequenceSpan {
            first_row: 0,
            row_positions: &rows,
            block_table: &table,
            positions: &positions,
        };
        attention(&team, kernels, &shape, &lanes, &[span], &q, &mut out);
        for (found, exact) in out.iter().zip(&exact) {
            assert!(
                (f64::from(*found) - exact).abs() < tolerance,
                "{} {kv:?}: {found} {exact}",
                kernels.isa.name()
            );
        }
    }
}

#[test]
fn attention_agrees_with_plain_softmax() {
    let mut random = Random(13);
    for case in ATTENTION_CASES.into_iter().take(if cfg!(miri) { 1 } else { ATTENTION_CASES.len() })
    {
        check_attention(case, KvTypes::default(), &mut random);
    }
}

#[test]
fn attention_reads_every_pair_of_types_as_the_specification_stores_them() {
    let mut random = Random(29);
    let n_cases = if cfg!(miri) { 1 } else { ATTENTION_CASES.len() };
    for kv in KvTypes::all() {
        for case in ATTENTION_CASES.into_iter().take(n_cases) {
            check_attention(case, kv, &mut random);
        }
    }
}

#[test]
fn argmax_is_the_first_of_the_largest_and_never_nan() {
    for kernels in available() {
        let argmax = |x: &[f32]| kernels.argmax(x);
        let isa = kernels.isa.name();
        for n in [1usize, 7, 511, 512, 513, 2048, 49_152, 151_937] {
            let mut x: Vec<f32> = (0..n).map(|i| -1.0 - (i % 97) as f32).collect();
            for at in [0, n / 3, n - 1] {
                for later in (at + 1..n).step_by(n / 5 + 1) {
                    let before = (x[at], x[later]);
                    (x[at], x[later]) = (4.0, 4.0);
                    assert_eq!(argmax(&x), at, "{isa}: {n} with {at} and {later}");
                    // A NaN behind the largest in the same chain must not hide it, nor one before
                    // it.
                    x[later] = f32::NAN;
                    assert_eq!(argmax(&x), at, "{isa}: {n} with {at} and NaN at {later}");
                    (x[at], x[later]) = (f32::NAN, 4.0);
                    assert_eq!(argmax(&x), later, "{isa}: {n} with NaN at {at} and {later}");
                    (x[at], x[later]) = before;
                }
            }
        }
        for none in [&[][..], &[f32::NAN; 600], &[f32::NEG_INFINITY; 600]] {
            assert_eq!(argmax(none), 0, "{isa}");
        }
    }
}
