//! Numbers of a message that are too many for JSON's own: 32-bit floats, lowest byte first, in base 64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The numbers of `text`, of which `expected` are due.
///
/// # Errors
/// What is expected and what was found.
pub fn floats(text: &str, expected: usize) -> Result<Vec<f32>, String> {
    let bytes = STANDARD.decode(text).map_err(|error| format!("expected base 64: {error}"))?;
    if bytes.len() != expected.saturating_mul(4) {
        return Err(format!("expected {expected} numbers of 4 bytes, found {} bytes", bytes.len()));
    }
    Ok(bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Python's `base64.b64encode(struct.pack("<2f", 1.5, -2.0))`.
    #[test]
    fn numbers_are_those_of_python() {
        assert_eq!(floats("AADAPwAAAMA=", 2), Ok(vec![1.5, -2.0]));
        assert!(floats("AADAPwAAAMA=", 3).unwrap_err().contains("found 8 bytes"));
        assert!(floats("!", 1).unwrap_err().starts_with("expected base 64"));
        assert!(floats("", usize::MAX).is_err());
    }
}
