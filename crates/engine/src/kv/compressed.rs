//! Attention of sequences under a policy: token by token, because what one lets go the next does
//! not see; and KV head by KV head, each a thread's, because what a head holds is its own affair.
//! All other operations of a pass are the same for all its tokens at once, so a text is scored at
//! a prompt's speed with what a token-by-token run would hold. Tokens that see all before them,
//! because nothing has been let go yet, are attended to as others are; what a policy wants to know
//! of them is noted here.

use super::ledger::Ledger;
use super::pass::{HeadWork, Pass, TokenRows};
use super::policy::{Attention, Moment};
use super::residents::Slots;
use crate::BatchItem;
use crate::rope::RopeAngles;
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
    ledger: &'a Ledger,
    /// Attention has been computed: its tokens see all.
    attended: bool,
    /// By what its first tokens are turned for each of its tokens, where they are.
    turns: Option<RopeAngles>,
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
        let attended = item.kv.sees_all();
        if let Some((blocks, ledger, slots)) = item.kv.under_policy(pass.layer) {
            let turns = (!attended).then(|| pass.turns_of_sinks(ledger, token, n)).flatten();
            sequences.push(Sequence { first, n, token, blocks, ledger, attended, turns });
            for (head, slots) in heads.iter_mut().zip(slots) {
                head.slots.push(slots);
            }
        }
        first += n;
    }
    // First those whose heads have nothing to do with each other, a thread each; then the others.
    let together = |sequence: &Sequence<'_>| {
        let needs = pass.needs(sequence.ledger.policy());
        needs.same_for_all_heads || needs.shared_floor.is_some()
    };
    let (q, k, v) = (rows.q, rows.k, rows.v);
    for phase in [false, true] {
        let any = sequences.iter().any(|sequence| together(sequence) == phase);
        let mut jobs: Vec<Job<'_>> = match phase {
            _ if !any => continue,
            true => vec![Job { heads: std::mem::take(&mut heads) }],
            false => heads.drain(..).map(|head| Job { heads: vec![head] }).collect(),
        };
        team.rows(&mut jobs, 1, &|_, jobs| {
            for job in jobs {
                let all = sequences.iter().enumerate();
                for (i, sequence) in all.filter(|(_, sequence)| together(sequence) == phase) {
                    job.sequence(pass, i, sequence, (q, k, v));
                }
            }
        });
        heads = jobs.into_iter().flat_map(|job| job.heads).collect();
    }
    drop(heads);
    let by_head = &rows.by_head[..];
    for sequence in sequences.iter().filter(|sequence| !sequence.attended) {
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
        let &Sequence { first, n, token, blocks, ledger, attended, ref turns } = sequence;
        let policy = ledger.policy();
        let mut needs = pass.needs(policy);
        let (mut works, mut outs): (Vec<HeadWork<'_>>, Vec<&mut [f32]>) = self
            .heads
            .iter_mut()
            .map(|head| {
                let Head { head, keys, values, slots, out } = head;
                (HeadWork { head: *head, keys, values, slots: slots[i], blocks }, &mut **out)
            })
            .unzip();
        if policy.is_done(ledger.n_prompt(), token) {
            // Nobody will ask for these any more.
            (needs.attention, needs.queries) = (Attention::None, None);
            works.iter_mut().for_each(|work| work.slots.forget_queries());
        }
        if token <= policy.whole(ledger.n_prompt()) {
            works.iter_mut().for_each(|work| pass.adopt(&needs, work, token));
        }
        for t in 0..n {
            let (row, token) = (first + t, token + t);
            for (work, out) in works.iter_mut().zip(&mut outs) {
                let at = row * shape.n_kv_heads + work.head;
                let q = &q[at * width..][..width];
                if attended {
                    pass.adopt(&needs, work, token + 1);
                    // Of attention to be known of the newest token only the last is.
                    if needs.attention != Attention::Last || t + 1 == n {
                        pass.note_query(&needs, work, token as u32, row, q);
                    }
                    continue;
                }
                let mut rows = TokenRows {
                    row,
                    q,
                    k: &k[at * head_dim..][..head_dim],
                    v: &v[at * head_dim..][..head_dim],
                    out: &mut out[row * width..][..width],
                };
                let turn = turns.as_ref().map(|turns| turns.of(t));
                pass.take(&needs, work, token as u32, &mut rows, turn);
            }
            if needs.same_for_all_heads {
                Pass::share_last(&mut works);
            }
            let (n_prompt, n_layers) = (ledger.n_prompt(), pass.n_layers);
            let at = Moment { n_tokens: token + 1, n_prompt, layer: pass.layer, n_layers };
            pass.let_go(policy, &mut works, &at);
        }
    }
}
