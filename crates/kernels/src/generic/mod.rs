//! The kernels, written once over the traits of `simd.rs`, and the macro that instantiates them for
//! an ISA.
//!
//! Dispatch happens once per operation and thread chunk: a [`crate::KernelSet`] holds one function
//! pointer per kernel, and everything below that pointer is inlined into one function compiled for
//! the ISA.

pub(crate) mod attention;
pub(crate) mod elementwise;
pub(crate) mod gemm;
mod gemm_block;
pub(crate) mod gemm_floats;
pub(crate) mod kv;
pub(crate) mod mass;
pub(crate) mod math;
pub(crate) mod peak;
pub(crate) mod reduce;

/// Defines `KERNELS`, an ISA's [`crate::KernelSet`]: every generic kernel inside a function that
/// enables the features.
macro_rules! instantiate_kernels {
    ($vector:ty, $isa:expr $(, $features:literal)?) => {
        #[allow(clippy::missing_safety_doc, reason = "reached only through the KernelSet below")]
        mod instances {
            use super::*;
            use $crate::generic::{attention, elementwise, gemm, gemm_floats, kv, mass, peak, reduce};
            use $crate::panel::decode::*;
            use $crate::kernel_set::*;

            macro_rules! instance {
                ($name:ident($arg:ident: $type:ty) $body:expr) => {
                    $(#[target_feature(enable = $features)])?
                    pub(super) unsafe fn $name($arg: $type) {
                        // SAFETY: forwarded from the caller, who detected the features and
                        // validated the arguments.
                        unsafe { $body }
                    }
                };
            }

            instance!(q4_0(a: &GemmArgs) gemm::quantized::<$vector, Bits4, Plain>(a));
            instance!(q4_1(a: &GemmArgs) gemm::quantized::<$vector, Bits4, Affine>(a));
            instance!(q5_0(a: &GemmArgs) gemm::quantized::<$vector, Bits5, Plain>(a));
            instance!(q5_1(a: &GemmArgs) gemm::quantized::<$vector, Bits5, Affine>(a));
            instance!(q8_0(a: &GemmArgs) gemm::quantized::<$vector, Bits8, Plain>(a));
            instance!(q2_k(a: &GemmArgs) gemm::quantized::<$vector, Bits2, SuperMin16>(a));
            instance!(q3_k(a: &GemmArgs) gemm::quantized::<$vector, Bits3, Super16>(a));
            instance!(q4_k(a: &GemmArgs) gemm::quantized::<$vector, Bits4, Super>(a));
            instance!(q5_k(a: &GemmArgs) gemm::quantized::<$vector, Bits5, Super>(a));
            instance!(q6_k(a: &GemmArgs) gemm::quantized::<$vector, Bits6, Super16>(a));
            instance!(iq4_nl(a: &GemmArgs) gemm::quantized::<$vector, Iq4, Plain>(a));
            instance!(iq4_xs(a: &GemmArgs) gemm::quantized::<$vector, Iq4, SuperSigned>(a));
            instance!(mxfp4(a: &GemmArgs) gemm::quantized::<$vector, Fp4, Exponent>(a));
            instance!(f32(a: &GemmArgs) gemm_floats::multiply::<$vector, gemm_floats::Single>(a));
            instance!(f16(a: &GemmArgs) gemm_floats::multiply::<$vector, gemm_floats::Half>(a));
            instance!(bf16(a: &GemmArgs) gemm_floats::multiply::<$vector, gemm_floats::Brain>(a));
            instance!(attention_f32_f32(a: &mut AttentionArgs) attention::tile::<$vector, kv::Single, kv::Single>(a));
            instance!(attention_f16_f16(a: &mut AttentionArgs) attention::tile::<$vector, kv::Half, kv::Half>(a));
            instance!(attention_f16_q8_0(a: &mut AttentionArgs) attention::tile::<$vector, kv::Half, kv::Bytes>(a));
            instance!(attention_f16_q4_0(a: &mut AttentionArgs) attention::tile::<$vector, kv::Half, kv::Nibbles>(a));
            instance!(attention_q8_0_f16(a: &mut AttentionArgs) attention::tile::<$vector, kv::Bytes, kv::Half>(a));
            instance!(attention_q8_0_q8_0(a: &mut AttentionArgs) attention::tile::<$vector, kv::Bytes, kv::Bytes>(a));
            instance!(attention_q8_0_q4_0(a: &mut AttentionArgs) attention::tile::<$vector, kv::Bytes, kv::Nibbles>(a));
            instance!(attention_q4_0_q4_0(a: &mut AttentionArgs) attention::tile::<$vector, kv::Nibbles, kv::Nibbles>(a));
            instance!(mass_f32(a: &mut MassArgs) mass::add::<$vector, kv::Single>(a));
            instance!(mass_f16(a: &mut MassArgs) mass::add::<$vector, kv::Half>(a));
            instance!(mass_q8_0(a: &mut MassArgs) mass::add::<$vector, kv::Bytes>(a));
            instance!(mass_q4_0(a: &mut MassArgs) mass::add::<$vector, kv::Nibbles>(a));
            instance!(rms_norm(a: RmsNormArgs) reduce::rms_norm::<$vector>(a));
            instance!(layer_norm(a: LayerNormArgs) reduce::layer_norm::<$vector>(a));
            instance!(quantize(a: QuantizeArgs) reduce::quantize::<$vector>(a));
            instance!(silu_mul(a: MulArgs) elementwise::gated::<$vector, elementwise::Silu>(a));
            instance!(gelu_mul(a: MulArgs) elementwise::gated::<$vector, elementwise::GeluTanh>(a));
            instance!(gelu_tanh(a: MulArgs) elementwise::plain::<$vector, elementwise::GeluTanh>(a));
            instance!(gelu_erf(a: MulArgs) elementwise::plain::<$vector, elementwise::GeluErf>(a));
            instance!(add(a: MulArgs) elementwise::add::<$vector>(a));
            instance!(rope(a: RopeArgs) elementwise::rope_half::<$vector>(a));
            instance!(to_f16(a: ToF16Args) elementwise::to_f16::<$vector>(a));
            instance!(read_1(a: &mut PeakArgs) peak::read::<$vector, 1>(a));
            instance!(read_4(a: &mut PeakArgs) peak::read::<$vector, 4>(a));
            instance!(int8_peak(a: &mut PeakArgs) peak::int8::<$vector>(a));
            instance!(f32_peak(a: &mut PeakArgs) peak::f32::<$vector>(a));
            instance!(argmax(a: &mut ArgmaxArgs) reduce::argmax::<$vector>(a));
            instance!(log_sum_exp(a: &mut LogSumExpArgs) reduce::log_sum_exp::<$vector>(a));
        }

        /// This ISA's kernels.
        pub(crate) static KERNELS: $crate::KernelSet = $crate::KernelSet {
            isa: $isa,
            lanes: <$vector as $crate::simd::Simd>::LANES,
            gemm: [
                instances::f32,
                instances::f16,
                instances::bf16,
                instances::q4_0,
                instances::q4_1,
                instances::q5_0,
                instances::q5_1,
                instances::q8_0,
                instances::q2_k,
                instances::q3_k,
                instances::q4_k,
                instances::q5_k,
                instances::q6_k,
                instances::iq4_nl,
                instances::iq4_xs,
                instances::mxfp4,
            ],
            attention: [
                [Some(instances::attention_f32_f32), None, None, None],
                [None, Some(instances::attention_f16_f16), Some(instances::attention_f16_q8_0), Some(instances::attention_f16_q4_0)],
                [None, Some(instances::attention_q8_0_f16), Some(instances::attention_q8_0_q8_0), Some(instances::attention_q8_0_q4_0)],
                [None, None, None, Some(instances::attention_q4_0_q4_0)],
            ],
            attention_mass: [instances::mass_f32, instances::mass_f16, instances::mass_q8_0, instances::mass_q4_0],
            rms_norm: instances::rms_norm,
            layer_norm: instances::layer_norm,
            quantize: instances::quantize,
            silu_mul: instances::silu_mul,
            gelu_mul: instances::gelu_mul,
            gelu_tanh: instances::gelu_tanh,
            gelu_erf: instances::gelu_erf,
            add: instances::add,
            rope: instances::rope,
            to_f16: instances::to_f16,
            log_sum_exp: instances::log_sum_exp,
            argmax: instances::argmax,
            read_1: instances::read_1,
            read_4: instances::read_4,
            int8_peak: instances::int8_peak,
            f32_peak: instances::f32_peak,
        };
    };
}

pub(crate) use instantiate_kernels;
