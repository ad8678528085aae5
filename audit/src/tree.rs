//! The RFC 6962 Merkle tree over the entries, kept as a compact range: O(log n) memory.

use sha2::{Digest, Sha256};

use crate::Hash;

/// A tree's size and root: what a checkpoint signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// How many entries the tree holds.
    pub size: u64,
    /// The RFC 6962 Merkle tree hash over them, 32 bytes.
    pub root: Hash,
}

/// The roots of the perfect subtrees that cover the entries so far, largest first: as many as the
/// size has one bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    size: u64,
    peaks: Vec<[u8; 32]>,
}

impl Tree {
    /// How many leaves were pushed.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next entry.
    pub(crate) fn push(&mut self, entry: &[u8]) {
        let mut hash = leaf_hash(entry);
        for _ in 0..self.size.trailing_ones() {
            let left = self
                .peaks
                .pop()
                .expect("one peak for each one bit of the size");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The tree's head; the root of the empty tree is SHA-256 of nothing.
    pub(crate) fn head(&self) -> TreeHead {
        let root = self
            .peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| Sha256::digest([]).into());
        TreeHead {
            size: self.size,
            root: Hash::from(root),
        }
    }
}

/// RFC 6962 section 2.1: `SHA-256(0x00 || entry)`.
fn leaf_hash(entry: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update([0])
        .chain_update(entry)
        .finalize()
        .into()
}

/// RFC 6962 section 2.1: `SHA-256(0x01 || left || right)`.
fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursive definition of RFC 6962 section 2.1.
    fn definition(entries: &[Vec<u8>]) -> [u8; 32] {
        match entries {
            [] => Sha256::digest([]).into(),
            [entry] => leaf_hash(entry),
            _ => {
                let split = entries.len().next_power_of_two() / 2;
                node_hash(
                    &definition(&entries[..split]),
                    &definition(&entries[split..]),
                )
            }
        }
    }

    #[test]
    fn the_compact_range_agrees_with_the_recursive_definition() {
        let entries: Vec<Vec<u8>> = (0..130_u8).map(|i| vec![i; usize::from(i)]).collect();
        let mut tree = Tree::default();
        for size in 0..=entries.len() {
            let head = tree.head();
            assert_eq!(head.size, size as u64);
            assert_eq!(
                *head.root.as_bytes(),
                definition(&entries[..size]),
                "size {size}"
            );
            if let Some(entry) = entries.get(size) {
                tree.push(entry);
            }
        }
    }

    #[test]
    fn the_roots_are_those_of_the_certificate_transparency_test_data() {
        // The eight leaves and roots of certificate-transparency's merkletree tests.
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let mut tree = Tree::default();
        assert_eq!(
            tree.head().root.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (leaf, root) in leaves.iter().zip(roots) {
            tree.push(&hex::decode(leaf).unwrap_or_default());
            assert_eq!(tree.head().root.to_string(), root);
        }
    }
}
