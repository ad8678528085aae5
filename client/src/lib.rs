//! What a customer links: signs requests, verifies and combines shares.
