//! What the tests of policies' specs and their fuzz target do with bytes.

use pacemark_engine::{
    Ffn, LayerKind, Ledger, ModelConfig, NormKind, NormPlacement, Policy, QkNorm, RopeStyle,
};

/// A model of four layers, one of which sees a window.
fn config() -> ModelConfig {
    let layer = |window| LayerKind { window, rope_theta: 1e4, rope_factor: 1.0, rotates: true };
    ModelConfig {
        architecture: "test",
        n_embd: 32,
        n_ff: 32,
        n_heads: 4,
        n_kv_heads: 2,
        head_dim: 16,
        n_vocab: 10,
        n_ctx_train: 128,
        norm_eps: 1e-5,
        placement: NormPlacement::Pre,
        qk_norm: QkNorm::None,
        ffn: Ffn::GatedSilu,
        norm: NormKind::Rms,
        parallel_residual: false,
        fused_qkv: false,
        qkv_bias: false,
        output_bias: false,
        learned_positions: false,
        rope_style: RopeStyle::Half,
        rope_dim: 16,
        embed_scale: 1.0,
        attn_scale: 1.0,
        logit_softcap: None,
        layers: vec![layer(None), layer(Some(24)), layer(None), layer(None)],
    }
}

/// Any text is refused as a spec, or names a policy that keeps to what it promises of its slots.
pub(crate) fn policy(bytes: &[u8]) {
    let Ok(spec) = std::str::from_utf8(bytes) else { return };
    let Ok(Some(policy)) = Policy::parse(spec) else { return };
    let Ok(policy) = policy.on(&config()) else { return };
    for n_prompt in [None, Some(1), Some(50)] {
        let mut ledger = Ledger::new(policy.clone(), n_prompt);
        for n in 1..=120 {
            let with = ledger.n_slots_with(1);
            let most = ledger.advance(1);
            assert!(with == most && ledger.n_slots() <= most && most <= n, "{spec} {n}");
            let promised = policy.most(n_prompt, n);
            assert!(most <= promised, "{spec} {n_prompt:?} {n}: {most} slots, {promised} promised");
            assert!(n > policy.whole(n_prompt) || ledger.n_slots() == n, "{spec} {n}: whole");
        }
        assert!(policy.findable(n_prompt, 120) <= policy.whole(n_prompt), "{spec}");
    }
}
