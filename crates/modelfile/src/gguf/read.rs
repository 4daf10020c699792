//! Reads a GGUF header: metadata and tensor infos, each checked against the file.

use super::cursor::Cursor;
use super::{MAGIC, MAX_DEPTH, MAX_KEY_BYTES, alignment, check_counts};
use crate::mapping::Mapping;
use crate::{Metadata, ModelFileError, Result, TensorInfo, Value, ValueType, foreign};
use pacemark_quant::DType;
use std::collections::HashSet;
use std::path::Path;

/// What stands before the weights.
#[derive(Debug)]
pub struct Header {
    /// Keys and values.
    pub metadata: Metadata,
    /// Tensors in file order, each known to lie within the file.
    pub tensors: Vec<TensorInfo>,
}

/// Reads the header of the GGUF file whose bytes are given; `file` is what error messages call it.
pub fn parse(bytes: &[u8], file: &Path) -> Result<Header> {
    parse_start(bytes, bytes.len() as u64, file)
}

/// As [`parse`], of a file of `file_len` bytes whose first ones are given. Fails if the header does
/// not end among them.
pub(crate) fn parse_start(bytes: &[u8], file_len: u64, file: &Path) -> Result<Header> {
    let mut cursor = Cursor::new(bytes, file);
    check_magic(bytes, file)?;
    cursor.take(MAGIC.len() as u64, &"magic")?;
    check_version(cursor.number(&"version")?, file)?;
    let n_tensors: u64 = cursor.number(&"tensor count")?;
    let n_keys: u64 = cursor.number(&"key count")?;
    // A key is at least a length, a type and one byte of value; a tensor info is lengths, one
    // dimension, type and offset.
    cursor.check_count(n_keys, 8 + 4 + 1, "keys", &"key count")?;
    cursor.check_count(n_tensors, 8 + 4 + 8 + 4 + 8, "tensors", &"tensor count")?;
    check_counts(n_tensors, n_keys, file)?;
    let metadata = read_metadata(&mut cursor, n_keys, file)?;
    let alignment = alignment(&metadata)?;
    let infos = read_infos(&mut cursor, n_tensors, file)?;
    let tensors = place(infos, cursor.position() as u64, alignment, file_len, file)?;
    Ok(Header { metadata, tensors })
}

/// Refuses a file that is no GGUF file, or ends before it says it does. What it holds may be what
/// no version reads yet.
pub fn check_whole(file: &Path) -> Result<()> {
    let mapping = Mapping::open(file)?;
    check_magic(mapping.bytes(), file)?;
    match parse(mapping.bytes(), file) {
        Err(error @ ModelFileError::CutShort { .. }) => Err(error),
        _ => Ok(()),
    }
}

fn check_magic(bytes: &[u8], file: &Path) -> Result<()> {
    if bytes.starts_with(MAGIC) {
        return Ok(());
    }
    let start = &bytes[..bytes.len().min(4096)];
    let first = || format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(4)]));
    let found = foreign(start).unwrap_or_else(first);
    Err(ModelFileError::invalid(file, "magic", "a GGUF file, which begins with \"GGUF\"", found))
}

fn check_version(version: u32, file: &Path) -> Result<()> {
    let found = match version {
        2 | 3 => return Ok(()),
        1 => "version 1, of August 2023: convert the model again".into(),
        // llama.cpp tells the byte order by the same sign.
        swapped if swapped & 0xffff == 0 => {
            format!("a big-endian file of version {}", swapped.swap_bytes())
        }
        other => other.to_string(),
    };
    Err(ModelFileError::invalid(file, "version", "2 or 3, little-endian", found))
}

fn read_metadata(cursor: &mut Cursor<'_>, count: u64, file: &Path) -> Result<Metadata> {
    let mut metadata = Metadata::of(file);
    for number in 0..count {
        let key = cursor.string(MAX_KEY_BYTES, &format_args!("key {number} of {count}"))?;
        if metadata.get(key).is_some() {
            return Err(cursor.invalid(&key, "each key once", "a second one of this name"));
        }
        let kind = read_type(cursor, key)?;
        let value = read_value(cursor, kind, key)?;
        metadata.set(key, value);
    }
    Ok(metadata)
}

fn read_type(cursor: &mut Cursor<'_>, key: &str) -> Result<ValueType> {
    let id = cursor.number(&key)?;
    ValueType::from_id(id)
        .ok_or_else(|| cursor.invalid(&key, "a value type of 0 to 12", id.to_string()))
}

fn read_value(cursor: &mut Cursor<'_>, kind: ValueType, key: &str) -> Result<Value> {
    Ok(match kind {
        ValueType::U8 => Value::U8(cursor.number(&key)?),
        ValueType::I8 => Value::I8(cursor.number(&key)?),
        ValueType::U16 => Value::U16(cursor.number(&key)?),
        ValueType::I16 => Value::I16(cursor.number(&key)?),
        ValueType::U32 => Value::U32(cursor.number(&key)?),
        ValueType::I32 => Value::I32(cursor.number(&key)?),
        ValueType::F32 => Value::F32(cursor.number(&key)?),
        ValueType::U64 => Value::U64(cursor.number(&key)?),
        ValueType::I64 => Value::I64(cursor.number(&key)?),
        ValueType::F64 => Value::F64(cursor.number(&key)?),
        ValueType::Bool => Value::Bool(cursor.bools(1, &key)?[0]),
        ValueType::String => Value::String(cursor.string(u64::MAX, &key)?.to_owned()),
        ValueType::Array => read_array(cursor, key, 1)?,
    })
}

