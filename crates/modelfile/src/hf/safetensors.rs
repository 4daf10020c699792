//! The header of a safetensors file: eight bytes of length, JSON, then the tensors' bytes without a
//! gap.
//!
//! The format is described at <https://github.com/huggingface/safetensors#format>; its rules are
//! checked, not assumed.

use crate::{ModelFileError, Result, gguf};
use pacemark_quant::DType;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use std::ops::Range;
use std::path::Path;

/// The format's own limit on the header's length.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// The types of the format and the bits of an element. Only some of them can be weights here; the
/// others occur in buffers that are passed over, whose sizes must nevertheless add up.
const TYPES: &[(&str, u64)] = &[
    ("BOOL", 8),
    ("U8", 8),
    ("I8", 8),
    ("F8_E5M2", 8),
    ("F8_E4M3", 8),
    ("F8_E8M0", 8),
    ("I16", 16),
    ("U16", 16),
    ("F16", 16),
    ("BF16", 16),
    ("I32", 32),
    ("U32", 32),
    ("F32", 32),
    ("F64", 64),
    ("I64", 64),
    ("U64", 64),
];

/// A tensor as the header describes it, checked against the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The format's name of its type, e.g. `BF16`.
    pub dtype: &'static str,
    /// Its dimensions, the slowest-varying first.
    pub shape: Vec<u64>,
    /// Where its bytes are in the file.
    pub range: Range<usize>,
}

impl Entry {
    /// The type, where weights may be of it.
    pub(crate) fn weight_type(&self) -> Option<DType> {
        match self.dtype {
            "F32" => Some(DType::F32),
            "F16" => Some(DType::F16),
            "BF16" => Some(DType::BF16),
            _ => None,
        }
    }
}

/// Reads the header of the file whose bytes are given; `file` is what error messages call it.
/// Entries come in the order of their bytes.
pub fn parse(bytes: &[u8], file: &Path) -> Result<Vec<Entry>> {
    let invalid = |field: &str, expected: String, found: String| {
        ModelFileError::invalid(file, field, expected, found)
    };
    let Some((length, rest)) = bytes.split_first_chunk() else {
        let found = format!("a file of {} bytes", bytes.len());
        return Err(invalid(
            "header length",
            "a safetensors file, which begins with 8 bytes of length".into(),
            found,
        ));
    };
    let length = u64::from_le_bytes(*length);
    let most = MAX_HEADER_BYTES.min(rest.len() as u64);
    if length > most {
        let expected = format!("at most {most}, by the file's size and the format's limit");
        return Err(invalid("header length", expected, length.to_string()));
    }
    let (header, data) = rest.split_at(length as usize);
    let mut deserializer = serde_json::Deserializer::from_slice(header);
    let raw = serde::Deserializer::deserialize_map(&mut deserializer, Header)
        .and_then(|raw| deserializer.end().map(|()| raw))
        .map_err(|error| invalid("header", "a JSON object of tensors".into(), error.to_string()))?;
    let data_start = bytes.len() - data.len();
    let entries: Result<Vec<Entry>> =
        raw.into_iter().map(|(name, raw)| entry(name, raw, data_start, file)).collect();
    let mut entries = entries?;
    entries.sort_by_key(|entry| (entry.range.start, entry.range.end));
    check_layout(&entries, data_start, bytes.len(), file)?;
    Ok(entries)
}

/// A tensor as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// Reads the header's object itself, because a map would quietly keep one of two tensors of the
/// same name.
struct Header;

impl<'de> Visitor<'de> for Header {
    type Value = Vec<(String, Raw)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with a tensor for each name")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut tensors = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("a second {name:?}")));
            }
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if tensors.len() as u64 == gguf::MAX_TENSORS {
                return Err(A::Error::custom(format_args!(
                    "more than {} tensors",
                    gguf::MAX_TENSORS
                )));
            }
            let raw = map.next_value_seed(Named(&name))?;
            tensors.push((name, raw));
        }
        Ok(tensors)
    }
}

/// Reads a tensor and names it in errors.
struct Named<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = Raw;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
            .map_err(|error| D::Error::custom(format_args!("{}: {error}", self.0)))
    }
}

/// Checks a tensor's own claims: a known type, and as many bytes as its shape needs.
fn entry(name: String, raw: Raw, data_start: usize, file: &Path) -> Result<Entry> {
    let invalid = |expected: String, found: String| {
        Err(ModelFileError::invalid(file, &name, expected, found))
    };
    let Some(&(dtype, bits)) = TYPES.iter().find(|(dtype, _)| *dtype == raw.dtype) else {
        let known: Vec<&str> = TYPES.iter().map(|(dtype, _)| *dtype).collect();
        return invalid(format!("a dtype of {}", known.join(", ")), format!("{:?}", raw.dtype));
    };
    let elements = raw.shape.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
    let needed = elements.and_then(|n| n.checked_mul(bits / 8));
    let (start, end) = raw.data_offsets;
    let Some(needed) = needed else {
        return invalid("a size that can be addressed".into(), format!("{:?} {dtype}", raw.shape));
    };
    if end.checked_sub(start) != Some(needed) {
        let expected =
            format!("data_offsets {needed} bytes apart, the size of {:?} {dtype}", raw.shape);
        return invalid(expected, format!("{start} and {end}"));
    }
    let place = |offset: u64| {
        usize::try_from(offset).ok().and_then(|offset| offset.checked_add(data_start))
    };
    match (place(start), place(end)) {
        (Some(start), Some(end)) => Ok(Entry { name, dtype, shape: raw.shape, range: start..end }),
        _ => invalid("offsets within the file".into(), format!("{start} and {end}")),
    }
}

/// Checks that the tensors, sorted, fill the file from the header to its end: no gap, nothing
/// shared.
fn check_layout(entries: &[Entry], data_start: usize, file_len: usize, file: &Path) -> Result<()> {
    let mut end = data_start;
    for entry in entries {
        if entry.range.start != end {
            let wrong = if entry.range.start > end {
                "a gap before it"
            } else {
                "bytes of the tensor before it"
            };
            let expected =
                format!("bytes from offset {}, where the tensors before it end", end - data_start);
            let found = format!("offset {}: {wrong}", entry.range.start - data_start);
            return Err(ModelFileError::invalid(file, &entry.name, expected, found));
        }
        end = entry.range.end;
    }
    if end != file_len {
        let (expected, found) =
            (format!("{} bytes of tensors", end - data_start), file_len - data_start);
        let found = format!("{found}: the file is cut short or has more than its header tells");
        return Err(ModelFileError::invalid(file, "size", expected, found));
    }
    Ok(())
}
