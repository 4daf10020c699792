//! How configurations say what rotates positions in: `rope_theta` and `rope_scaling`, or, since transformers 5,
//! `rope_parameters`.

use super::Keys;
use crate::hf::json::Node;
use crate::{Result, Value};

/// What one kind of layer rotates by.
pub(super) struct Rope<'a> {
    /// Base of the frequencies, where said.
    pub theta: Option<f32>,
    /// The share of a head that is rotated, where said here.
    pub partial: Option<f32>,
    scaling: Option<Node<'a>>,
}

/// The rotation of the layers of `kind` (`full_attention`, …). `theta_field` is the old name of the base.
pub(super) fn rope<'a>(config: &Node<'a>, kind: &str, theta_field: &str) -> Result<Rope<'a>> {
    let Some(parameters) = config.opt_node("rope_parameters")? else {
        let theta = config.opt_f32(theta_field)?;
        return Ok(Rope { theta, partial: None, scaling: config.opt_node("rope_scaling")? });
    };
    let by_kind = parameters.get(kind).is_some();
    let own = if by_kind { parameters.node(kind)? } else { parameters };
    let (theta, partial) = (own.opt_f32("rope_theta")?, own.opt_f32("partial_rotary_factor")?);
    Ok(Rope { theta, partial, scaling: Some(own) })
}

impl Rope<'_> {
    /// Sets GGUF's keys of the scaling, or gives the divisors of the frequencies of a head of `head_dim` (`llama3`), which
    /// GGUF keeps in a tensor.
    pub(super) fn scaling(&self, keys: &mut Keys<'_>, theta: f32, head_dim: u32) -> Result<Option<Vec<f32>>> {
        let Some(scaling) = &self.scaling else { return Ok(None) };
        let field = if scaling.get("rope_type").is_some() { "rope_type" } else { "type" };
        match scaling.opt_str(field)? {
            None | Some("default") => Ok(None),
            Some("linear") => {
                keys.set("rope.scaling.type", Value::String("linear".into()));
                keys.float("rope.scaling.factor", positive(scaling, "factor")?);
                Ok(None)
            }
            Some("llama3") => llama3(scaling, theta, head_dim).map(Some),
            Some(_) => Err(scaling.wrong(field, "default, linear or llama3")),
        }
    }
}

fn positive(node: &Node<'_>, field: &str) -> Result<f32> {
    let value = node.f32(field)?;
    if value > 0.0 { Ok(value) } else { Err(node.wrong(field, "a number above 0")) }
}

/// Llama 3.1's divisors: 1 for frequencies that turn often within the trained context, `factor` for those that do not turn
/// once, and a blend between (transformers' `_compute_llama3_parameters`).
fn llama3(scaling: &Node<'_>, theta: f32, head_dim: u32) -> Result<Vec<f32>> {
    let factor = f64::from(positive(scaling, "factor")?);
    let low = f64::from(positive(scaling, "low_freq_factor")?);
    let high = f64::from(positive(scaling, "high_freq_factor")?);
    if high <= low {
        return Err(scaling.wrong("high_freq_factor", format!("more than low_freq_factor = {low}")));
    }
    let context = f64::from(scaling.size("original_max_position_embeddings")?);
    let divisor = |i: u32| {
        let frequency = f64::from(theta).powf(-2.0 * f64::from(i) / f64::from(head_dim));
        let turns = context * frequency / (2.0 * std::f64::consts::PI);
        match turns {
            _ if turns > high => 1.0,
            _ if turns < low => factor,
            _ => {
                let smooth = (turns - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        }
    };
    // A head is bounded by its tensors, but those have not been looked at yet.
    Ok((0..head_dim.min(1 << 16) / 2).map(|i| divisor(i) as f32).collect())
}
