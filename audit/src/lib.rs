//! The tamper-evident log: append, checkpoint, verify.
