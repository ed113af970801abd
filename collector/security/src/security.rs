//! The layers around a router.
//!
//! A request goes through them in this order, and the first that refuses it answers: connection known, Host, Origin,
//! CORS (a preflight ends here), sign-in, rate limit. Only then it meets a handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use tracing::Instrument;

use crate::api_keys::{self, hash};
use crate::caller::{Caller, Role};
use crate::clock::seconds_now;
use crate::connection::Connection;
use crate::credentials::Credential;
use crate::face::Face;
use crate::failed_sign_ins::FailedSignIns;
use crate::host::{HostPort, Hosts};
use crate::jwt::{JwtMatch, JwtVerifier};
use crate::key_ring::{KeyMatch, KeyRing};
use crate::origin::{self, Origins};
use crate::rate_limit::{Allowance, RateLimiters};
use crate::refusal::Refusal;
use crate::route_class::RouteClass;
use crate::sessions::{LIFETIME_S, Sessions, Subject};
use crate::settings::{Settings, SettingsError};
use crate::sign_in_link;

/// Fewest bytes of the store's token.
const SHORTEST_TOKEN: usize = 32;

/// Whether the process runs: the only route that is open to all.
const HEALTH: &str = "/healthz";

/// The id of a request, among its extensions and in the header `x-request-id` of its answer. The log names it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

/// Decides who is let in. One for all routers of a process, so that limits hold across them.
pub struct Security {
    auth_enabled: bool,
    token: [u8; 32],
    keys: Option<KeyRing>,
    jwt: Option<JwtVerifier>,
    sessions: Sessions,
    hosts: Hosts,
    origins: Origins,
    limiters: RateLimiters,
    failures: FailedSignIns,
    api_is_loopback: bool,
    otlp_is_loopback: bool,
    otlp_needs_sign_in: bool,
    next_id: AtomicU64,
}

/// Somebody whose credential is valid.
struct SignedIn {
    caller: Caller,
    subject: Subject,
    expires_at: Option<i64>,
}

/// What becomes of a request.
enum Verdict {
    /// It goes on, with a caller if there is one.
    Enter(Option<Caller>, Option<Allowance>),
    /// It is answered: a browser signed in by a link.
    Answer(Response),
}

impl Security {
    /// Checks the settings, and reads the keys and the JWKS.
    pub fn new(settings: Settings) -> Result<Arc<Self>, SettingsError> {
        let is_network = !settings.api_is_loopback || !settings.otlp_is_loopback;
        if is_network && !settings.auth_enabled {
            return Err(SettingsError::OpenToNetwork);
        }
        let bytes = settings.token.reveal().len();
        if bytes < SHORTEST_TOKEN {
            return Err(SettingsError::ShortToken { bytes });
        }
        Ok(Arc::new(Self {
            auth_enabled: settings.auth_enabled,
            token: hash(settings.token.reveal()),
            keys: settings.keys_file.map(KeyRing::open).transpose()?,
            jwt: settings.jwt.map(JwtVerifier::new).transpose()?,
            sessions: Sessions::new(&settings.token),
            hosts: Hosts::new(&settings.allowed_hosts)?,
            origins: Origins::new(&settings.allowed_origins)?,
            limiters: RateLimiters::new(&settings.rate_limits),
            failures: FailedSignIns::default(),
            api_is_loopback: settings.api_is_loopback,
            otlp_is_loopback: settings.otlp_is_loopback,
            otlp_needs_sign_in: settings.otlp_needs_sign_in,
            next_id: AtomicU64::new(first_id()),
        }))
    }

    /// Whether there is an API key, a JWT secret or a JWKS, for [`check_address`](crate::check_address).
    pub fn has_credentials(&self) -> bool {
        self.jwt.is_some() || self.keys.as_ref().is_some_and(|keys| !keys.is_empty())
    }

    /// Puts the layers around a router. Each request that a handler sees has a [`Caller`] and a [`RequestId`] among its
    /// extensions; only `/healthz` may be without a caller. The router must be served by [`serve`](crate::serve).
    pub fn protect(self: &Arc<Self>, router: Router, face: Face) -> Router {
        let gate = Gate {
            security: Arc::clone(self),
            face,
        };
        // The last one is the outermost.
        router
            .layer(middleware::from_fn_with_state(gate.clone(), admit))
            .layer(self.origins.cors())
            .layer(middleware::from_fn_with_state(gate, enter))
    }

    fn is_loopback(&self, face: Face) -> bool {
        match face {
            Face::Api => self.api_is_loopback,
            Face::Otlp => self.otlp_is_loopback,
        }
    }

    /// The checks that do not ask who the caller is.
    fn check_place(&self, face: Face, parts: &Parts) -> Result<(Connection, HostPort), Refusal> {
        let Some(connection) = parts.extensions.get::<Connection>().copied() else {
            tracing::error!("a protected router is not served by flockscope_security::serve");
            return Err(Refusal::NoConnection);
        };
        let host = self.hosts.check(parts, &connection, self.is_loopback(face))?;
        self.origins.check(parts, &host, &connection)?;
        Ok((connection, host))
    }

