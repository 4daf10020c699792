//! Reads devices again and again on a thread of its own, between a beginning and an end, and at the
//! moments in between that whoever measures marks.
//!
//! What a device has used by a reading is its counter, or where it has none its power integrated by
//! trapezoids from one reading to the next. The energy of a stretch is the difference of two marks.

use crate::device::{Identity, Meter, Reading};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often devices are read: NVML's figures are means over about as long.
pub(crate) const EVERY: Duration = Duration::from_millis(100);

/// More samples than these are not kept: every other one is dropped and reading slows down.
const MOST_SAMPLES: usize = 10_000;

/// One reading and when it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Since [`Sampler::watch`], nanoseconds.
    pub t_ns: u64,
    /// What the device said.
    pub reading: Reading,
}

/// What one device did between beginning and end.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Which.
    pub identity: Identity,
    /// In order.
    pub samples: Vec<Sample>,
    /// The most memory that each process was seen with, bytes.
    pub peak_process_bytes: BTreeMap<u32, u64>,
    /// Its energy is its own counter's; otherwise it is power times time.
    pub has_counter: bool,
    /// Why it could not be read any more.
    pub lost: Option<String>,
    /// Time that reading it took in all, nanoseconds.
    pub reading_ns: u64,
}

/// A moment that was marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Since [`Sampler::watch`], nanoseconds.
    pub at_ns: u64,
    /// For each device what it has used since some time in the past, joules.
    pub energies_j: Vec<Option<f64>>,
}

/// Samples devices. Where there are none it has no thread and no samples.
pub struct Sampler {
    shared: Arc<(Mutex<State>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    tracked: Vec<Tracked>,
    /// Whose memory is asked for.
    pid: Option<u32>,
    began: Instant,
    every: Duration,
    is_on: bool,
    is_over: bool,
}

struct Tracked {
    meter: Box<dyn Meter>,
    course: Course,
    /// By its power, joules.
    integrated_j: f64,
    /// When it last told its power, and which.
    power: Option<(u64, f64)>,
}

impl Sampler {
    /// For these devices.
    pub fn new(meters: Vec<Box<dyn Meter>>) -> Sampler {
        let tracked: Vec<Tracked> = meters.into_iter().map(Tracked::new).collect();
        let has_devices = !tracked.is_empty();
        let (began, every) = (Instant::now(), EVERY);
        let state = State { tracked, pid: None, began, every, is_on: false, is_over: false };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let start = || {
            let shared = shared.clone();
            let builder = std::thread::Builder::new().name("devices".into());
            // Without a thread there are the marks.
            builder.spawn(move || run(&shared)).ok()
        };
        let thread = if has_devices { start() } else { None };
        Sampler { shared, thread }
    }

    /// Begins to sample, with nothing remembered of what was before.
    pub fn watch(&self) {
        let mut state = self.lock();
        state.began = Instant::now();
        state.every = EVERY;
        state.is_on = true;
        state.tracked.iter_mut().for_each(Tracked::begin);
        self.shared.1.notify_all();
    }

    /// From now on the memory of this process is asked for.
    pub fn of_process(&self, pid: Option<u32>) {
        self.lock().pid = pid;
    }

    /// Reads all devices now.
    pub fn mark(&self) -> Mark {
        let mut state = self.lock();
        let at_ns = state.sample();
        Mark { at_ns, energies_j: state.tracked.iter().map(Tracked::energy_j).collect() }
    }

