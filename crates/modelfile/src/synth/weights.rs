//! The weights: blocks quantized from seeded normal numbers, laid in an order that only the seed
//! and the tensor decide.
//!
//! Quantizing every weight of a large model would take minutes and change nothing about its speed,
//! so a pool of some thousand blocks is quantized once for each type, and each tensor is filled
//! from it.

use super::{Shape, describe};
use crate::{ModelFileError, Result, TensorBytes, TensorInfo, TensorSource};
use pacemark_quant::{DTYPES, DType, quantize_row};
use std::path::PathBuf;
use std::sync::OnceLock;

/// Weights drawn for a type's pool.
const POOL: usize = 1 << 18;
/// Standard deviation of the weights: what GPT-2 and most after it start their training from.
const DEVIATION: f32 = 0.02;
/// Bytes that one thread fills at a time.
const CHUNK: usize = 1 << 22;

/// Makes the tensors of one shape.
#[derive(Debug)]
pub(super) struct Shaped {
    shape: Shape,
    weights: Weights,
}

impl Shaped {
    pub(super) fn new(label: PathBuf, shape: Shape) -> Shaped {
        Shaped { shape, weights: Weights::of(label) }
    }
}

impl TensorSource for Shaped {
    fn bytes(&self, tensor: &TensorInfo) -> Result<TensorBytes> {
        match describe::fixed_values(&self.shape, tensor) {
            Some(values) => {
                Ok(values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>().into())
            }
            None => self.weights.drawn(tensor),
        }
    }
}

/// Draws tensors of any shape and type.
#[derive(Debug)]
pub(super) struct Weights {
    label: PathBuf,
    pools: Vec<OnceLock<Vec<u8>>>,
}

impl Weights {
    /// `label` is what errors name.
    pub(super) fn of(label: PathBuf) -> Weights {
        Weights { label, pools: DTYPES.iter().map(|_| OnceLock::new()).collect() }
    }

    /// Blocks of `dtype`.
    fn pool(&self, dtype: DType) -> Result<&[u8]> {
        let pool = &self.pools[dtype as usize];
        if let Some(pool) = pool.get() {
            return Ok(pool);
        }
        let mut random = Random(0x5eed ^ dtype as u64);
        let values: Vec<f32> = (0..POOL).map(|_| random.normal() * DEVIATION).collect();
        let info = dtype.info();
        let mut bytes = vec![0; POOL / info.block_len * info.block_bytes];
        quantize_row(dtype, &values, &mut bytes).map_err(|e| {
            ModelFileError::invalid(
                &self.label,
                dtype.name(),
                "a type that can be written",
                e.to_string(),
            )
        })?;
        Ok(pool.get_or_init(|| bytes))
    }

    /// The tensor's bytes.
    pub(super) fn drawn(&self, tensor: &TensorInfo) -> Result<TensorBytes> {
        let pool = self.pool(tensor.dtype)?;
        let block = tensor.dtype.info().block_bytes;
        let n_blocks = (pool.len() / block) as u64;
        let seed = tensor.name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        let mut out = vec![0u8; tensor.n_bytes() as usize];
        let chunk = CHUNK / block * block;
        let threads = pacemark_limits::processors();
        let chunks: Vec<(u64, &mut [u8])> = (0..).zip(out.chunks_mut(chunk)).collect();
        let work = std::sync::Mutex::new(chunks.into_iter());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    // A poisoned lock means another filler panicked; the scope passes that on.
                    while let Some((number, bytes)) =
                        work.lock().ok().and_then(|mut rest| rest.next())
                    {
                        let mut random = Random(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                        for out in bytes.chunks_exact_mut(block) {
                            let at = ((random.next() >> 32) * n_blocks) >> 32;
                            out.copy_from_slice(&pool[at as usize * block..][..block]);
                        }
                    }
                });
            }
        });
        Ok(out.into())
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Mean 0, variance 1: a sum of twelve uniforms less six.
    fn normal(&mut self) -> f32 {
        let uniform = |bits: u64| (bits >> 40) as f32 / (1u64 << 24) as f32;
        (0..12).map(|_| uniform(self.next())).sum::<f32>() - 6.0
    }
}
