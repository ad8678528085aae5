//! API types, problem types, signature base and encodings: no I/O.
