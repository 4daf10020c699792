//! What must hold of any model, whatever it answers: shown on tiny models of every architecture.

use pacemark_engine::*;
use pacemark_testmodel::{N_CTX, N_VOCAB, TestModel};
use std::path::{Path, PathBuf};

/// Relative to logits whose spread is about one: the int8 rounding of an activation may fall the
/// other way when sums are taken in another order, which moves a logit by some thousandths.
const TOLERANCE: f32 = 0.05;

fn decoder(name: &str, model: &TestModel) -> Decoder {
    let path = file(name);
    model.write(&path).unwrap();
    load(&path, Threads::new(2), Residence::default())
}

fn load(path: &Path, threads: Threads, residence: Residence) -> Decoder {
    let cache = DecoderOptions { n_ctx: N_CTX, ..DecoderOptions::default() };
    Decoder::new(Model::load(path, threads, residence, cache, &mut |_, _| {}).unwrap(), cache)
}

fn file(name: &str) -> PathBuf {
    let unique = format!(
        "pacemark-engine-{}-{:?}-{name}.gguf",
        std::process::id(),
        std::thread::current().id()
    );
    std::env::temp_dir().join(unique)
}

fn tokens(n: usize, seed: usize) -> Vec<TokenId> {
    (0..n).map(|i| ((i * 7919 + seed * 104729) % N_VOCAB) as TokenId).collect()
}

/// Logits of all tokens, computed in chunks of the given sizes.
fn chunked(decoder: &mut Decoder, tokens: &[TokenId], sizes: &[usize]) -> Vec<f32> {
    let mut kv = SequenceKv::default();
    let mut logits = Vec::new();
    let mut rest = tokens;
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        let item = BatchItem { kv: &mut kv, tokens: chunk, logits: LogitRows::From(0) };
        logits.extend_from_slice(decoder.forward(&mut [item]).unwrap());
        rest = after;
    }
    decoder.kv_mut().release(&mut kv);
    logits
}

fn assert_close(what: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "{what}");
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= TOLERANCE, "{what}: logits differ by {worst}");
    assert!(
        a.iter().any(|x| x.abs() > 0.1),
        "{what}: all logits are about zero, which compares nothing"
    );
}

