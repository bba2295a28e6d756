//! Any text as a refresh token or a ticket: nothing but what was sealed opens, and that has one spelling.
#![no_main]

use std::sync::LazyLock;

use edgegate::secret::Secret;
use edgegate::session::secrets::SessionSecrets;
use edgegate::session::token::{RefreshToken, Ticket};
use edgegate::session::{ObjectName, Opaque, Salt, SessionId};
use edgegate::time::UnixTime;
use libfuzzer_sys::fuzz_target;

static SECRETS: LazyLock<SessionSecrets> =
    LazyLock::new(|| SessionSecrets::new(vec![(1, Secret::new(vec![7; 32]))]).unwrap());

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = core::str::from_utf8(bytes) {
        for prefixed in
            [text.to_owned(), format!("edgegate_rt_{text}"), format!("edgegate_st_{text}")]
        {
            if let Ok(token) = RefreshToken::open(&prefixed, &SECRETS, NOW) {
                assert_eq!(token.seal(&SECRETS).unwrap(), prefixed, "one spelling");
            }
            if let Ok(ticket) = Ticket::open(&prefixed, &SECRETS, NOW) {
                assert_eq!(ticket.seal(&SECRETS).unwrap(), prefixed, "one spelling");
            }
        }
    }
    // Whatever is in a token comes out again, and no changed character passes.
    let Some((parts, rest)) = bytes.split_first_chunk::<56>() else { return };
    let token = RefreshToken {
        key_id: 1,
        object: ObjectName::from_bytes(parts[..32].try_into().unwrap()),
        session: SessionId::from_bytes(parts[32..44].try_into().unwrap()),
        generation: u32::from_be_bytes(parts[44..48].try_into().unwrap()),
        absolute_until: UnixTime::from_secs(i64::MAX),
        salt: Salt::from_bytes(parts[48..56].try_into().unwrap()),
    };
    let mut text = token.seal(&SECRETS).unwrap();
    assert_eq!(RefreshToken::open(&text, &SECRETS, NOW), Ok(token));
    if let [place, other, ..] = rest {
        let place = usize::from(*place) % text.len();
        let other = char::from(other % 95 + 32);
        if !text[place..].starts_with(other) {
            text.replace_range(place..=place, other.encode_utf8(&mut [0; 4]));
            assert!(RefreshToken::open(&text, &SECRETS, NOW).is_err());
        }
    }
    let _ = Opaque::<16>::parse(&text);
});
