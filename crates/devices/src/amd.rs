//! AMD's graphics cards, as their driver shows them in `/sys/class/drm/cardN/device`. A process's
//! memory on a card is in the driver's lines of `/proc/PID/fdinfo`.
//!
//! Sources: the kernel's amdgpu documentation (`gpu_busy_percent`, `pp_dpm_sclk`, hwmon's power in
//! microwatts), its drm-usage-stats (one client may have many descriptors and is counted once), and
//! kgd_pp_interface.h for where throttling stands in `gpu_metrics`.

use crate::device::{Absent, Identity, Kind, Meter, Reading};
use crate::files::{self, Roots, why};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The vendor of PCI.
const AMD: &str = "0x1002";

/// The cards, or why there are none.
pub(crate) fn find(roots: &Roots) -> Result<Vec<Box<dyn Meter>>, Absent> {
    let directory = roots.sys.join("class/drm");
    let absent = |cause| Absent { what: "AMD graphics card", cause, remedy: None };
    let names = files::names(&directory)
        .map_err(|error| absent(format!("{} {}", directory.display(), why(&error))))?;
    let is_card = |name: &&String| {
        let number = name.strip_prefix("card").unwrap_or("");
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    };
    let mut cards: Vec<Box<dyn Meter>> = Vec::new();
    for name in names.iter().filter(is_card) {
        if let Some(card) = Card::open(&directory.join(name).join("device"), name, roots) {
            cards.push(Box::new(card));
        }
    }
    if cards.is_empty() {
        return Err(absent(format!("no card of {} has AMD's driver", directory.display())));
    }
    Ok(cards)
}

struct Card {
    identity: Identity,
    device: PathBuf,
    /// File of its power, where it has one.
    power: Option<PathBuf>,
    /// Its place on the bus, by which a process's descriptors name it.
    slot: Option<String>,
    proc: PathBuf,
}

impl Card {
    /// `None` of other makers' cards.
    fn open(device: &Path, card: &str, roots: &Roots) -> Option<Card> {
        files::text(&device.join("vendor")).ok().filter(|vendor| vendor == AMD)?;
        let product = files::text(&device.join("product_name")).ok();
        let id = files::text(&device.join("device")).unwrap_or_default();
        let name = product.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("AMD {card} ({})", id.trim_start_matches("0x")));
        let uevent = files::text(&device.join("uevent")).unwrap_or_default();
        let slot = uevent.lines().find_map(|line| line.strip_prefix("PCI_SLOT_NAME="));
        Some(Card {
            identity: Identity {
                // A name is shown and saved: one line of a sensible length.
                name: name.chars().filter(|c| !c.is_control()).take(80).collect(),
                at: device.display().to_string(),
                kind: Kind::Graphics,
                total_bytes: files::number(&device.join("mem_info_vram_total")),
            },
            power: power(device),
            slot: slot.map(str::to_owned),
            device: device.to_owned(),
            proc: roots.proc.clone(),
        })
    }

    fn number(&self, name: &str) -> Option<u64> {
        files::number(&self.device.join(name))
    }

    /// The clock that is on, of a list such as `1: 2475Mhz *`.
    fn clock_mhz(&self, name: &str) -> Option<u64> {
        let states = files::text(&self.device.join(name)).ok()?;
        let on = states.lines().find_map(|line| line.trim_end().strip_suffix('*'))?;
        let value = on.split_once(':')?.1.trim();
        value.get(..value.len().checked_sub(3)?)?.trim().parse().ok()
    }

    fn throttled(&self) -> Vec<String> {
        let status = files::bytes(&self.device.join("gpu_metrics")).ok();
        let status = status.and_then(|table| throttle_status(&table)).filter(|bits| *bits != 0);
        status.map(|bits| format!("throttle status {bits:#x}")).into_iter().collect()
    }
}

/// Of hwmon's directories the first with a power.
fn power(device: &Path) -> Option<PathBuf> {
    let directory = device.join("hwmon");
    let names = files::names(&directory).ok()?;
    let of = |name: &String| {
        let file = |file| directory.join(name).join(file);
        [file("power1_average"), file("power1_input")].into_iter().find(|path| path.exists())
    };
    names.iter().find_map(of)
}

