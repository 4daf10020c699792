//! The one place where instruction sets are detected.

use crate::KernelSet;
use std::sync::OnceLock;

/// An instruction set with kernels of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Plain arrays, for every target.
    Portable,
    /// What every x86-64 has.
    Sse2,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, VL, DQ and VNNI.
    Avx512,
    /// What every 64-bit ARM has.
    Neon,
    /// NEON and the dot product extension.
    NeonDotprod,
}

impl Isa {
    /// The name that `PACEMARK_ISA` takes.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Sse2 => "sse2",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Neon => "neon",
            Isa::NeonDotprod => "neon-dotprod",
        }
    }
}

/// All kernel sets, best first.
#[cfg(target_arch = "x86_64")]
static SETS: &[&KernelSet] = &[
    &crate::avx512::KERNELS,
    &crate::avx2::KERNELS,
    &crate::sse2::KERNELS,
    &crate::portable::KERNELS,
];
/// All kernel sets, best first.
#[cfg(target_arch = "aarch64")]
static SETS: &[&KernelSet] =
    &[&crate::neon::dotprod::KERNELS, &crate::neon::plain::KERNELS, &crate::portable::KERNELS];
/// All kernel sets, best first.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static SETS: &[&KernelSet] = &[&crate::portable::KERNELS];

fn detected(isa: Isa) -> bool {
    match isa {
        Isa::Portable => true,
        Isa::Sse2 => cfg!(target_arch = "x86_64"),
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        Isa::Avx2 => has_avx2(),
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        Isa::Avx512 => {
            has_avx2()
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vnni")
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        Isa::Avx2 | Isa::Avx512 => false,
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        Isa::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        Isa::NeonDotprod => {
            detected(Isa::Neon) && std::arch::is_aarch64_feature_detected!("dotprod")
        }
        #[cfg(not(all(target_arch = "aarch64", not(miri))))]
        Isa::Neon | Isa::NeonDotprod => false,
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
}

/// The kernel sets that this CPU can run, best first; portable is always the last.
pub fn available() -> impl Iterator<Item = &'static KernelSet> {
    SETS.iter().copied().filter(|set| detected(set.isa))
}

/// Why `PACEMARK_ISA` cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsaError {
    asked: String,
    available: Vec<&'static str>,
}

impl std::fmt::Display for IsaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PACEMARK_ISA={}: this machine has {}", self.asked, self.available.join(", "))
    }
}

impl std::error::Error for IsaError {}

/// The best kernel set of this CPU, or the one that the environment variable `PACEMARK_ISA` names.
pub fn kernels() -> Result<&'static KernelSet, IsaError> {
    static CHOSEN: OnceLock<Result<&'static KernelSet, IsaError>> = OnceLock::new();
    CHOSEN.get_or_init(|| choose(std::env::var("PACEMARK_ISA").ok())).clone()
}

fn choose(asked: Option<String>) -> Result<&'static KernelSet, IsaError> {
    let mut sets = available();
    let found = match &asked {
        Some(name) => sets.find(|set| set.isa.name() == name),
        None => sets.next(),
    };
    found.ok_or_else(|| IsaError {
        asked: asked.unwrap_or_default(),
        available: available().map(|set| set.isa.name()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portable_is_last_and_names_select() {
        assert_eq!(available().last().map(|set| set.isa), Some(Isa::Portable));
        for set in available() {
            assert_eq!(choose(Some(set.isa.name().into())).unwrap().isa, set.isa);
        }
        assert!(choose(Some("avx1024".into())).is_err());
    }

    /// `PACEMARK_TEST_ISAS` names the sets that a machine or emulator is meant to test; all other
    /// tests take what there is.
    #[test]
    fn sets_that_this_run_is_for_are_available() {
        for name in std::env::var("PACEMARK_TEST_ISAS").iter().flat_map(|list| list.split(',')) {
            assert_eq!(choose(Some(name.into())).map(|set| set.isa.name()), Ok(name));
        }
    }
}
