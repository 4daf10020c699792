//! llama.cpp's C interface made safe: a model, a context over it with its threads, and the batch it
//! computes. Devices (`device`) and calls that may never come back (`guard`) have files of their own.
//!
//! Everything unsafe of the backend is here. llama.cpp ends the process (`GGML_ABORT`) where one of
//! its own assertions fails; callers therefore read the file with `modelfile` first, whose checks
//! are stricter. Objects of this module stay on the thread that made them: their raw pointers are
//! not `Send`.

#![allow(unsafe_code, reason = "a C library can only be called by unsafe code")]

mod device;
mod guard;

pub(super) use device::{About, Device, local, of_worker, work_for_others};
use guard::Carried;
pub(super) use guard::Guard;
use llama_cpp_sys_2 as sys;
use std::ffi::{CStr, CString, c_char, c_void};
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, Once, PoisonError};

/// What llama.cpp complained of since [`take_errors`]; it reports reasons by its log only.
static ERRORS: Mutex<String> = Mutex::new(String::new());

/// Longest text kept in [`ERRORS`].
const MAX_ERRORS: usize = 2000;

/// How a context is set up; the names are llama.cpp's.
#[derive(Clone, Copy, Debug)]
pub(super) struct ContextParams {
    /// Tokens of all sequences together.
    pub(super) n_ctx: u32,
    pub(super) n_batch: u32,
    pub(super) n_ubatch: u32,
    pub(super) n_seq_max: u32,
    pub(super) n_threads: i32,
    pub(super) n_threads_batch: i32,
    /// -1 to let llama.cpp choose, 0 off, 1 on.
    pub(super) flash_attn: i32,
    pub(super) type_k: sys::ggml_type,
    pub(super) type_v: sys::ggml_type,
    /// Keys and values lie where their layer is computed.
    pub(super) offload_kv: bool,
    /// Operations may go to a device that their weights are not on.
    pub(super) offload_ops: bool,
}

/// How a model is loaded; the names are llama.cpp's.
#[derive(Clone, Debug)]
pub(super) struct ModelParams {
    /// Layers that devices compute; -1 for all.
    pub(super) n_gpu_layers: i32,
    pub(super) split_mode: sys::llama_split_mode,
    /// Which of `devices`.
    pub(super) main_gpu: i32,
    /// Shares of the devices; empty to go by their memory.
    pub(super) tensor_split: Vec<f32>,
    /// The devices; none for processors alone.
    pub(super) devices: Vec<Device>,
    pub(super) load_mode: sys::llama_load_mode,
    /// Weights are laid out anew for the processors where ggml can.
    pub(super) repack: bool,
}

/// Why tokens were not computed.
#[derive(Debug)]
pub(super) enum DecodeError {
    /// llama.cpp's code.
    Code(i32),
    /// The call will not come back.
    Lost(String),
}

/// One token to compute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) id: i32,
    pub(super) position: i32,
    pub(super) sequence: i32,
    /// Its logits are wanted.
    pub(super) wanted: bool,
}

/// Loaded weights.
pub(super) struct Model {
    model: NonNull<sys::llama_model>,
    calls: Calls,
}

/// How calls that may use the network are made: through a guard, where there are workers.
#[derive(Clone, Default)]
struct Calls {
    guard: Option<Arc<Guard>>,
    /// One did not come back: nothing may be touched or freed any more.
    lost: bool,
}

/// A KV cache with threads and buffers over a model.
pub(super) struct Context {
    context: NonNull<sys::llama_context>,
    pool: NonNull<sys::ggml_threadpool>,
    /// What `context` points into; dropped after it.
    model: Model,
    batch: Batch,
}

/// The arrays of a `llama_batch`, kept from step to step.
#[derive(Default)]
struct Batch {
    ids: Vec<i32>,
    positions: Vec<i32>,
    n_sequences: Vec<i32>,
    sequences: Vec<i32>,
    sequence_pointers: Vec<*mut i32>,
    wanted: Vec<i8>,
    /// Where the wanted tokens are.
    rows: Vec<i32>,
}

extern "C" fn log(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if level != sys::GGML_LOG_LEVEL_ERROR || text.is_null() {
        return;
    }
    // SAFETY: llama.cpp passes a NUL-terminated string that lives for the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let mut errors = ERRORS.lock().unwrap_or_else(PoisonError::into_inner);
    if errors.len() + text.len() <= MAX_ERRORS {
        errors.push_str(&text);
    }
}

/// What llama.cpp complained of, and forgets it.
pub(super) fn take_errors() -> String {
    let text = mem::take(&mut *ERRORS.lock().unwrap_or_else(PoisonError::into_inner));
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { "llama.cpp gave no reason".to_owned() } else { lines.join("; ") }
}

