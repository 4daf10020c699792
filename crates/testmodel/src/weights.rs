//! Seeded random weights of any type.

use pacemark_modelfile::arch::Role;
use pacemark_quant::{DType, quantize_row};

/// A linear congruential generator (Knuth's MMIX constants): the same weights on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 32) as u32
    }

    /// In -1..1.
    fn unit(&mut self) -> f32 {
        self.bits() as f32 / (1u64 << 31) as f32 - 1.0
    }
}

/// The bytes of a tensor. Norms are around one, and biases small; matrices keep the size of what
/// they multiply.
pub(crate) fn tensor(random: &mut Random, role: Role, dims: &[u64], dtype: DType) -> Vec<u8> {
    let n: usize = dims.iter().product::<u64>() as usize;
    let (center, spread) = match role {
        Role::Norm | Role::Constants => (1.0, 0.2),
        Role::Bias => (0.0, 0.2),
        Role::Table | Role::Matrix => (0.0, (3.0 / dims[0] as f32).sqrt()),
    };
    let mut bytes = vec![0; dtype.bytes_for(n).expect("test shapes are whole blocks")];
    let values: Vec<f32> = (0..n).map(|_| center + spread * random.unit()).collect();
    quantize_row(dtype, &values, &mut bytes).expect("the size was computed for this type");
    bytes
}
