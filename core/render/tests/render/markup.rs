//! HTML and SVG are parsed back: whatever a trace says, no element and no attribute appears that is not ours, and the
//! text is there as it was.

use std::collections::HashMap;

use flockscope_model::rows::TimelineRow;
use flockscope_render::{SpanDetails, TimelineOptions, html, svg};
use proptest::prelude::*;
use scraper::{Html, Node};

use crate::rows;

/// Elements of a fragment within the `html` and `body` of the parser, all of which JupyterLab's sanitiser keeps.
const ELEMENTS: [&str; 16] = [
    "html", "body", "div", "span", "strong", "em", "code", "pre", "details", "summary", "table", "thead", "tbody",
    "tr", "th", "td",
];
const ATTRIBUTES: [&str; 3] = ["style", "title", "open"];
const SVG_ELEMENTS: [&str; 10] = [
    "svg", "title", "style", "rect", "text", "line", "g", "path", "polygon", "tspan",
];

/// Inline styles that JupyterLab's sanitiser keeps, with the values that we use.
fn is_plain_style(style: &str) -> bool {
    style.split(';').filter(|part| !part.is_empty()).all(|part| {
        let Some((name, value)) = part.split_once(':') else {
            return false;
        };
        let known = [
            "align-items",
            "background-color",
            "border",
            "border-bottom",
            "border-collapse",
            "border-left",
            "border-top",
            "color",
            "display",
            "flex",
            "flex-direction",
            "font-size",
            "gap",
            "height",
            "justify-content",
            "left",
            "line-height",
            "list-style-position",
            "margin",
            "margin-left",
            "max-height",
            "max-width",
            "min-width",
            "opacity",
            "overflow",
            "padding",
            "padding-left",
            "position",
            "text-align",
            "text-overflow",
            "top",
            "vertical-align",
            "white-space",
            "width",
            "word-wrap",
        ];
        known.contains(&name)
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b" #%.-".contains(&byte))
    })
}

/// Parses a fragment, checks every element, and gives back its text.
fn checked(fragment: &str) -> Result<String, TestCaseError> {
    let html = Html::parse_fragment(fragment);
    let mut text = String::new();
    for node in html.tree.values() {
        match node {
            Node::Element(element) => {
                prop_assert!(ELEMENTS.contains(&element.name()), "<{}>", element.name());
                for (name, value) in element.attrs() {
                    prop_assert!(ATTRIBUTES.contains(&name), "{name}={value}");
                    prop_assert!(name != "style" || is_plain_style(value), "{value}");
                }
            }
            Node::Text(part) => text.push_str(part),
            Node::Fragment => {}
            other => prop_assert!(false, "{other:?}"),
        }
    }
    prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    Ok(text)
}

fn checked_svg(picture: &str) -> Result<String, TestCaseError> {
    let document = roxmltree::Document::parse(picture).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let mut text = String::new();
    for node in document.descendants() {
        if node.is_element() {
            prop_assert!(
                SVG_ELEMENTS.contains(&node.tag_name().name()),
                "<{}>",
                node.tag_name().name()
            );
            for attribute in node.attributes() {
                prop_assert!(!attribute.name().starts_with("on") && attribute.name() != "href");
                prop_assert!(!attribute.value().contains("NaN") && !attribute.value().contains("inf"));
            }
        } else if node.is_text() {
            text.push_str(node.text().unwrap_or_default());
        } else {
            prop_assert!(!node.is_comment() && !node.is_pi());
        }
    }
    let root = document.root_element();
    prop_assert_eq!(root.attribute("role"), Some("img"));
    let titles = root
        .children()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "title")))
        .count();
    prop_assert_eq!(titles, 1);
    Ok(text)
}

