//! How configurations say what rotates positions in: `rope_theta` and `rope_scaling`, or, since
//! transformers 5, `rope_parameters`, or some of each.
//!
//! The rule for all combinations is transformers' own (`convert_rope_params_to_dict`). Where it
//! passes over what a file says (a kind of scaling that its class does not read, numbers that
//! belong to another kind), the file is refused.

use crate::arch::NewKeys;
use crate::hf::json::Node;
use crate::{Result, Value};

/// What one kind of layer rotates by.
pub(crate) struct Rope<'a> {
    /// Base of the frequencies.
    pub theta: f32,
    /// The share of a head that is rotated, where said.
    pub partial: Option<f64>,
    kind: Kind,
    parameters: Option<Node<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Default,
    Linear,
    Llama3,
}

/// The kinds, and the numbers that each has besides the base and the share.
const KINDS: &[(&str, Kind, &[&str])] = &[
    ("default", Kind::Default, &[]),
    ("linear", Kind::Linear, &["factor"]),
    (
        "llama3",
        Kind::Llama3,
        &["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
    ),
];

/// The rotation of a family whose layers all have the same: `rope_scaling` if it says anything,
/// else `rope_parameters`; what neither has stands beside them under `theta_field` and
/// `partial_field`, or is the class's default.
pub(crate) fn uniform<'a>(
    config: &Node<'a>,
    (theta_field, theta): (&str, f32),
    partial_field: &str,
) -> Result<Rope<'a>> {
    let scaling =
        config.opt_node("rope_scaling")?.filter(|scaling| scaling.names().next().is_some());
    let parameters = config.opt_node("rope_parameters")?;
    let rope = Rope::new(scaling.or(parameters), (config, theta_field, theta))?;
    let partial = match rope.partial {
        Some(partial) => Some(partial),
        None => share(config, partial_field)?,
    };
    Ok(Rope { partial, ..rope })
}

/// The rotations of gemma3's layers that see everything and of those with a window.
pub(crate) fn global_and_local<'a>(config: &Node<'a>) -> Result<[Rope<'a>; 2]> {
    let scaling = config.opt_node("rope_scaling")?;
    let parameters = config.opt_node("rope_parameters")?;
    let kinds = ["full_attention", "sliding_attention"];
    if let Some(parameters) = &parameters {
        if let Some(other) = parameters.names().find(|name| !kinds.contains(name)) {
            return Err(parameters
                .wrong(other, "parameters under full_attention and sliding_attention only"));
        }
        if let Some(scaling) = scaling.as_ref().and_then(|scaling| scaling.names().next()) {
            return Err(config.invalid(
                "rope_scaling",
                "none beside rope_parameters",
                format!("one with {scaling}"),
            ));
        }
    }
    if let Some(scaling) = scaling.as_ref().filter(|scaling| scaling.get("rope_type").is_none()) {
        // The class has set rope_type by then, and does not look for the old name any more.
        if !matches!(scaling.opt_str("type")?, None | Some("default")) {
            return Err(scaling.wrong("type", "default: a scaling of gemma3 is named by rope_type"));
        }
    }
    let of =
        |kind: &str| parameters.as_ref().map_or(Ok(None), |parameters| parameters.opt_node(kind));
    let global = Rope::new(of(kinds[0])?.or(scaling), (config, "rope_theta", 1_000_000.0))?;
    let local = Rope::new(of(kinds[1])?, (config, "rope_local_base_freq", 10_000.0))?;
    Ok([global, local])
}

impl<'a> Rope<'a> {
    /// What `parameters` say; the base is beside them where they do not have one.
    fn new(
        parameters: Option<Node<'a>>,
        (beside, theta_field, theta): (&Node<'a>, &str, f32),
    ) -> Result<Rope<'a>> {
        let theta =
            match parameters.as_ref().map_or(Ok(None), |inside| inside.opt_f32("rope_theta"))? {
                Some(inside) => inside,
                None => beside.f32_or(theta_field, theta)?,
            };
        let (kind, partial) = match &parameters {
            Some(parameters) => (kind(parameters)?, share(parameters, "partial_rotary_factor")?),
            None => (Kind::Default, None),
        };
        Ok(Rope { theta, partial, kind, parameters })
    }

