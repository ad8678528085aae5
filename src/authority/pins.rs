//! What a customer believes of this D-TA: the lines for its customer.toml.

use audit::Origin;
use quorum::{ManifestChain, NodeKey};
use state::MasterKey;
use wire::keys::VerifyingKey;

/// This D-TA, as its customers see it.
pub(super) struct ThisDta<'a> {
    pub(super) chain: &'a ManifestChain,
    pub(super) node: &'a NodeKey,
    pub(super) public_authority: &'a str,
}

impl ThisDta<'_> {
    /// One `[[dta]]` table, ready to be put into customer.toml.
    pub(super) fn customer_toml<'k>(&self, masters: impl Iterator<Item = &'k MasterKey>) -> String {
        let mut keys = toml::Table::new();
        for master in masters {
            let pin = toml::Table::from_iter([
                ("suite".to_owned(), master.suite.as_str().into()),
                (
                    "commitment".to_owned(),
                    hex::encode(master.commitment).into(),
                ),
            ]);
            keys.insert(master.version.to_string(), pin.into());
        }
        let (name, value) = self.node_key();
        let dta = toml::Table::from_iter([
            (
                "name".to_owned(),
                self.chain.current().authority.as_str().into(),
            ),
            (
                "url".to_owned(),
                format!("https://{}", self.public_authority).into(),
            ),
            (
                "authority".to_owned(),
                self.chain.authority_id().to_string().into(),
            ),
            (name.to_owned(), value.into()),
            ("keys".to_owned(), keys.into()),
        ]);
        toml::Table::from_iter([("dta".to_owned(), toml::Value::Array(vec![dta.into()]))])
            .to_string()
    }

    /// The key of customer.toml and its value: a C2SP verifier key, or PEM for P-256, which C2SP lacks.
    fn node_key(&self) -> (&'static str, String) {
        let key = VerifyingKey::from_raw(self.node.public_key())
            .expect("the node key has signed, so it is a point");
        let origin = Origin::of_authority(self.chain.authority_id().as_bytes());
        match key.to_vkey(origin.as_str()) {
            Some(vkey) => ("node_key", vkey),
            None => ("node_key_p256", key.to_pem()),
        }
    }
}
