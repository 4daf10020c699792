//! What the tests of imports and their fuzz target do with bytes.

use pacemark_store::lines;

/// Any bytes are read as runs or refused in words of bounded length; what was read is read again as
/// the same from what is exported of it.
pub(crate) fn import(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for run in lines::runs(text) {
        match run {
            Ok(run) => {
                let line = lines::line(&run);
                assert_eq!(line.matches('\n').count(), 1);
                let again: Vec<_> = lines::runs(&line).collect();
                assert_eq!(again, [Ok(run)]);
            }
            Err(error) => {
                assert!(error.line >= 1 && error.to_string().len() < 2000, "{error}");
            }
        }
    }
}
