//! The numbers that an engine computes with, where it leaves the choice to its user.

use std::fmt;

/// Numbers that weights are held and multiplied in.
///
/// ```
/// use pacemark_setup::Precision;
///
/// assert_eq!(Precision::from_name("bf16"), Some(Precision::Bf16));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Single precision.
    F32,
    /// The upper half of single precision.
    Bf16,
    /// Half precision.
    F16,
    /// Weights of 8 bits, quantized by the engine.
    Int8,
    /// Weights of 4 bits, quantized by the engine.
    Int4,
}

impl Precision {
    /// All of them.
    pub const ALL: [Precision; 5] =
        [Precision::F32, Precision::Bf16, Precision::F16, Precision::Int8, Precision::Int4];

    /// Its name on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
            Precision::Int8 => "int8",
            Precision::Int4 => "int4",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Precision> {
        Precision::ALL.into_iter().find(|precision| precision.name() == name)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