/// `throttle_status` of `gpu_metrics_v1_1` to `v1_3`: 32 bits behind 68 bytes. Other versions have
/// it elsewhere, and which bit means what depends on the chip.
fn throttle_status(table: &[u8]) -> Option<u32> {
    let [_, _, 1, 1..=3, ..] = table else { return None };
    let status: [u8; 4] = table.get(68..72)?.try_into().ok()?;
    // All ones is what the driver writes where it does not know.
    Some(u32::from_le_bytes(status)).filter(|bits| *bits != u32::MAX)
}

impl Meter for Card {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn read(&mut self, pid: Option<u32>) -> Result<Reading, String> {
        if !self.device.exists() {
            return Err(format!("{} is not there", self.device.display()));
        }
        let slot = self.slot.as_deref();
        let power_uw = self.power.as_deref().and_then(files::number);
        Ok(Reading {
            utilisation: self
                .number("gpu_busy_percent")
                .filter(|percent| *percent <= 100)
                .map(|percent| percent as f64 / 100.0),
            memory_bytes: self.number("mem_info_vram_used"),
            process_bytes: pid.zip(slot).and_then(|(pid, slot)| used_by(&self.proc, pid, slot)),
            power_w: power_uw.map(|uw| uw as f64 / 1e6),
            clock_mhz: self.clock_mhz("pp_dpm_sclk"),
            memory_clock_mhz: self.clock_mhz("pp_dpm_mclk"),
            energy_j: None,
            throttled: self.throttled(),
        })
    }
}

/// Memory of the card in this slot that a process has, bytes; `None` where it has none of its
/// descriptors there.
fn used_by(proc: &Path, pid: u32, slot: &str) -> Option<u64> {
    let directory = proc.join(pid.to_string()).join("fdinfo");
    let mut clients = HashSet::new();
    let mut total: Option<u64> = None;
    for name in files::names(&directory).ok()? {
        let Ok(info) = files::text(&directory.join(name)) else { continue };
        let value = |key: &str| {
            info.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim()))
        };
        if value("drm-pdev") != Some(slot)
            || !clients.insert(value("drm-client-id").map(str::to_owned))
        {
            continue;
        }
        let used = value("drm-memory-vram").or(value("drm-resident-vram")).and_then(in_bytes);
        total = used.map(|used| total.unwrap_or(0).saturating_add(used)).or(total);
    }
    total
}

