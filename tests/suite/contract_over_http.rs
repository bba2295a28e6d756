//! The contract of stores (`tests/support/contract.rs`) for revocations of a running Worker, through its administration
//! endpoints. `tests/worker/contract.test.mjs` starts one for each mode and runs this against it.

use std::{
    cell::RefCell,
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::contract;
use edgegate::revocation::{DenyKey, Entry};
use edgegate::time::UnixMillis;
use edgegate::{
    error::StoreError,
    store::{Page, RevocationStore},
};
use serde_json::{Value, json};

/// The endpoints as a store.
struct OverHttp {
    address: String,
    secret: String,
    /// What was put last under a key. Times of an entry are the Worker's: they are put back, the rest has to
    /// be what came.
    put: RefCell<HashMap<DenyKey, Entry>>,
}

impl OverHttp {
    /// Without any entry.
    fn fresh() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("no {name}"));
        let store = Self {
            address: variable("EDGEGATE_ADDRESS"),
            secret: variable("EDGEGATE_ADMIN_TOKEN"),
            put: RefCell::default(),
        };
        while let page @ [_, ..] =
            store.page(None, 100)["revocations"].as_array().unwrap().as_slice()
        {
            for entry in page {
                let target = format!("/{}", entry["id"].as_str().unwrap());
                assert_eq!(store.ask("DELETE", &target, None).0, 204);
            }
        }
        store
    }

    fn page(&self, cursor: Option<&str>, limit: usize) -> Value {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let (status, body) = self.ask("GET", &format!("?limit={limit}{cursor}"), None);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn ask(&self, method: &str, target: &str, body: Option<&Value>) -> (u16, String) {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} /auth/admin/revocations{target} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.secret,
            body.len(),
        )
        .unwrap();
        // The runtime closes once it has answered what came before the end.
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let status = head[9..12].parse().unwrap();
        (status, if chunked { dechunked(body) } else { body.to_owned() })
    }

    fn read(&self, shown: &Value) -> (DenyKey, Entry) {
        let key = DenyKey::parse(shown["id"].as_str().unwrap()).unwrap();
        let known = self.put.borrow()[&key].clone();
        let mut shown = shown.clone();
        let times = serde_json::to_value(&known).unwrap();
        for name in ["created_at", "until"] {
            shown[name] = times[name].clone();
        }
        (key, Entry::parse(&key, shown.to_string().as_bytes()).unwrap())
    }
}

fn dechunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&rest[..length]);
        body = &rest[length + 2..];
    }
    whole
}

impl RevocationStore for OverHttp {
    async fn entries(&self, keys: &[DenyKey]) -> Result<Vec<Option<Entry>>, StoreError> {
        let entry = |key: &DenyKey| match self.ask("GET", &format!("/{key}"), None) {
            (404, _) => Ok(None),
            (200, body) => Ok(Some(self.read(&serde_json::from_str(&body).unwrap()).1)),
            (status, body) => Err(StoreError::new(format!("{status}: {body}"))),
        };
        keys.iter().map(entry).collect()
    }

    async fn put(&self, key: &DenyKey, entry: &Entry, _now: UnixMillis) -> Result<(), StoreError> {
        let stored = serde_json::to_value(entry).unwrap();
        let mut body = json!({"iss": stored["target"]["iss"], "jti": stored["target"]["jti"]});
        if !stored["reason"].is_null() {
            body["reason"] = stored["reason"].clone();
        }
        let (status, answer) = self.ask("POST", "", Some(&body));
        assert_eq!(status, 201, "{answer}");
        let shown: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(shown["id"], key.to_string());
        self.put.borrow_mut().insert(*key, entry.clone());
        Ok(())
    }

    async fn remove(&self, key: &DenyKey) -> Result<(), StoreError> {
        match self.ask("DELETE", &format!("/{key}"), None) {
            (204 | 404, _) => Ok(()),
            (status, body) => Err(StoreError::new(format!("{status}: {body}"))),
        }
    }

    async fn list(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<(DenyKey, Entry)>, StoreError> {
        let page = self.page(cursor, limit);
        let items = page["revocations"].as_array().unwrap();
        Ok(Page {
            items: items.iter().map(|shown| self.read(shown)).collect(),
            cursor: page["cursor"].as_str().map(str::to_owned),
        })
    }
}

/// None of these futures waits: the requests block.
fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
#[ignore = "needs a running Worker: tests/worker/contract.test.mjs"]
fn revocations_obey_the_contract() {
    run(contract::revocations_are_found_and_replaced(&OverHttp::fresh()));
    run(contract::revocations_are_removed_idempotently(&OverHttp::fresh()));
    run(contract::revocations_are_listed_once_each(OverHttp::fresh));
    run(contract::a_listing_survives_changes(OverHttp::fresh));
}
