//! Writes GGUF version 3: for tests, for synthetic and for requantized models.

use super::{MAGIC, MAX_DEPTH, MAX_KEY_BYTES, VERSION, alignment, check_counts};
use crate::{Metadata, ModelFileError, Result, TensorInfo, Value, ValueType};
use pacemark_files::Output;
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes a model piece by piece: the header at once, then each tensor's bytes in the order of the
/// infos, so that only one tensor need be in memory.
pub struct GgufWriter<W: Write> {
    out: W,
    path: PathBuf,
    tensors: Vec<TensorInfo>,
    next: usize,
    alignment: u64,
}

impl<W: Write> GgufWriter<W> {
    /// Writes the header. Tensors are laid out in the given order at `general.alignment` (32 when
    /// the key is absent).
    pub fn new(out: W, metadata: &Metadata, tensors: Vec<TensorInfo>) -> Result<GgufWriter<W>> {
        GgufWriter::named(out, Path::new("GGUF output"), metadata, tensors)
    }

    fn named(
        mut out: W,
        path: &Path,
        metadata: &Metadata,
        tensors: Vec<TensorInfo>,
    ) -> Result<GgufWriter<W>> {
        let alignment = alignment(metadata)?;
        let header = header(path, metadata, &tensors, alignment)?;
        out.write_all(&header).map_err(|e| ModelFileError::io(path, "write", e))?;
        Ok(GgufWriter { out, path: path.to_owned(), tensors, next: 0, alignment })
    }

    /// Writes the bytes of the next tensor.
    pub fn write_tensor(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(tensor) = self.tensors.get(self.next) else {
            let expected = format!("{} tensors", self.tensors.len());
            return Err(ModelFileError::invalid(&self.path, "tensors", expected, "one more"));
        };
        if bytes.len() as u64 != tensor.n_bytes() {
            let (expected, found) =
                (format!("{} bytes", tensor.n_bytes()), bytes.len().to_string());
            return Err(ModelFileError::invalid(&self.path, &tensor.name, expected, found));
        }
        self.next += 1;
        let padding = padding(bytes.len() as u64, self.alignment);
        let written = self.out.write_all(bytes).and_then(|()| self.out.write_all(&padding));
        written.map_err(|e| ModelFileError::io(&self.path, "write", e))
    }

    /// Checks that all tensors have been written, and gives the output back.
    pub fn finish(mut self) -> Result<W> {
        if let Some(tensor) = self.tensors.get(self.next) {
            return Err(ModelFileError::invalid(
                &self.path,
                &tensor.name,
                "its bytes",
                "the end of the tensors",
            ));
        }
        self.out.flush().map_err(|e| ModelFileError::io(&self.path, "write", e))?;
        Ok(self.out)
    }
}

/// Writes a whole model to `out`.
pub fn write_gguf<W: Write, B: AsRef<[u8]>>(
    out: W,
    metadata: &Metadata,
    tensors: &[(TensorInfo, B)],
) -> Result<W> {
    let mut writer = GgufWriter::new(out, metadata, infos(tensors))?;
    for (_, bytes) in tensors {
        writer.write_tensor(bytes.as_ref())?;
    }
    writer.finish()
}

/// Writes a whole model to a file, as [`GgufFile`] does. Tells its size in bytes.
pub fn write_gguf_file<B: AsRef<[u8]>>(
    path: &Path,
    metadata: &Metadata,
    tensors: &[(TensorInfo, B)],
) -> Result<u64> {
    let mut file = GgufFile::create(path, metadata, infos(tensors))?;
    for (_, bytes) in tensors {
        file.write_tensor(bytes.as_ref())?;
    }
    file.finish()
}

/// A model file in the making: an [`Output`], which takes its name when it is complete. It is
/// written from its beginning to its end, so a FIFO or a device will do.
pub struct GgufFile {
    writer: GgufWriter<Output>,
}

impl GgufFile {
    /// Creates the file and writes its header; see [`GgufWriter::new`].
    pub fn create(path: &Path, metadata: &Metadata, tensors: Vec<TensorInfo>) -> Result<GgufFile> {
        let writer = GgufWriter::named(Output::create(path)?, path, metadata, tensors)?;
        Ok(GgufFile { writer })
    }

    /// Writes the bytes of the next tensor.
    pub fn write_tensor(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_tensor(bytes)
    }

    /// Checks that all tensors have been written, brings the bytes to the disk and gives the file
    /// its name. Tells its size.
    pub fn finish(self) -> Result<u64> {
        Ok(self.writer.finish()?.finish()?)
    }
}

fn infos<B>(tensors: &[(TensorInfo, B)]) -> Vec<TensorInfo> {
    tensors.iter().map(|(info, _)| info.clone()).collect()
}

