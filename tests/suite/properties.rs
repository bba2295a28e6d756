//! What holds for every input.

use std::collections::BTreeMap;

use crate::mint::{self, eddsa_key, hs256, hs256_key, verify};
use edgegate::base64url::{decode, encode};
use edgegate::error::Error;
use edgegate::jose::claims::{ClaimRules, Claims, Profile};
use edgegate::jose::dpop::Binding;
use edgegate::jose::keys::{Key, KeySet};
use edgegate::jose::scopes::Scopes;
use edgegate::jose::verifier::{Issuer, KeySource, TokenStep, Verifier};
use edgegate::jose::{
    algorithm::Algorithm,
    jws::{DEFAULT_MAX_TOKEN_LENGTH, Header, UntrustedToken},
};
use edgegate::policy::{PathPattern, Policy, RequestPath, Secrets};
use edgegate::secret::Secret;
use edgegate::time::UnixTime;
use jwt_compact::alg::{Ed25519, Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims as SignerClaims, Header as SignerHeader};
use proptest::prelude::*;

/// Text that is nearly a token, which gets further than noise does.
fn nearly_token() -> impl Strategy<Value = String> {
    let json = prop_oneof![
        Just(r#"{"alg":"HS256"}"#.to_owned()),
        Just(r#"{"alg":"EdDSA","kid":"a"}"#.to_owned()),
        r#"\{"(alg|kid|typ|crit|iss|exp|aud)":("HS256"|"EdDSA"|[0-9]{1,25}|null|\[\]|\{\}|-?1e[0-9]{1,3})\}"#,
        r#"[{}\[\]":,a-z0-9.\\]{0,40}"#,
    ];
    let segment = prop_oneof![
        4 => json.prop_map(|text| encode(text.as_bytes())),
        1 => "[A-Za-z0-9_=+/-]{0,60}",
        1 => proptest::collection::vec(any::<u8>(), 0..70).prop_map(|bytes| encode(&bytes)),
    ];
    proptest::collection::vec(segment, 1..5).prop_map(|segments| segments.join("."))
}

/// Text of an object that claims might be: ordinary ones, and what is nearly one.
fn object() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => r#""(me|a|b|é|[ -!#-\[\]-~]{0,20})""#,
        2 => "-?(0|[1-9][0-9]{0,21})(\\.[0-9]{1,8})?",
        1 => prop_oneof!["null", "true", "false", r"1e[0-9]{1,3}", r#""(\\n|\\u00e9|\\ud800)""#, "0[0-9]"],
    ];
    let value = value.prop_recursive(10, 20, 4, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..4)
            .prop_map(|list| format!("[{}]", list.join(", ")));
        let member = ("[ab]", inner).prop_map(|(name, value)| format!(r#""{name}":{value}"#));
        let object = proptest::collection::vec(member, 0..4)
            .prop_map(|list| format!("{{{}}}", list.join(",")));
        prop_oneof![list, object]
    });
    let name = prop_oneof![
        6 => "(iss|sub|aud|exp|nbf|iat|jti|sid|scope|scp)",
        3 => "[a-z]{0,12}",
        1 => r"(i\\u0073s|é|\\/)",
    ];
    let member = (name, "[ \n]?", value)
        .prop_map(|(name, space, value)| format!(r#""{name}":{space}{value}"#));
    let members = proptest::collection::vec(member, 0..9)
        .prop_map(|members| format!("{{{}}}", members.join(",")));
    // Now and then with a byte too many, or one too few.
    (
        members,
        proptest::option::weighted(0.2, (any::<prop::sample::Index>(), r#"[{}\[\]",:0. \\]?"#)),
    )
        .prop_map(|(mut text, edit)| {
            if let Some((place, other)) = edit {
                let place = place.index(text.len());
                if text.is_char_boundary(place) && text.is_char_boundary(place + 1) {
                    text.replace_range(place..=place, &other);
                }
            }
            text
        })
}

/// The same object with one more member, whose escapes make it no ordinary one: it is read as a tree at once.
fn with_escapes(object: &str) -> Option<String> {
    // Else the last character may be something else than the object's end.
    serde_json::from_str::<serde_json::Value>(object).ok()?;
    let members = object.trim_end().strip_suffix('}')?;
    let comma = if members.trim().len() > 1 { "," } else { "" };
    Some(format!(r#"{members}{comma}"\u0000":"\n"}}"#))
}

fn header() -> Header {
    verify(&hs256(r#"{"alg":"HS256"}"#, "{}"), &hs256_key()).unwrap().header().clone()
}

fn decide(token: &str, key: &Key) -> Result<Claims, Error> {
    Claims::parse(verify(token, key)?.payload())
}

proptest! {
    #[test]
    fn base64url_round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
    }

    #[test]
    fn base64url_has_one_spelling(text in "[A-Za-z0-9_=+/ -]{0,40}") {
        if let Some(bytes) = decode(&text) {
            prop_assert_eq!(encode(&bytes), text);
        }
    }

    #[test]
    fn base64url_has_one_last_character(
        bytes in proptest::collection::vec(any::<u8>(), 1..40),
        last in "[A-Za-z0-9_-]",
    ) {
        let text = encode(&bytes);
        let mut other = text.clone();
        other.pop();
        other.push_str(&last);
        if other != text {
            prop_assert_ne!(decode(&other), Some(bytes));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = verify(&text, &hs256_key());
        let _ = Key::from_jwk(&text);
        let _ = Key::from_pem(&text);
        let _ = KeySet::from_jwks(&text);
        let _ = Claims::parse(text.as_bytes());
        let _ = Scopes::parse(&text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Claims::parse(&bytes);
        if let Ok(token) = UntrustedToken::parse(
            &format!("{}.{}.{}", encode(br#"{"alg":"EdDSA"}"#), encode(&bytes), encode(&bytes)),
            DEFAULT_MAX_TOKEN_LENGTH,
        ) {
            let _ = token.unverified_issuer();
            let key = eddsa_key();
            prop_assert!(token.verify(&key).is_err());
        }
    }

    #[test]
    fn nothing_that_is_nearly_a_token_passes(text in nearly_token()) {
        let parsed = UntrustedToken::parse(&text, DEFAULT_MAX_TOKEN_LENGTH);
        if let Ok(token) = parsed {
            let _ = token.unverified_issuer();
        }
        prop_assert!(verify(&text, &hs256_key()).is_err());
        prop_assert!(verify(&text, &eddsa_key()).is_err());
    }

    #[test]
    fn tokens_of_another_signer_pass(
        subject in "[a-z0-9|@. é]{1,30}",
        extra in proptest::collection::btree_map("x_[a-z]{1,8}", any::<i64>(), 0..6),
    ) {
        let mut custom: BTreeMap<String, serde_json::Value> =
            extra.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
        custom.insert("sub".into(), subject.clone().into());
        let claims = SignerClaims::new(custom);
        let signed = Hs256
            .token(&SignerHeader::empty().with_key_id("k"), &claims, &Hs256Key::new(mint::SECRET))
            .unwrap();
        let found = decide(&signed, &hs256_key()).unwrap();
        prop_assert_eq!(found.subject(), Some(subject.as_str()));
        let ed25519 = ed25519_dalek::SigningKey::from_bytes(mint::SECRET);
        let signed = Ed25519.token(&SignerHeader::empty(), &claims, &ed25519).unwrap();
        let found = decide(&signed, &eddsa_key()).unwrap();
        for (name, value) in extra {
            prop_assert_eq!(found.get(&name).and_then(|found| found.as_i64()), Some(value));
        }
    }

    #[test]
    fn claims_read_in_place_are_those_of_the_tree(text in object()) {
        let read = Claims::parse(text.as_bytes());
        if let Some(text) = with_escapes(&text) {
            let tree = Claims::parse(text.as_bytes());
            prop_assert_eq!(read.as_ref().err(), tree.as_ref().err());
            if let (Ok(read), Ok(tree)) = (&read, &tree) {
                let strings = |claims: &Claims| {
                    let all = [claims.issuer(), claims.subject(), claims.jwt_id(), claims.session_id()];
                    let all = all.into_iter().flatten().chain(claims.audience());
                    all.map(str::to_owned).collect::<Vec<_>>()
                };
                prop_assert_eq!(strings(read), strings(tree));
                let times = |claims: &Claims| (claims.expires_at(), claims.not_before(), claims.issued_at());
                prop_assert_eq!(times(read), times(tree));
                for claim in [None, Some("aud"), Some("scp"), Some("x")] {
                    prop_assert_eq!(Scopes::from_claims(read, claim), Scopes::from_claims(tree, claim));
                }
                let rules = ClaimRules {
                    audience: vec!["a".to_owned()],
                    required_claims: vec!["sub".to_owned()],
                    profile: Profile::AccessToken,
                    ..ClaimRules::new("me")
                };
                let now = UnixTime::from_secs(1_000_000);
                prop_assert_eq!(rules.check(&header(), read, now), rules.check(&header(), tree, now));
                let other: serde_json::Value = serde_json::from_str(&text).unwrap();
                let mut other = other.as_object().unwrap().clone();
                prop_assert_eq!(tree.as_object(), &other);
                other.remove("\0");
                prop_assert_eq!(read.as_object(), &other);
            }
        }
    }

    #[test]
    fn the_issuer_is_the_same_before_and_after_the_signature(text in object()) {
        let issuer = Issuer {
            rules: ClaimRules::new("me"),
            algorithms: vec![Algorithm::Hs256],
            keys: KeySource::Fixed(mint::set(hs256_key())),
            binding: Binding::Off,
        };
        let verifier = Verifier::new(vec![issuer], DEFAULT_MAX_TOKEN_LENGTH).unwrap();
        let token = hs256(r#"{"alg":"HS256"}"#, &text);
        let parsed = UntrustedToken::parse(&token, DEFAULT_MAX_TOKEN_LENGTH).unwrap();
        let expected = match parsed.unverified_issuer() {
            Ok(Some(issuer)) if issuer == "me" => Ok(()),
            Ok(_) => Err(Error::UnknownIssuer),
            Err(error) => Err(error),
        };
        let pending = verifier.begin(&token);
        prop_assert_eq!(pending.as_ref().map(|_| ()).map_err(Clone::clone), expected);
        if let Ok(pending) = pending {
            let Ok(TokenStep::Verified(signed)) = pending.verify(None) else { panic!("it is signed") };
            match (signed.claims(UnixTime::from_secs(0)), Claims::parse(text.as_bytes())) {
                (Ok(verified), Ok(claims)) => {
                    prop_assert_eq!(verified.issuer(), "me");
                    prop_assert_eq!(verified.claims(), &claims);
                    prop_assert_eq!(verified.payload(), text.as_bytes());
                }
                (Err(error), Err(other)) => prop_assert_eq!(error, other),
                // The rules are not met.
                (verified, claims) => prop_assert!(verified.is_err() && claims.is_ok()),
            }
        }
    }

    #[test]
    fn time_only_moves_a_token_towards_its_end(
        exp in any::<i64>(),
        earlier in any::<i64>(),
        later in any::<i64>(),
        tolerance in 0u64..1000,
    ) {
        let (earlier, later) = (earlier.min(later), earlier.max(later));
        let claims = Claims::parse(format!(r#"{{"iss":"me","exp":{exp}}}"#).as_bytes()).unwrap();
        let rules = ClaimRules { clock_tolerance_secs: tolerance, ..ClaimRules::new("me") };
        let at = |now| rules.check(&header(), &claims, UnixTime::from_secs(now)).is_ok();
        prop_assert!(at(earlier) || !at(later));
    }

    #[test]
    fn time_only_moves_a_token_towards_its_beginning(
        nbf in any::<i64>(),
        iat in any::<i64>(),
        earlier in any::<i64>(),
        later in any::<i64>(),
    ) {
        let (earlier, later) = (earlier.min(later), earlier.max(later));
        let text = format!(r#"{{"iss":"me","nbf":{nbf},"iat":{iat}}}"#);
        let claims = Claims::parse(text.as_bytes()).unwrap();
        let rules = ClaimRules { require_exp: false, ..ClaimRules::new("me") };
        let at = |now| rules.check(&header(), &claims, UnixTime::from_secs(now)).is_ok();
        prop_assert!(at(later) || !at(earlier));
    }

    #[test]
    fn the_moment_of_expiry_is_exact(exp in -1_000_000_000_000i64..1_000_000_000_000, tolerance in 0i64..600) {
        let claims = Claims::parse(format!(r#"{{"iss":"me","exp":{exp}}}"#).as_bytes()).unwrap();
        let rules = ClaimRules {
            clock_tolerance_secs: tolerance.unsigned_abs(),
            ..ClaimRules::new("me")
        };
        let at = |now| rules.check(&header(), &claims, UnixTime::from_secs(now)).is_ok();
        prop_assert!(at(exp + tolerance - 1));
        prop_assert!(!at(exp + tolerance));
    }

    #[test]
    fn more_tolerance_never_refuses_more(
        exp in any::<i64>(), nbf in any::<i64>(), iat in any::<i64>(), now in any::<i64>(),
        age in proptest::option::of(any::<u64>()), less in any::<u64>(), more in any::<u64>(),
    ) {
        let (less, more) = (less.min(more), less.max(more));
        let text = format!(r#"{{"iss":"me","exp":{exp},"nbf":{nbf},"iat":{iat}}}"#);
        let claims = Claims::parse(text.as_bytes()).unwrap();
        let with = |tolerance| {
            let rules = ClaimRules {
                clock_tolerance_secs: tolerance,
                max_token_age_secs: age,
                ..ClaimRules::new("me")
            };
            rules.check(&header(), &claims, UnixTime::from_secs(now)).is_ok()
        };
        prop_assert!(with(more) || !with(less));
    }

    #[test]
    fn a_fraction_of_a_second_never_lengthens_a_token(whole in 0i32..2_000_000_000, part in 1u32..1000) {
        let text = format!(r#"{{"exp":{whole}.{part:03},"nbf":{whole}.{part:03},"iat":{whole}.{part:03}}}"#);
        let claims = Claims::parse(text.as_bytes()).unwrap();
        let whole = i64::from(whole);
        prop_assert_eq!(claims.expires_at(), Some(UnixTime::from_secs(whole)));
        let up = if part.is_multiple_of(1000) { whole } else { whole + 1 };
        prop_assert_eq!(claims.not_before(), Some(UnixTime::from_secs(up)));
        prop_assert_eq!(claims.issued_at(), Some(UnixTime::from_secs(whole)));
    }

    #[test]
    fn scopes_survive_being_written_down(words in proptest::collection::vec("[!#-\\[\\]-~]{1,12}", 0..8)) {
        let scopes = Scopes::parse(&words.join(" "));
        prop_assert_eq!(&Scopes::parse(&scopes.to_string()), &scopes);
        prop_assert!(scopes.contains_all(&words));
        prop_assert_eq!(scopes.contains_any(&words), !words.is_empty());
    }
}

/// Every bit of the decoded header, claims and signature, for both algorithms that are checked here.
#[test]
fn every_flipped_bit_fails() {
    let claims = r#"{"iss":"me","sub":"you","aud":"them","exp":1700000060,"jti":"1"}"#;
    for (token, key) in [
        (hs256(r#"{"alg":"HS256","typ":"JWT"}"#, claims), hs256_key()),
        (mint::eddsa(r#"{"alg":"EdDSA","typ":"JWT"}"#, claims), eddsa_key()),
    ] {
        assert!(verify(&token, &key).is_ok());
        let segments: Vec<Vec<u8>> =
            token.split('.').map(|segment| decode(segment).unwrap()).collect();
        for (index, segment) in segments.iter().enumerate() {
            for bit in 0..segment.len() * 8 {
                let mut changed = segments.clone();
                changed[index][bit / 8] ^= 1 << (bit % 8);
                let changed: Vec<String> = changed.iter().map(|bytes| encode(bytes)).collect();
                assert!(verify(&changed.join("."), &key).is_err(), "segment {index}, bit {bit}");
            }
        }
        // And every character of the text.
        for position in 0..token.len() {
            for flip in [1, 2, 4, 8, 16, 32, 64] {
                let mut changed = token.clone().into_bytes();
                changed[position] ^= flip;
                let changed = String::from_utf8(changed).unwrap();
                assert!(verify(&changed, &key).is_err(), "position {position}, flip {flip}");
            }
        }
    }
}

// ---- routes ----

struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&self, _: &str) -> Option<Secret> {
        None
    }
}

/// A route's path and methods; no methods: all.
type RouteText = (String, Vec<&'static str>);

fn route_text() -> impl Strategy<Value = RouteText> {
    let segment = prop_oneof![Just("/a"), Just("/b"), Just("/{x}")];
    let path = (prop::collection::vec(segment, 0..4), any::<bool>());
    let path = path.prop_map(|(segments, open_ended)| match (segments.concat(), open_ended) {
        (path, true) => path + "/*",
        (path, false) if path.is_empty() => "/".to_owned(),
        (path, false) => path,
    });
    let methods =
        prop::sample::select(vec![vec![], vec!["GET"], vec!["POST"], vec!["GET", "POST"]]);
    (path, methods)
}

/// Each route costs something else, which tells them apart.
fn policy_of(routes: &[RouteText]) -> Result<Policy, Error> {
    let routes: Vec<serde_json::Value> = routes
        .iter()
        .zip(1..)
        .map(|((path, methods), cost)| {
            let mut route = serde_json::json!({"path": path, "auth": "none", "cost": cost});
            if !methods.is_empty() {
                route["methods"] = serde_json::json!(methods);
            }
            route
        })
        .collect();
    Policy::from_json(&serde_json::json!({"routes": routes}).to_string(), &NoSecrets)
}

fn takes(methods: &[&str], method: &str) -> bool {
    methods.is_empty()
        || methods.iter().any(|own| *own == method || (*own == "GET" && method == "HEAD"))
}

fn takes_all(methods: &[&str], others: &[&str]) -> bool {
    if others.is_empty() {
        methods.is_empty()
    } else {
        others.iter().all(|other| takes(methods, other))
    }
}

fn pattern_of((path, _): &RouteText) -> PathPattern {
    PathPattern::parse(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The router answers as if the list were read from the top, and refuses what is never reached.
    #[test]
    fn routes_are_found_as_if_read_from_the_top(
        routes in prop::collection::vec(route_text(), 1..10),
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT"]),
        segments in prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..5),
    ) {
        let unreachable = (0..routes.len()).find_map(|later| {
            (0..later)
                .find(|earlier| {
                    pattern_of(&routes[*earlier]).covers(&pattern_of(&routes[later]))
                        && takes_all(&routes[*earlier].1, &routes[later].1)
                })
                .map(|earlier| format!("routes[{later}]: is never reached, routes[{earlier}] matches first"))
        });
        let path = RequestPath::parse(&format!("/{}", segments.join("/"))).unwrap();
        match policy_of(&routes) {
            Err(fault) => prop_assert_eq!(Some(fault.to_string()), unreachable),
            Ok(policy) => {
                prop_assert_eq!(unreachable, None);
                let expected = routes
                    .iter()
                    .zip(1..)
                    .find(|(route, _)| takes(&route.1, method) && pattern_of(route).matches(&path));
                let found = policy.route(method, &path);
                match expected {
                    Some((route, cost)) => {
                        prop_assert_eq!((found.path(), found.cost), (route.0.as_str(), cost));
                    }
                    None => prop_assert_eq!((found.path(), found.cost), ("/*", 1)),
                }
            }
        }
    }
}
