//! What others wrote, on its way to a person: characters that cannot be seen, or that turn lines round, never pass.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Whether a character can be seen as itself and moves nothing else: no control, no line separator, no direction mark or
/// other format character (Unicode categories Cc, Cf, Zl, Zp, Co, Cn, Cs).
pub fn is_visible(character: char) -> bool {
    !matches!(
        character.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
    )
}

/// A text that somebody else wrote (a name in a certificate, words of a server) as it may be shown: whatever is not
/// visible becomes U+FFFD, so that the text stays on its line and changes nothing around it.
pub fn clean(text: &str) -> String {
    text.chars().map(|character| if is_visible(character) { character } else { '\u{FFFD}' }).collect()
}

/// The same for a whole page or letter of our own words: lines and tabs stay, all else as in [`clean`].
pub fn clean_lines(text: &str) -> String {
    let stays = |character| is_visible(character) || matches!(character, '\n' | '\t');
    text.chars().map(|character| if stays(character) { character } else { '\u{FFFD}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_moves_the_cursor_or_turns_the_line() {
        for (raw, shown) in [
            ("Jan\u{1b}[31m\u{1b}]0;X\u{7}", "Jan\u{FFFD}[31m\u{FFFD}]0;X\u{FFFD}"),
            ("Jan\nCommercial  2099-01-01", "Jan\u{FFFD}Commercial  2099-01-01"),
            ("Jan\r\tx", "Jan\u{FFFD}\u{FFFD}x"),
            ("a\u{202E}b\u{2066}c\u{200F}", "a\u{FFFD}b\u{FFFD}c\u{FFFD}"),
            ("a\u{9b}31m\u{85}b", "a\u{FFFD}31m\u{FFFD}b"),
            ("a\u{2028}b\u{2029}c\u{FEFF}", "a\u{FFFD}b\u{FFFD}c\u{FFFD}"),
            ("a\u{E0041}\u{AD}b", "a\u{FFFD}\u{FFFD}b"),
            ("Žluťoučký kůň 😀 – „ano“", "Žluťoučký kůň 😀 – „ano“"),
        ] {
            assert_eq!(clean(raw), shown);
        }
        assert_eq!(clean_lines("a\n\tb\u{1b}c\r"), "a\n\tb\u{FFFD}c\u{FFFD}");
    }
}
