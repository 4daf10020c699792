//! Operations on whole rows, written once over the table's per-block functions.

use crate::DType;

/// Why a row cannot be converted.
#[derive(Debug, PartialEq, Eq)]
pub enum QuantError {
    /// The row is not a whole number of blocks, or the buffers disagree.
    Shape {
        /// Type of the row.
        dtype: DType,
        /// Elements asked for.
        elements: usize,
        /// Bytes given.
        bytes: usize,
    },
}

impl std::fmt::Display for QuantError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            QuantError::Shape { dtype, elements, bytes } => {
                write!(f, "{} elements do not fit {} bytes of {}", elements, bytes, dtype.name())
            }
        }
    }
}

impl std::error::Error for QuantError {}

/// Expands a row of `dtype` to floats. `out.len()` is the row's length in elements.
pub fn dequantize_row(dtype: DType, bytes: &[u8], out: &mut [f32]) -> Result<(), QuantError> {
    check(dtype, bytes.len(), out.len())?;
    let info = dtype.info();
    for (block, values) in
        bytes.chunks_exact(info.block_bytes).zip(out.chunks_exact_mut(info.block_len))
    {
        (info.dequantize)(block, values);
    }
    Ok(())
}

/// Packs a row of floats as `dtype`.
pub fn quantize_row(dtype: DType, values: &[f32], out: &mut [u8]) -> Result<(), QuantError> {
    check(dtype, out.len(), values.len())?;
    let info = dtype.info();
    for (values, block) in
        values.chunks_exact(info.block_len).zip(out.chunks_exact_mut(info.block_bytes))
    {
        (info.quantize)(values, block);
    }
    Ok(())
}

fn check(dtype: DType, bytes: usize, elements: usize) -> Result<(), QuantError> {
    if dtype.bytes_for(elements) == Some(bytes) {
        Ok(())
    } else {
        Err(QuantError::Shape { dtype, elements, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DTYPES;

    /// A deterministic spread of values in [-1, 1] with repeated extremes and zeros.
    fn values(n: usize) -> Vec<f32> {
        (0..n)
            .map(
                |i| {
                    if i % 17 == 0 { 0.0 } else { ((i * 2654435761 % 10007) as f32 / 5003.0) - 1.0 }
                },
            )
            .collect()
    }

    #[test]
    fn every_type_round_trips_within_its_bound() {
        for info in DTYPES {
            let x = values(info.block_len * 8);
            let mut bytes = vec![0; info.dtype.bytes_for(x.len()).unwrap()];
            quantize_row(info.dtype, &x, &mut bytes).unwrap();
            let mut back = vec![0.0; x.len()];
            dequantize_row(info.dtype, &bytes, &mut back).unwrap();
            let worst = x.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= info.max_roundtrip_err, "{}: {worst}", info.name);
        }
    }

    #[test]
    fn wrong_sizes_are_refused() {
        for info in DTYPES {
            let mut out = vec![0.0; info.block_len];
            assert!(dequantize_row(info.dtype, &vec![0; info.block_bytes + 1], &mut out).is_err());
        }
    }
}
