//! The decoder: model configuration, architectures, KV cache, forward pass and sampler.
