//! The table of examples: texts with a secret, and texts that only look like one.

use std::io::BufRead;

use serde_json::{Value, json};

use crate::{redacted_with, redactor};

const JWT: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
const PEM: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nabc=\n-----END RSA PRIVATE KEY-----";

#[test]
fn values_of_secret_keys_are_redacted_whole() {
    let redactor = redactor();
    for key in [
        "api_key",
        "apikey",
        "api-key",
        "apiKey",
        "x-api-key",
        "X-API-Key",
        "OPENAI_API_KEY",
        "input.api_key",
        "authorization",
        "Authorization",
        "http.request.header.authorization",
        "proxy-authorization",
        "password",
        "db.password",
        "userPassword",
        "PGPASSWORD",
        "passwd",
        "secret",
        "client_secret",
        "clientSecret",
        "aws_secret_access_key",
        "private_key",
        "token",
        "access_token",
        "refresh_token",
        "idToken",
        "input.token",
        "github_token",
        "cookie",
        "set-cookie",
        "http.response.header.set-cookie",
        "passphrase",
        "jwt",
        "signing_key",
    ] {
        for secret in ["hunter2", "correct horse", "{\"a\": 1}", "Größe"] {
            let given = json!({ "before": 1.50, key: secret, "after": [true, null] });
            let expected = json!({ "before": 1.50, key: "[redacted]", "after": [true, null] });
            let (found, values) = redacted_with(&redactor, &given.to_string());
            assert_eq!((found, values), (expected.to_string(), 1), "{key}");
        }
    }
}

#[test]
fn values_of_other_keys_and_values_that_hide_nothing_stay() {
    let redactor = redactor();
    for given in [
        json!({"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": "34"}),
        json!({"token_count": 7, "max_tokens": 100, "tokens": ["a", "b"], "output.token_count": "9"}),
        json!({"eos_token": "</s>", "next_page_token": "CAUQAA", "nextPageToken": "x", "time_to_first_token": 0.5}),
        json!({"token": 42, "cookie": true, "password": null, "secret": false, "authorization": ""}),
        json!({"api_key": "None", "password": "null", "token": "[redacted]", "secret": "**********", "cookies": {}}),
        json!({"password_policy": "8 letters", "secret_name": "db", "token_type": "bearer", "key": "value"}),
        json!({"primary_key": "id", "public_key": "ssh-rsa AAAA", "keyboard": "qwerty", "cookie_consent": "yes"}),
        json!({"secretary": "Ann", "author": "Bob", "compass": "north", "tokenizer": "bpe", "access_key_id": "x"}),
        json!({"logprobs": [{"token": "Hello", "logprob": -0.1, "bytes": [72]}, {"token": " you", "logprob": -2}]}),
        json!({"properties": {"password": {"title": "Password", "type": "string"}, "token": {"$ref": "#/t"}}}),
        json!({"required": ["password", "username"], "name": "password"}),
    ] {
        let (found, values) = redacted_with(&redactor, &given.to_string());
        assert_eq!((found, values), (given.to_string(), 0));
    }
}

/// The text before, the secret, the text after.
fn texts_with_secrets() -> Vec<(&'static str, String, &'static str)> {
    let secret = |secret: &str| secret.to_owned();
    vec![
        ("", secret("sk-1234567890abcdef1234567890abcdef"), ""),
        (
            "use ",
            secret("sk-proj-Ab1_Cd2-Ef3456789012345678901234567890"),
            " please",
        ),
        (
            "key: ",
            secret("sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AA"),
            ".",
        ),
        ("(", secret("sk-lf-01234567-89ab-cdef-0123-456789abcdef"), ")"),
        (
            "https://x.example/",
            secret("ghp_0123456789abcdefghijABCDEFGHIJ012345"),
            "/y",
        ),
        ("", secret("github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuv"), ""),
        ("", secret("glpat-abcDEF123_ghiJKL456-x"), " is mine"),
        ("slack ", secret("xoxb-123456789012-abcdefABCDEF"), ""),
        ("slack ", secret("xapp-1-A0123456789-abcdef"), ""),
        ("aws ", secret("AKIAIOSFODNN7EXAMPLE"), ", and so on"),
        ("aws ", secret("ASIAIOSFODNN7EXAMPLE"), ""),
        ("?key=", secret("AIzaSyA1234567890abcdefghijklmnopqrstuv"), ""),
        ("", secret("ya29.a0AfH6SMBx1234567890_abc"), ""),
        ("", secret("GOCSPX-1234567890abcdefghij"), ""),
        ("", secret("sk_live_0123456789abcdefABCDEF"), ""),
        ("", secret("rk_test_0123456789abcdefABCDEF"), ""),
        ("", secret("SG.abcdefghijklmnop12.abcdefghijklmnop34"), ""),
        ("", secret("hf_abcdefghijklmnopqrstuvwxyz01234567"), ""),
        ("", secret("npm_abcdefghijklmnopqrstuvwxyz0123456789"), ""),
        ("", secret("gsk_abcdefghijklmnopqrstuvwxyz0123456789ABCDEF"), ""),
        ("", secret("lsv2_pt_0123456789abcdef0123456789abcdef"), ""),
        ("jwt=", secret(JWT), "\nnext line"),
        ("Bearer ", secret("abcdef0123456789abcdef"), ""),
        (
            "header 'Authorization: bearer  ",
            secret("mF_9.B5f-4.1JqMxyz~+/=="),
            "' was sent",
        ),
        ("Authorization: Basic ", secret("dXNlcjpwYXNz"), ""),
        ("{'Authorization': 'Token ", secret("abcdefghij"), "'}"),
        ("key:\n", secret(PEM), "\nend"),
        ("cut off: ", secret("-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKC"), ""),
        ("connect to postgres://app:", secret("s3cret!"), "@db:5432/shop failed"),
        ("redis://:", secret("hunter2"), "@localhost:6379/0"),
        ("GET https://x.example/a?b=1&api_key=", secret("abc123"), "&c=2"),
        ("GET /cb?access_token=", secret("abc"), "#top"),
        ("Client(base='x', api_key='", secret("abc 123"), "', retries=2)"),
        ("{\"name\": \"x\", \"password\": \"", secret("hunter2"), "\", \"cut of"),
        ("{'user': 'bob', 'client_secret': '", secret("x"), "'}"),
        ("export DB_PASSWORD=", secret("hunter22"), " HOME=/root"),
        ("OPENAI_API_KEY=", secret("abcdef"), "\n"),
        ("host=db user=app password=", secret("swordfish"), " dbname=shop"),
        ("Server=db;Pwd=", secret("swordfish"), ";Database=shop"),
    ]
}