#[test]
fn the_numbers_of_threads_do_not_change_the_answer() {
    for (name, model) in TestModel::all() {
        let path = file(&format!("{name}-threads"));
        model.write(&path).unwrap();
        let mut all = Vec::new();
        for (n, n_batch) in [(1, None), (1, Some(3)), (3, Some(2))] {
            let threads = Threads { n_batch, ..Threads::new(n) };
            let mut decoder = load(&path, threads, Residence::default());
            let model = decoder.model();
            assert_eq!((model.n_threads(), model.n_threads_batch()), (n, n_batch.unwrap_or(n)));
            all.push(chunked(&mut decoder, &tokens(50, 3), &[20, 1, 1, 7]));
        }
        assert!(all.iter().all(|logits| *logits == all[0]), "{name}");
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn weights_in_place_and_unmapped_files_do_not_change_the_answer() {
    for (name, model) in TestModel::all() {
        let path = file(&format!("{name}-in-place"));
        model.write(&path).unwrap();
        let mut all = Vec::new();
        for (pack, mmap) in [(true, true), (false, true), (true, false), (false, false)] {
            let residence = Residence { pack, mmap: Some(mmap), ..Residence::default() };
            let mut decoder = load(&path, Threads::new(2), residence);
            all.push(chunked(&mut decoder, &tokens(50, 3), &[20, 1, 1, 7]));
        }
        assert!(all.iter().all(|logits| *logits == all[0]), "{name}");
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn prefill_equals_decode_however_it_is_cut() {
    for (name, model) in TestModel::all() {
        let mut decoder = decoder(name, &model);
        let tokens = tokens(70, 1); // longer than gemma3's window of 24 and than several KV blocks
        let whole = chunked(&mut decoder, &tokens, &[70]);
        assert_close(name, &whole, &chunked(&mut decoder, &tokens, &[1]));
        assert_close(name, &whole, &chunked(&mut decoder, &tokens, &[33, 1, 5]));
    }
}

#[test]
fn a_batch_equals_its_sequences_alone() {
    for (name, model) in TestModel::all() {
        let mut decoder = decoder(name, &model);
        let sequences = [tokens(5, 1), tokens(1, 2), tokens(19, 3)];
        let alone: Vec<Vec<f32>> =
            sequences.iter().map(|s| chunked(&mut decoder, s, &[64])).collect();
        let mut kvs: Vec<SequenceKv> = sequences.iter().map(|_| SequenceKv::default()).collect();
        let mut items: Vec<BatchItem> = kvs
            .iter_mut()
            .zip(&sequences)
            .map(|(kv, tokens)| BatchItem { kv, tokens, logits: LogitRows::From(0) })
            .collect();
        let together = decoder.forward(&mut items).unwrap().to_vec();
        assert_close(name, &together, &alone.concat());
        for mut kv in kvs {
            decoder.kv_mut().release(&mut kv);
        }
        assert_eq!(decoder.kv().used_bytes(), 0);
    }
}

#[test]
fn what_came_before_matters_and_what_is_outside_the_window_does_not() {
    let mut model = TestModel::gemma3();
    // All layers local: one position short of the sixth, which would be global.
    model.set("gemma3.block_count", pacemark_modelfile::Value::U32(1));
    model
        .tensors
        .retain(|(info, _)| !info.name.starts_with("blk.") || info.name.starts_with("blk.0."));
    let mut decoder = decoder("window", &model);
    let (mut a, mut b) = (tokens(60, 1), tokens(60, 1));
    b[59 - 24] += 1; // the nearest position that the last token must not see
    let last = |decoder: &mut Decoder, tokens: &[TokenId]| {
        let logits = chunked(decoder, tokens, &[60]);
        logits[logits.len() - N_VOCAB..].to_vec()
    };
    assert_eq!(last(&mut decoder, &a), last(&mut decoder, &b));
    a[59 - 23] += 1;
    assert_ne!(last(&mut decoder, &a), last(&mut decoder, &b));
}

#[test]
fn logit_rows_are_those_asked_for() {
    let mut decoder = decoder("rows", &TestModel::llama());
    let tokens = tokens(9, 4);
    let all = chunked(&mut decoder, &tokens, &[9]);
    let mut rows = |logits| {
        let mut kv = SequenceKv::default();
        let item = BatchItem { kv: &mut kv, tokens: &tokens, logits };
        let rows = decoder.forward(&mut [item]).unwrap().to_vec();
        decoder.kv_mut().release(&mut kv);
        rows
    };
    assert!(rows(LogitRows::None).is_empty());
    assert_eq!(rows(LogitRows::Last), all[8 * N_VOCAB..]);
    assert_eq!(rows(LogitRows::From(6)), all[6 * N_VOCAB..]);
}

#[test]
fn an_error_changes_nothing() {
    let mut decoder = decoder("errors", &TestModel::llama());
    let (mut a, mut b) = (SequenceKv::default(), SequenceKv::default());
    let (short, long) = (tokens(9, 1), tokens(N_CTX, 1));
    let mut items = [
        BatchItem { kv: &mut a, tokens: &short, logits: LogitRows::Last },
        BatchItem { kv: &mut b, tokens: &long, logits: LogitRows::Last },
    ];
    assert!(matches!(decoder.forward(&mut items), Err(EngineError::KvFull { .. })));
    assert_eq!((a.len(), b.len(), decoder.kv().used_bytes()), (0, 0, 0));
    let unknown = [N_VOCAB as TokenId];
    let mut items = [BatchItem { kv: &mut a, tokens: &unknown, logits: LogitRows::Last }];
    assert!(matches!(decoder.forward(&mut items), Err(EngineError::Token { .. })));
    assert_eq!(decoder.kv().used_bytes(), 0);
}

/// What every layer computes shows in the answer: a description that forgot a tensor's use would
/// pass all tests that compare a model with itself.
#[test]
fn every_tensor_matters() {
    for (name, model) in TestModel::all() {
        let whole = chunked(&mut decoder(name, &model), &tokens(20, 6), &[20]);
        for i in 0..model.tensors.len() {
            let mut other = TestModel::of(name);
            let (info, bytes) = &mut other.tensors[i];
            if info.name.starts_with("blk.") && !info.name.starts_with("blk.3.") {
                continue; // smollm3's layer that does not rotate is tried, and like it the others
            }
            bytes.fill(0);
            let info = info.name.clone();
            let found = chunked(&mut decoder(name, &other), &tokens(20, 6), &[20]);
            assert!(found != whole, "{name}: {info} changes nothing");
        }
    }
}

/// What a server promises: an answer does not depend on who else is served, nor on how a prompt was
/// cut.
#[test]
fn the_composition_of_batches_changes_no_bit() {
    for (name, model) in TestModel::all() {
        let mut decoder = decoder(&format!("{name}-composition"), &model);
        let tokens = tokens(N_CTX / 2, 5);
        let whole = chunked(&mut decoder, &tokens, &[tokens.len()]);
        for (sizes, n_others) in
            [(&[1][..], 0), (&[3, 5], 0), (&[16], 0), (&[1], 7), (&[4], 2), (&[20, 1], 1)]
        {
            let mut kv = SequenceKv::default();
            let mut others: Vec<SequenceKv> =
                (0..n_others).map(|_| SequenceKv::default()).collect();
            let (mut logits, mut rest) = (Vec::new(), &tokens[..]);
            for &size in sizes.iter().cycle() {
                let (chunk, after) = rest.split_at(size.min(rest.len()));
                others
                    .iter_mut()
                    .filter(|kv| kv.len() > 8)
                    .for_each(|kv| decoder.kv_mut().truncate(kv, 0));
                let other = |kv| BatchItem { kv, tokens: &tokens[..2], logits: LogitRows::None };
                let mut items: Vec<BatchItem<'_>> = others.iter_mut().map(other).collect();
                items.push(BatchItem { kv: &mut kv, tokens: chunk, logits: LogitRows::From(0) });
                logits.extend_from_slice(decoder.forward(&mut items).unwrap());
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            assert!(
                whole == logits,
                "{name}: chunks of {sizes:?} beside {n_others} other sequences"
            );
            others.iter_mut().chain([&mut kv]).for_each(|kv| decoder.kv_mut().release(kv));
        }
    }
}
