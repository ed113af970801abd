//! JWTs, made without the library that checks them.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// Made for these tests; it opens nothing.
const RSA: &str = include_str!("keys/rsa-for-tests-only.base64");

pub(crate) const SECRET: &str = "a secret of more than thirty-two bytes";

pub(crate) fn now() -> i64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(time.as_secs()).expect("a time")
}

/// Claims that are valid for an hour.
pub(crate) fn claims() -> Value {
    json!({ "sub": "ann", "exp": now() + 3_600 })
}

pub(crate) fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A JWT with any header and any signature.
pub(crate) fn jwt(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", encode(signature))
}

pub(crate) fn hs256(claims: &Value, secret: &[u8]) -> String {
    jwt(&json!({ "alg": "HS256", "typ": "JWT" }), claims, |message| {
        hmac_of(secret, message)
    })
}

pub(crate) fn hmac_of(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// A key pair of each kind.
pub(crate) struct KeyPairs {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl KeyPairs {
    /// The RSA pair is always the same, the others are new.
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let rsa = STANDARD.decode(RSA.replace('\n', "")).expect("base64");
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let ec = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
        let ed = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        Self {
            rsa: RsaKeyPair::from_pkcs8(&rsa).expect("a key"),
            ec: EcdsaKeyPair::from_pkcs8(kind, ec.as_ref(), &random).expect("a key"),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).expect("a key"),
        }
    }

    /// The public keys, named r, e and d.
    pub(crate) fn jwks(&self) -> String {
        let rsa = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        let ec = self.ec.public_key().as_ref();
        json!({ "keys": [
            {
                "kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256",
                "n": encode(rsa.n),
                "e": encode(rsa.e),
            },
            { "kty": "EC", "kid": "e", "crv": "P-256", "x": encode(&ec[1..33]), "y": encode(&ec[33..65]) },
            { "kty": "OKP", "kid": "d", "crv": "Ed25519", "x": encode(self.ed.public_key()) },
        ] })
        .to_string()
    }

    /// What an attacker knows of the RSA key, in every form that could be taken for a secret.
    pub(crate) fn public_rsa(&self) -> Vec<Vec<u8>> {
        let modulus = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public()).n;
        let der = self.rsa.public().as_ref().to_vec();
        vec![der, encode(&modulus).into_bytes(), modulus, self.jwks().into_bytes()]
    }

    pub(crate) fn sign(&self, algorithm: &str, id: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": algorithm });
        if let Some(id) = id {
            header["kid"] = id.into();
        }
        jwt(&header, claims, |message| self.signature(algorithm, message))
    }

    pub(crate) fn signature(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match algorithm {
            "RS256" => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa
                    .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("signed");
                signature
            }
            "ES256" => self.ec.sign(&random, message).expect("signed").as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            _ => panic!("{algorithm}"),
        }
    }
}