fn read_array(cursor: &mut Cursor<'_>, key: &str, depth: u32) -> Result<Value> {
    let kind = read_type(cursor, key)?;
    let count = cursor.number(&key)?;
    Ok(match kind {
        ValueType::U8 => Value::U8s(cursor.numbers(count, &key)?),
        ValueType::I8 => Value::I8s(cursor.numbers(count, &key)?),
        ValueType::U16 => Value::U16s(cursor.numbers(count, &key)?),
        ValueType::I16 => Value::I16s(cursor.numbers(count, &key)?),
        ValueType::U32 => Value::U32s(cursor.numbers(count, &key)?),
        ValueType::I32 => Value::I32s(cursor.numbers(count, &key)?),
        ValueType::F32 => Value::F32s(cursor.numbers(count, &key)?),
        ValueType::U64 => Value::U64s(cursor.numbers(count, &key)?),
        ValueType::I64 => Value::I64s(cursor.numbers(count, &key)?),
        ValueType::F64 => Value::F64s(cursor.numbers(count, &key)?),
        ValueType::Bool => Value::Bools(cursor.bools(count, &key)?),
        ValueType::String => Value::Strings(cursor.strings(count, &key)?),
        ValueType::Array if depth == MAX_DEPTH => {
            return Err(cursor.invalid(
                &key,
                format!("arrays nested at most {MAX_DEPTH} deep"),
                "a deeper one",
            ));
        }
        ValueType::Array => {
            // An inner array is at least a type and a count.
            let count = cursor.check_count(count, 4 + 8, "arrays", &key)?;
            Value::Nested(
                (0..count).map(|_| read_array(cursor, key, depth + 1)).collect::<Result<_>>()?,
            )
        }
    })
}

/// Reads the tensor infos, each with its offset from the start of the data.
fn read_infos(cursor: &mut Cursor<'_>, count: u64, file: &Path) -> Result<Vec<(TensorInfo, u64)>> {
    let mut names = HashSet::new();
    let mut infos = Vec::new();
    for number in 0..count {
        let name =
            cursor.string(MAX_KEY_BYTES, &format_args!("name of tensor {number} of {count}"))?;
        if !names.insert(name) {
            return Err(cursor.invalid(&name, "each tensor once", "a second one of this name"));
        }
        let n_dims: u32 = cursor.number(&name)?;
        if !(1..=4).contains(&n_dims) {
            return Err(cursor.invalid(&name, "1 to 4 dimensions", n_dims.to_string()));
        }
        let dims: Vec<u64> = cursor.numbers(n_dims.into(), &name)?;
        let id = cursor.number(&name)?;
        let offset = cursor.number(&name)?;
        let Some(dtype) = DType::from_ggml_id(id) else {
            let expected = format!("a tensor type of {}", DType::names());
            return Err(cursor.invalid(&name, expected, unsupported_type(id)));
        };
        let info = TensorInfo::new(name, dims, dtype);
        info.check(file)?;
        infos.push((info, offset));
    }
    Ok(infos)
}

/// ggml's name of a type that `quant` has no row for.
fn unsupported_type(id: u32) -> String {
    let name = match id {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        21 => "IQ3_S",
        22 => "IQ2_S",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        _ => return format!("unknown type {id}"),
    };
    format!("{name} (type {id})")
}

/// Turns offsets from the start of the data to places in the file: aligned, inside it, and none
/// over another.
fn place(
    infos: Vec<(TensorInfo, u64)>,
    header_end: u64,
    alignment: u64,
    file_len: u64,
    file: &Path,
) -> Result<Vec<TensorInfo>> {
    let data_start = header_end.next_multiple_of(alignment);
    let data_len = file_len.saturating_sub(data_start);
    let mut tensors = Vec::with_capacity(infos.len());
    for (mut tensor, offset) in infos {
        if !offset.is_multiple_of(alignment) {
            let expected = format!("an offset that is a multiple of {alignment}");
            return Err(ModelFileError::invalid(file, &tensor.name, expected, offset.to_string()));
        }
        let end = offset.checked_add(tensor.n_bytes());
        if end.is_none_or(|end| end > data_len) {
            let expected = format!("{} bytes at offset {offset} of the weights", tensor.n_bytes());
            let found = format!("{data_len} bytes of weights in all");
            return Err(ModelFileError::cut_short(file, &tensor.name, expected, found));
        }
        tensor.start = (data_start + offset) as usize; // within the file, whose length is a usize
        tensors.push(tensor);
    }
    check_overlap(&tensors, file)?;
    Ok(tensors)
}

fn check_overlap(tensors: &[TensorInfo], file: &Path) -> Result<()> {
    let mut by_place: Vec<&TensorInfo> = tensors.iter().collect();
    by_place.sort_by_key(|tensor| tensor.start);
    for pair in by_place.windows(2) {
        if pair[0].start as u64 + pair[0].n_bytes() > pair[1].start as u64 {
            let found = format!("the last ones are also the first of {}", pair[1].name);
            return Err(ModelFileError::invalid(file, &pair[0].name, "bytes of its own", found));
        }
    }
    Ok(())
}
