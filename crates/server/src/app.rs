//! What all requests share: the service, the options, the counters, who may come in.

use crate::admission::{Admission, Places};
use crate::error::{ApiError, Result};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::prepare::Context;
use crate::relay::Relay;
use pacemark_backend::{BackendInfo, Service};
use serde_json::Value;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, watch};

/// Bodies longer than this take turns, so that many at once do not fill the memory.
pub(crate) const SMALL_BODY: usize = 64 << 10;
/// How many of them are read at once.
const LARGE_BODIES: usize = 16;

/// Shared by all requests of a server.
pub(crate) struct App {
    /// Who computes.
    pub service: Arc<dyn Service>,
    /// What computes.
    pub info: BackendInfo,
    /// Names, keys and limits.
    pub options: Options,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Places for answers.
    pub admission: Arc<Admission>,
    /// Events on their way to streams.
    pub relay: Arc<Relay>,
    /// Turns of reading, rendering and tokenizing.
    pub preparing: Semaphore,
    /// Turns of reading long bodies.
    pub large_bodies: Semaphore,
    /// When the server was started, in seconds since 1970.
    pub created: u64,
    /// Names what computes: the same as long as engine, model and settings are.
    pub fingerprint: String,
    /// The log has said what it says once.
    pub noted: Once,
    /// Connections that were let go when the server ended.
    pub cut: AtomicUsize,
    /// What is under way that is no answer.
    pub works: watch::Sender<usize>,
    /// Some of it was cut short by the end.
    pub works_cut: AtomicBool,
    draining: AtomicBool,
    /// Why no answers are computed, while that is so.
    held: Mutex<Option<String>>,
    /// What others' routes add to the document of the API.
    pub more_openapi: OnceLock<Value>,
    next_id: AtomicU64,
    ids: RandomState,
}

impl App {
    /// What a server of `service` shares.
    pub(crate) fn new(service: Arc<dyn Service>, options: Options) -> Arc<App> {
        let info = service.info();
        let places = info.n_seqs.saturating_add(options.max_queue);
        Arc::new(App {
            metrics: Arc::new(Metrics::new(options.model_name())),
            admission: Admission::new(places),
            relay: Arc::new(Relay::new(&*service)),
            preparing: Semaphore::new(options.max_preparing.clamp(1, 1024)),
            large_bodies: Semaphore::new(LARGE_BODIES),
            created: unix_time(),
            fingerprint: fingerprint(&info),
            noted: Once::new(),
            cut: AtomicUsize::new(0),
            works: watch::channel(0).0,
            works_cut: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            held: Mutex::default(),
            more_openapi: OnceLock::new(),
            next_id: AtomicU64::new(0),
            ids: RandomState::new(),
            service,
            info,
            options,
        })
    }

    /// What preparing looks things up in.
    pub(crate) fn context(&self) -> Context<'_> {
        Context { service: &*self.service, info: &self.info, options: &self.options }
    }

    /// Takes places for `n` answers.
    pub(crate) fn enter(&self, n: usize) -> Result<Places> {
        if self.draining() {
            return Err(ApiError::draining());
        }
        self.admission.enter(n).ok_or_else(|| self.full())
    }

    /// Why no answers are computed, while that is so.
    pub(crate) fn held(&self) -> MutexGuard<'_, Option<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There are no places left.
    pub(crate) fn full(&self) -> ApiError {
        if let Some(why) = &*self.held() {
            return ApiError::held(why);
        }
        ApiError::busy(format!(
            "all {} places for answers are taken; try again",
            self.admission.places()
        ))
    }

    /// Refuses new requests from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether new requests are refused.
    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// A name that no other request of this server has, and hardly one of another.
    pub(crate) fn new_id(&self) -> String {
        let n = self.next_id.fetch_add(1, Relaxed);
        let mut hasher = self.ids.build_hasher();
        hasher.write_u64(n);
        format!("{:016x}{n:08x}", hasher.finish())
    }
}

/// The engine's version, and a hash of all that the service tells of itself.
fn fingerprint(info: &BackendInfo) -> String {
    // FNV-1a: the same in every build, unlike the standard library's.
    let hash = format!("{info:?}").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("pacemark-{}-{:08x}", env!("CARGO_PKG_VERSION"), hash as u32)
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
