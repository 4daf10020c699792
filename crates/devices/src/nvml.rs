//! NVIDIA's graphics cards, through the driver's own library NVML, which is loaded when it is asked
//! for. What the library is asked is a trait, so that tests need no card.

mod library;

use crate::device::{Identity, Kind, Meter, Reading};
pub use library::{LIBRARIES, load};
use std::fmt;
use std::sync::Arc;

/// Why the library did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This card has no such figure, or this user may not see it: the others are there.
    Without,
    /// The card is gone: it fell off the bus or must be reset.
    Gone(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Without => f.write_str("it does not tell"),
            Fault::Gone(why) => f.write_str(why),
        }
    }
}

/// What is asked of NVML, in its units; cards by their number.
pub trait Nvml: Send + Sync {
    /// How many cards there are.
    fn n_devices(&self) -> Result<u32, Fault>;
    /// A card's name.
    fn name(&self, index: u32) -> Result<String, Fault>;
    /// Its memory and what of it is in use, bytes.
    fn memory(&self, index: u32) -> Result<(u64, u64), Fault>;
    /// Percent of the last period in which something ran.
    fn utilisation_percent(&self, index: u32) -> Result<u32, Fault>;
    /// Power, milliwatts.
    fn power_mw(&self, index: u32) -> Result<u32, Fault>;
    /// Energy since the driver was loaded, millijoules; from Volta on.
    fn energy_mj(&self, index: u32) -> Result<u64, Fault>;
    /// Clocks of what computes and of the memory, MHz.
    fn clocks_mhz(&self, index: u32) -> Result<(u32, u32), Fault>;
    /// `nvmlClocksThrottleReasons`, a bit each.
    fn throttle_bits(&self, index: u32) -> Result<u64, Fault>;
    /// Memory of each process that computes or draws on it, bytes.
    fn processes(&self, index: u32) -> Result<Vec<(u32, u64)>, Fault>;
}

/// Bits of `nvmlClocksThrottleReasons` that hold a clock back (nvml.h). Not 0x1, nothing runs, which
/// is no fault of the card's, nor 0x2, clocks that somebody set.
const THROTTLES: &[(u64, &str)] = &[
    (0x4, "power limit"),
    (0x8, "hardware slowdown"),
    (0x10, "sync boost"),
    (0x20, "temperature"),
    (0x40, "temperature, by hardware"),
    (0x80, "power brake"),
    (0x100, "display clock"),
];

/// Every card that the library knows.
pub(crate) fn cards(library: &Arc<dyn Nvml>) -> Result<Vec<Box<dyn Meter>>, Fault> {
    let mut cards: Vec<Box<dyn Meter>> = Vec::new();
    for index in 0..library.n_devices()? {
        let name = library.name(index).unwrap_or_else(|_| format!("NVIDIA device {index}"));
        let at = format!("NVML device {index}");
        let total_bytes = library.memory(index).ok().map(|(total, _)| total);
        let identity = Identity { name, at, kind: Kind::Graphics, total_bytes };
        cards.push(Box::new(Card { identity, index, library: library.clone() }));
    }
    Ok(cards)
}

struct Card {
    identity: Identity,
    index: u32,
    library: Arc<dyn Nvml>,
}

/// A figure, or none where the card has none of it; an error where the card is gone.
fn told<T>(answer: Result<T, Fault>) -> Result<Option<T>, String> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Fault::Without) => Ok(None),
        Err(Fault::Gone(why)) => Err(why),
    }
}

impl Meter for Card {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn read(&mut self, pid: Option<u32>) -> Result<Reading, String> {
        let (library, index) = (&self.library, self.index);
        // First what is counted: it is to be of the moment at which it was asked for.
        let energy_mj = told(library.energy_mj(index))?;
        let power_mw = told(library.power_mw(index))?;
        let clocks = told(library.clocks_mhz(index))?;
        let bits = told(library.throttle_bits(index))?.unwrap_or(0);
        let percent = told(library.utilisation_percent(index))?.filter(|percent| *percent <= 100);
        let processes = match pid {
            Some(_) => told(library.processes(index))?,
            None => None,
        };
        let of = |all: &Vec<(u32, u64)>| {
            let mut own = all.iter().filter(|(of, _)| Some(*of) == pid).map(|(_, bytes)| *bytes);
            let first = own.next()?;
            Some(own.fold(first, u64::saturating_add))
        };
        Ok(Reading {
            utilisation: percent.map(|percent| f64::from(percent) / 100.0),
            memory_bytes: told(library.memory(index))?.map(|(_, used)| used),
            process_bytes: processes.as_ref().and_then(of),
            power_w: power_mw.map(|mw| f64::from(mw) / 1e3),
            clock_mhz: clocks.map(|(clock, _)| clock.into()),
            memory_clock_mhz: clocks.map(|(_, memory)| memory.into()),
            energy_j: energy_mj.map(|mj| mj as f64 / 1e3),
            throttled: THROTTLES
                .iter()
                .filter(|(bit, _)| bits & bit != 0)
                .map(|(_, name)| (*name).to_owned())
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MockNvml;

    #[test]
    fn a_reading_in_our_units() {
        let mock = MockNvml::default();
        let mut cards = cards(&mock.shared()).unwrap();
        assert_eq!(cards.len(), 1);
        assert_eq!(cards[0].identity().name, "NVIDIA L4");
        let reading = cards[0].read(Some(41)).unwrap();
        let expected = Reading {
            utilisation: Some(0.98),
            memory_bytes: Some(9 << 30),
            process_bytes: Some(7 << 20),
            power_w: Some(71.5),
            clock_mhz: Some(2040),
            memory_clock_mhz: Some(6251),
            energy_j: Some(1.5),
            throttled: vec!["power limit".into(), "temperature".into()],
        };
        assert_eq!(reading, expected);
        assert_eq!(cards[0].read(None).unwrap().process_bytes, None);
        assert_eq!(cards[0].read(Some(40)).unwrap().process_bytes, None, "it is not there");
    }

    #[test]
    fn an_old_card_has_no_counter_and_a_lost_one_nothing() {
        let mock = MockNvml { has_energy: false, ..MockNvml::default() };
        let shared = mock.shared();
        let mut cards = cards(&shared).unwrap();
        let reading = cards[0].read(Some(41)).unwrap();
        assert_eq!((reading.energy_j, reading.power_w), (None, Some(71.5)));
        let lost = MockNvml { lost_after: 0, ..MockNvml::default() };
        let mut cards = super::cards(&lost.shared()).unwrap();
        assert_eq!(cards[0].read(None).unwrap_err(), "the GPU has fallen off the bus");
    }
}
