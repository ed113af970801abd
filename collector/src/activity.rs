//! Whether anybody needs the process: requests under way, and how long ago the last one ended.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use http_body::{Frame, SizeHint};

/// Asked by those who only watch over the process: they don't keep it alive.
const WATCHERS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Counts what goes on. All clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    under_way: usize,
    last: Instant,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            under_way: 0,
            last: Instant::now(),
        })))
    }

    /// For how long nothing went on; zero while something does.
    pub(crate) fn idle_for(&self) -> Duration {
        let state = self.state();
        if state.under_way > 0 {
            Duration::ZERO
        } else {
            state.last.elapsed()
        }
    }

    /// Counts the requests of these routes. One lasts until the last byte of its answer was sent: who listens to events
    /// needs the process.
    pub(crate) fn watch(&self, router: Router) -> Router {
        let activity = self.clone();
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let under_way = (!WATCHERS.contains(&request.uri().path())).then(|| activity.begin());
            async move { kept_until_sent(next.run(request).await, under_way) }
        }))
    }

    fn begin(&self) -> UnderWay {
        self.state().under_way += 1;
        UnderWay(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kept_until_sent(response: Response, under_way: Option<UnderWay>) -> Response {
    let Some(under_way) = under_way else {
        return response;
    };
    response.map(|body| {
        Body::new(WatchedBody {
            body,
            _under_way: under_way,
        })
    })
}

/// The body of an answer; the request is under way until it is dropped.
struct WatchedBody {
    body: Body,
    _under_way: UnderWay,
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Something that goes on, until it is dropped.
struct UnderWay(Activity);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way -= 1;
        state.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body::Body as _;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: &Router, path: &str) -> Response {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        router.clone().oneshot(request).await.expect("an answer")
    }

    #[tokio::test]
    async fn a_request_counts_until_its_answer_is_read() {
        let activity = Activity::new();
        let router = activity.watch(Router::new().route("/events", get(|| async { "data: 1\n\n" })));
        let answer = ask(&router, "/events").await;
        assert_eq!(activity.state().under_way, 1);
        assert_eq!(activity.idle_for(), Duration::ZERO);
        assert_eq!(answer.body().size_hint().exact(), Some(9), "its length is still told");
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body, "data: 1\n\n");
        assert_eq!(activity.state().under_way, 0);
    }

    #[tokio::test]
    async fn who_only_watches_does_not_keep_the_process_alive() {
        let activity = Activity::new();
        let router = activity.watch(Router::new().route("/healthz", get(|| async { "fine" })));
        let before = activity.state().last;
        let answer = ask(&router, "/healthz").await;
        assert_eq!(activity.state().under_way, 0);
        drop(answer);
        assert_eq!(activity.state().last, before);
    }
}
