//! Loops that are written out.

/// Runs the block once for each `i` below a constant of at most sixteen, written out: the compiler
/// gives up unrolling loops of this size, and an accumulator array that is indexed by a variable
/// lives in memory instead of registers.
macro_rules! unrolled {
    ($i:ident in $n:ident => $body:block) => {
        unrolled!(@ $i $n $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $i:ident $n:ident $body:block $($number:literal)*) => {
        const { assert!($n <= 16) };
        $(if $number < $n {
            let $i: usize = $number;
            $body
        })*
    };
}
pub(crate) use unrolled;
