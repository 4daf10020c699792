//! Attention of sequences under a policy: token by token, because what one lets go the next does
//! not see; and KV head by KV head, each a thread's, because what a head holds is its own affair.
//! All other operations of a pass are the same for all its tokens at once, so a text is scored at
//! a prompt's speed with what a token-by-token run would hold.

use super::policy::Policy;
use super::residents::{HeadWork, Pass, Slots, TokenRows};
use crate::BatchItem;
use pacemark_kernels::Team;

/// Rows of a batch: queries, keys, values and output, `[n_tokens, heads * head_dim]` each.
pub(crate) struct Rows<'a> {
    pub q: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    pub out: &'a mut [f32],
    /// Room for the output of each KV head by itself.
    pub by_head: &'a mut Vec<f32>,
}

/// One sequence's part of a pass.
struct Sequence<'a> {
    /// Its first row.
    first: usize,
    n: usize,
    /// Number of its first token.
    token: usize,
    blocks: &'a [u32],
    policy: &'a Policy,
}

/// What one thread computes: some KV heads of all sequences.
struct Job<'a> {
    heads: Vec<Head<'a>>,
}

/// One KV head.
struct Head<'a> {
    head: usize,
    keys: &'a mut [u8],
    values: &'a mut [u8],
    /// Its slots in each sequence.
    slots: Vec<&'a mut Slots>,
    /// `[n_tokens, group * head_dim]`
    out: &'a mut [f32],
}

/// Computes attention of the items under a policy, in the rows that they have in the batch.
pub(crate) fn attend_items(
    team: &Team,
    pass: &Pass<'_>,
    lanes: Vec<(&mut [u8], &mut [u8])>,
    items: &mut [BatchItem<'_>],
    rows: Rows<'_>,
) {
    let shape = pass.shape;
    let width = shape.n_heads / shape.n_kv_heads * shape.head_dim;
    let n_rows = rows.out.len() / (shape.n_heads * shape.head_dim);
    rows.by_head.resize(n_rows * width * shape.n_kv_heads, 0.0);
    let mut heads: Vec<Head<'_>> = lanes
        .into_iter()
        .zip(rows.by_head.chunks_exact_mut(n_rows * width))
        .enumerate()
        .map(|(head, ((keys, values), out))| Head { head, keys, values, slots: Vec::new(), out })
        .collect();
    let mut sequences = Vec::new();
    let mut first = 0;
    for item in items.iter_mut() {
        let n = item.tokens.len();
        let token = item.kv.len() - n;
        if let Some((blocks, policy, slots)) = item.kv.under_policy(pass.layer) {
            sequences.push(Sequence { first, n, token, blocks, policy });
            for (head, slots) in heads.iter_mut().zip(slots) {
                head.slots.push(slots);
            }
        }
        first += n;
    }
    let together = sequences.iter().any(|s| s.policy.kept().needs().same_for_all_heads);
    let mut jobs: Vec<Job<'_>> = match together {
        true => vec![Job { heads }],
        false => heads.into_iter().map(|head| Job { heads: vec![head] }).collect(),
    };
    let (q, k, v) = (rows.q, rows.k, rows.v);
    team.rows(&mut jobs, 1, &|_, jobs| {
        for job in jobs {
            for (i, sequence) in sequences.iter().enumerate() {
                job.sequence(pass, i, sequence, (q, k, v));
            }
        }
    });
    drop(jobs);
    let by_head = &rows.by_head[..];
    for sequence in &sequences {
        for t in sequence.first..sequence.first + sequence.n {
            let out = &mut rows.out[t * shape.n_kv_heads * width..][..shape.n_kv_heads * width];
            for (head, out) in out.chunks_exact_mut(width).enumerate() {
                out.copy_from_slice(&by_head[(head * n_rows + t) * width..][..width]);
            }
        }
    }
}

impl Job<'_> {
    /// All tokens of sequence number `i`.
    fn sequence(
        &mut self,
        pass: &Pass<'_>,
        i: usize,
        sequence: &Sequence<'_>,
        (q, k, v): (&[f32], &[f32], &[f32]),
    ) {
        let shape = pass.shape;
        let head_dim = shape.head_dim;
        let width = shape.n_heads / shape.n_kv_heads * head_dim;
        let Sequence { first, n, token, blocks, policy } = *sequence;
        let shares = policy.kept().needs().same_for_all_heads && !policy.skips(pass.layer);
        let mut works: Vec<(HeadWork<'_>, &mut [f32])> = self
            .heads
            .iter_mut()
            .map(|head| {
                let Head { head, keys, values, slots, out } = head;
                (HeadWork { head: *head, keys, values, slots: slots[i] }, &mut **out)
            })
            .collect();
        for t in 0..n {
            let row = first + t;
            for (work, out) in &mut works {
                let at = row * shape.n_kv_heads + work.head;
                let mut rows = TokenRows {
                    q: &q[at * width..][..width],
                    k: &k[at * head_dim..][..head_dim],
                    v: &v[at * head_dim..][..head_dim],
                    out: &mut out[row * width..][..width],
                };
                pass.take(policy, work, blocks, (token + t) as u32, &mut rows);
            }
            if shares {
                Slots::share_last(works.iter_mut().map(|(work, _)| &mut *work.slots));
            }
            for (work, _) in &mut works {
                pass.let_go(policy, work, blocks, token + t + 1);
            }
        }
    }
}
