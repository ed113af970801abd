//! What kind of request it is, for the rate limits.

use axum::http::Method;

/// Routes that run a user's SQL: ours, and the one of Flock's viewer.
const SQL: [&str; 2] = ["/api/v1/sql", "/api/traces/query"];

/// Routes that change nothing that lasts, whatever their method: they stop a query.
const CANCEL: &str = "/api/v1/queries/";

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RouteClass {
    Sql,
    Change,
    Other,
}

impl RouteClass {
    /// `route` is the route that was matched (`/api/v1/traces/{id}`), or the path if there is no such route.
    pub(crate) fn of(method: &Method, route: &str) -> Self {
        let is_sql = SQL.iter().any(|sql| {
            route
                .strip_prefix(sql)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if is_sql {
            Self::Sql
        } else if method.is_safe() || route.starts_with(CANCEL) {
            Self::Other
        } else {
            Self::Change
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart_by_method_and_route() {
        let table = [
            (Method::POST, "/api/v1/sql", RouteClass::Sql),
            (Method::GET, "/api/v1/sql", RouteClass::Sql),
            (Method::POST, "/api/v1/sql/explain", RouteClass::Sql),
            (Method::POST, "/api/traces/query", RouteClass::Sql),
            (Method::POST, "/api/v1/sqlite", RouteClass::Change),
            (Method::POST, "/api/traces/clear", RouteClass::Change),
            (Method::DELETE, "/api/v1/traces", RouteClass::Change),
            (Method::DELETE, "/api/v1/queries/{id}", RouteClass::Other),
            (Method::GET, "/api/traces", RouteClass::Other),
            (Method::GET, "/", RouteClass::Other),
        ];
        for (method, route, expected) in table {
            assert_eq!(RouteClass::of(&method, route), expected, "{method} {route}");
        }
    }
}