#[test]
fn secrets_within_texts_are_redacted_and_the_text_around_them_stays() {
    let redactor = redactor();
    for (before, secret, after) in texts_with_secrets() {
        for (around_before, around_after) in [("", ""), ("Größe 😀 \"x\"\t", "\t\"y\" über")] {
            let text = format!("{around_before}{before}{secret}{after}{around_after}");
            let (found, values) = redacted_with(&redactor, &json!({ "output.value": text, "n": 1.0 }).to_string());
            let expected = format!("{around_before}{before}[redacted]{after}{around_after}");
            let found: Value = serde_json::from_str(&found).expect("JSON");
            // A key that was cut off goes on to the end of the text.
            if text.contains("BEGIN PRIVATE") {
                assert!(!found.to_string().contains("MII"), "{found}");
                continue;
            }
            assert_eq!((&found["output.value"], values), (&json!(expected), 1));
        }
    }
}

#[test]
fn texts_that_only_look_like_secrets_stay() {
    let redactor = redactor();
    for text in [
        "a task-oriented-and-very-long-description-of-work-1",
        "class sk-toggleable__content and sk-estimator-doc-link-of-something-2",
        "sk-learn",
        "The bearer of this letter is my friend",
        "bearer authentication_required",
        "Bearer <token>",
        "Basic understanding of authorization: required",
        "Authorization: Bearer {token}",
        "eyJhbGciOiJIUzI1NiJ9",
        "AKIA is a prefix",
        "AKIAIOSFODNN7EXAMPLE1234",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "https://example.org:8080/a?page_token=x&max_tokens=5",
        "mail me: a@b.example",
        "https://example.org/@user",
        "git@github.com:flock/flock.git",
        "password must have 8 letters",
        "password=",
        "def f(password=None, token=\"\"): ...",
        "login(user=user, password=password)",
        "password: str",
        "api_key = os.environ[\"API_KEY\"]",
        "API_KEY=${API_KEY}",
        "MAX_TOKENS=4096",
        "the secret of success is work",
        "token count: 12",
        "input_tokens=12345678",
        "4111 1111 1111 1111",
        "hf_hub_download(repo_id)",
        "msg.SG.a.b",
        "xoxo-love",
        "ghp_short",
        "a.b.c",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "5b8efff798038103d269b633813fc60c",
        "cookie: chocolate",
        "set password to '**********'",
        "api_key='[redacted]'",
        "SecretStr('**********')",
    ] {
        let given = json!({ "output.value": text }).to_string();
        assert_eq!(redacted_with(&redactor, &given), (given, 0));
    }
}

#[test]
fn several_secrets_in_one_text_are_one_value() {
    let text = format!("{JWT} AKIAIOSFODNN7EXAMPLE,postgres://a:b@c");
    let (found, values) = redacted_with(&redactor(), &json!({ "a": text, "b": JWT }).to_string());
    assert_eq!(
        found,
        r#"{"a":"[redacted] [redacted],postgres://a:[redacted]@c","b":"[redacted]"}"#
    );
    assert_eq!(values, 2);
}

#[test]
fn the_spans_of_a_real_flock_program_hold_nothing_to_redact() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/sources/flock.rows.jsonl.gz"
    );
    let packed = std::fs::File::open(file).expect("the sample");
    let lines = std::io::BufReader::new(flate2::read::GzDecoder::new(packed)).lines();
    let redactor = redactor();
    let mut rows = 0;
    for line in lines {
        // The row's JSON columns stand in it as texts.
        let row = line.expect("a line");
        assert_eq!(redacted_with(&redactor, &row), (row, 0));
        rows += 1;
    }
    assert_eq!(rows, 26);
}
