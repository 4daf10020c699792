//! The types against independent implementations: the `gguf` Python package's dequantizers and
//! ggml's quantizers. `golden.py` made the data.

use pacemark_quant::{DTYPES, DType, dequantize_row, quantize_row};

/// The generator of `golden.py` (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 32) as u32
    }

    /// A bell curve over -2..2: the sum of four uniform numbers.
    fn bell(&mut self) -> f32 {
        (0..4).map(|_| self.bits() >> 16).sum::<u32>() as f32 / 65536.0 - 2.0
    }
}

#[test]
fn every_type_means_what_the_gguf_package_says() {
    let mut data = include_bytes!("data/golden.bin").as_slice();
    let mut seen = Vec::new();
    while !data.is_empty() {
        let (head, rest) = data.split_at(12);
        let [id, n_bytes, n] =
            [0, 4, 8].map(|at| u32::from_le_bytes(head[at..at + 4].try_into().unwrap()) as usize);
        let (bytes, rest) = rest.split_at(n_bytes);
        let (values, rest) = rest.split_at(n * 4);
        data = rest;
        let dtype = DType::from_ggml_id(id as u32).unwrap();
        let mut found = vec![0.0; n];
        dequantize_row(dtype, bytes, &mut found).unwrap();
        for (i, (found, value)) in found.iter().zip(values.chunks_exact(4)).enumerate() {
            let expected = f32::from_le_bytes(value.try_into().unwrap());
            // d * scale * q is rounded after either product.
            let tolerance = expected.abs() * 1e-5 + 1e-6;
            assert!(
                (found - expected).abs() <= tolerance,
                "{} at {i}: {found}, not {expected}",
                dtype.name()
            );
        }
        seen.push(dtype);
    }
    assert_eq!(seen, DTYPES.iter().map(|info| info.dtype).collect::<Vec<_>>());
}

/// Mean error of the round trip, root-mean-square.
fn error(dtype: DType, x: &[f32]) -> f64 {
    let mut bytes = vec![0; dtype.bytes_for(x.len()).unwrap()];
    quantize_row(dtype, x, &mut bytes).unwrap();
    let mut back = vec![0.0; x.len()];
    dequantize_row(dtype, &bytes, &mut back).unwrap();
    let total: f64 = x.iter().zip(&back).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (total / x.len() as f64).sqrt()
}

#[test]
fn quantizers_are_as_good_as_ggmls() {
    let mut random = Random(2);
    let bell: Vec<f32> = (0..64 * 256).map(|_| random.bell()).collect();
    let tailed: Vec<f32> = bell.iter().map(|x| x * x * x).collect();
    let mut checked = 1; // F32 is exact
    for line in include_str!("data/errors.txt").lines() {
        let [name, theirs @ ..]: [&str; 3] =
            line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let info = DTYPES.iter().find(|info| info.name == name).unwrap();
        for (x, theirs) in [&bell, &tailed].into_iter().zip(theirs) {
            let (ours, theirs) = (error(info.dtype, x), theirs.parse::<f64>().unwrap());
            println!("{name} {ours:.6} {theirs:.6} {:.4}", ours / theirs);
            assert!(ours <= theirs * 1.02, "{name}: error {ours}, ggml's {theirs}");
        }
        checked += 1;
    }
    assert_eq!(checked, DTYPES.len());
}

#[test]
fn quantizers_survive_any_float() {
    let hostile = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        1e-45,
        -0.0,
        0.0,
    ];
    for info in DTYPES {
        let mut bytes = vec![0; info.block_bytes];
        for (i, &odd) in hostile.iter().enumerate() {
            let one: Vec<f32> =
                (0..info.block_len).map(|at| if at % 7 == i % 7 { odd } else { 0.5 }).collect();
            quantize_row(info.dtype, &one, &mut bytes).unwrap();
            quantize_row(info.dtype, &vec![odd; info.block_len], &mut bytes).unwrap();
        }
        quantize_row(info.dtype, &vec![0.0; info.block_len], &mut bytes).unwrap();
        let mut back = vec![1.0; info.block_len];
        dequantize_row(info.dtype, &bytes, &mut back).unwrap();
        assert!(back.iter().all(|&x| x == 0.0), "{}: zeros become {back:?}", info.name);
    }
}