/// llama.cpp's version.
pub(super) fn version() -> String {
    // SAFETY: the function returns a static NUL-terminated string.
    unsafe { CStr::from_ptr(sys::llama_version()) }.to_string_lossy().into_owned()
}

fn initialize() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `log` is a function of the right type and needs no data; initialization has no
        // other condition.
        unsafe {
            sys::llama_log_set(Some(log), ptr::null_mut());
            sys::llama_backend_init();
        }
    });
}

impl Calls {
    /// The error is why no call comes back any more.
    fn check(&mut self) -> Result<(), String> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let lost = guard.check();
        self.lost |= lost.is_err();
        lost
    }

    /// Makes a call; the error is why it will not come back.
    fn make<R: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, String> {
        let Some(guard) = &self.guard else { return Ok(work()) };
        let result = guard.call(work);
        self.lost |= result.is_err();
        result
    }
}

impl ModelParams {
    /// Loads the file. What llama.cpp reads by pointer lives for the call, on whatever thread it is.
    fn load(mut self, path: &CString) -> *mut sys::llama_model {
        let mut devices: Vec<_> = self.devices.iter().map(|device| device.raw()).collect();
        devices.push(ptr::null_mut());
        // SAFETY: the number of devices that llama.cpp was built for.
        self.tensor_split.resize(unsafe { sys::llama_max_devices() }, 0.0);
        let has_split = self.tensor_split.iter().any(|share| *share != 0.0);
        // SAFETY: the parameters are llama.cpp's defaults with numbers and two arrays changed: the
        // devices end with null, the shares are as many as it asks for. `path` is NUL-terminated.
        unsafe {
            let mut params = sys::llama_model_default_params();
            // An empty list is no list: without devices no layer goes anywhere.
            params.n_gpu_layers = if self.devices.is_empty() { 0 } else { self.n_gpu_layers };
            params.devices = devices.as_mut_ptr();
            params.split_mode = self.split_mode;
            params.main_gpu = self.main_gpu;
            params.tensor_split = if has_split { self.tensor_split.as_ptr() } else { ptr::null() };
            params.load_mode = self.load_mode;
            params.use_extra_bufts = self.repack;
            sys::llama_model_load_from_file(path.as_ptr(), params)
        }
    }
}

impl Model {
    /// Loads a file as llama-bench does by default: mapped, with weights repacked where ggml does
    /// so. `Err` if the call will not come back, `Ok(None)` if llama.cpp refuses.
    pub(super) fn load(
        path: &CString,
        params: &ModelParams,
        guard: Option<Arc<Guard>>,
    ) -> Result<Option<Model>, String> {
        initialize();
        take_errors();
        let mut calls = Calls { guard, lost: false };
        let (path, params) = (path.clone(), params.clone());
        let model = calls.make(move || Carried(params.load(&path)))?.get();
        Ok(NonNull::new(model).map(|model| Model { model, calls }))
    }

    /// Tokens in the vocabulary.
    pub(super) fn n_vocab(&self) -> usize {
        // SAFETY: the model is loaded, and its vocabulary lives as long as it does.
        unsafe {
            sys::llama_vocab_n_tokens(sys::llama_model_get_vocab(self.model.as_ptr())).max(0)
                as usize
        }
    }

    /// Context that the model was trained for.
    pub(super) fn n_ctx_train(&self) -> usize {
        // SAFETY: the model is loaded.
        unsafe { sys::llama_model_n_ctx_train(self.model.as_ptr()).max(0) as usize }
    }

    /// Tokens that a layer with a window sees; 0 for models without.
    pub(super) fn window(&self) -> usize {
        // SAFETY: the model is loaded.
        unsafe { sys::llama_model_n_swa(self.model.as_ptr()).max(0) as usize }
    }

    /// The token that starts a sequence, where the model wants one.
    pub(super) fn bos(&self) -> Option<u32> {
        // SAFETY: the model is loaded, and its vocabulary lives as long as it does.
        let (adds, bos) = unsafe {
            let vocab = sys::llama_model_get_vocab(self.model.as_ptr());
            (sys::llama_vocab_get_add_bos(vocab), sys::llama_vocab_bos(vocab))
        };
        u32::try_from(bos).ok().filter(|_| adds)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if self.calls.lost {
            return;
        }
        let model = Carried(self.model);
        // SAFETY: loaded by `load`, freed once, and no context over it is left. A call that does not
        // come back leaves it to its thread.
        let _ = self.calls.make(move || unsafe { sys::llama_model_free(model.get().as_ptr()) });
    }
}

