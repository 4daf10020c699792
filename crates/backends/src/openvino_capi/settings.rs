//! What of a setup OpenVINO is told, in its words, and what it makes of it.

use super::CapiError;
use openvino::RwPropertyKey;
use pacemark_setup::{DType, Setup};
use std::borrow::Cow;

/// The device that was asked for, of those there are, and what is to be said of it. What `AUTO` takes is
/// looked up here, as the `openvino` backend does: a report must say what computed.
pub(super) fn choose(asked: &str, there: &[String]) -> Result<(String, Option<String>), CapiError> {
    let asked = asked.to_uppercase();
    let of = |kind: &str| {
        let numbered = format!("{kind}.");
        there.iter().find(|name| *name == kind || name.starts_with(&numbered))
    };
    let names = there.join(", ");
    if asked != "AUTO" {
        return match of(&asked) {
            Some(_) => Ok((asked, None)),
            None => Err(CapiError::Device { asked, there: names }),
        };
    }
    match ["GPU", "NPU", "CPU"].into_iter().find_map(of) {
        Some(name) => {
            let note = format!(
                "AUTO: {name}, the first of GPU, NPU and CPU that OpenVINO finds ({names})"
            );
            Ok((name.clone(), Some(note)))
        }
        None => Err(CapiError::Device { asked, there: "none".into() }),
    }
}

/// What OpenVINO is told before it compiles.
pub(super) fn properties(setup: &Setup, device: &str) -> Vec<(RwPropertyKey, String)> {
    let mut properties = vec![(kv_key(), kv(setup.cache.k).to_owned())];
    if device == "CPU" {
        properties
            .push((RwPropertyKey::InferenceNumThreads, setup.threads.per_token().to_string()));
    }
    if let Some(precision) = setup.precision {
        properties.push((RwPropertyKey::HintInferencePrecision, precision.name().to_owned()));
    }
    properties
}

/// The key of the type of keys and values.
pub(super) fn kv_key() -> RwPropertyKey {
    RwPropertyKey::Other(Cow::Borrowed("KV_CACHE_PRECISION"))
}

/// OpenVINO's name of a type of keys and values.
pub(super) fn kv(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::BF16 => "bf16",
        DType::Q8_0 => "u8",
        _ => "f16",
    }
}

/// What keys and values are kept as, where `set` was set and `dtype` is computed in. OpenVINO's plugin for
/// processors stores u8 and, beside anything but bf16, f16; else what it computes in (its
/// `nodes/scaled_attn.cpp`, `getKVCachePrecision`, and scores that are equal to the last digit).
pub(super) fn kept<'a>(device: &str, set: &'a str, dtype: &'a str) -> &'a str {
    let as_set = device != "CPU" || set == "u8" || (set == "f16" && dtype != "bf16");
    if as_set || dtype.is_empty() { set } else { dtype }
}

/// What is to be said where OpenVINO took something other than what was asked for.
pub(super) fn differences(setup: &Setup, dtype: &str, kept: &str) -> Vec<String> {
    let (precision, asked) = (setup.precision.map(|precision| precision.name()), kv(setup.cache.k));
    let computes = precision.filter(|name| *name != dtype && !dtype.is_empty()).map(|name| {
        format!("precision: {name} was asked for, OpenVINO computes in {dtype} on this device")
    });
    let keeps = (asked != kept).then(|| {
        format!("keys and values: OpenVINO keeps them in {kept} on this device, not {asked}")
    });
    let coarse =
        (kept == "u8").then(|| "keys and values are OpenVINO's u8, which is not q8_0".to_owned());
    [computes, keeps, coarse].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_setup::Precision;

    #[test]
    fn devices_are_found_or_named_with_those_there_are() {
        let there = ["CPU", "GPU.0", "GPU.1"].map(String::from);
        let named = |asked| choose(asked, &there).map_err(|error| error.to_string());
        assert_eq!(named("cpu"), Ok(("CPU".into(), None)));
        assert_eq!(named("GPU.1").unwrap().0, "GPU.1");
        let (device, note) = named("auto").unwrap();
        assert_eq!(device, "GPU.0");
        assert!(note.unwrap().ends_with("(CPU, GPU.0, GPU.1)"));
        let missing = named("NPU").unwrap_err();
        assert_eq!(missing, "device NPU: not here; OpenVINO finds CPU, GPU.0, GPU.1");
    }

    #[test]
    fn what_openvino_takes_in_place_of_what_was_asked_for_is_told() {
        for (set, dtype, expected) in [
            ("f16", "f32", "f16"),
            ("f16", "bf16", "bf16"),
            ("f32", "bf16", "bf16"),
            ("bf16", "f32", "f32"),
            ("u8", "bf16", "u8"),
            ("f16", "", "f16"),
        ] {
            assert_eq!(kept("CPU", set, dtype), expected, "{set} beside {dtype}");
        }
        assert_eq!(kept("GPU.0", "f16", "f32"), "f16");
        let f16 = Setup { precision: Some(Precision::F16), ..Setup::default() };
        let told = differences(&f16, "bf16", "bf16");
        assert!(told[0].starts_with("precision: f16 was asked for, OpenVINO computes in bf16"));
        assert!(told[1].ends_with("keeps them in bf16 on this device, not f16"), "{told:?}");
        assert!(differences(&f16, "f16", "f16").is_empty());
    }
}
