//! What must hold of the walk through a signature and of the look at a PDF.

use super::{der, frame, read};

/// Whatever the bytes are, the walk ends, and what is taken says that it is SignedData.
pub fn ekdo_signature(bytes: &[u8]) {
    let taken = read(bytes).is_ok();
    let unpacked = der(bytes);
    if taken {
        let unpacked = unpacked.unwrap_or_default();
        assert!(unpacked.windows(super::SIGNED_DATA.len()).any(|window| window == super::SIGNED_DATA));
        assert!(matches!(frame(&unpacked), Some(Ok(_))));
    }
    if super::super::pdf::check(bytes).is_ok() {
        assert!(bytes.starts_with(b"%PDF-1."));
    }
}