fn header(
    path: &Path,
    metadata: &Metadata,
    tensors: &[TensorInfo],
    alignment: u64,
) -> Result<Vec<u8>> {
    check_counts(tensors.len() as u64, metadata.len() as u64, path)?;
    let mut out = Vec::new();
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata.iter() {
        check_key(path, key)?;
        check_nesting(path, key, value, 0)?;
        put_string(&mut out, key);
        put_value(&mut out, value);
    }
    let mut offset = 0u64;
    let mut names = HashSet::new();
    for tensor in tensors {
        check_key(path, &tensor.name)?;
        tensor.check(path)?;
        if !names.insert(&tensor.name) {
            return Err(ModelFileError::invalid(
                path,
                &tensor.name,
                "each tensor once",
                "a second one of this name",
            ));
        }
        put_string(&mut out, &tensor.name);
        out.extend((tensor.dims.len() as u32).to_le_bytes());
        tensor.dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
        out.extend(tensor.dtype.info().ggml_id.to_le_bytes());
        out.extend(offset.to_le_bytes());
        offset += tensor.n_bytes().next_multiple_of(alignment);
    }
    out.extend(padding(out.len() as u64, alignment));
    Ok(out)
}

fn check_key(path: &Path, key: &str) -> Result<()> {
    if key.len() as u64 <= MAX_KEY_BYTES {
        return Ok(());
    }
    let expected = format!("a name of at most {MAX_KEY_BYTES} bytes");
    Err(ModelFileError::invalid(path, "name", expected, key.len().to_string()))
}

/// An array of arrays must hold arrays only, and no deeper than readers follow.
fn check_nesting(path: &Path, key: &str, value: &Value, depth: u32) -> Result<()> {
    if depth > 0 && value.shape().1.is_none() {
        return Err(ModelFileError::invalid(
            path,
            key,
            "arrays within the array",
            value.describe(),
        ));
    }
    let Value::Nested(inner) = value else { return Ok(()) };
    if depth + 1 == MAX_DEPTH {
        let expected = format!("arrays nested at most {MAX_DEPTH} deep");
        return Err(ModelFileError::invalid(path, key, expected, "a deeper one"));
    }
    inner.iter().try_for_each(|value| check_nesting(path, key, value, depth + 1))
}

/// Zeros from `length` to the next multiple of `alignment`.
fn padding(length: u64, alignment: u64) -> Vec<u8> {
    vec![0; (length.next_multiple_of(alignment) - length) as usize]
}

fn put_string(out: &mut Vec<u8>, string: &str) {
    out.extend((string.len() as u64).to_le_bytes());
    out.extend(string.as_bytes());
}

/// Writes type and content. An array is the type `array`, then its elements' type, their count and
/// the elements.
fn put_value(out: &mut Vec<u8>, value: &Value) {
    let (kind, length) = value.shape();
    let outer = if length.is_some() { ValueType::Array } else { kind };
    out.extend((outer as u32).to_le_bytes());
    put_content(out, value);
}

/// Writes what follows the type; inner arrays are written without the type `array`, which the outer
/// one states.
fn put_content(out: &mut Vec<u8>, value: &Value) {
    macro_rules! all {
        ($values:expr) => {
            $values.iter().for_each(|v| out.extend(v.to_le_bytes()))
        };
    }
    if let (kind, Some(length)) = value.shape() {
        out.extend((kind as u32).to_le_bytes());
        out.extend((length as u64).to_le_bytes());
    }
    match value {
        Value::U8(v) => out.push(*v),
        Value::I8(v) => out.extend(v.to_le_bytes()),
        Value::U16(v) => out.extend(v.to_le_bytes()),
        Value::I16(v) => out.extend(v.to_le_bytes()),
        Value::U32(v) => out.extend(v.to_le_bytes()),
        Value::I32(v) => out.extend(v.to_le_bytes()),
        Value::F32(v) => out.extend(v.to_le_bytes()),
        Value::U64(v) => out.extend(v.to_le_bytes()),
        Value::I64(v) => out.extend(v.to_le_bytes()),
        Value::F64(v) => out.extend(v.to_le_bytes()),
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::String(v) => put_string(out, v),
        Value::U8s(v) => out.extend(v),
        Value::I8s(v) => all!(v),
        Value::U16s(v) => all!(v),
        Value::I16s(v) => all!(v),
        Value::U32s(v) => all!(v),
        Value::I32s(v) => all!(v),
        Value::F32s(v) => all!(v),
        Value::U64s(v) => all!(v),
        Value::I64s(v) => all!(v),
        Value::F64s(v) => all!(v),
        Value::Bools(v) => out.extend(v.iter().map(|&v| u8::from(v))),
        Value::Strings(v) => v.iter().for_each(|string| put_string(out, string)),
        Value::Nested(v) => v.iter().for_each(|inner| put_content(out, inner)),
    }
}
