//! Signatures of JWTs, checked by ring.
//!
//! `jsonwebtoken` brings two choices: aws-lc, a second copy of what ring does, and RustCrypto, whose `rsa` has an
//! advisory without a fix (RUSTSEC-2023-0071). rustls already needs ring, so ring does this too. Only the four algorithms
//! that a configuration can ask for are known here; nothing is ever signed.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: |algorithm, key| Ok(Box::new(RingVerifier::new(*algorithm, key)?)),
    // They are for making keys out of other keys, which nobody does here.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes ring the one that checks signatures, for the whole process.
pub(crate) fn use_ring() {
    // An error says that it was done before.
    let _ = RING.install_default();
}

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl RingVerifier {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self, Error> {
        let family = match algorithm {
            Algorithm::HS256 => AlgorithmFamily::Hmac,
            Algorithm::RS256 => AlgorithmFamily::Rsa,
            Algorithm::ES256 => AlgorithmFamily::Ec,
            Algorithm::EdDSA => AlgorithmFamily::Ed,
            _ => return Err(ErrorKind::InvalidAlgorithm.into()),
        };
        // A public RSA key must never serve as the secret of an HMAC.
        if key.family() != family {
            return Err(ErrorKind::InvalidKeyFormat.into());
        }
        Ok(Self {
            algorithm,
            key: key.clone(),
        })
    }

    fn check(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let public: &'static dyn VerificationAlgorithm = match (self.algorithm, self.key.kind()) {
            (Algorithm::HS256, DecodingKeyKind::SecretOrDer(secret)) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                return hmac::verify(&key, message, signature).ok();
            }
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                let key = RsaPublicKeyComponents { n, e };
                return key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).ok();
            }
            (Algorithm::ES256, _) => &ECDSA_P256_SHA256_FIXED,
            (Algorithm::EdDSA, _) => &ED25519,
            _ => return None,
        };
        let key = self.key.try_get_as_bytes().ok()?;
        UnparsedPublicKey::new(public, key).verify(message, signature).ok()
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        self.check(message, signature).ok_or_else(SignatureError::new)
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
