//! Prints how many spans a second are made on one core, for both shapes.
//!
//!     cargo run --release -p flockscope-generator --example speed [SPANS]

use std::time::Instant;

use flockscope_generator::{Generator, Settings, Shape};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |spans| spans.parse())?;
    for (shape, spans) in [(Shape::Lean, wanted), (Shape::Full, wanted / 5)] {
        let mut generator = Generator::new(Settings {
            spans,
            shape,
            with_gen_ai: true,
            with_deployment: true,
            ..Settings::default()
        })?;
        let started = Instant::now();
        let mut bytes = 0;
        while let Some(batch) = generator.next_batch(2_048) {
            bytes += batch.iter().map(|span| span.attributes.len()).sum::<usize>();
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{shape:?}: {spans} spans in {seconds:.2} s, {:.0} spans/s, {:.0} bytes of attributes a span",
            spans as f64 / seconds,
            bytes as f64 / spans as f64
        );
    }
    Ok(())
}
