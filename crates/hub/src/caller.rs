//! What a pull asks of the program around it: somebody to tell, somewhere to show how far it is,
//! and whom to trust.

/// The program that wants a model.
pub trait Caller {
    /// A line for whoever waits.
    fn tell(&self, line: &str);

    /// Begins to show a transfer of `total` bytes, or of a number that nobody knows.
    fn transfer(&self, total: Option<u64>) -> Box<dyn Transfer>;

    /// Certificates, as DER, of the authorities that a hub's own may come from. Without any,
    /// Mozilla's are trusted.
    fn authorities(&self) -> Vec<Vec<u8>>;
}

/// A transfer that is shown; it has ended when this is dropped.
pub trait Transfer {
    /// Begins behind `bytes` that are here already, and count for no rate.
    fn start_at(&self, bytes: u64);

    /// The bytes that have come so far.
    fn set(&self, bytes: u64);
}
