//! `cargo bench -p pacemark-kernels [-- TYPE…]`: every weight type times 1, 8 and 512 tokens, as
//! GB/s of weights and GOPS, beside the machine's measured roofs.
//!
//! Prints the best of many runs, because it asks what the kernel can do, not what the machine
//! happened to do; whole-model figures with intervals are `pacemark bench`'s business. Matrices are
//! larger than the caches, as a model's are.

use pacemark_kernels::{Activations, Arena, Matrix, Product, Roof, Team, kernels, matmul};
use pacemark_quant::{DTYPES, DTypeInfo, quantize_row};
use std::time::{Duration, Instant};

/// Row length and rows of the matrices: the feed-forward block of a 0.6B model.
const K: usize = 1024;
const ROWS: usize = 3072;
/// Copies, so that decoding reads memory and not the cache.
const MATRICES: usize = 64;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let team = Team::new(threads).expect("threads can be started");
    let kernels = kernels().expect("a valid PACEMARK_ISA");
    let roof = Roof::new(kernels, 512 << 20).expect("memory for the roof");
    let time = Duration::from_millis(500);
    let read = roof.read_bytes_per_s(&team, time);
    let int8 = roof.int8_operations_per_s(&team, time);
    let float = roof.f32_operations_per_s(&team, time);
    println!(
        "{threads} threads, {}: read {:.1} GB/s, int8 {:.0} GOPS, f32 {:.0} GFLOPS",
        kernels.isa.name(),
        read / 1e9,
        int8 / 1e9,
        float / 1e9
    );
    println!(
        "{:8} {:>6} {:>10} {:>8} {:>10} {:>8}",
        "type", "tokens", "GB/s", "% read", "GOPS", "% int8"
    );
    for info in DTYPES
        .iter()
        .filter(|info| wanted.is_empty() || wanted.iter().any(|name| name == info.name))
    {
        let weights = Weights::new(info, &team);
        for n_tokens in [1, 8, 16, 512] {
            let seconds = weights.seconds(&team, n_tokens);
            let bytes = (ROWS * K / info.block_len * info.block_bytes) as f64 / seconds;
            let operations = (2 * ROWS * K * n_tokens) as f64 / seconds;
            println!(
                "{:8} {n_tokens:6} {:10.2} {:8.1} {:10.1} {:8.1}",
                info.name,
                bytes / 1e9,
                100.0 * bytes / read,
                operations / 1e9,
                100.0 * operations / int8
            );
        }
    }
}

struct Weights(Vec<Matrix>);

impl Weights {
    fn new(info: &DTypeInfo, team: &Team) -> Weights {
        let values: Vec<f32> =
            (0..K * 64).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 1000.0 - 0.5).collect();
        let mut bytes = vec![0; K * 64 / info.block_len * info.block_bytes];
        quantize_row(info.dtype, &values, &mut bytes).expect("whole blocks");
        let bytes = bytes.repeat(ROWS / 64);
        let mut arena = Arena::default();
        let mut pack = || {
            let set = kernels().expect("chosen before");
            Matrix::pack(team, set, &mut arena, info.dtype, (ROWS, K), &bytes, &|row| row)
                .expect("a valid matrix")
        };
        Weights((0..MATRICES).map(|_| pack()).collect())
    }

    /// The best time of one product with `n_tokens` rows of activations.
    fn seconds(&self, team: &Team, n_tokens: usize) -> f64 {
        let mut activations = Activations::default();
        activations.reset(n_tokens, K, &[&self.0[0]]);
        let set = kernels().expect("chosen before");
        activations.fill(team, set, &|t, row| {
            row.iter_mut().enumerate().for_each(|(i, x)| *x = ((i + t) % 17) as f32 - 8.0)
        });
        let mut out = vec![0.0; n_tokens * ROWS];
        // A long pass would hardly ever be undisturbed, and many tokens do not wait for memory.
        let matrices = if n_tokens > 64 { &self.0[..4] } else { &self.0 };
        let (started, mut best, mut passes) = (Instant::now(), f64::INFINITY, 0);
        while passes < 3 || started.elapsed() < Duration::from_millis(400) {
            let from = Instant::now();
            for weights in matrices {
                matmul(team, &activations, &mut [Product { weights, out: &mut out }]);
            }
            best = best.min(from.elapsed().as_secs_f64() / matrices.len() as f64);
            passes += 1;
        }
        best
    }
}
