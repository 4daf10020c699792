//! scratch
use pacemark_engine::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let ids: Vec<u32> = std::fs::read_to_string(&args[2]).unwrap().split(',').map(|x| x.trim().parse().unwrap()).collect();
    let n: usize = args[3].parse().unwrap();
    let k = if args[4] == "f32" { KvType::F32 } else { KvType::F16 };
    let ids = &ids[..n];
    for spec in &args[5..] {
        let options = DecoderOptions { n_ctx: n + 64, kv: KvTypes::new(k, k).unwrap(), ..Default::default() };
        let model = Model::load(&args[1], Threads::new(2), Residence::default(), options, &mut |_, _| {}).unwrap();
        let mut decoder = Decoder::new(model, options);
        let mut kv = match Policy::parse(spec).unwrap() { Some(p) => decoder.kv().sequence(p), None => SequenceKv::default() };
        let began = std::time::Instant::now();
        let (mut nll, mut hits) = (0.0f64, 0);
        for (c, chunk) in ids[..n - 1].chunks(256).enumerate() {
            let item = BatchItem { kv: &mut kv, tokens: chunk, logits: LogitRows::From(0) };
            let logits = decoder.forward(&mut [item]).unwrap();
            let v = logits.len() / chunk.len();
            for (i, row) in logits.chunks_exact(v).enumerate() {
                let label = ids[c * 256 + i + 1] as usize;
                let max = row.iter().copied().fold(f32::MIN, f32::max);
                let sum: f64 = row.iter().map(|x| f64::from(x - max).exp()).sum();
                nll -= f64::from(row[label] - max) - sum.ln();
                hits += usize::from(row.iter().position(|x| *x == max) == Some(label));
            }
        }
        let m = (n - 1) as f64;
        println!("{spec} ppl {:.6} acc {:.5} held {:?} bytes {:?} {:.2}s", (nll / m).exp(), hits as f64 / m, kv.held_by_layer().map(|h| h.iter().sum::<f64>() / h.len() as f64), decoder.kv().bytes_of(&kv), began.elapsed().as_secs_f64());
    }
}
