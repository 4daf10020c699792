//! What devices did while a trial's counted repetitions ran: raw samples, the energy of each
//! repetition, and the figures that are made of them (metrics.md: energy).

use crate::Trial;
use serde::{Deserialize, Serialize};

/// What a device is to energies that are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A package of processors, or the memory beside it.
    #[default]
    Package,
    /// A graphics card.
    Graphics,
}

/// What one device did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceUse {
    /// As its maker calls it, or its zone of RAPL.
    pub name: String,
    /// Where it was asked, e.g. `NVML device 0`.
    pub at: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Its own memory, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Readings during the counted repetitions, in order. A trial that was sampled for longer than
    /// about a quarter of an hour has fewer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<DeviceSample>,
    /// The counted repetitions, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repetitions: Vec<Span>,
    /// The energies are of its own counter; otherwise power times time.
    #[serde(default)]
    pub has_counter: bool,
    /// The most that the process that computes was seen to have of its memory, warm-up included,
    /// bytes; `None` where that is not told or not told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_process_bytes: Option<u64>,
    /// Why it could not be read any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// Time that reading it took in all, nanoseconds.
    #[serde(default)]
    pub reading_ns: u64,
}

/// One reading of a device. What it does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceSample {
    /// Since the test began, nanoseconds.
    pub t_ns: u64,
    /// Share of the time in which it computed, 0 to 1, over the device's own period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
    /// Of its memory, what anyone used, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Power that it drew, watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_w: Option<f64>,
    /// Clock of what computes, MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_mhz: Option<u64>,
    /// Clock of its memory, MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_clock_mhz: Option<u64>,
    /// Its counter, joules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_j: Option<f64>,
    /// What held its clock back, a few words each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub throttled: Vec<String>,
}

/// A counted repetition, from the reading before it to the reading after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Since the test began, nanoseconds.
    pub from_ns: u64,
    /// The same, of its end.
    pub to_ns: u64,
    /// What the device used in it, joules; idle power is not subtracted.
    pub energy_j: Option<f64>,
}

impl Span {
    /// From beginning to end, nanoseconds.
    pub fn ns(&self) -> u64 {
        self.to_ns.saturating_sub(self.from_ns)
    }

    /// Its energy, where that is one.
    fn joules(&self) -> Option<f64> {
        self.energy_j.filter(|joules| joules.is_finite() && *joules >= 0.0)
    }
}

impl DeviceUse {
    /// Energy of all counted repetitions, joules; `None` where one of them has none.
    pub fn energy_j(&self) -> Option<f64> {
        let all = self.repetitions.iter().map(Span::joules).collect::<Option<Vec<f64>>>()?;
        (!all.is_empty()).then(|| all.iter().sum())
    }

    /// Mean power over the counted repetitions, watts: energy by time.
    pub fn mean_power_w(&self) -> Option<f64> {
        let ns: f64 = self.repetitions.iter().map(|span| span.ns() as f64).sum();
        self.energy_j().filter(|_| ns > 0.0).map(|joules| joules * 1e9 / ns)
    }

    /// Mean of what the samples say of something; `None` where none says it.
    pub fn mean(&self, of: fn(&DeviceSample) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> =
            self.samples.iter().filter_map(of).filter(|value| value.is_finite()).collect();
        crate::stats::mean(&values)
    }

    /// What held it back and in what share of the samples anything did.
    pub fn throttled(&self) -> Option<(Vec<&str>, f64)> {
        let held: Vec<&DeviceSample> =
            self.samples.iter().filter(|sample| !sample.throttled.is_empty()).collect();
        let mut why: Vec<&str> = Vec::new();
        for name in held.iter().flat_map(|sample| &sample.throttled) {
            if !why.contains(&name.as_str()) {
                why.push(name);
            }
        }
        (!held.is_empty()).then(|| (why, held.len() as f64 / self.samples.len() as f64))
    }
}

impl Trial {
    /// Joules by token of each counted repetition, of all devices of a kind: their energy over the
    /// tokens computed in it. Empty where there is no such device, or one of them has no energy.
    pub fn joules_per_token(&self, kind: DeviceKind) -> Vec<f64> {
        self.per_repetition(kind, |joules, _, n_tokens| joules / n_tokens)
    }

    /// Power of all devices of a kind in each counted repetition, watts.
    pub fn power_w(&self, kind: DeviceKind) -> Vec<f64> {
        self.per_repetition(kind, |joules, ns, _| joules * 1e9 / ns)
    }

    /// Of both kinds together; empty where the packages have no energy, or a card has none.
    pub fn all_joules_per_token(&self) -> Vec<f64> {
        let packages = self.joules_per_token(DeviceKind::Package);
        if !self.devices.iter().any(|device| device.kind == DeviceKind::Graphics) {
            return packages;
        }
        let cards = self.joules_per_token(DeviceKind::Graphics);
        packages.iter().zip(&cards).map(|(package, card)| package + card).collect()
    }

