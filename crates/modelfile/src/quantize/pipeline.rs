//! The conversion: tensor after tensor through floats, rows in parallel, to a file that appears
//! when it is complete.

use super::{Choices, ModelFacts, QuantizeError, TargetType, targets};
use crate::gguf::write::GgufFile;
use crate::{DType, Metadata, ModelFile, TensorInfo, Value};
use pacemark_quant::{dequantize_row, quantize_row};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Version of the block formats that GGUF files state; ggml has been at 2 since 2023.
const QUANTIZATION_VERSION: u32 = 2;
/// Weights that a thread converts at a time: a quarter of a megabyte as floats, so that they stay
/// in its cache.
const CHUNK: usize = 1 << 16;

/// What becomes of one tensor.
#[derive(Clone, Debug)]
pub struct Job {
    /// The tensor as it is.
    pub tensor: TensorInfo,
    /// What it becomes.
    pub target: TargetType,
}

/// What the new file will be.
#[derive(Debug)]
pub struct Plan {
    /// Keys and values of the new file.
    pub metadata: Metadata,
    /// All tensors, in the order of the input.
    pub jobs: Vec<Job>,
}

impl Plan {
    /// Memory that writing it takes, besides pages of mapped files: the largest tensor, where it is
    /// made before it is converted, and after; each thread's floats.
    pub fn memory_bytes(&self, model: &ModelFile, n_threads: usize) -> u64 {
        let of = |job: &Job| {
            let after =
                TensorInfo::new(job.tensor.name.clone(), job.tensor.dims.clone(), job.target.dtype)
                    .n_bytes();
            let before = if model.is_made() { job.tensor.n_bytes() } else { 0 };
            after.saturating_add(before)
        };
        let floats = (n_threads as u64).saturating_mul(4 * CHUNK as u64);
        self.jobs.iter().map(of).max().unwrap_or(0).saturating_add(floats)
    }

    /// Every tensor as it is: writes what a [`crate::TensorSource`] makes to a file.
    pub fn copy(model: &ModelFile) -> Plan {
        let same = |tensor: &TensorInfo| TargetType { dtype: tensor.dtype, instead_of: None };
        let jobs = model
            .tensors()
            .iter()
            .map(|tensor| Job { tensor: tensor.clone(), target: same(tensor) })
            .collect();
        Plan { metadata: whole(model.metadata()), jobs }
    }
}

/// Keys and values of a model that is one file, whatever number it was read from.
fn whole(metadata: &Metadata) -> Metadata {
    let mut copied = Metadata::new();
    let keys = metadata.iter().filter(|(key, _)| !key.starts_with("split."));
    keys.for_each(|(key, value)| _ = copied.set(key, value.clone()));
    copied
}

/// Chooses types for a model's tensors. Refuses to quantize what is quantized, unless
/// `allow_requantize`.
pub fn plan(
    model: &ModelFile,
    choices: &Choices,
    allow_requantize: bool,
) -> Result<Plan, QuantizeError> {
    let targets = targets(choices, &ModelFacts::of(model.metadata())?, model.tensors());
    let pairs = model.tensors().iter().zip(targets);
    let jobs: Vec<Job> =
        pairs.map(|(tensor, target)| Job { tensor: tensor.clone(), target }).collect();
    for Job { tensor, target } in &jobs {
        let is_float = matches!(tensor.dtype, DType::F32 | DType::F16 | DType::BF16);
        if tensor.dtype != target.dtype && !is_float && !allow_requantize {
            return Err(QuantizeError::Requantize {
                tensor: tensor.name.clone(),
                from: tensor.dtype,
                to: target.dtype,
            });
        }
    }
    let mut metadata = whole(model.metadata());
    metadata.set("general.quantization_version", Value::U32(QUANTIZATION_VERSION));
    metadata.set("general.file_type", Value::U32(choices.recipe.info().file_type));
    Ok(Plan { metadata, jobs })
}