/// llama-bench's threads: they poll for the next graph (level 50). Paused until the first one, and
/// again by [`Context::rest`]. `None` where there are none to be had.
fn threads(params: &ContextParams) -> Option<NonNull<sys::ggml_threadpool>> {
    let n = params.n_threads.max(params.n_threads_batch);
    // SAFETY: the parameters are those that ggml itself fills in, two of them changed.
    let pool = unsafe {
        let mut p = sys::ggml_threadpool_params_default(n);
        p.poll = 50;
        p.paused = true;
        sys::ggml_threadpool_new(&raw mut p)
    };
    NonNull::new(pool)
}

impl Context {
    /// A context over `model`. `Err` if the call will not come back, `Ok(None)` if llama.cpp refuses.
    pub(super) fn new(mut model: Model, params: &ContextParams) -> Result<Option<Context>, String> {
        take_errors();
        let Some(pool) = threads(params) else { return Ok(None) };
        let (params, loaded) = (*params, Carried(model.model));
        let init = move || {
            let loaded = loaded.get();
            // SAFETY: the parameters are llama.cpp's defaults with numbers changed; the model is
            // loaded.
            Carried(unsafe { sys::llama_init_from_model(loaded.as_ptr(), params.raw()) })
        };
        let made = model.calls.make(init).map(|context| NonNull::new(context.get()));
        let Ok(Some(context)) = made else {
            // SAFETY: made above and freed once; no context has had it.
            unsafe { sys::ggml_threadpool_free(pool.as_ptr()) };
            return made.map(|_| None);
        };
        // SAFETY: both are valid; the pool is freed after the context (`drop`).
        unsafe { sys::llama_attach_threadpool(context.as_ptr(), pool.as_ptr(), pool.as_ptr()) };
        Ok(Some(Context { context, pool, model, batch: Batch::default() }))
    }

    /// The model.
    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// Tokens that one sequence may hold: what was asked for, rounded up.
    pub(super) fn n_ctx_seq(&self) -> usize {
        // SAFETY: the context is valid.
        unsafe { sys::llama_n_ctx_seq(self.context.as_ptr()) as usize }
    }

    /// Computes `tokens`, whose ids, positions and sequences the caller has checked.
    pub(super) fn decode(&mut self, tokens: &[Token]) -> Result<(), DecodeError> {
        // A call that was lost may still read the batch.
        self.model.calls.check().map_err(DecodeError::Lost)?;
        self.batch.fill(tokens);
        let work = Carried((self.context, self.batch.raw()));
        // SAFETY: the arrays of the batch have `n_tokens` elements, and live in `self.batch`: until
        // the call returns, or for good if it never does (`drop`).
        let work = move || unsafe {
            let (context, batch) = work.get();
            let code = sys::llama_decode(context.as_ptr(), batch);
            sys::llama_synchronize(context.as_ptr());
            code
        };
        match self.model.calls.make(work) {
            Ok(0) => Ok(()),
            Ok(code) => Err(DecodeError::Code(code)),
            Err(why) => Err(DecodeError::Lost(why)),
        }
    }

    /// A call has not come back: nothing of the context may be used any more.
    fn is_lost(&self) -> bool {
        self.model.calls.lost
    }

    /// Logits of the `row`-th wanted token of the last [`Context::decode`], `[n_vocab]`; `None` if
    /// there is no such row.
    pub(super) fn logits(&self, row: usize) -> Option<&[f32]> {
        let index = *self.batch.rows.get(row).filter(|_| !self.is_lost())?;
        // SAFETY: null for an index without logits; otherwise `n_vocab` floats that stay until the
        // next decode, which needs `&mut self`. The call may sort llama.cpp's rows, which nobody
        // else sees: a context is not shared between threads.
        unsafe {
            let logits = sys::llama_get_logits_ith(self.context.as_ptr(), index);
            (!logits.is_null()).then(|| std::slice::from_raw_parts(logits, self.model.n_vocab()))
        }
    }

    /// Forgets `sequence` from position `from` on; false where only all of it can be forgotten.
    pub(super) fn remove(&mut self, sequence: i32, from: i32) -> bool {
        if self.is_lost() {
            return false;
        }
        // SAFETY: the context is valid, and so is its memory as long as it lives.
        unsafe {
            sys::llama_memory_seq_rm(
                sys::llama_get_memory(self.context.as_ptr()),
                sequence,
                from,
                -1,
            )
        }
    }

