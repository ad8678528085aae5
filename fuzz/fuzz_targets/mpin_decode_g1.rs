//! Any bytes as a point of G1, in every encoding: both backends say the same, and what is taken
//! is written back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpin::{Blst, ClientShare, Encoding, Zkcrypto};

fuzz_target!(|input: &[u8]| {
    for encoding in Encoding::ALL {
        let blst = ClientShare::<Blst>::decode(encoding, input);
        let zkcrypto = ClientShare::<Zkcrypto>::decode(encoding, input);
        match (blst, zkcrypto) {
            (Ok(blst), Ok(zkcrypto)) => {
                assert_eq!(&blst.encode(encoding)[..], input);
                assert_eq!(&zkcrypto.encode(encoding)[..], input);
            }
            (Err(blst), Err(zkcrypto)) => assert_eq!(blst, zkcrypto),
            (blst, zkcrypto) => panic!("{} against {}", blst.is_ok(), zkcrypto.is_ok()),
        }
    }
});
