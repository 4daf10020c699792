//! A tensor as the protocol describes it (`rpc_tensor`), as far as the measuring of links needs it:
//! single-precision numbers in one row.

/// Bytes of an `rpc_tensor`.
pub(crate) const TENSOR_BYTES: usize = 296;
/// Where it names its buffer and its data, of the mock's interest.
pub(crate) const BUFFER_AT: usize = 12;
/// See [`BUFFER_AT`].
pub(crate) const DATA_AT: usize = 220;

/// `bytes` of `f32` at the address `data` of the worker's buffer `buffer`.
pub(crate) fn row(buffer: u64, data: u64, bytes: u32) -> [u8; TENSOR_BYTES] {
    let mut tensor = [0; TENSOR_BYTES];
    let mut put = |at: usize, value: &[u8]| tensor[at..at + value.len()].copy_from_slice(value);
    put(0, &1u64.to_le_bytes()); // id
    // The type, at 8, is 0: GGML_TYPE_F32.
    put(BUFFER_AT, &buffer.to_le_bytes());
    for (dimension, n) in [bytes / 4, 1, 1, 1].into_iter().enumerate() {
        put(20 + 4 * dimension, &n.to_le_bytes());
    }
    for (dimension, stride) in [4, bytes, bytes, bytes].into_iter().enumerate() {
        put(36 + 4 * dimension, &stride.to_le_bytes());
    }
    // Operation, its parameters, flags, sources and view are 0: a plain tensor.
    put(DATA_AT, &data.to_le_bytes());
    put(228, b"link");
    tensor
}
