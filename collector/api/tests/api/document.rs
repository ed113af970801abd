//! The OpenAPI document: it is served, it names every route and parameter, and real answers are as it says.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use flockscope_api::Api;
use serde_json::{Value, json};

use crate::sample;
use crate::server::{self, Server, admin};

fn document() -> Value {
    serde_json::to_value(Api::document()).expect("JSON")
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().expect("operations");
            item.iter()
                .map(move |(method, operation)| (path.clone(), method.clone(), operation))
        })
        .collect()
}

#[tokio::test]
async fn it_is_openapi_3_1_and_served_with_its_pages() {
    let server = server::of(sample::store_of(&[]));
    let served = server.found("/openapi.json").await;
    assert!(
        served["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1"))
    );
    assert_eq!(served, document());
    assert_eq!(served["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let page = server.get("/docs/").await;
    assert_eq!(page.status.as_u16(), 200);
    assert!(
        page.text().contains("swagger-ui") && !page.text().contains("https://"),
        "{}",
        page.text()
    );
    assert!(
        page.header("content-security-policy")
            .is_some_and(|policy| policy.contains("default-src 'self'"))
    );
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert_eq!(
            server.get(&format!("/docs/{file}")).await.status.as_u16(),
            200,
            "{file}"
        );
    }
}

#[tokio::test]
async fn every_route_that_is_written_down_is_there_and_every_one_that_is_there_is_written_down() {
    let server = server::sample();
    let document = document();
    let mut written = BTreeSet::new();
    for (path, method, _) in operations(&document) {
        written.insert((path.clone(), method.clone()));
        let uri = path.replace("{id}", "nosuch").replace("{key}", "nosuch");
        let method: Method = method.to_uppercase().parse().expect("a method");
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Body::empty())
            .expect("a request");
        let mut request = request;
        request.extensions_mut().insert(admin());
        // Events have no end.
        let Ok(response) = tower::ServiceExt::oneshot(server.router.clone(), request).await;
        assert_ne!(response.status().as_u16(), 405, "{path}");
        if response.status().as_u16() == 404 {
            let bytes = axum::body::to_bytes(response.into_body(), 10_000)
                .await
                .expect("a body");
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!text.contains("/openapi.json"), "{path}: {text}");
        }
    }
    // Routes by the attributes of their handlers in the source.
    let mut in_source = BTreeSet::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in std::fs::read_dir(folder).expect("the source") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        for part in text.split("#[utoipa::path(").skip(1) {
            let words: Vec<&str> = part
                .split([',', '"', '='])
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .collect();
            in_source.insert((words[2].to_owned(), words[0].to_owned()));
        }
    }
    assert_eq!(in_source, written);
    assert_eq!(written.len(), 28);
}

#[tokio::test]
async fn every_written_parameter_is_known_and_every_operation_is_described() {
    let server = server::sample();
    let document = document();
    for (path, method, operation) in operations(&document) {
        assert!(
            operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()),
            "{path}"
        );
        assert!(
            operation["tags"].as_array().is_some_and(|tags| tags.len() == 1),
            "{path}"
        );
        // Who asks for a sign of life need not sign in; all others must.
        assert_eq!(operation.get("security").is_some(), path == "/healthz", "{path}");
        if path != "/healthz" {
            for status in ["400", "401", "403", "503", "504"] {
                if path == "/readyz" && status == "503" {
                    // That is the answer of a process that is not ready.
                    let content = &operation["responses"][status]["content"]["application/json"];
                    assert_eq!(content["schema"]["$ref"], "#/components/schemas/Readiness");
                    continue;
                }
                let content = &operation["responses"][status]["content"]["application/problem+json"];
                assert_eq!(
                    content["schema"]["$ref"], "#/components/schemas/Problem",
                    "{path} {status}"
                );
            }
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(
                parameter["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{path}: {parameter}"
            );
            if parameter["in"] != "query" || method != "get" {
                continue;
            }
            let name = parameter["name"].as_str().expect("a name");
            let example = match &parameter["example"] {
                Value::Null => continue,
                Value::Array(values) => values[0].as_str().expect("a text").to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair(name, &example)
                .finish();
            let uri = path
                .replace("{key}", "agent.name")
                .replace("{id}", &sample::spans()[0].trace_id);
            let answer = server.get(&format!("{uri}?{query}")).await;
            assert_eq!(answer.status.as_u16(), 200, "{uri}?{query}: {}", answer.text());
        }
    }
}

/// A schema of the document with everything that it refers to.
fn schema(document: &Value, path: &str, method: &str, status: &str, media_type: &str) -> Value {
    let found = &document["paths"][path][method]["responses"][status]["content"][media_type]["schema"];
    assert!(found.is_object(), "{path} {status} has no schema");
    let mut schema = found.clone();
    schema["components"] = document["components"].clone();
    // What an object has that its schema does not name is a fault here, although OpenAPI would let it pass.
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".into(), false.into());
            }
            object.values_mut().for_each(close);
        }
        Value::Array(array) => array.iter_mut().for_each(close),
        _ => {}
    }
}

