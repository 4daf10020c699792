//! Sizes of memory as people write them.

/// Bytes of `8GiB`, `500MB`, `4G` (as 4GiB) or a number.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 12] = [
        ("kib", 1024.0),
        ("mib", 1_048_576.0),
        ("gib", 1_073_741_824.0),
        ("tib", 1_099_511_627_776.0),
        ("kb", 1e3),
        ("mb", 1e6),
        ("gb", 1e9),
        ("tb", 1e12),
        ("k", 1024.0),
        ("m", 1_048_576.0),
        ("g", 1_073_741_824.0),
        ("t", 1_099_511_627_776.0),
    ];
    let lower = text.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((lower.strip_suffix(unit)?, *bytes)));
    let (number, unit) = unit.unwrap_or((&lower, 1.0));
    let number: Option<f64> = number.trim().parse().ok();
    let is_plain = |n: &f64| n.is_finite() && *n > 0.0 && n * unit >= 1.0 && n * unit < 9e18;
    match number.filter(is_plain) {
        Some(number) => Ok((number * unit) as u64),
        None => Err("expected a size above 0 such as 8GiB, 500MB or a number of bytes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [
            ("8GiB", 8 << 30),
            ("8g", 8 << 30),
            ("1.5 GiB", 3 << 29),
            ("500MB", 500_000_000),
            ("64k", 65536),
            ("4096", 4096),
            (" 2 TB ", 2_000_000_000_000),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "GiB", "-1GiB", "0", "8 parsecs", "nan", "infGB", "1e40", "0.1", "8GiBs"]
        {
            assert!(parse(wrong).unwrap_err().contains("8GiB"), "{wrong}");
        }
    }
}
