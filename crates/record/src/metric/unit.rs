//! What the values of a series are measured in, and which way is better.

/// Unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Tokens per second.
    TokensPerSecond,
    /// Requests per second.
    RequestsPerSecond,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A ratio: 0.01 is one percent.
    Ratio,
    /// A share or a difference of probabilities: 0.01 is one percent, of which hundredths count.
    Probability,
    /// A divergence of probabilities.
    Nats,
    /// Energy by token, joules.
    JoulesPerToken,
    /// Power, watts.
    Watts,
    /// A whole number.
    Count,
    /// A number without a unit.
    Number,
}

impl Unit {
    /// It is of a time or a rate.
    pub fn is_time_or_rate(self) -> bool {
        use Unit::{Microseconds, Milliseconds, RequestsPerSecond, Seconds, TokensPerSecond};
        matches!(self, Microseconds | Milliseconds | RequestsPerSecond | Seconds | TokensPerSecond)
    }
}

/// Direction of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither: it describes the measurement.
    Neither,
}