/// `12 KiB`; without a unit it is bytes.
fn in_bytes(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let factor = match unit.trim() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    fn card(tree: &Tree, n: usize, files: &[(&str, &str)]) {
        for (name, content) in files {
            tree.write(&format!("sys/class/drm/card{n}/device/{name}"), content);
        }
    }

    fn metrics(version: u8, status: u32) -> Vec<u8> {
        let mut table = vec![0; 104];
        (table[2], table[3]) = (1, version);
        table[68..72].copy_from_slice(&status.to_le_bytes());
        table
    }

    #[test]
    fn two_cards_and_a_process_on_one_of_them() {
        let tree = Tree::new("amd-two");
        let common = [("vendor", "0x1002\n"), ("mem_info_vram_total", "17163091968\n")];
        card(&tree, 0, &common);
        card(&tree, 0, &[("product_name", "Radeon Pro W7900\n"), ("gpu_busy_percent", "37\n")]);
        card(
            &tree,
            0,
            &[("mem_info_vram_used", "2147483648\n"), ("pp_dpm_mclk", "0: 96Mhz\n1: 1249Mhz *\n")],
        );
        card(
            &tree,
            0,
            &[
                ("hwmon/hwmon3/power1_average", "211500000\n"),
                ("pp_dpm_sclk", "0: 500Mhz \n1: 2475Mhz *\n"),
            ],
        );
        card(&tree, 0, &[("uevent", "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:03:00.0\n")]);
        tree.write("sys/class/drm/card0/device/gpu_metrics", metrics(3, 0x10));
        card(&tree, 1, &common);
        card(&tree, 1, &[("device", "0x73bf\n"), ("hwmon/hwmon0/power1_input", "9000000")]);
        card(&tree, 1, &[("uevent", "PCI_SLOT_NAME=0000:0a:00.0")]);
        card(&tree, 2, &[("vendor", "0x8086")]);
        tree.write("sys/class/drm/card0-DP-1/status", "connected");
        let client = |id, slot: &str, memory: &str| {
            format!(
                "pos:\t0\ndrm-driver:\tamdgpu\ndrm-pdev:\t{slot}\ndrm-client-id:\t{id}\n{memory}\n"
            )
        };
        for (fd, info) in [
            (3, client(7, "0000:03:00.0", "drm-memory-vram:\t1024 KiB")),
            (4, client(7, "0000:03:00.0", "drm-memory-vram:\t1024 KiB")),
            (5, client(8, "0000:03:00.0", "drm-resident-vram: 2 MiB")),
            (6, client(9, "0000:0a:00.0", "drm-memory-vram: 5")),
            (7, client(11, "0000:03:00.0", "drm-memory-vram: 99999999999999999 MiB")),
            (8, "pos: 0\nflags: 02\n".to_owned()),
        ] {
            tree.write(&format!("proc/41/fdinfo/{fd}"), info);
        }
        let mut cards = find(&tree.roots()).unwrap();
        let names: Vec<&str> = cards.iter().map(|card| card.identity().name.as_str()).collect();
        assert_eq!(names, ["Radeon Pro W7900", "AMD card1 (73bf)"]);
        assert_eq!(cards[0].identity().total_bytes, Some(17_163_091_968));
        let expected = Reading {
            utilisation: Some(0.37),
            memory_bytes: Some(2 << 30),
            process_bytes: Some(3 << 20),
            power_w: Some(211.5),
            clock_mhz: Some(2475),
            memory_clock_mhz: Some(1249),
            energy_j: None,
            throttled: vec!["throttle status 0x10".into()],
        };
        assert_eq!(cards[0].read(Some(41)).unwrap(), expected);
        let other = cards[1].read(Some(41)).unwrap();
        assert_eq!((other.power_w, other.process_bytes), (Some(9.0), Some(5)));
        assert_eq!(cards[1].read(Some(42)).unwrap().process_bytes, None, "no such process");
    }

    #[test]
    fn junk_is_nothing_and_no_panic() {
        let tree = Tree::new("amd-junk");
        assert!(find(&tree.roots()).err().unwrap().cause.ends_with("class/drm is not there"));
        card(&tree, 0, &[("vendor", "0x10de")]);
        assert!(find(&tree.roots()).err().unwrap().cause.contains("no card of"));
        card(
            &tree,
            0,
            &[("vendor", "0x1002"), ("gpu_busy_percent", "101"), ("mem_info_vram_used", "-1")],
        );
        card(
            &tree,
            0,
            &[("product_name", "\u{1b}[31mred"), ("pp_dpm_sclk", "*"), ("pp_dpm_mclk", "1: é*")],
        );
        tree.write("sys/class/drm/card0/device/hwmon/hwmon0/power1_average", [0xff, 0xfe]);
        tree.write("sys/class/drm/card0/device/gpu_metrics", [1, 2, 1]);
        let mut cards = find(&tree.roots()).unwrap();
        assert_eq!(cards[0].identity().name, "[31mred");
        assert_eq!(cards[0].read(Some(1)).unwrap(), Reading::default());
        let huge = "184467440737095516150";
        card(
            &tree,
            0,
            &[("mem_info_vram_used", huge), ("pp_dpm_sclk", "0: 99999999999999999999Mhz *")],
        );
        assert_eq!(cards[0].read(None).unwrap(), Reading::default(), "beyond 64 bits");
        std::fs::remove_dir_all(tree.roots().sys.join("class/drm/card0")).unwrap();
        assert!(cards[0].read(None).unwrap_err().ends_with("is not there"), "pulled out");
    }

    #[test]
    fn throttling_where_the_version_says_that_it_stands_there() {
        assert_eq!(throttle_status(&metrics(1, 2)), Some(2));
        assert_eq!(throttle_status(&metrics(4, 2)), None);
        assert_eq!(throttle_status(&metrics(3, u32::MAX)), None);
        assert_eq!(throttle_status(&metrics(3, 5)[..71]), None);
    }
}
