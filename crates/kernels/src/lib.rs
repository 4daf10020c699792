//! SIMD kernels behind run-time dispatch, packed weight panels and the thread team.