    /// Who the caller is, and whether it may ask now.
    async fn judge(&self, face: Face, parts: &Parts, place: &Place) -> Result<Verdict, Refused> {
        if parts.uri.path() == HEALTH && parts.method.is_safe() {
            return Ok(Verdict::Enter(None, None));
        }
        if face == Face::Otlp {
            return Ok(Verdict::Enter(Some(self.otlp_caller(parts, place).await?), None));
        }
        let caller = if self.auth_enabled {
            match self.api_caller(parts, place).await? {
                Entry::Caller(caller) => caller,
                Entry::Answer(response) => return Ok(Verdict::Answer(response)),
            }
        } else {
            local(true)
        };
        if caller.is_local {
            return Ok(Verdict::Enter(Some(caller), None));
        }
        let route = parts
            .extensions
            .get::<MatchedPath>()
            .map_or(parts.uri.path(), MatchedPath::as_str);
        let class = RouteClass::of(&parts.method, route);
        match self.limiters.check(class, &caller.name) {
            Ok(allowance) => Ok(Verdict::Enter(Some(caller), allowance)),
            Err(exceeded) => Err(Refused {
                refusal: Refusal::TooMany(exceeded.pause),
                allowance: Some(exceeded.allowance),
            }),
        }
    }

    /// A program on this machine may send spans as it is, whatever its SDK puts into the headers.
    async fn otlp_caller(&self, parts: &Parts, place: &Place) -> Result<Caller, Refusal> {
        if self.otlp_is_loopback && !(self.auth_enabled && self.otlp_needs_sign_in) {
            return Ok(Caller {
                name: "otlp".into(),
                role: Role::Viewer,
                is_local: false,
            });
        }
        match Credential::of(parts, "", false)? {
            Credential::Header(token) => {
                let signed_in = self.sign_in(&token, Face::Otlp, &place.connection).await?;
                Ok(signed_in.caller)
            }
            _ => Err(Refusal::SignInNeeded),
        }
    }

    async fn api_caller(&self, parts: &Parts, place: &Place) -> Result<Entry, Refusal> {
        let connection = &place.connection;
        let cookie_name = sign_in_link::cookie_name(connection);
        match Credential::of(parts, &cookie_name, true)? {
            Credential::Header(token) => {
                let signed_in = self.sign_in(&token, Face::Api, connection).await?;
                Ok(Entry::Caller(signed_in.caller))
            }
            Credential::Link { token, address } => {
                let signed_in = self.sign_in(&token, Face::Api, connection).await?;
                let now = seconds_now();
                let end = now + LIFETIME_S;
                let end = signed_in.expires_at.map_or(end, |expiry| expiry.min(end));
                let cookie = self.sessions.make(signed_in.subject, end);
                let foreign = origin::is_cross_site(&parts.headers);
                Ok(Entry::Answer(sign_in_link::answer(
                    connection,
                    &cookie,
                    end.saturating_sub(now),
                    &address,
                    foreign,
                )))
            }
            Credential::Cookie(cookie) => {
                let caller = self.resume(&cookie, connection).ok_or(Refusal::SignInNeeded)?;
                let is_safe = parts.method.is_safe();
                if !is_safe && !origin::is_of_our_page(parts, &place.host, connection) {
                    return Err(Refusal::Forgery);
                }
                Ok(Entry::Caller(caller))
            }
            Credential::None => Err(Refusal::SignInNeeded),
        }
    }

    /// Recognises a token, key or JWT.
    async fn sign_in(&self, token: &str, face: Face, connection: &Connection) -> Result<SignedIn, Refusal> {
        // On loopback all programs have one address, and a forgotten browser tab must not lock out the editor. What could
        // be guessed has 256 bits, or is a JWT secret of that length.
        let may_pause = !self.is_loopback(face);
        let address = connection.peer.ip();
        if may_pause && let Some(pause) = self.failures.pause(address, Instant::now()) {
            return Err(Refusal::TooManyFailures(pause));
        }
        let outcome = self.recognise(token, connection).await;
        if let Err(Unrecognised::Unknown) = outcome {
            tracing::info!(peer = %connection.peer, "an unknown token, key or JWT was refused");
            if may_pause {
                self.failures.failed(address, Instant::now());
            }
        }
        outcome.map_err(|reason| {
            Refusal::WrongCredential(match reason {
                Unrecognised::Unknown => "it is not known here",
                Unrecognised::Unusable(reason) => reason,
            })
        })
    }

