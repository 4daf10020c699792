//! What was measured: the schema of a run and the statistics over its raw samples.