async fn check(server: &Server, document: &Value, path: &str, uri: &str) {
    let answer = server.get(uri).await;
    assert_eq!(answer.status.as_u16(), 200, "{uri}");
    let schema = schema(document, path, "get", "200", "application/json");
    validate(&schema, &answer.json(), uri);
}

fn validate(schema: &Value, json: &Value, what: &str) {
    let validator = jsonschema::validator_for(schema).expect("a sound schema");
    let faults: Vec<String> = validator
        .iter_errors(json)
        .take(3)
        .map(|fault| format!("{} at {}", fault, fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{what}: {faults:?}");
}

#[tokio::test]
async fn real_answers_are_as_their_schemas_say() {
    let server = server::sample();
    let document = document();
    let id = &sample::spans()[10].trace_id;
    for (path, uri) in [
        ("/api/traces", "/api/traces".to_owned()),
        ("/api/traces/services", "/api/traces/services".to_owned()),
        ("/api/traces/stats", "/api/traces/stats".to_owned()),
        ("/api/v1/traces", "/api/v1/traces?limit=3".to_owned()),
        ("/api/v1/traces", "/api/v1/traces?text=nosuchtext".to_owned()),
        ("/api/v1/traces/{id}", format!("/api/v1/traces/{id}")),
        ("/api/v1/traces/{id}/timeline", format!("/api/v1/traces/{id}/timeline")),
        ("/api/v1/red", "/api/v1/red".to_owned()),
        ("/api/v1/red", "/api/v1/red?group_by=agent&step=1m".to_owned()),
        ("/api/v1/dependencies", "/api/v1/dependencies".to_owned()),
        ("/api/v1/critical-path", "/api/v1/critical-path".to_owned()),
        ("/api/v1/exceptions", "/api/v1/exceptions".to_owned()),
        ("/api/v1/operations", "/api/v1/operations".to_owned()),
        ("/api/v1/attributes", "/api/v1/attributes".to_owned()),
        (
            "/api/v1/attributes/{key}/values",
            "/api/v1/attributes/function/values".to_owned(),
        ),
        ("/api/v1/statistics", "/api/v1/statistics".to_owned()),
        ("/api/v1/status", "/api/v1/status".to_owned()),
        ("/api/v1/configuration", "/api/v1/configuration".to_owned()),
        ("/healthz", "/healthz".to_owned()),
        ("/readyz", "/readyz".to_owned()),
    ] {
        check(&server, &document, path, &uri).await;
    }
    for (path, body) in [
        ("/api/v1/sql", json!({"query": "FROM spans LIMIT 5"})),
        ("/api/traces/query", json!({"query": "FROM spans LIMIT 5"})),
    ] {
        let answer = server.post(path, &body).await;
        validate(
            &schema(&document, path, "post", "200", "application/json"),
            &answer.json(),
            path,
        );
    }
    let event = serde_json::to_value(flockscope_protocol::Event::SpansStored {
        spans: 1,
        traces: vec!["a".into()],
        operations: vec![flockscope_protocol::ChangedOperation {
            service: "A".into(),
            operation: "f".into(),
            calls: 1,
            errors: 0,
        }],
        more: false,
        earliest_end: 4,
        latest_end: 5,
    })
    .expect("JSON");
    let mut events =
        document["paths"]["/api/v1/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
            .clone();
    events["components"] = document["components"].clone();
    validate(&events, &event, "an event");
    let problem = server.get("/api/v1/red?since=x").await;
    let mut of_problem = schema(&document, "/api/v1/red", "get", "400", "application/problem+json");
    // Problems may have more members (RFC 9457, section 3.2).
    of_problem["components"]["schemas"]["Problem"]["additionalProperties"] = true.into();
    validate(&of_problem, &problem.json(), "a problem");
    let cleared = server.post("/api/v1/clear", &json!({"confirm": "all traces"})).await;
    validate(
        &schema(&document, "/api/v1/clear", "post", "200", "application/json"),
        &cleared.json(),
        "a clearing",
    );
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_a_word_on_it() {
    let server = server::of(sample::store_of(&[]));
    let problem = server.get("/api/v1/red?since=x").await.json();
    let page = server.get(problem["type"].as_str().expect("a type")).await;
    assert!(
        page.text().contains(problem["title"].as_str().expect("a title")),
        "{}",
        page.text()
    );
    server.get("/problems/nosuch").await.problem(404, "not-found");
}

#[tokio::test]
async fn what_a_caller_is_told_who_is_not_let_in_is_documented_too() {
    let server = server::of(sample::store_of(&[]));
    let document = server.found("/openapi.json").await.to_string();
    let kinds = flockscope_security::problem_kinds();
    assert!(kinds.iter().any(|kind| kind.name == "unknown-host"), "{kinds:?}");
    for kind in kinds {
        let page = server.get(&format!("/problems/{}", kind.name)).await;
        assert_eq!(page.status, 200, "{kind:?}");
        let text = page.text();
        assert!(text.starts_with(kind.title), "{kind:?}: {text}");
        assert!(
            text.contains(&format!("HTTP status {}", kind.status)),
            "{kind:?}: {text}"
        );
        assert!(document.contains(kind.name), "{kind:?}");
    }
}
