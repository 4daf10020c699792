//! What a file of a shape would say: its metadata, its tensors and a vocabulary that can spell any
//! text.

use super::Shape;
use crate::arch::{Arch, ModelConfig, Part, Role, TensorName};
use crate::{DType, Metadata, Strings, TensorInfo, Value};

/// The pairs of bytes that the vocabulary merges: few, but llama.cpp wants some.
const MERGES: [(&str, &str); 7] =
    [("t", "h"), ("th", "e"), ("i", "n"), ("Ġ", "t"), ("Ġ", "a"), ("e", "r"), ("o", "n")];

/// Tokens that the vocabulary needs: an end, the bytes, the merges.
pub(super) const MIN_VOCAB: u32 = 1 + 256 + MERGES.len() as u32;

/// Rotation factors of Llama 3.2 (`rope_scaling` of its `config.json`: factor 32, 1 and 4 times an
/// original context of 8192), as llama.cpp's converter writes them.
fn rope_factors(shape: &Shape) -> Vec<f32> {
    let (factor, low, high, original) = (32.0, 1.0, 4.0, 8192.0);
    let dim = shape.head_dim();
    let half = (0..dim / 2).map(|i| {
        let wavelength = 2.0
            * std::f64::consts::PI
            * f64::from(shape.rope_theta).powf(f64::from(2 * i) / f64::from(dim));
        if wavelength < original / high {
            1.0
        } else if wavelength > original / low {
            factor
        } else {
            let smooth = (original / wavelength - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    });
    half.map(|x| x as f32).collect()
}

/// Whether the shape is one of Llama 3.2, which scales its rotation.
fn scales_rope(shape: &Shape) -> bool {
    shape.architecture == "llama" && shape.rope_theta == 500_000.0
}

/// The values of a tensor that are not drawn at random: rotation factors, and norms, which are 1.
pub(super) fn fixed_values(shape: &Shape, tensor: &TensorInfo) -> Option<Vec<f32>> {
    match TensorName::parse(&tensor.name)?.role() {
        Role::Constants => Some(rope_factors(shape)),
        Role::Norm => Some(vec![1.0; tensor.n_elements() as usize]),
        Role::Table | Role::Matrix | Role::Bias => None,
    }
}

/// The keys of the shape.
pub(super) fn metadata(shape: &Shape, type_name: &str) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", Value::String(shape.architecture.clone()));
    metadata.set("general.name", Value::String(format!("synthetic {} {type_name}", shape.name)));
    metadata.set(super::SYNTHETIC_KEY, Value::Bool(true));
    if let Some(arch) = Arch::named(&shape.architecture) {
        arch.describe(shape, &mut metadata);
    }
    vocabulary(&mut metadata, shape.n_vocab);
    metadata
}

/// Byte-level BPE with the bytes, a few merges, and tokens that no text gives up to the shape's
/// number.
fn vocabulary(metadata: &mut Metadata, n_vocab: u32) {
    const NORMAL: i32 = 1;
    const CONTROL: i32 = 3;
    let visible = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut moved = 256;
    let bytes = (0..=255u8).map(|byte| {
        if visible(byte) {
            return char::from(byte).to_string();
        }
        moved += 1;
        char::from_u32(moved - 1).unwrap_or('?').to_string()
    });
    let tokens: Strings = std::iter::once("<|endoftext|>".to_string())
        .chain(bytes)
        .chain(MERGES.iter().map(|(a, b)| format!("{a}{b}")))
        .chain((MIN_VOCAB..n_vocab).map(|id| format!("<{id}>")))
        .collect();
    let kinds = (0..n_vocab).map(|id| if id == 0 { CONTROL } else { NORMAL }).collect();
    metadata.set("tokenizer.ggml.model", Value::String("gpt2".into()));
    metadata.set("tokenizer.ggml.pre", Value::String("gpt-2".into()));
    metadata.set("tokenizer.ggml.tokens", Value::Strings(tokens));
    metadata.set("tokenizer.ggml.token_type", Value::I32s(kinds));
    let merges: Strings = MERGES.iter().map(|(a, b)| format!("{a} {b}")).collect();
    metadata.set("tokenizer.ggml.merges", Value::Strings(merges));
    metadata.set("tokenizer.ggml.bos_token_id", Value::U32(0));
    metadata.set("tokenizer.ggml.eos_token_id", Value::U32(0));
    metadata.set("tokenizer.ggml.add_bos_token", Value::Bool(false));
}

/// The tensors of the shape, all F32 until a mixture of types is chosen.
pub(super) fn tensors(shape: &Shape, config: &ModelConfig) -> Vec<TensorInfo> {
    let wanted = |part: Part| match part {
        Part::Output => !shape.tied,
        Part::RopeFactors => scales_rope(shape),
        _ => true,
    };
    let specs = config.tensors().into_iter().filter(|spec| wanted(spec.name.part));
    specs.map(|spec| TensorInfo::new(spec.name.to_string(), spec.dims, DType::F32)).collect()
}