    /// That whole heads are rotated, in families that know nothing else.
    pub(crate) fn expect_whole(&self, config: &Node<'_>) -> Result<()> {
        match self.partial {
            Some(share) if share != 1.0 => {
                let field = "partial_rotary_factor";
                Err(config.invalid(field, "1: this family rotates whole heads", share.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Sets GGUF's keys of the scaling, or gives the divisors of the frequencies of a head of
    /// `head_dim` (`llama3`), which GGUF keeps in a tensor. `n_ctx` is the context of the model,
    /// which counts as the trained one where the file names no other.
    pub(crate) fn scaling(
        &self,
        config: &Node<'_>,
        keys: &mut NewKeys<'_>,
        (head_dim, n_ctx): (u32, u32),
    ) -> Result<Option<Vec<f32>>> {
        match (self.kind, &self.parameters) {
            (Kind::Linear, Some(parameters)) => {
                keys.set("rope.scaling.type", Value::String("linear".into()));
                keys.float("rope.scaling.factor", positive(parameters, "factor")?);
                Ok(None)
            }
            (Kind::Llama3, Some(parameters)) => {
                // Beside the parameters it goes before what stands in them.
                let field = "original_max_position_embeddings";
                let trained =
                    config.opt_size(field)?.or(parameters.opt_size(field)?).unwrap_or(n_ctx);
                llama3(parameters, self.theta, head_dim, trained).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The divisor of positions of layers that know linear scaling only.
    pub(crate) fn linear_factor(&self) -> Result<Option<f32>> {
        match (self.kind, &self.parameters) {
            (Kind::Linear, Some(parameters)) => positive(parameters, "factor").map(Some),
            (Kind::Llama3, Some(parameters)) => {
                Err(parameters.wrong("rope_type", "default or linear"))
            }
            _ => Ok(None),
        }
    }
}

/// The kind of scaling, and that there are no numbers that it does not have.
fn kind(parameters: &Node<'_>) -> Result<Kind> {
    let field = if parameters.get("rope_type").is_some() { "rope_type" } else { "type" };
    let named = parameters.opt_str(field)?.unwrap_or("default");
    let Some((_, kind, numbers)) = KINDS.iter().find(|(name, ..)| *name == named) else {
        return Err(parameters.wrong(field, "default, linear or llama3"));
    };
    let always = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
    match parameters.names().find(|name| !always.contains(name) && !numbers.contains(name)) {
        Some(other) => {
            Err(parameters.wrong(other, format!("no such field where {field} is {named}")))
        }
        None => Ok(*kind),
    }
}

/// A share of a head.
fn share(node: &Node<'_>, field: &str) -> Result<Option<f64>> {
    match node.opt_f64(field)? {
        Some(share) if !(share > 0.0 && share <= 1.0) => {
            Err(node.wrong(field, "a share above 0, at most 1"))
        }
        share => Ok(share),
    }
}

fn positive(node: &Node<'_>, field: &str) -> Result<f32> {
    let value = node.f32(field)?;
    if value > 0.0 { Ok(value) } else { Err(node.wrong(field, "a number above 0")) }
}

/// Llama 3.1's divisors: 1 for frequencies that turn often within the trained context, `factor` for
/// those that do not turn once, and a blend between (transformers' `_compute_llama3_parameters`).
fn llama3(scaling: &Node<'_>, theta: f32, head_dim: u32, trained: u32) -> Result<Vec<f32>> {
    let factor = f64::from(positive(scaling, "factor")?);
    let low = f64::from(positive(scaling, "low_freq_factor")?);
    let high = f64::from(positive(scaling, "high_freq_factor")?);
    if high <= low {
        return Err(scaling.wrong("high_freq_factor", format!("more than low_freq_factor = {low}")));
    }
    let divisor = |i: u32| {
        let frequency = f64::from(theta).powf(-2.0 * f64::from(i) / f64::from(head_dim));
        let turns = f64::from(trained) * frequency / (2.0 * std::f64::consts::PI);
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