    /// The most that the process that computes had of all cards' memory together, bytes.
    pub fn peak_device_bytes(&self) -> Option<u64> {
        let peaks = self.devices.iter().filter_map(|device| device.peak_process_bytes);
        peaks.fold(None, |sum: Option<u64>, peak| Some(sum.unwrap_or(0).saturating_add(peak)))
    }

    fn per_repetition(&self, kind: DeviceKind, of: fn(f64, f64, f64) -> f64) -> Vec<f64> {
        let n_tokens = self.tokens_per_repetition() as f64;
        let devices: Vec<&DeviceUse> =
            self.devices.iter().filter(|device| device.kind == kind).collect();
        let one = |index: usize| {
            let mut joules = 0.0;
            let mut ns: u64 = 0;
            for device in &devices {
                let span = device.repetitions.get(index)?;
                joules += span.joules()?;
                ns = ns.max(span.ns());
            }
            (n_tokens > 0.0 && ns > 0).then(|| of(joules, ns as f64, n_tokens))
        };
        let n = devices.iter().map(|device| device.repetitions.len()).max().unwrap_or(0);
        (0..n).map(one).collect::<Option<Vec<f64>>>().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn device(kind: DeviceKind, joules: &[Option<f64>]) -> DeviceUse {
        let span = |(i, energy_j): (u64, &Option<f64>)| Span {
            from_ns: i * 3_000_000_000,
            to_ns: i * 3_000_000_000 + 2_000_000_000,
            energy_j: *energy_j,
        };
        let repetitions = (0..).zip(joules).map(span).collect();
        DeviceUse { kind, repetitions, ..DeviceUse::default() }
    }

    fn trial(devices: Vec<DeviceUse>) -> Trial {
        let mut trial = Trial { devices, ..Trial::default() };
        for (name, n) in [("n_prompt", 60), ("n_gen", 40)] {
            trial.params.insert(name.into(), json!(n));
        }
        trial
    }

    use DeviceKind::{Graphics, Package};

    #[test]
    fn joules_by_token_by_hand() {
        let two = trial(vec![
            device(Package, &[Some(50.0), Some(70.0)]),
            device(Package, &[Some(10.0), Some(10.0)]),
            device(Graphics, &[Some(200.0), Some(240.0)]),
        ]);
        // 100 tokens in 2 s each.
        assert_eq!(two.joules_per_token(Package), [0.6, 0.8]);
        assert_eq!(two.joules_per_token(Graphics), [2.0, 2.4]);
        assert_eq!(two.all_joules_per_token(), [2.6, 3.2]);
        assert_eq!(two.power_w(Package), [30.0, 40.0]);
        assert_eq!(two.devices[0].energy_j(), Some(120.0));
        assert_eq!(two.devices[0].mean_power_w(), Some(30.0), "120 J in 4 s, without the pause");
    }

    #[test]
    fn what_a_device_does_not_tell_is_not_guessed() {
        let lost = trial(vec![
            device(Package, &[Some(50.0), Some(70.0)]),
            device(Graphics, &[Some(200.0), None]),
        ]);
        assert_eq!(lost.joules_per_token(Package), [0.5, 0.7]);
        assert!(lost.joules_per_token(Graphics).is_empty());
        assert!(lost.all_joules_per_token().is_empty(), "the sum lacks a part");
        assert_eq!((lost.devices[1].energy_j(), lost.devices[1].mean_power_w()), (None, None));
        let card = trial(vec![device(Graphics, &[Some(1.0)])]);
        assert!(card.all_joules_per_token().is_empty(), "processors are not known");
        assert!(trial(Vec::new()).all_joules_per_token().is_empty());
        let wild = trial(vec![device(Package, &[Some(f64::NAN)])]);
        assert!(wild.all_joules_per_token().is_empty());
        let empty =
            Trial { params: Default::default(), ..trial(vec![device(Package, &[Some(1.0)])]) };
        assert!(empty.joules_per_token(Package).is_empty(), "no tokens");
    }

    #[test]
    fn samples_come_to_shares_and_peaks() {
        let sample = |utilisation, throttled: &[&str]| DeviceSample {
            utilisation,
            throttled: throttled.iter().map(|why| (*why).to_owned()).collect(),
            ..DeviceSample::default()
        };
        let samples = vec![
            sample(Some(0.5), &["power limit"]),
            sample(None, &[]),
            sample(Some(1.0), &["temperature", "power limit"]),
            sample(Some(f64::INFINITY), &[]),
        ];
        let of = DeviceUse { samples, peak_process_bytes: Some(7), ..DeviceUse::default() };
        assert_eq!(of.mean(|sample| sample.utilisation), Some(0.75));
        assert_eq!(of.mean(|sample| sample.power_w), None);
        assert_eq!(of.throttled(), Some((vec!["power limit", "temperature"], 0.5)));
        assert_eq!(DeviceUse::default().throttled(), None);
        assert_eq!(trial(vec![of.clone(), of, DeviceUse::default()]).peak_device_bytes(), Some(14));
        assert_eq!(trial(vec![DeviceUse::default()]).peak_device_bytes(), None);
    }
}
