//! JSON web tokens ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519),
//! [RFC 8725](https://www.rfc-editor.org/rfc/rfc8725) for what to be careful with).
//!
//! The configuration decides which algorithms there are: HS256 with a secret, and RS256, ES256 and EdDSA with the keys of
//! a JWKS. A token can only choose among them, and each key is tied to one algorithm.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::caller::Role;
use crate::jwks::{Jwks, JwksSource};
use crate::secret::Secret;
use crate::settings::SettingsError;
use crate::signature::use_ring;

/// The clocks of two machines may differ by so many seconds.
const LEEWAY_S: u64 = 30;

/// Fewest bytes of a secret: as long as the hash ([RFC 7518, 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
const SHORTEST_SECRET: usize = 32;

/// Most characters of a subject that are kept as a name.
const LONGEST_NAME: usize = 128;

/// Which JWTs are valid.
#[derive(Debug, Clone, Default)]
pub struct JwtSettings {
    /// The secret of HS256, at least 32 bytes.
    pub secret: Option<Secret>,
    /// The public keys of RS256, ES256 and EdDSA.
    pub jwks: Option<JwksSource>,
    /// If set, `iss` must be there and be this.
    pub issuer: Option<String>,
    /// If set, `aud` must be there and hold this. If not, a token that is made for a certain audience is refused: it was
    /// made for somebody else.
    pub audience: Option<String>,
}

/// Checks JWTs.
pub(crate) struct JwtVerifier {
    secret: Option<DecodingKey>,
    jwks: Option<Jwks>,
    issuer: Option<String>,
    audience: Option<String>,
}

/// What a JWT is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JwtMatch {
    Valid {
        name: String,
        role: Role,
        expires_at: i64,
    },
    /// The signature is right, but the token is not for here and now.
    Unusable(&'static str),
    /// Anybody could have made it.
    Unknown,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    exp: Option<Lenient<f64>>,
    #[serde(default)]
    sub: Option<Lenient<String>>,
    #[serde(default)]
    role: Option<Lenient<String>>,
    #[serde(default)]
    roles: Option<Roles>,
}

/// A claim that others define: a value of another type says nothing, and makes the token no worse.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Value(T),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Roles {
    One(String),
    Many(Vec<Lenient<String>>),
    Other(IgnoredAny),
}

impl Claims {
    /// The highest role that is named; everybody else is a viewer.
    fn role(&self) -> Role {
        let is_admin = |word: &Lenient<String>| matches!(word, Lenient::Value(word) if word == "admin");
        let named = self.role.as_ref().is_some_and(is_admin)
            || match &self.roles {
                Some(Roles::One(word)) => word == "admin",
                Some(Roles::Many(words)) => words.iter().any(is_admin),
                Some(Roles::Other(_)) | None => false,
            };
        if named { Role::Admin } else { Role::Viewer }
    }

    /// The subject, cut and without characters that would break a line of a log.
    fn name(&self) -> String {
        match &self.sub {
            Some(Lenient::Value(name)) => name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect(),
            Some(Lenient::Other(_)) | None => String::new(),
        }
    }
}

impl JwtVerifier {
    pub(crate) fn new(settings: JwtSettings) -> Result<Self, SettingsError> {
        use_ring();
        let secret = match &settings.secret {
            Some(secret) if secret.reveal().len() < SHORTEST_SECRET => {
                return Err(SettingsError::ShortSecret {
                    bytes: secret.reveal().len(),
                });
            }
            Some(secret) => Some(DecodingKey::from_secret(secret.reveal().as_bytes())),
            None => None,
        };
        Ok(Self {
            secret,
            jwks: settings.jwks.map(Jwks::open).transpose()?,
            issuer: settings.issuer,
            audience: settings.audience,
        })
    }

    pub(crate) async fn check(&self, token: &str) -> JwtMatch {
        // `none` is no algorithm to this library, so such a token has no header that it could read.
        let Ok(header) = decode_header(token) else {
            return JwtMatch::Unknown;
        };
        // "crit" names extensions that must be understood, and none is (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return JwtMatch::Unknown;
        }
        let key = match (header.alg, &self.secret, &self.jwks) {
            (Algorithm::HS256, Some(secret), _) => Some(secret.clone()),
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, _, Some(jwks)) => {
                let found = jwks.find(header.alg, header.kid.as_deref()).await;
                found.map(|found| found.key)
            }
            _ => None,
        };
        let Some(key) = key else {
            return JwtMatch::Unknown;
        };
        match decode::<Claims>(token, &key, &self.validation(header.alg)) {
            Ok(token) => JwtMatch::Valid {
                name: token.claims.name(),
                role: token.claims.role(),
                expires_at: match token.claims.exp {
                    // A float that is too large for i64 becomes the largest one.
                    Some(Lenient::Value(time)) => time as i64,
                    // Such a token was refused above.
                    Some(Lenient::Other(_)) | None => 0,
                },
            },
            Err(error) => match error.kind() {
                ErrorKind::ExpiredSignature => JwtMatch::Unusable("it has expired"),
                ErrorKind::ImmatureSignature => JwtMatch::Unusable("it is not valid yet"),
                ErrorKind::InvalidIssuer => JwtMatch::Unusable("it is of another issuer"),
                ErrorKind::InvalidAudience => JwtMatch::Unusable("it is for another audience"),
                ErrorKind::MissingRequiredClaim(claim) => JwtMatch::Unusable(match claim.as_str() {
                    "iss" => "it names no issuer",
                    "aud" => "it names no audience",
                    _ => "it has no time of expiry",
                }),
                _ => JwtMatch::Unknown,
            },
        }
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".into());
        }
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".into());
        }
        validation
    }
}