    /// Ends sampling: what each device did since [`Self::watch`].
    pub fn take(&self) -> Vec<Course> {
        let mut state = self.lock();
        state.is_on = false;
        state.tracked.iter_mut().map(Tracked::take).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A meter that panicked has left a sample less.
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.lock().is_over = true;
        self.shared.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run((state, bell): &(Mutex<State>, Condvar)) {
    let mut held = state.lock().unwrap_or_else(PoisonError::into_inner);
    while !held.is_over {
        if held.is_on {
            held.sample();
            let every = held.every;
            let woken = bell.wait_timeout(held, every);
            held = woken.unwrap_or_else(PoisonError::into_inner).0;
        } else {
            held = bell.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    /// Reads all; when that was done, so that the reading at the end of a stretch lies within it and
    /// that at its beginning, which tells of what was before, does not.
    fn sample(&mut self) -> u64 {
        let (began, pid) = (self.began, self.pid);
        let now = || began.elapsed().as_nanos() as u64;
        for tracked in &mut self.tracked {
            tracked.read(pid, now);
        }
        if self.tracked.iter().any(|tracked| tracked.course.samples.len() >= MOST_SAMPLES) {
            self.tracked.iter_mut().for_each(Tracked::thin);
            self.every *= 2;
        }
        now()
    }
}

impl Tracked {
    fn new(meter: Box<dyn Meter>) -> Tracked {
        let course = Course {
            identity: meter.identity().clone(),
            samples: Vec::new(),
            peak_process_bytes: BTreeMap::new(),
            has_counter: false,
            lost: None,
            reading_ns: 0,
        };
        Tracked { meter, course, integrated_j: 0.0, power: None }
    }

    fn begin(&mut self) {
        self.take();
        // What passed while nobody looked is not to be integrated.
        self.power = None;
    }

    fn take(&mut self) -> Course {
        let lost = self.course.lost.clone();
        let identity = self.course.identity.clone();
        let next = Course {
            identity,
            samples: Vec::new(),
            peak_process_bytes: BTreeMap::new(),
            has_counter: self.course.has_counter,
            lost,
            reading_ns: 0,
        };
        std::mem::replace(&mut self.course, next)
    }

    fn read(&mut self, pid: Option<u32>, now: impl Fn() -> u64) {
        if self.course.lost.is_some() {
            return;
        }
        let t_ns = now();
        let reading = match self.meter.read(pid) {
            Ok(reading) => reading,
            Err(why) => {
                self.course.lost = Some(why);
                return;
            }
        };
        let course = &mut self.course;
        course.reading_ns += now().saturating_sub(t_ns);
        course.has_counter |= reading.energy_j.is_some();
        if let Some((pid, bytes)) = pid.zip(reading.process_bytes) {
            let peak = course.peak_process_bytes.entry(pid).or_default();
            *peak = (*peak).max(bytes);
        }
        if let Some(power_w) = reading.power_w {
            if let Some((before_ns, before_w)) = self.power {
                let seconds = t_ns.saturating_sub(before_ns) as f64 / 1e9;
                self.integrated_j += (before_w + power_w) / 2.0 * seconds;
            }
            self.power = Some((t_ns, power_w));
        }
        course.samples.push(Sample { t_ns, reading });
    }

    /// By the last reading.
    fn energy_j(&self) -> Option<f64> {
        if self.course.lost.is_some() {
            return None;
        }
        let last = self.course.samples.last()?;
        if self.course.has_counter {
            return last.reading.energy_j;
        }
        last.reading.power_w.map(|_| self.integrated_j)
    }

    fn thin(&mut self) {
        let mut index = 0;
        self.course.samples.retain(|_| {
            index += 1;
            index % 2 == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Kind;
    use crate::testing::MockNvml;
    use crate::{Devices, Roots};

    /// Says one reading after the other, then that it is lost.
    struct Script(Identity, std::vec::IntoIter<Reading>);

    impl Script {
        fn of(readings: Vec<Reading>) -> Tracked {
            let identity = Identity {
                name: "A".into(),
                at: "B".into(),
                kind: Kind::Graphics,
                total_bytes: None,
            };
            Tracked::new(Box::new(Script(identity, readings.into_iter())))
        }
    }

    impl Meter for Script {
        fn identity(&self) -> &Identity {
            &self.0
        }
        fn read(&mut self, _: Option<u32>) -> Result<Reading, String> {
            self.1.next().ok_or_else(|| "it is gone".to_owned())
        }
    }

    fn power(power_w: f64) -> Reading {
        Reading { power_w: Some(power_w), ..Reading::default() }
    }

    #[test]
    fn power_is_integrated_by_trapezoids() {
        let mut tracked =
            Script::of(vec![power(10.0), power(30.0), Reading::default(), power(30.0)]);
        tracked.read(None, || 0);
        assert_eq!(tracked.energy_j(), Some(0.0));
        tracked.read(None, || 2_000_000_000);
        assert_eq!(tracked.energy_j(), Some(40.0), "2 s at 20 W on average");
        tracked.read(None, || 3_000_000_000);
        assert_eq!(tracked.energy_j(), None, "it did not say");
        tracked.read(None, || 4_000_000_000);
        assert_eq!(tracked.energy_j(), Some(100.0), "and 2 s at 30 W");
        tracked.read(None, || 5_000_000_000);
        assert_eq!(tracked.energy_j(), None, "lost");
        assert_eq!(tracked.course.lost.as_deref(), Some("it is gone"));
        assert_eq!(tracked.course.samples.len(), 4);
        tracked.begin();
        assert_eq!(tracked.course.lost.as_deref(), Some("it is gone"), "and it stays so");
    }

    #[test]
    fn a_counter_goes_before_power() {
        let both = |j| Reading { energy_j: Some(j), ..power(1e300) };
        let mut tracked = Script::of(vec![both(7.0), both(9.5)]);
        tracked.read(None, || 0);
        tracked.read(None, || u64::MAX);
        assert_eq!(tracked.energy_j(), Some(9.5));
    }

    #[test]
    fn peaks_are_kept_by_process() {
        let used = |bytes| Reading { process_bytes: Some(bytes), ..Reading::default() };
        let mut tracked = Script::of(vec![used(5), used(9), used(4), used(1)]);
        for pid in [3, 3, 3, 8] {
            tracked.read(Some(pid), || 0);
        }
        assert_eq!(tracked.take().peak_process_bytes, BTreeMap::from([(3, 9), (8, 1)]));
        assert_eq!(tracked.take().peak_process_bytes, BTreeMap::new());
    }

    #[test]
    fn many_samples_are_thinned() {
        let tracked = Script::of(vec![Reading::default(); MOST_SAMPLES]);
        let began = Instant::now();
        let (every, pid) = (EVERY, None);
        let tracked = vec![tracked];
        let mut state = State { tracked, pid, began, every, is_on: true, is_over: false };
        (0..MOST_SAMPLES).for_each(|_| {
            state.sample();
        });
        assert_eq!(state.tracked[0].course.samples.len(), MOST_SAMPLES / 2);
        assert_eq!(state.every, 2 * EVERY);
    }

    #[test]
    fn a_thread_samples_between_beginning_and_end() {
        let mock = MockNvml::default().shared();
        let sampler = Sampler::new(Devices::of(&nowhere(), Ok(mock)).meters);
        sampler.of_process(Some(41));
        sampler.watch();
        let begin = sampler.mark();
        // It samples by itself: however slow the machine, some day there is a third sample.
        while sampler.lock().tracked[0].course.samples.len() < 3 {
            std::thread::yield_now();
        }
        let end = sampler.mark();
        let courses = sampler.take();
        assert!(end.at_ns > begin.at_ns);
        let used = end.energies_j[0].unwrap() - begin.energies_j[0].unwrap();
        assert!(used >= 1.5, "each reading is 1.5 J more: {used}");
        assert!(courses[0].samples.len() >= 4 && courses[0].has_counter);
        assert!(courses[0].samples.is_sorted_by_key(|sample| sample.t_ns));
        assert_eq!(courses[0].peak_process_bytes, BTreeMap::from([(41, 7 << 20)]));
        assert!(sampler.take()[0].samples.is_empty(), "they are given once");
    }

    #[test]
    fn without_devices_there_is_no_thread() {
        let sampler = Sampler::new(Vec::new());
        sampler.watch();
        assert!(sampler.thread.is_none() && sampler.mark().energies_j.is_empty());
        assert!(sampler.take().is_empty());
    }

    #[test]
    fn a_card_that_is_lost_in_the_middle_keeps_what_it_said() {
        let mock = MockNvml { lost_after: 2, ..MockNvml::default() };
        let meters = Devices::of(&nowhere(), Ok(mock.shared())).meters;
        let mut tracked = meters.into_iter().map(Tracked::new).next().unwrap();
        (0..4).for_each(|t| tracked.read(Some(41), || t));
        assert_eq!((tracked.energy_j(), tracked.course.samples.len()), (None, 2));
        assert_eq!(tracked.course.lost.as_deref(), Some("the GPU has fallen off the bus"));
    }

    fn nowhere() -> Roots {
        Roots { sys: "/nowhere".into(), proc: "/nowhere".into() }
    }
}
