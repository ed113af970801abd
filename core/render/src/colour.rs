//! A colour and a sign for each service: the same ones in every view, today and tomorrow.
//!
//! Both are taken from a hash of the service's name, never from the order in which services appear. Colour is never
//! alone: the sign says the same without it. Errors have a colour of their own, and always a sign and a word too.

/// A colour as HTML and SVG write it and as a terminal of 256 colours numbers it: the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// `#rrggbb`.
    pub hex: &'static str,
    /// Number among the 256 colours of xterm.
    pub ansi: u8,
}

/// What marks a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its colour.
    pub colour: Colour,
    /// Its sign.
    pub sign: char,
    /// Its sign where only ASCII can be shown.
    pub ascii: char,
}

const fn colour(hex: &'static str, ansi: u8) -> Colour {
    Colour { hex, ansi }
}

/// Colours with a contrast of at least 3:1 against white and against `#1e1e1e` (WCAG 2.1, 1.4.11), none of them red.
pub const PALETTE: [Colour; 12] = [
    colour("#0087d7", 32),
    colour("#d75f00", 166),
    colour("#008700", 28),
    colour("#af5fd7", 134),
    colour("#af8700", 136),
    colour("#5f5fff", 63),
    colour("#d700af", 163),
    colour("#5f8700", 64),
    colour("#008787", 30),
    colour("#d75f87", 168),
    colour("#875f5f", 95),
    colour("#5f87af", 67),
];

/// The colour of errors.
pub const ERROR: Colour = colour("#d70000", 160);

const SIGNS: [(char, char); 7] = [
    ('●', 'o'),
    ('■', '#'),
    ('▲', '^'),
    ('◆', '%'),
    ('▼', 'v'),
    ('★', '*'),
    ('✚', '+'),
];

/// The colour and sign of a service.
pub fn mark(service: &str) -> Mark {
    let hash = fnv1a(service);
    // 12 and 7 have no common factor, so colour and sign together tell 84 services apart.
    let (sign, ascii) = SIGNS[(hash % SIGNS.len() as u64) as usize];
    Mark {
        colour: PALETTE[(hash % PALETTE.len() as u64) as usize],
        sign,
        ascii,
    }
}

/// FNV-1a of 64 bits, folded: small, and the same on every machine and in every version, unlike the standard hasher.
/// <http://www.isthe.com/chongo/tech/comp/fnv/>
fn fnv1a(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance by WCAG 2.1. <https://www.w3.org/TR/WCAG21/#dfn-relative-luminance>
    fn luminance(hex: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.03928 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_colour_can_be_seen_on_light_and_dark() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
        for colour in PALETTE.iter().chain([&ERROR]) {
            for background in ["#ffffff", "#1e1e1e"] {
                let contrast = contrast(colour.hex, background);
                assert!(contrast >= 3.0, "{} on {background}: {contrast:.2}", colour.hex);
            }
        }
    }

    #[test]
    fn the_terminal_shows_the_same_colour() {
        // The colour cube of xterm: 16 + 36 r + 6 g + b, with these levels.
        const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
        for colour in PALETTE.iter().chain([&ERROR]) {
            let cube = usize::from(colour.ansi - 16);
            let hex = format!(
                "#{:02x}{:02x}{:02x}",
                LEVELS[cube / 36],
                LEVELS[cube / 6 % 6],
                LEVELS[cube % 6]
            );
            assert_eq!(hex, colour.hex);
        }
    }

    #[test]
    fn a_mark_depends_on_the_name_alone() {
        // From the test vectors of FNV, before it is folded.
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8 ^ 0x8594_4171);
        // These stand in people's notebooks and screenshots: a change of palette or hash should be meant.
        let agent = mark("Agent");
        assert_eq!((agent.colour.hex, agent.sign, agent.ascii), ("#af5fd7", '▼', 'v'));
        let marks: std::collections::HashSet<_> = (0..500)
            .map(|n| mark(&format!("Service{n}")))
            .map(|mark| (mark.colour.ansi, mark.sign))
            .collect();
        assert!(marks.len() > 75, "500 names use {} of 84 marks", marks.len());
    }
}