/// Writes the planned file and tells its size in bytes. `progress` is told the input bytes that are
/// done; `stop` ends the work early.
///
/// A file is at `path` only after success. Memory: the largest tensor of the output, and a chunk of
/// floats a thread.
pub fn write(
    model: &ModelFile,
    plan: &Plan,
    path: &Path,
    n_threads: usize,
    progress: &mut dyn FnMut(u64),
    stop: &AtomicBool,
) -> Result<u64, QuantizeError> {
    let infos = plan.jobs.iter().map(|job| {
        TensorInfo::new(job.tensor.name.clone(), job.tensor.dims.clone(), job.target.dtype)
    });
    let infos: Vec<TensorInfo> = infos.collect();
    let sizes: Vec<u64> = infos.iter().map(TensorInfo::n_bytes).collect();
    let mut file = GgufFile::create(path, &plan.metadata, infos)?;
    let (mut done, mut out) = (0, Vec::new());
    for (job, size) in plan.jobs.iter().zip(sizes) {
        if stop.load(Ordering::Relaxed) {
            return Err(QuantizeError::Interrupted);
        }
        let bytes = model.bytes(&job.tensor)?;
        if job.target.dtype == job.tensor.dtype {
            file.write_tensor(&bytes)?;
        } else {
            out.resize(size as usize, 0); // checked by `create`
            convert(job, &bytes, &mut out, n_threads, stop)?;
            file.write_tensor(&out)?;
        }
        bytes.release();
        done += job.tensor.n_bytes();
        progress(done);
    }
    Ok(file.finish()?)
}

/// Converts a tensor, `n_threads` chunks of rows at a time.
fn convert(
    job: &Job,
    bytes: &[u8],
    out: &mut [u8],
    n_threads: usize,
    stop: &AtomicBool,
) -> Result<(), QuantizeError> {
    let Job { tensor, target } = job;
    let row = tensor.dims[0] as usize; // a row of a checked tensor is in memory
    let rows = (CHUNK / row).max(1);
    // Rows are whole blocks of either type: of the input it was checked on opening, of the output
    // when it was chosen.
    let size = |dtype: DType| rows * row / dtype.info().block_len * dtype.info().block_bytes;
    let chunks = bytes.chunks(size(tensor.dtype)).zip(out.chunks_mut(size(target.dtype)));
    let chunks = Mutex::new(chunks);
    let work = || -> Result<(), QuantizeError> {
        let mut floats = Vec::new();
        loop {
            let next = chunks.lock().unwrap_or_else(|e| e.into_inner()).next();
            let Some((bytes, out)) = next else { return Ok(()) };
            if stop.load(Ordering::Relaxed) {
                return Err(QuantizeError::Interrupted);
            }
            let info = tensor.dtype.info();
            floats.resize(bytes.len() / info.block_bytes * info.block_len, 0.0);
            dequantize_row(tensor.dtype, bytes, &mut floats)
                .expect("sizes follow from a checked shape");
            if let Some(value) = misfit(&floats, target.dtype) {
                return Err(QuantizeError::Value {
                    tensor: tensor.name.clone(),
                    value,
                    to: target.dtype,
                });
            }
            quantize_row(target.dtype, &floats, out).expect("sizes follow from a checked shape");
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..n_threads).map(|_| scope.spawn(work)).collect();
        let mut result = work();
        for other in others {
            let theirs = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            result = result.and(theirs);
        }
        result
    })
}

/// A weight that `dtype` cannot hold: not a number, infinite, or beyond what its half-precision
/// scales reach.
fn misfit(floats: &[f32], dtype: DType) -> Option<f32> {
    let largest = match dtype {
        DType::F32 | DType::MXFP4 => f32::MAX,
        DType::BF16 => 3.389e38,
        _ => 65504.0,
    };
    floats.iter().copied().find(|x| x.is_nan() || x.abs() > largest)
}
