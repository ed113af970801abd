//! Public keys of those who sign JWTs ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use crate::file_watch::FileWatch;
use crate::private_file::{self, FileError, Others};

/// Fetched keys are fetched again after this time, so that a key which its owner withdrew ends here too.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The least time between two fetches: a token with an unknown key asks for one, and anybody can send such a token.
const PAUSE: Duration = Duration::from_secs(30);

/// Longest time for a fetch: all JWTs of key pairs wait for it.
const FETCH_TIME: Duration = Duration::from_secs(10);

/// If no fetch works, the last keys stay valid for so long.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What a fetch gives: the JSON text, or why there is none, in words for the log.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// Fetches a JWKS from where its owner publishes it. The process brings its own HTTP client; it should allow `https`
/// only, follow no redirect to elsewhere, and end after a few seconds.
pub trait FetchJwks: Send + Sync + 'static {
    /// The JWKS as JSON.
    fn fetch(&self) -> Fetched<'_>;
}

/// Where the public keys come from.
#[derive(Clone)]
pub enum JwksSource {
    /// A file, read again when it changes.
    File(PathBuf),
    /// Somewhere on the network; asked when the first JWT comes, each quarter of an hour, and for an unknown key.
    Fetched(Arc<dyn FetchJwks>),
}

impl fmt::Debug for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Fetched(_) => f.write_str("Fetched(..)"),
        }
    }
}

/// A public key and the one algorithm that it is used with.
#[derive(Clone)]
pub(crate) struct PublicKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
    id: Option<String>,
}

/// The keys as they are now.
pub(crate) struct Jwks {
    source: Source,
    keys: Mutex<Arc<Vec<PublicKey>>>,
}

enum Source {
    File(Mutex<FileWatch>),
    /// The lock is held during a fetch: others wait for its keys instead of fetching too.
    Fetched(Arc<dyn FetchJwks>, tokio::sync::Mutex<FetchTimes>),
}

#[derive(Default)]
struct FetchTimes {
    tried: Option<Instant>,
    worked: Option<Instant>,
}

impl Jwks {
    pub(crate) fn open(source: JwksSource) -> Result<Self, FileError> {
        let (source, keys) = match source {
            JwksSource::File(path) => {
                let mut watch = FileWatch::new(path);
                watch.is_due();
                let keys = read(watch.path())?;
                (Source::File(Mutex::new(watch)), keys)
            }
            JwksSource::Fetched(fetch) => (Source::Fetched(fetch, tokio::sync::Mutex::default()), Vec::new()),
        };
        Ok(Self {
            source,
            keys: Mutex::new(Arc::new(keys)),
        })
    }

    /// The key for a token of this algorithm. A token that names no key is for the only one of its algorithm, if there
    /// is but one.
    pub(crate) async fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Option<PublicKey> {
        let keys = self.current(|keys| select(keys, algorithm, id).is_some()).await;
        select(&keys, algorithm, id).cloned()
    }

    async fn current(&self, holds_it: impl Fn(&[PublicKey]) -> bool) -> Arc<Vec<PublicKey>> {
        match &self.source {
            Source::File(watch) => {
                let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
                if watch.is_due() {
                    self.set(read(watch.path()).unwrap_or_else(|error| {
                        tracing::error!(%error, "no JWT signed by a key pair is valid until the JWKS can be read");
                        Vec::new()
                    }));
                }
            }
            Source::Fetched(fetch, times) => {
                let mut times = times.lock().await;
                let is_old = times.worked.is_none_or(|at| at.elapsed() > LIFETIME);
                let may_try = times.tried.is_none_or(|at| at.elapsed() > PAUSE);
                if may_try && (is_old || !holds_it(&self.keys())) {
                    times.tried = Some(Instant::now());
                    let fetched = tokio::time::timeout(FETCH_TIME, fetch.fetch()).await;
                    let fetched =
                        fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", FETCH_TIME.as_secs())));
                    match fetched.and_then(|text| parse(&text)) {
                        Ok(keys) => {
                            times.worked = Some(Instant::now());
                            self.set(keys);
                        }
                        Err(error) => tracing::warn!(error, "the JWKS could not be fetched"),
                    }
                }
                if times.worked.is_none_or(|at| at.elapsed() > LONGEST_LIFETIME) {
                    self.set(Vec::new());
                }
            }
        }
        self.keys()
    }

