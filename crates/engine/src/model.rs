//! Loading: a file becomes a configuration and packed weights, with the time of each stage.

use crate::weights::{Loader, Weights};
use crate::{Account, DecoderOptions, EngineError, KV_BLOCK, KvTypes, ModelConfig, Usage, bounds};
use pacemark_kernels::{Arena, KernelSet, Team};
use pacemark_limits::{Memory, System};
use pacemark_modelfile::{ModelFile, OpenOptions};
use pacemark_setup::{Residence, Threads};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where load time went.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadTimes {
    /// Opening, mapping and checking the header.
    pub map: Duration,
    /// Packing the weights.
    pub pack: Duration,
}

/// A model ready to compute.
pub struct Model {
    pub(crate) config: ModelConfig,
    pub(crate) weights: Weights,
    pub(crate) kernels: &'static KernelSet,
    pub(crate) team: Team,
    threads: Threads,
    file: Arc<ModelFile>,
    times: LoadTimes,
}

impl Model {
    /// Opens and packs `path`. `progress(layers done, layers)` is called as packing goes on.
    ///
    /// The memory must hold `cache` as well, which a decoder of the model is to be made with.
    pub fn load(
        path: impl AsRef<Path>,
        threads: Threads,
        residence: Residence,
        cache: DecoderOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Model, EngineError> {
        let started = Instant::now();
        let file = ModelFile::open_with(
            path,
            OpenOptions {
                weights: residence.quantize,
                no_mmap: !residence.is_mapped(),
                dequantize: residence.exact,
            },
        )?;
        Model::of(file, started, threads, residence, cache, progress)
    }

    /// The same of a file that is open, `started` being when that began.
    pub fn of(
        file: ModelFile,
        started: Instant,
        threads: Threads,
        residence: Residence,
        cache: DecoderOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Model, EngineError> {
        let config = bounds::config(&file)?;
        let mapped = Instant::now();
        let kernels = pacemark_kernels::kernels()?;
        check_memory(&file, &config, kernels, cache, residence.pack)?;
        let places = threads.place.of_threads(threads.in_all())?;
        let team = Team::placed(threads.in_all(), &places).map_err(EngineError::Threads)?;
        let mut arena = Arena::default();
        let loader = Loader {
            file: &file,
            config: &config,
            team: &team,
            kernels,
            arena: &mut arena,
            in_place: !residence.pack,
        };
        let weights = loader.load(progress)?;
        if residence.pack {
            // What reading small tensors brought in around them, and the header.
            file.release();
        }
        if residence.mlock {
            lock(&file, &arena, residence.pack)?;
        }
        let times = LoadTimes { map: mapped - started, pack: mapped.elapsed() };
        Ok(Model { config, weights, kernels, team, threads, file: Arc::new(file), times })
    }

    /// Dimensions and features.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The file: metadata, tensor list, sizes.
    pub fn file(&self) -> &Arc<ModelFile> {
        &self.file
    }

    /// The kernels in use.
    pub fn kernels(&self) -> &'static KernelSet {
        self.kernels
    }

    /// Threads that compute a pass over one token.
    pub fn n_threads(&self) -> usize {
        self.threads.per_token()
    }

    /// Threads that compute a pass over several tokens.
    pub fn n_threads_batch(&self) -> usize {
        self.threads.per_batch()
    }

    /// Has the right number of threads compute the next pass, over `n_tokens` tokens of all
    /// sequences together.
    pub(crate) fn set_threads_for(&self, n_tokens: usize) {
        self.team.set_active(if n_tokens > 1 { self.n_threads_batch() } else { self.n_threads() });
    }

    /// Where load time went.
    pub fn times(&self) -> LoadTimes {
        self.times
    }

    /// KV bytes of one token over all layers.
    pub fn kv_bytes_per_token(&self, types: KvTypes) -> u64 {
        let c = &self.config;
        let head = [types.k(), types.v()].map(|kv_type| kv_type.page_bytes(c.head_dim) / KV_BLOCK);
        (c.layers.len() * c.n_kv_heads * (head[0] + head[1])) as u64
    }

    /// Bytes of all matrices, packed or as the file has them.
    pub fn packed_bytes(&self) -> u64 {
        let layers = self.weights.layers.iter();
        let matrices = layers
            .flat_map(|l| [&l.wq, &l.wk, &l.wv, &l.wo, &l.up, &l.down].into_iter().chain(&l.gate));
        matrices.chain([&self.weights.output]).map(|m| m.bytes() as u64).sum()
    }
}

/// Locks the weights, packed or in the file; the error says how much was to be locked, and how much
/// may be.
fn lock(file: &ModelFile, arena: &Arena, packed: bool) -> Result<(), EngineError> {
    let (result, bytes) =
        if packed { (arena.lock(), arena.used_bytes()) } else { (file.lock(), file.file_bytes()) };
    result.map_err(|source| EngineError::Lock {
        weights_mib: bytes >> 20,
        limit: pacemark_kernels::memlock_limit()
            .map_or("any amount".into(), |bytes| format!("{} KiB", bytes >> 10)),
        source,
    })
}

/// Stacks, buffers and what else the account of a model leaves out. SmolLM2-135M is killed in a
/// control group of 126 MiB and lives in 140; gemma-3-270m is killed in 290 and lives in 300.
const REST: u64 = 8 << 20;

/// Refuses what cannot fit before anything is allocated.
fn check_memory(
    file: &ModelFile,
    config: &ModelConfig,
    kernels: &KernelSet,
    cache: DecoderOptions,
    pack: bool,
) -> Result<(), EngineError> {
    /// Tokens that are computed at once, usually.
    const BATCH: usize = 512;
    let n_ctx = cache.n_ctx;
    let usage =
        Usage { n_ctx, n_seqs: 1, n_step: BATCH, kv: cache.kv, policy: None, n_prompt: None, pack };
    // A tensor that is not as it should be is the loader's to tell.
    let Ok(account) = Account::of(file, config, kernels, &usage) else { return Ok(()) };
    let table = if account.table_is_mapped { 0 } else { account.table };
    let (weights, kv) = (account.weights.saturating_add(table), account.kv);
    let work = account.work.saturating_add(REST);
    let needed = weights.saturating_add(kv).saturating_add(work);
    let memory = Memory::of(&System::here());
    match memory.available {
        Some(available) if needed > available => Err(EngineError::Memory {
            needed_mib: needed >> 20,
            weights_mib: weights >> 20,
            kv_mib: kv >> 20,
            work_mib: work >> 20,
            n_ctx,
            available_mib: available >> 20,
            bound_by: memory
                .bound_by
                .map_or(String::new(), |limit| format!(" (limited to {limit})")),
        }),
        _ => Ok(()),
    }
}
