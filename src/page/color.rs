//! The operator's colour, and shades of it that everybody can read: 4.5 to 1 for text (WCAG 2.2, 1.4.3).

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Color([u8; 3]);

/// The least contrast of text, with room for the error of [`linear`].
const CONTRAST: f32 = 4.7;

/// How many steps there are from a colour to black or white.
const STEPS: u16 = 32;

pub(super) const WHITE: Color = Color([255; 3]);
pub(super) const BLACK: Color = Color([0; 3]);

impl Color {
    /// Reads `#rrggbb`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    pub(super) fn written(self) -> String {
        let Self([red, green, blue]) = self;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// Black or white, whichever reads better on it.
    pub(super) fn text_on(self) -> Self {
        if contrast(self, WHITE) >= contrast(self, BLACK) { WHITE } else { BLACK }
    }

    /// The shade nearest to it that can be read on this ground.
    pub(super) fn on(self, ground: Self) -> Self {
        let end = ground.text_on();
        (0..=STEPS)
            .map(|step| self.towards(end, step))
            .find(|shade| contrast(*shade, ground) >= CONTRAST)
            .unwrap_or(end)
    }

    fn towards(self, end: Self, step: u16) -> Self {
        let Self([red, green, blue]) = self;
        let Self([to_red, to_green, to_blue]) = end;
        let mixed = |from: u8, to: u8| {
            let rest = STEPS.saturating_sub(step).saturating_mul(from.into());
            let sum = rest.saturating_add(step.saturating_mul(to.into()));
            u8::try_from(sum / STEPS).unwrap_or(to)
        };
        Self([mixed(red, to_red), mixed(green, to_green), mixed(blue, to_blue)])
    }
}

/// The contrast of two colours, from 1 to 21 (WCAG 2.2).
fn contrast(one: Color, other: Color) -> f32 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(Color([red, green, blue]): Color) -> f32 {
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/// The light of a component, by a cubic instead of a power: the library function would be a kilobyte of the Worker.
fn linear(component: u8) -> f32 {
    let value = f32::from(component) / 255.0;
    value * (value * (value * 0.305_306 + 0.682_171_1) + 0.012_522_9)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As WCAG defines it.
    fn exact(one: Color, other: Color) -> f64 {
        let luminance = |Color(components): Color| {
            let [red, green, blue] = components.map(|component| {
                let value = f64::from(component) / 255.0;
                if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn a_colour_is_read_in_one_form() {
        assert_eq!(Color::parse("#0B6b5c").map(Color::written).as_deref(), Some("#0b6b5c"));
        for text in [
            "", "#", "0b6b5c", "#0b6b5", "#0b6b5c0", "#0b6b5g", "#+b6b5c", "red", "#é6b5c",
            "#fff;}",
        ] {
            assert_eq!(Color::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_colour_gets_shades_that_can_be_read() {
        let grounds = [WHITE, Color([0xf6, 0xf5, 0xf1]), Color([0x19, 0x1d, 0x20]), BLACK];
        let parts = [0_u8, 17, 51, 85, 119, 136, 153, 187, 221, 255];
        for red in parts {
            for green in parts {
                for blue in parts {
                    let color = Color([red, green, blue]);
                    assert!(exact(color, color.text_on()) >= 4.5, "{color:?}");
                    for ground in grounds {
                        assert!(exact(color.on(ground), ground) >= 4.5, "{color:?} on {ground:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_colour_that_can_be_read_stays_as_it_is() {
        let green = Color([0x0b, 0x6b, 0x5c]);
        assert_eq!(green.on(WHITE), green);
    }
}
