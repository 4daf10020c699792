//! A model with every weight in single precision: what the blocks of its file stand for. The
//! reference that quality is measured against: the same weights without any rounding after that.
//!
//! Tensors are made when they are asked for, so no second file is written; what the numbers of a
//! block are is `quant`'s.

use crate::quantize::RECIPES;
use crate::{DType, ModelFile, Result, TensorBytes, TensorInfo, TensorSource, Value};
use pacemark_quant::dequantize_row;

/// Makes the model's tensors anew in single precision.
#[derive(Debug)]
struct Dequantized(ModelFile);

impl TensorSource for Dequantized {
    fn bytes(&self, tensor: &TensorInfo) -> Result<TensorBytes> {
        // Described by the model itself, so it is there and the sizes agree.
        let stored = self.0.tensor(&tensor.name).expect("a tensor of the model");
        let bytes = self.0.bytes(stored)?;
        if stored.dtype == DType::F32 {
            return Ok(bytes);
        }
        let mut made = vec![0; tensor.n_bytes() as usize];
        let block = stored.dtype.info();
        // Whole blocks, few enough that their floats stay in the cache.
        let n_blocks = (CHUNK / block.block_len).max(1);
        let mut floats = vec![0.0; n_blocks * block.block_len];
        let stored_chunks = bytes.chunks(n_blocks * block.block_bytes);
        for (stored_chunk, made_chunk) in stored_chunks.zip(made.chunks_mut(4 * floats.len())) {
            let floats = &mut floats[..made_chunk.len() / 4];
            dequantize_row(stored.dtype, stored_chunk, floats).expect("a checked shape");
            let bytes = made_chunk.chunks_exact_mut(4).zip(floats);
            bytes.for_each(|(bytes, x)| bytes.copy_from_slice(&x.to_le_bytes()));
        }
        bytes.release();
        Ok(made.into())
    }

    fn file_bytes(&self) -> u64 {
        self.0.file_bytes()
    }

    fn n_parts(&self) -> usize {
        self.0.n_parts()
    }
}

/// Weights that are converted at a time.
const CHUNK: usize = 1 << 14;

/// The same model in single precision.
pub(crate) fn dequantized(model: ModelFile) -> Result<ModelFile> {
    let mut metadata = model.metadata().clone();
    let single = RECIPES.iter().find(|info| info.dtype == DType::F32);
    let single = single.expect("F32 is a recipe");
    metadata.set("general.file_type", Value::U32(single.file_type));
    let tensors = model.tensors().iter();
    let tensors = tensors.map(|t| TensorInfo::new(t.name.clone(), t.dims.clone(), DType::F32));
    let (path, warnings) = (model.path().to_owned(), model.warnings().to_vec());
    let made = ModelFile::from_source(path, metadata, tensors.collect(), {
        Box::new(Dequantized(model))
    })?;
    Ok(made.with_warnings(warnings))
}
