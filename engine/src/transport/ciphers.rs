//! The ciphers of TLS 1.3 that connections of rustls encrypt with: a key, and no more.
//!
//! rustls asks its provider for a cipher for each direction and keeps it for life. Those of the
//! provider hold the expanded key, 672 bytes of heap with what the allocator adds. These expand it
//! anew for every record, which costs about 200 ns, and are 64 bytes.

use std::sync::LazyLock;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use rustls::crypto::aws_lc_rs::DEFAULT_CIPHER_SUITES;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    Nonce as Numbered, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls13AeadAlgorithm, UnsupportedOperationError, make_tls13_aad,
};
use rustls::{
    CipherSuite, CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion,
    SupportedCipherSuite, Tls13CipherSuite,
};

use super::record::{Suite, TAG};

/// The provider's suites in its order, those of TLS 1.3 with these ciphers.
pub(super) static SUITES: LazyLock<Vec<SupportedCipherSuite>> =
    LazyLock::new(|| DEFAULT_CIPHER_SUITES.iter().copied().map(light).collect());

fn light(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let SupportedCipherSuite::Tls13(whole) = suite else { return suite };
    let aead_alg: &'static dyn Tls13AeadAlgorithm = match whole.common.suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => &Suite::Aes128,
        CipherSuite::TLS13_AES_256_GCM_SHA384 => &Suite::Aes256,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => &Suite::ChaCha20,
        _ => return suite,
    };
    let common = CipherSuiteCommon { ..whole.common };
    // Leaked once a process: rustls wants its suites to live as long as that.
    SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
        common,
        hkdf_provider: whole.hkdf_provider,
        aead_alg,
        quic: None,
    })))
}

impl Tls13AeadAlgorithm for Suite {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Light { key, iv, suite: *self })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Light { key, iv, suite: *self })
    }

    fn key_len(&self) -> usize {
        self.algorithm().key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(match self {
            Suite::Aes128 => ConnectionTrafficSecrets::Aes128Gcm { key, iv },
            Suite::Aes256 => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
            Suite::ChaCha20 => ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
        })
    }
}

/// One direction of a connection.
struct Light {
    key: AeadKey,
    iv: Iv,
    suite: Suite,
}

// With this a block of the heap is 64 bytes.
const _: () = assert!(size_of::<Light>() <= 56);

impl Light {
    fn cipher(&self) -> LessSafeKey {
        self.suite.cipher(self.key.as_ref())
    }

    /// The nonce of the record with this number (RFC 8446, section 5.3).
    fn nonce(&self, number: u64) -> Nonce {
        Nonce::assume_unique_for_key(Numbered::new(&self.iv, number).0)
    }
}

/// What is authenticated beside a record of so many bytes: its header (RFC 8446, section 5.2).
fn header(length: usize) -> Aad<[u8; 5]> {
    Aad::from(make_tls13_aad(length))
}

impl MessageEncrypter for Light {
    fn encrypt(
        &mut self,
        plain: OutboundPlainMessage<'_>,
        number: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let length = self.encrypted_payload_len(plain.payload.len());
        let mut record = PrefixedPayload::with_capacity(length);
        record.extend_from_chunks(&plain.payload);
        record.extend_from_slice(&[u8::from(plain.typ)]);
        self.cipher()
            .seal_in_place_append_tag(self.nonce(number), header(length), &mut record)
            .map_err(|_| Error::EncryptError)?;
        let (kind, version) = (ContentType::ApplicationData, ProtocolVersion::TLSv1_2);
        Ok(OutboundOpaqueMessage::new(kind, version, record))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 1 + TAG
    }
}

impl MessageDecrypter for Light {
    fn decrypt<'a>(
        &mut self,
        mut record: InboundOpaqueMessage<'a>,
        number: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let header = header(record.payload.len());
        let opened = self
            .cipher()
            .open_in_place(self.nonce(number), header, &mut record.payload)
            .map_err(|_| Error::DecryptError)?
            .len();
        record.payload.truncate(opened);
        record.into_tls13_unpadded_message()
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::cipher::OutboundChunks;

    use super::*;

    const KIND: ContentType = ContentType::ApplicationData;
    const VERSION: ProtocolVersion = ProtocolVersion::TLSv1_2;

    fn key_and_iv() -> (AeadKey, Iv) {
        (AeadKey::from([7; 32]), Iv::from([9; 12]))
    }

    /// The body of a record, without its header.
    fn sealed(by: &Tls13CipherSuite, said: &[u8], number: u64) -> Vec<u8> {
        let (key, iv) = key_and_iv();
        let payload = OutboundChunks::Single(said);
        let plain = OutboundPlainMessage { typ: KIND, version: VERSION, payload };
        let record = by.aead_alg.encrypter(key, iv).encrypt(plain, number);
        record.expect("a short record").encode().split_off(5)
    }

    fn opened(by: &Tls13CipherSuite, mut body: Vec<u8>, number: u64) -> Option<Vec<u8>> {
        let (key, iv) = key_and_iv();
        let record = InboundOpaqueMessage::new(KIND, VERSION, &mut body);
        let plain = by.aead_alg.decrypter(key, iv).decrypt(record, number).ok()?;
        Some(plain.payload.to_vec())
    }

    #[test]
    fn records_are_those_of_the_provider() {
        let suites = DEFAULT_CIPHER_SUITES.iter().zip(SUITES.iter());
        let suites = suites.filter_map(|(theirs, ours)| theirs.tls13().zip(ours.tls13()));
        let mut tried = 0;
        // Keys of 16 bytes cannot be made outside of rustls.
        for (theirs, ours) in suites.filter(|(theirs, _)| theirs.aead_alg.key_len() == 32) {
            for number in [0, 1, 1 << 20] {
                let record = sealed(ours, b"said", number);
                assert_eq!(record, sealed(theirs, b"said", number));
                assert_eq!(opened(ours, record.clone(), number).as_deref(), Some(&b"said"[..]));
                assert_eq!(opened(ours, record.clone(), number + 1), None);
                assert_eq!(opened(ours, record[..TAG - 1].to_vec(), number), None);
            }
            tried += 1;
        }
        assert_eq!(tried, 2);
    }

    #[test]
    fn every_suite_of_tls_1_3_is_light() {
        let whole = SUITES.iter().filter_map(SupportedCipherSuite::tls13);
        let lengths: Vec<_> = whole.map(|suite| suite.aead_alg.key_len()).collect();
        assert_eq!(lengths, [32, 16, 32]);
        assert!(SUITES.iter().filter_map(SupportedCipherSuite::tls13).all(|s| s.quic.is_none()));
        assert_eq!(&*SUITES, DEFAULT_CIPHER_SUITES); // by name
    }
}
