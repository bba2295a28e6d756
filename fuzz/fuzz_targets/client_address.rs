//! Any value of a header with addresses: what is written left of what proxies added changes nothing of it, one reading of
//! an address is what the standard library reads of it, and a request that is asked about has a path.
#![no_main]

use std::num::NonZeroU8;

use edgegate::client_address::{ClientAddress, ClientIpHeader};
use edgegate::http::forward_auth::AskedAbout;
use libfuzzer_sys::fuzz_target;

fn read(value: &str, hops: Option<u8>) -> ClientAddress {
    let trusted_hops = hops.and_then(NonZeroU8::new);
    ClientIpHeader { name: String::new(), trusted_hops }.read(Some(value))
}

fuzz_target!(|input: (&str, &str, u8)| {
    let (value, before, hops) = input;
    for hops in [None, Some(hops)] {
        let address = read(value, hops);
        if let (ClientAddress::Known(known), Some(1..)) = (address, hops) {
            assert_eq!(read(&format!("{before},{value}"), hops), address, "a client's word counts");
            assert_eq!(read(&known.to_string(), Some(1)), address, "spelled out again");
        }
    }
    let one = ClientAddress::of_one(Some(value));
    if let Ok(plain) = value.parse() {
        assert_eq!(one, ClientAddress::Known(plain));
    }
    if one.known().is_some() {
        assert_eq!(read(value, None), one);
    }

    let asked = AskedAbout {
        forwarded_method: Some("GET"),
        forwarded_uri: Some(value),
        ..AskedAbout::default()
    };
    if let Ok((_, target)) = asked.request() {
        assert!(value.ends_with(target) || target == "/");
        assert!(!target.starts_with("http://") && !target.starts_with("https://"));
    }
});