    async fn recognise(&self, token: &str, connection: &Connection) -> Result<SignedIn, Unrecognised> {
        // Hashes of equal length are compared, so that the time tells nothing about the token.
        if bool::from(hash(token).ct_eq(&self.token)) {
            return Ok(SignedIn {
                caller: local(connection.is_local()),
                subject: Subject::Token,
                expires_at: None,
            });
        }
        if token.starts_with(api_keys::MARK) {
            let keys = self.keys.as_ref().ok_or(Unrecognised::Unknown)?;
            return match keys.find(token, seconds_now()) {
                KeyMatch::Valid { name, role, expires_at } => Ok(SignedIn {
                    caller: key_caller(&name, role),
                    subject: Subject::Key(api_keys::hex(&hash(token))),
                    expires_at,
                }),
                KeyMatch::Expired => Err(Unrecognised::Unusable("the key has expired")),
                KeyMatch::Unknown => Err(Unrecognised::Unknown),
            };
        }
        let jwt = self.jwt.as_ref().ok_or(Unrecognised::Unknown)?;
        match jwt.check(token).await {
            JwtMatch::Valid { name, role, expires_at } => Ok(SignedIn {
                caller: jwt_caller(&name, role),
                subject: Subject::Jwt { name, role },
                expires_at: Some(expires_at),
            }),
            JwtMatch::Unusable(reason) => Err(Unrecognised::Unusable(reason)),
            JwtMatch::Unknown => Err(Unrecognised::Unknown),
        }
    }

    /// Who signed in with this cookie before.
    fn resume(&self, cookie: &str, connection: &Connection) -> Option<Caller> {
        let now = seconds_now();
        match self.sessions.read(cookie, now)? {
            Subject::Token => Some(local(connection.is_local())),
            Subject::Key(sha256) => {
                let sha256 = api_keys::from_hex(&sha256)?;
                let (name, role) = self.keys.as_ref()?.find_hash(&sha256, now)?;
                Some(key_caller(&name, role))
            }
            // If JWTs are no longer taken, neither are those who came by one.
            Subject::Jwt { name, role } => self.jwt.as_ref().map(|_| jwt_caller(&name, role)),
        }
    }

    fn new_id(&self) -> RequestId {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{number:016x}").into())
    }
}

// Nothing in it should come into a log.
impl std::fmt::Debug for Security {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Security").finish_non_exhaustive()
    }
}

/// Why a credential says nothing.
enum Unrecognised {
    Unknown,
    Unusable(&'static str),
}

enum Entry {
    Caller(Caller),
    Answer(Response),
}

/// A refusal, with what is left of a rate limit.
struct Refused {
    refusal: Refusal,
    allowance: Option<Allowance>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            allowance: None,
        }
    }
}

#[derive(Clone)]
struct Gate {
    security: Arc<Security>,
    face: Face,
}

/// What the outer layer found out for the inner one.
#[derive(Clone)]
struct Place {
    connection: Connection,
    host: HostPort,
}

/// The outer layer: names the request, and checks what it is for and what page it is of.
async fn enter(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let id = gate.security.new_id();
    let (mut parts, body) = request.into_parts();
    // The query is left out: a link has a token in it.
    let span = tracing::debug_span!("request", id = %id.0, method = %parts.method, path = parts.uri.path());
    let mut response = async {
        match gate.security.check_place(gate.face, &parts) {
            Ok((connection, host)) => {
                parts.extensions.insert(Place { connection, host });
                parts.extensions.insert(id.clone());
                next.run(Request::from_parts(parts, body)).await
            }
            Err(refusal) => {
                tracing::debug!(?refusal, "refused");
                refusal.response_for(gate.face, &parts.headers, &id.0)
            }
        }
    }
    .instrument(span)
    .await;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert("x-request-id", id);
    }
    if gate.face == Face::Api {
        // No other page may frame or embed ours, and none of our addresses leaks to another site.
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            headers
                .entry(HeaderName::from_static(name))
                .or_insert(HeaderValue::from_static(value));
        }
    }
    response
}

/// The inner layer: finds the caller, and holds the rate limits.
async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(place) = parts.extensions.remove::<Place>() else {
        return Refusal::NoConnection.into_response();
    };
    let verdict = gate.security.judge(gate.face, &parts, &place).await;
    let (mut response, allowance) = match verdict {
        Ok(Verdict::Enter(caller, allowance)) => {
            if let Some(caller) = caller {
                parts.extensions.insert(caller);
            }
            (next.run(Request::from_parts(parts, body)).await, allowance)
        }
        Ok(Verdict::Answer(response)) => (response, None),
        Err(Refused { refusal, allowance }) => {
            tracing::debug!(?refusal, "refused");
            let id = parts.extensions.get::<RequestId>();
            let id = id.map_or("", |id| &id.0);
            (refusal.response_for(gate.face, &parts.headers, id), allowance)
        }
    };
    if let Some(allowance) = allowance {
        allowance.write(response.headers_mut());
    }
    response
}

fn local(is_local: bool) -> Caller {
    Caller {
        name: "local".into(),
        role: Role::Admin,
        is_local,
    }
}

fn key_caller(name: &str, role: Role) -> Caller {
    Caller {
        name: format!("key:{name}"),
        role,
        is_local: false,
    }
}

fn jwt_caller(name: &str, role: Role) -> Caller {
    Caller {
        name: format!("jwt:{name}"),
        role,
        is_local: false,
    }
}

/// Ids of two runs should not be mistaken for each other in a log. If there is no random number, they could be.
fn first_id() -> u64 {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; 8];
    let _ = SystemRandom::new().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