/// Text that needs no escape of ours, however much HTML it holds.
fn markup() -> impl Strategy<Value = String> {
    "[<>&\"'/=a-z;!-]{1,40}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_hostile_timeline_stays_well_formed(rows in prop::collection::vec(rows::timeline_row(), 0..12), attribute in rows::hostile(), most in 0..12_usize) {
        let details = rows.iter().map(|row| (row.span_id.clone(), SpanDetails {
            attributes: serde_json::json!({ attribute.clone(): attribute, "nested": {"a": [1, attribute]} }).to_string(),
            events: serde_json::json!([{ "name": attribute, "timestamp": 1, "attributes": {"exception.stacktrace": attribute} }, 5, {}]).to_string(),
        })).collect();
        let options = TimelineOptions { max_rows: most, details, ..TimelineOptions::default() };
        checked(&html::timeline(&rows, &options))?;
        checked_svg(&svg::timeline(&rows, &options))?;
    }

    #[test]
    fn hostile_tables_stay_well_formed(
        red in prop::collection::vec(rows::red_row(), 0..8),
        traces in prop::collection::vec(rows::trace_row(), 0..5),
        exceptions in prop::collection::vec(rows::exception_row(), 0..5),
        columns in prop::collection::vec(rows::hostile(), 0..5),
        values in prop::collection::vec(prop::collection::vec(prop::option::of(rows::hostile()), 0..6), 0..5),
    ) {
        checked(&html::red(&red, &red))?;
        checked_svg(&svg::red(&red))?;
        checked(&html::traces(&traces))?;
        checked(&html::exceptions(&exceptions))?;
        checked(&html::answer(&columns, &values, Some(1000)))?;
    }

    #[test]
    fn a_hostile_graph_stays_well_formed(edges in prop::collection::vec(rows::dependency_row(), 0..20)) {
        checked(&html::dependencies(&edges))?;
        checked_svg(&svg::dependencies(&edges))?;
    }

    #[test]
    fn text_comes_back_as_it_was(name in markup(), value in markup(), message in markup()) {
        let row = TimelineRow { name: name.clone(), status_code: "ERROR".into(), status_description: Some(message.clone()), ..TimelineRow::default() };
        let text = checked(&html::timeline(std::slice::from_ref(&row), &TimelineOptions::default()))?;
        prop_assert!(text.contains(&name) && text.contains(&format!("ERROR {message}")), "{}", text);
        let text = checked(&html::answer(std::slice::from_ref(&name), &[vec![Some(value.clone())]], None))?;
        prop_assert_eq!(text, format!("{name}{value}1 row"));
        let text = checked_svg(&svg::timeline(&[row], &TimelineOptions::default()))?;
        prop_assert!(text.contains(&name), "{}", text);
    }
}

#[test]
fn a_page_forbids_everything_and_holds_its_title() {
    let page = html::page("</title><script>alert(1)</script>", &html::answer(&[], &[], None));
    let html = Html::parse_document(&page);
    let selector = |text: &str| scraper::Selector::parse(text).expect("a selector");
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    assert_eq!(html.select(&selector("script")).count(), 0);
    let title: String = html.select(&selector("title")).flat_map(|title| title.text()).collect();
    assert_eq!(title, "</title><script>alert(1)</script>");
    let policy = html
        .select(&selector("meta[http-equiv=Content-Security-Policy]"))
        .next()
        .expect("a policy");
    assert_eq!(
        policy.attr("content"),
        Some("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    );
}

#[test]
fn a_long_chain_is_not_nested_deeper_than_browsers_bear() {
    let rows: Vec<TimelineRow> = (0..900)
        .map(|depth| TimelineRow {
            depth,
            ..rows::small_trace()[0].clone()
        })
        .collect();
    let html = Html::parse_fragment(&html::timeline(&rows, &TimelineOptions::all()));
    let summary = scraper::Selector::parse("summary").expect("a selector");
    let deepest = html.select(&summary).map(|summary| summary.ancestors().count()).max();
    assert!(deepest.is_some_and(|deepest| deepest < 50), "{deepest:?}");
    let text: String = html.root_element().text().collect();
    assert!(text.contains("899: ") && text.contains("900 of 900 spans shown"));
}

#[test]
fn attributes_and_events_stand_below_their_span() {
    let rows = rows::small_trace();
    let details = SpanDetails {
        attributes: r#"{"task_id":"T-7"}"#.into(),
        events: r#"[{"name":"exception","timestamp":1700000000123000000,"attributes":{"exception.type":"KeyError"}}]"#
            .into(),
    };
    let options = TimelineOptions {
        details: HashMap::from([(rows[8].span_id.clone(), details)]),
        ..TimelineOptions::default()
    };
    let text = checked(&html::timeline(&rows, &options)).expect("well formed");
    for part in [
        "1 attribute · 1 event",
        "task_idT-7",
        "event exception 2023-11-14 22:13:20.123 UTC",
        "exception.typeKeyError",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_hundred_thousand_spans_are_bounded() {
    let mut rows = Vec::with_capacity(100_000);
    let small = rows::small_trace();
    while rows.len() < 100_000 {
        rows.extend(small.iter().cloned().map(|row| TimelineRow {
            depth: row.depth + 1,
            duration_ms: 300.0,
            ..row
        }));
    }
    rows[0].depth = 0;
    rows.truncate(100_000);
    let page = html::timeline(&rows, &TimelineOptions::default());
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert!(
        page.contains("1,000 of 100,000 spans shown"),
        "{}",
        &page[page.len() - 300..]
    );
    let picture = svg::timeline(&rows, &TimelineOptions::default());
    assert!(picture.len() < 400_000, "{} bytes", picture.len());
    // Nothing is lost: what has a line and what is folded make up the whole.
    let text: String = Html::parse_fragment(&page).root_element().text().collect();
    let folded: i64 = text
        .split("… ")
        .skip(1)
        .filter_map(|part| part.split([' ']).next()?.replace(',', "").parse::<i64>().ok())
        .sum();
    assert_eq!(folded, 99_000);
}
