//! The section of `customer.toml` that pins one D-TA, as its operators hand it to a customer.

use std::fmt;

use wire::api::{AuthorityIdHex, CommitmentHex, KeyVersion, Suite};
use wire::keys::VerifyingKey;

/// What a D-TA's operators publish to a customer. `Display` writes the `[[dta]]` section that
/// [`crate::Config`] reads; the customer adds `ca_file` if the D-TA's certificate is not from the
/// public web.
#[derive(Clone, Copy, Debug)]
pub struct DtaSection<'a> {
    /// One word.
    pub name: &'a str,
    /// The public name, with the port unless it is 443: `alpha.example:8443`.
    pub public_authority: &'a str,
    /// The authority id.
    pub authority: AuthorityIdHex,
    /// The node key.
    pub node_key: &'a VerifyingKey,
    /// The customer's master keys.
    pub keys: &'a [(KeyVersion, Suite, CommitmentHex)],
}

impl fmt::Display for DtaSection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A verifier key's name must not hold what its format gives a meaning to.
        let name: String = self
            .name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c))
            .collect();
        let vkey_name = if name.is_empty() { "dta" } else { &name };
        writeln!(f, "[[dta]]")?;
        writeln!(f, "name = \"{vkey_name}\"")?;
        writeln!(f, "url = \"https://{}\"", self.public_authority)?;
        writeln!(f, "authority = \"{}\"", self.authority)?;
        match self.node_key.to_vkey(vkey_name) {
            Some(vkey) => writeln!(f, "node_key = \"{vkey}\"")?,
            None => writeln!(
                f,
                "node_key_p256 = \"\"\"\n{}\"\"\"",
                self.node_key.to_pem()
            )?,
        }
        for (key, suite, commitment) in self.keys {
            writeln!(f, "[dta.keys.{key}]")?;
            writeln!(f, "suite = \"{suite}\"")?;
            writeln!(f, "commitment = \"{commitment}\"")?;
        }
        Ok(())
    }
}
