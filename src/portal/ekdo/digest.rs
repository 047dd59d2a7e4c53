//! Digests of documents: what a signer states of the file that was signed, and what the file comes to.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use streebog::{Digest as _, Streebog256, Streebog512};

/// How a digest is made. What is not listed cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// GOST R 34.11-2012 of 256 bits.
    Streebog256,
    /// GOST R 34.11-2012 of 512 bits.
    Streebog512,
    /// SHA-2 of 256 bits.
    Sha256,
    /// SHA-2 of 384 bits.
    Sha384,
    /// SHA-2 of 512 bits.
    Sha512,
}

/// A digest of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digest {
    pub algorithm: Algorithm,
    pub value: Box<[u8]>,
}

impl Algorithm {
    /// The algorithm of an object identifier, as DER writes it.
    pub fn of(oid: &[u8]) -> Option<Self> {
        match oid {
            // 1.2.643.7.1.1.2.2 and .3
            [0x2a, 0x85, 0x03, 0x07, 0x01, 0x01, 0x02, 0x02] => Some(Algorithm::Streebog256),
            [0x2a, 0x85, 0x03, 0x07, 0x01, 0x01, 0x02, 0x03] => Some(Algorithm::Streebog512),
            // 2.16.840.1.101.3.4.2.1 to .3
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01] => Some(Algorithm::Sha256),
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02] => Some(Algorithm::Sha384),
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03] => Some(Algorithm::Sha512),
            _ => None,
        }
    }

    /// What these bytes come to.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let value = match self {
            Algorithm::Streebog256 => Streebog256::digest(bytes).as_slice().into(),
            Algorithm::Streebog512 => Streebog512::digest(bytes).as_slice().into(),
            Algorithm::Sha256 => digest(&SHA256, bytes).as_ref().into(),
            Algorithm::Sha384 => digest(&SHA384, bytes).as_ref().into(),
            Algorithm::Sha512 => digest(&SHA512, bytes).as_ref().into(),
        };
        Digest { algorithm: self, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(algorithm: Algorithm, text: &str) -> String {
        algorithm.digest(text.as_bytes()).value.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn digests_are_those_of_the_standards() {
        // The first message of GOST R 34.11-2012, its digests in the order of bytes that signatures hold.
        let message = "012345678901234567890123456789012345678901234567890123456789012";
        assert_eq!(
            hex(Algorithm::Streebog256, message),
            "9d151eefd8590b89daa6ba6cb74af9275dd051026bb149a452fd84e5e57b5500"
        );
        assert_eq!(
            hex(Algorithm::Streebog512, message),
            "1b54d01a4af5b9d5cc3d86d68d285462b19abc2475222f35c085122be4ba1ffa\
             00ad30f8767b3a82384c6574f024c311e2a481332b08ef7f41797891c1646f48"
        );
        assert!(hex(Algorithm::Sha256, "abc").starts_with("ba7816bf"));
        assert!(hex(Algorithm::Sha384, "abc").starts_with("cb00753f"));
        assert!(hex(Algorithm::Sha512, "abc").starts_with("ddaf35a1"));
    }
}
