//! The state directory: two-lock seal, sealed keys, manifests, registry, exclusive lock.