    /// First position of `sequence` that every layer still holds; -1 if it is empty.
    pub(super) fn first_position(&self, sequence: i32) -> i32 {
        if self.is_lost() {
            return -1;
        }
        // SAFETY: as in `remove`.
        unsafe {
            sys::llama_memory_seq_pos_min(sys::llama_get_memory(self.context.as_ptr()), sequence)
        }
    }

    /// A copy of what `sequence` holds; `None` if llama.cpp cannot make one.
    pub(super) fn save(&mut self, sequence: i32) -> Option<Vec<u8>> {
        if self.is_lost() {
            return None;
        }
        let context = Carried(self.context);
        // SAFETY: the context is valid; `state` is as long as llama.cpp says it must be.
        let work = move || unsafe {
            let context = context.get().as_ptr();
            let mut state = vec![0u8; sys::llama_state_seq_get_size(context, sequence)];
            let n =
                sys::llama_state_seq_get_data(context, state.as_mut_ptr(), state.len(), sequence);
            (n > 0 && n == state.len()).then_some(state)
        };
        self.model.calls.make(work).ok().flatten()
    }

    /// Puts a copy made by [`Context::save`] in place of what `sequence` holds.
    pub(super) fn restore(&mut self, sequence: i32, state: &Arc<[u8]>) -> bool {
        if self.is_lost() {
            return false;
        }
        let (context, state) = (Carried(self.context), state.clone());
        // SAFETY: the context is valid; llama.cpp reads at most `state.len()` bytes, which it wrote
        // itself.
        let work = move || unsafe {
            let context = context.get().as_ptr();
            sys::llama_state_seq_set_data(context, state.as_ptr(), state.len(), sequence) > 0
        };
        self.model.calls.make(work).unwrap_or(false)
    }

    /// Parks the threads, which otherwise look for the next graph for a while; the next one wakes
    /// them.
    pub(super) fn rest(&mut self) {
        if self.is_lost() {
            return;
        }
        // SAFETY: the pool is valid, and no graph is being computed: `decode` has come back.
        unsafe { sys::ggml_threadpool_pause(self.pool.as_ptr()) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if !self.is_lost() {
            let context = Carried(self.context);
            // SAFETY: made by `new` and freed once; a call that does not come back leaves it to its
            // thread.
            let free = move || unsafe { sys::llama_free(context.get().as_ptr()) };
            let _ = self.model.calls.make(free);
        }
        if self.is_lost() {
            // The thread that is lost may still read them, and use the threads.
            mem::forget(mem::take(&mut self.batch));
            return;
        }
        // SAFETY: made by `new`, freed once; who used the threads is gone. The model follows as a
        // field.
        unsafe { sys::ggml_threadpool_free(self.pool.as_ptr()) }
    }
}

impl ContextParams {
    fn raw(&self) -> sys::llama_context_params {
        // SAFETY: the function only returns numbers.
        let mut p = unsafe { sys::llama_context_default_params() };
        p.n_ctx = self.n_ctx;
        p.n_batch = self.n_batch;
        p.n_ubatch = self.n_ubatch;
        p.n_seq_max = self.n_seq_max;
        p.n_threads = self.n_threads;
        p.n_threads_batch = self.n_threads_batch;
        p.flash_attn_type = self.flash_attn;
        p.type_k = self.type_k;
        p.type_v = self.type_v;
        p.offload_kqv = self.offload_kv;
        p.op_offload = self.offload_ops;
        // As llama-bench: the window's cache only as long as the window.
        p.swa_full = false;
        p
    }
}

impl Batch {
    fn fill(&mut self, tokens: &[Token]) {
        self.ids.clear();
        self.positions.clear();
        self.n_sequences.clear();
        self.sequences.clear();
        self.wanted.clear();
        self.rows.clear();
        for (index, token) in tokens.iter().enumerate() {
            self.ids.push(token.id);
            self.positions.push(token.position);
            self.n_sequences.push(1);
            self.sequences.push(token.sequence);
            self.wanted.push(i8::from(token.wanted));
            if token.wanted {
                self.rows.push(index as i32);
            }
        }
        // Only now: a vector that grows moves.
        self.sequence_pointers.clear();
        self.sequence_pointers.extend(self.sequences.iter_mut().map(ptr::from_mut));
    }

    fn raw(&mut self) -> sys::llama_batch {
        sys::llama_batch {
            n_tokens: self.ids.len() as i32,
            token: self.ids.as_mut_ptr(),
            embd: ptr::null_mut(),
            pos: self.positions.as_mut_ptr(),
            n_seq_id: self.n_sequences.as_mut_ptr(),
            seq_id: self.sequence_pointers.as_mut_ptr(),
            logits: self.wanted.as_mut_ptr(),
        }
    }
}
