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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::authority::testing::World;
    use quorum::NodeAlgorithm;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_customer_can_use_the_lines_as_they_are_with_either_kind_of_node_key() {
        let world = World::new();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("acme.key");
        std::fs::write(&file, world.customer_key.to_pem().unwrap().as_str()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let p256 =
            wire::keys::SigningKey::generate(wire::keys::Algorithm::EcdsaP256Sha256).unwrap();
        let p256 = p256.verifying_key().as_bytes().to_vec();
        let name = || "node-1".parse().unwrap();
        let nodes = [
            super::super::node_of(world.state.chain()).clone(),
            NodeKey::new(name(), NodeAlgorithm::EcdsaP256, p256).unwrap(),
        ];
        for node in &nodes {
            let chain = world.state.chain();
            let here = ThisDta {
                chain,
                node,
                public_authority: "dta.example:8443",
            };
            let lines = here.customer_toml([world.master_key()].into_iter());
            let text = format!("key_file = \"acme.key\"\n\n{lines}");
            let config = client::Config::parse(&text, directory.path()).unwrap();
            let pins = &config.dtas[0];
            assert_eq!(pins.endpoint.public_authority, "dta.example:8443");
            assert_eq!(pins.authority.to_string(), chain.authority_id().to_string());
            assert_eq!(pins.node_key.as_bytes(), node.public_key());
            let pinned = pins.keys.values().next().unwrap();
            assert_eq!(
                pinned.commitment.to_compressed(),
                world.master_key().commitment
            );
        }
    }
}