    fn keys(&self) -> Arc<Vec<PublicKey>> {
        Arc::clone(&self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, keys: Vec<PublicKey>) {
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}

fn select<'a>(keys: &'a [PublicKey], algorithm: Algorithm, id: Option<&str>) -> Option<&'a PublicKey> {
    let mut of_algorithm = keys.iter().filter(|key| key.algorithm == algorithm);
    match id {
        Some(id) => of_algorithm.find(|key| key.id.as_deref() == Some(id)),
        None => of_algorithm.next().filter(|_| of_algorithm.next().is_none()),
    }
}

fn read(path: &Path) -> Result<Vec<PublicKey>, FileError> {
    let text = private_file::read(path, Others::MayNotWrite)?
        .ok_or_else(|| FileError::io(path, std::io::ErrorKind::NotFound.into()))?;
    parse(&text).map_err(|reason| FileError::content(path, reason))
}

/// The keys that this process can use: RSA, P-256 and Ed25519, made for signatures. Others are left out, above all
/// symmetric ones (`oct`), which have no place among public keys.
fn parse(text: &str) -> Result<Vec<PublicKey>, String> {
    let set: JwkSet = serde_json::from_str(text).map_err(|error| format!("is no JWKS: {error}"))?;
    let keys: Vec<_> = set.keys.iter().filter_map(usable).collect();
    if keys.is_empty() {
        return Err("holds no key for RS256, ES256 or EdDSA signatures".into());
    }
    Ok(keys)
}

