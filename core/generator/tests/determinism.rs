//! The same settings give the same bytes, on every machine and in batches of any size.

use flockscope_generator::{Generator, Settings, Shape, large_trace};
use flockscope_model::Span;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn generate(settings: &Settings, batch: usize) -> Vec<Span> {
    let mut generator = Generator::new(settings.clone()).expect("sound settings");
    let mut spans = Vec::new();
    while let Some(more) = generator.next_batch(batch) {
        assert!(more.len() <= batch);
        spans.extend(more);
    }
    spans
}

fn hash(spans: &[Span]) -> String {
    let mut hasher = Sha256::new();
    for span in spans {
        hasher.update(format!("{span:?}\n"));
    }
    hasher
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// When the generator is changed on purpose, these change with it; on another machine they must not.
#[test]
fn the_first_thousand_spans_are_the_same_everywhere() {
    let full = Settings {
        spans: 1_000,
        ..Settings::default()
    };
    let lean = Settings {
        shape: Shape::Lean,
        with_gen_ai: true,
        with_deployment: true,
        error_rate: Some(0.02),
        ..full.clone()
    };
    assert_eq!(hash(&generate(&full, 1_000)), "d139682ac813a199");
    assert_eq!(hash(&generate(&lean, 1_000)), "134cffb87c2ae23b");
    assert_eq!(hash(&large_trace(1_000, 1)), "c9463a33886101d8");
}

#[test]
fn another_seed_gives_other_spans() {
    let one = Settings {
        spans: 100,
        ..Settings::default()
    };
    let two = Settings { seed: 2, ..one.clone() };
    let ids = |settings| -> Vec<String> { generate(settings, 100).into_iter().map(|span| span.span_id).collect() };
    assert!(ids(&one).iter().all(|id| !ids(&two).contains(id)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_of_any_size_give_the_same_spans(
        spans in 0u64..700,
        seed: u64,
        batch in 1usize..400,
        spans_per_trace in prop::option::of(1usize..300),
        error_rate in prop::option::of(0.0..=1.0f64),
        with_gen_ai: bool,
    ) {
        let settings = Settings {
            spans,
            seed,
            shape: Shape::Lean,
            error_rate,
            spans_per_trace,
            with_gen_ai,
            ..Settings::default()
        };
        let at_once = generate(&settings, 1_000);
        prop_assert_eq!(at_once.len() as u64, spans);
        prop_assert!(at_once == generate(&settings, batch));
    }
}
