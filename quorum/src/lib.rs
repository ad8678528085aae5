//! M-of-N sharing, manifests and verdicts: no I/O.