fn usable(jwk: &Jwk) -> Option<PublicKey> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let is_for_it = jwk.common.key_algorithm.is_none_or(|name| name == named);
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    if !is_for_it || !signs {
        return None;
    }
    Some(PublicKey {
        algorithm,
        key: DecodingKey::from_jwk(jwk).ok()?,
        id: jwk.common.key_id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    #[test]
    fn only_keys_that_sign_are_taken() {
        let other = ED.replace("\"a\"", "\"b\",\"use\":\"enc\"");
        let wrong = ED.replace("\"a\"", "\"c\",\"alg\":\"RS256\"");
        let secret = r#"{"kty":"oct","kid":"d","k":"c2VjcmV0"}"#;
        let keys = parse(&format!(r#"{{"keys":[{ED},{other},{wrong},{secret}]}}"#)).expect("a JWKS");
        assert_eq!(keys.len(), 1);
        assert!(select(&keys, Algorithm::EdDSA, Some("a")).is_some());
        assert!(select(&keys, Algorithm::EdDSA, None).is_some());
        assert!(select(&keys, Algorithm::EdDSA, Some("b")).is_none());
        assert!(select(&keys, Algorithm::HS256, Some("a")).is_none());
        for text in ["", "{}", r#"{"keys":[]}"#, &format!(r#"{{"keys":[{secret}]}}"#)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_without_a_key_id_needs_the_only_key() {
        let keys = parse(&format!(r#"{{"keys":[{ED},{}]}}"#, ED.replace("\"a\"", "\"b\""))).expect("a JWKS");
        assert!(select(&keys, Algorithm::EdDSA, None).is_none());
        assert!(select(&keys, Algorithm::EdDSA, Some("b")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_that_never_ends_is_given_up() {
        struct Never;
        impl FetchJwks for Never {
            fn fetch(&self) -> Fetched<'_> {
                Box::pin(std::future::pending())
            }
        }
        let jwks = Jwks::open(JwksSource::Fetched(Arc::new(Never))).expect("opened");
        assert!(jwks.find(Algorithm::EdDSA, Some("a")).await.is_none());
    }

    #[tokio::test]
    async fn unknown_keys_do_not_make_it_fetch_all_the_time() {
        #[derive(Clone, Default)]
        struct Count(Arc<AtomicUsize>);
        impl FetchJwks for Count {
            fn fetch(&self) -> Fetched<'_> {
                self.0.fetch_add(1, Ordering::SeqCst);
                Box::pin(async { Ok(format!(r#"{{"keys":[{ED}]}}"#)) })
            }
        }
        let count = Count::default();
        let jwks = Jwks::open(JwksSource::Fetched(Arc::new(count.clone()))).expect("opened");
        assert_eq!(count.0.load(Ordering::SeqCst), 0, "not before it is needed");
        assert!(jwks.find(Algorithm::EdDSA, Some("a")).await.is_some());
        for number in 0..100 {
            let id = format!("unknown{number}");
            assert!(jwks.find(Algorithm::EdDSA, Some(&id)).await.is_none());
        }
        assert!(jwks.find(Algorithm::EdDSA, Some("a")).await.is_some());
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }

    /// Publishes what it is told to, or nothing.
    #[derive(Clone, Default)]
    struct Published(Arc<Mutex<Option<String>>>);

    impl Published {
        fn set(&self, keys: Option<&str>) {
            *self.0.lock().expect("no panic") = keys.map(|keys| format!(r#"{{"keys":[{keys}]}}"#));
        }
    }

    impl FetchJwks for Published {
        fn fetch(&self) -> Fetched<'_> {
            let answer = self.0.lock().expect("no panic").clone();
            Box::pin(async { answer.ok_or_else(|| "nobody is there".to_owned()) })
        }
    }

    /// As if the last tries had been so long ago.
    async fn ago(jwks: &Jwks, tried: Duration, worked: Duration) {
        let Source::Fetched(_, times) = &jwks.source else {
            panic!("from a file");
        };
        let mut times = times.lock().await;
        times.tried = Instant::now().checked_sub(tried);
        times.worked = Instant::now().checked_sub(worked);
    }

    #[tokio::test]
    async fn a_rotated_key_is_found_once_the_new_set_is_published() {
        let published = Published::default();
        published.set(Some(ED));
        let jwks = Jwks::open(JwksSource::Fetched(Arc::new(published.clone()))).expect("opened");
        assert!(jwks.find(Algorithm::EdDSA, Some("a")).await.is_some());
        published.set(Some(&ED.replace("\"a\"", "\"b\"")));
        assert!(jwks.find(Algorithm::EdDSA, Some("b")).await.is_none(), "just fetched");
        let later = PAUSE + Duration::from_secs(1);
        ago(&jwks, later, later).await;
        assert!(jwks.find(Algorithm::EdDSA, Some("b")).await.is_some());
        assert!(jwks.find(Algorithm::EdDSA, Some("a")).await.is_none(), "withdrawn");
    }

    #[tokio::test]
    async fn old_keys_go_on_for_their_time_when_nobody_publishes_any() {
        let published = Published::default();
        published.set(Some(ED));
        let jwks = Jwks::open(JwksSource::Fetched(Arc::new(published.clone()))).expect("opened");
        assert!(jwks.find(Algorithm::EdDSA, Some("a")).await.is_some());
        published.set(None);
        for worked in [
            LIFETIME + Duration::from_secs(1),
            LONGEST_LIFETIME - Duration::from_secs(60),
        ] {
            let jwks = &jwks;
            if Instant::now().checked_sub(worked).is_none() {
                // A machine that has not run for so long knows no such moment.
                continue;
            }
            ago(jwks, PAUSE + Duration::from_secs(1), worked).await;
            assert!(jwks.find(Algorithm::EdDSA, Some("a")).await.is_some(), "{worked:?}");
        }
        let too_long = LONGEST_LIFETIME + Duration::from_secs(1);
        ago(&jwks, PAUSE + Duration::from_secs(1), too_long).await;
        assert!(jwks.find(Algorithm::EdDSA, Some("a")).await.is_none());
        published.set(Some(ED));
        ago(&jwks, PAUSE + Duration::from_secs(1), too_long).await;
        assert!(jwks.find(Algorithm::EdDSA, Some("a")).await.is_some(), "it is back");
    }
}
