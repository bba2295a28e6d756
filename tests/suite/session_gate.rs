//! The gate's own sessions through the guard: cookies, renewal, the CSRF rule, the endpoints.

use std::cell::Cell;

use crate::gate::{self, NOW, NOW_SECS, RING, Stores, check_at, request, run};
use crate::mint;
use edgegate::{
    error::{Code, Error},
    guard::{
        Backend as _, Decision, Request, Sessions as _,
        session::{
            CookieChange,
            endpoints::{Answer, Endpoints},
        },
    },
    http::reply::Refusal,
    policy::Policy,
    secret::Secret,
    session::{
        ObjectName, Salt, SessionId,
        csrf::Provenance,
        record::{Device, LoginRow, Opening},
        step::{NewSession, Open, SessionEvent, Step, Which},
    },
    store::sessions::{Patience, SessionStore as _},
    time::UnixMillis,
};
use serde_json::{Value, json};

const ISSUER: &str = "https://gate.edgegate.local/";

fn sessions() -> Value {
    json!({
        "issuer": ISSUER,
        "audience": ["https://api.example.com"],
        "secret": "JWT_SECRET",
        "algorithm": "EdDSA",
        "cookies": true,
        "origins": ["https://app.example.com"],
        "clients": [
            {"id": "batch", "secret": "OTHER_SECRET", "grants": ["client_credentials"], "scopes": ["read:posts", "repo"]},
            {"id": "app", "secret": "ADMIN_TOKEN", "grants": ["refresh_token"], "introspect": true},
        ],
    })
}

fn document(sessions: &Value) -> Value {
    json!({
        "origin": "https://api.example.com",
        "sessions": sessions,
        "revocation": {"mode": "entries"},
        "failed_authentication": {"enabled": false},
        "scope_includes": {"repo": ["repo:status"]},
        "routes": [
            {"path": "/v1/posts", "scopes": {"all": ["read:posts"]}},
            {"path": "/v1/write", "scopes": {"all": ["write:posts"]}},
        ],
    })
}

fn policy() -> Policy {
    gate::policy(&document(&sessions()))
}

/// A gate and its clock.
struct World {
    policy: Policy,
    stores: Stores,
    now: Cell<i64>,
}

/// What a browser keeps.
#[derive(Clone, Debug, Default)]
struct Jar {
    at: String,
    rt: String,
}

impl Jar {
    fn header(&self) -> String {
        format!("a=1; __Host-edgegate-at={}; __Host-edgegate-rt={}", self.at, self.rt)
    }

    fn take(&mut self, values: &[String]) {
        for value in values {
            let (name, rest) = value.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            assert!(attributes.contains("Path=/; Secure; HttpOnly; SameSite=Lax"), "{attributes}");
            assert!(!attributes.contains("Domain"), "{attributes}");
            match name {
                "__Host-edgegate-at" => self.at = value.to_owned(),
                "__Host-edgegate-rt" => self.rt = value.to_owned(),
                other => panic!("{other}"),
            }
        }
    }
}

impl World {
    fn new() -> Self {
        Self { policy: policy(), stores: Stores::default(), now: Cell::new(NOW_SECS) }
    }

    fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(u64::try_from(self.now.get()).unwrap() * 1000)
    }

    fn after(&self, secs: i64) -> &Self {
        self.now.set(self.now.get() + secs);
        self.stores.sessions().clock.set(self.now());
        self
    }

    fn ask<'a, F>(
        &'a self,
        request: &'a Request<'a>,
        of: impl FnOnce(Endpoints<'a, Stores>) -> F,
    ) -> Result<Answer, Error>
    where
        F: Future<Output = Result<Answer, Error>>,
    {
        let endpoints = Endpoints::new(&self.policy, &self.stores, request, self.now()).unwrap();
        run(of(endpoints))
    }

    fn admin(&self, body: &Value) -> Result<Value, Error> {
        let body = body.to_string();
        let request = request("POST", "/auth/admin/sessions");
        let answer = self.ask(&request, |endpoints| async move {
            endpoints.open(body.as_bytes(), Device::default()).await
        })?;
        assert_eq!(answer.status, 201);
        Ok(serde_json::from_str(&answer.body).unwrap())
    }

    fn open(&self) -> Value {
        self.admin(&json!({"subject": "alice", "scopes": ["read:posts", "repo"]})).unwrap()
    }

    /// A browser that has redeemed a ticket.
    fn browser(&self) -> Jar {
        let ticket = self
            .admin(&json!({"subject": "alice", "scopes": ["read:posts"], "ticket": true}))
            .unwrap();
        let body = json!({"ticket": ticket["ticket"]}).to_string();
        let request = from_page(request("POST", "/auth/session/start"));
        let answer = self.ask(&request, |endpoints| async move {
            endpoints.start(body.as_bytes(), Device::default()).await
        });
        let mut jar = Jar::default();
        let note = answer.unwrap().note;
        jar.take(note.set_cookies(self.stores.sessions().memory(), self.now()));
        jar
    }

    fn get(&self, jar: &Jar, path: &str) -> Decision {
        let header = jar.header();
        check_at(
            &self.policy,
            &self.stores,
            &Request { cookie: Some(&header), ..request("GET", path) },
            self.now(),
        )
    }

    fn refresh(&self, text: &str) -> Result<Value, Error> {
        let body = json!({"refreshToken": text}).to_string();
        let request = request("POST", "/auth/refresh");
        let answer = self
            .ask(&request, |endpoints| async move { endpoints.refresh(body.as_bytes()).await })?;
        assert_eq!(answer.note.change, None, "a token in a body sets no cookies");
        Ok(serde_json::from_str(&answer.body).unwrap())
    }

    fn token(&self, authorization: Option<&str>, form: &str) -> Result<Value, Error> {
        let request = Request { authorization, ..request("POST", "/auth/token") };
        let answer =
            self.ask(&request, |endpoints| async move { endpoints.token(form.as_bytes()).await })?;
        Ok(serde_json::from_str(&answer.body).unwrap())
    }

    fn bearer(&self, token: &str, path: &str) -> Decision {
        let header = format!("Bearer {token}");
        check_at(
            &self.policy,
            &self.stores,
            &Request { authorization: Some(&header), ..request("GET", path) },
            self.now(),
        )
    }

    fn steps(&self) -> Vec<String> {
        self.stores.sessions().steps.take()
    }

    /// What an edge does after the answer.
    fn tell(&self, decision: &Decision) -> bool {
        let Some((object, confirm)) = decision.session.confirm else { return false };
        let sessions = self.stores.sessions();
        let outcome =
            run(sessions.apply(&object, &Step::Confirm(confirm), Patience::Usual)).unwrap();
        sessions.memory().note_told(&confirm, &outcome, self.now());
        outcome.confirmed
    }
}

fn from_page(request: Request<'_>) -> Request<'_> {
    let provenance = Provenance { fetch_site: Some("same-origin"), ..request.provenance };
    Request { provenance, ..request }
}

fn code(decision: &Decision) -> Option<Code> {
    decision.outcome.as_ref().err().map(Error::code)
}

fn set(world: &World, decision: &Decision) -> Vec<String> {
    decision.session.set_cookies(world.stores.sessions().memory(), world.now()).to_vec()
}

const BATCH: &str = "Basic YmF0Y2g6ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

// ---- the gate's own tokens ----

#[test]
fn the_gate_accepts_its_own_tokens_by_scope() {
    let world = World::new();
    let opened = world.open();
    assert_eq!(opened["token_type"], "Bearer");
    assert_eq!(
        (&opened["expires_in"], &opened["refresh_expires_in"]),
        (&json!(900), &json!(604_800))
    );
    let token = opened["access_token"].as_str().unwrap();
    let decision = world.bearer(token, "/v1/posts");
    assert_eq!(decision.outcome.unwrap().subject(), Some("alice"));
    assert_eq!(code(&world.bearer(token, "/v1/write")), Some(Code::InsufficientScope));
    // A minute of tolerance, for isolates whose clock is behind; no more.
    assert!(world.after(959).bearer(token, "/v1/posts").outcome.is_ok());
    assert_eq!(code(&world.after(1).bearer(token, "/v1/posts")), Some(Code::TokenExpired));
}

/// 22: what else the ring signs is no credential; GHSA-wxg7-w2v3-w38g: `exp` and `iat` have to be there, of the own issuer too.
#[test]
fn race_22_only_access_tokens_of_the_ring_are_credentials() {
    let world = World::new();
    let sessions = world.stores.sessions();
    let claims = |without: &str| {
        let mut claims = json!({
            "iss": ISSUER, "sub": "alice", "aud": ["https://api.example.com"], "client_id": "first-party",
            "iat": NOW_SECS, "exp": NOW_SECS + 900, "jti": "1", "scope": "read:posts",
        });
        claims.as_object_mut().unwrap().remove(without);
        claims.to_string()
    };
    let with = |claims: &str, typ: &str| {
        let token = run(sessions.sign(claims, typ, NOW)).unwrap();
        code(&world.bearer(&token, "/v1/posts"))
    };
    assert_eq!(with(&claims(""), "at+jwt"), None);
    for typ in ["edgegate-id+jwt", "JWT", "dpop+jwt", "id+jwt"] {
        assert_eq!(with(&claims(""), typ), Some(Code::InvalidToken), "{typ}");
    }
    for claim in ["exp", "iat", "aud", "client_id", "jti", "sub"] {
        assert_eq!(with(&claims(claim), "at+jwt"), Some(Code::InvalidToken), "{claim}");
    }
}

#[test]
fn the_signed_identity_for_upstreams_is_refused_as_a_credential() {
    let world = World::new();
    let opened = world.open();
    let decision = world.bearer(opened["access_token"].as_str().unwrap(), "/v1/posts");
    let caller = decision.outcome.unwrap();
    let own = world.policy.sessions.as_ref().unwrap();
    let sessions = world.stores.sessions();
    let told = (&caller, "https://upstream.example");
    let token = run(edgegate::guard::session::identity_token(sessions, own, told, NOW)).unwrap();
    assert_eq!(code(&world.bearer(&token, "/v1/posts")), Some(Code::InvalidToken));
}

// ---- browsers ----

#[test]
fn a_ticket_gives_cookies_and_these_admit() {
    let world = World::new();
    let jar = world.browser();
    world.steps();
    let decision = world.get(&jar, "/v1/posts");
    assert_eq!(decision.outcome.as_ref().unwrap().subject(), Some("alice"));
    assert!(decision.session.by_cookie);
    assert_eq!(set(&world, &decision), [""; 0]);
    assert_eq!(world.steps(), [""; 0], "no I/O while the token holds");
}

#[test]
fn renewed_inside_the_request_near_its_end_and_without_an_access_token() {
    let world = World::new();
    let mut jar = world.browser();
    world.after(839).steps();
    assert_eq!(set(&world, &world.get(&jar, "/v1/posts")), [""; 0]);
    let decision = world.after(1).get(&jar, "/v1/posts");
    assert!(decision.outcome.is_ok());
    let old = jar.clone();
    jar.take(&set(&world, &decision));
    assert_ne!(jar.at, old.at);
    assert_eq!(world.steps(), ["refresh"]);
    // 20 more that have left with the old cookies: the same generation, byte for byte.
    for _ in 0..20 {
        let mut other = old.clone();
        other.take(&set(&world, &world.get(&old, "/v1/posts")));
        assert_eq!(other.rt, jar.rt);
    }
    // Long after the access token has ended, by the refresh token alone.
    let gone = Jar { at: String::new(), ..jar.clone() };
    let decision = world.after(3 * 86_400).get(&gone, "/v1/posts");
    assert!(decision.outcome.is_ok());
    assert_eq!(set(&world, &decision).len(), 2);
}

/// 4: an upload answers twenty minutes later.
#[test]
fn race_4_late_answers_set_no_cookies() {
    let world = World::new();
    let jar = world.browser();
    let decision = world.after(880).get(&jar, "/v1/posts");
    assert_eq!(set(&world, &decision).len(), 2);
    world.after(29);
    assert_eq!(set(&world, &decision).len(), 2);
    world.after(1);
    assert_eq!(set(&world, &decision).len(), 0);
    // Nor do those of a session that has ended meanwhile.
    let world = World::new();
    let jar = world.browser();
    let decision = world.after(880).get(&jar, "/v1/posts");
    let Some(CookieChange::Set { session, .. }) = decision.session.change else { panic!() };
    world.stores.sessions().memory().note_ended(&[session], world.now());
    assert_eq!(set(&world, &decision).len(), 0);
}

/// 7: a proxy passed one of two `Set-Cookie` on.
#[test]
fn race_7_only_both_cookies_of_one_generation_confirm() {
    let world = World::new();
    let first = world.browser();
    let mut second = first.clone();
    second.take(&set(&world, &world.after(880).get(&first, "/v1/posts")));
    let half = Jar { at: second.at.clone(), rt: first.rt.clone() };
    world.after(60);
    let decision = world.get(&half, "/v1/posts");
    assert!(decision.outcome.is_ok());
    assert!(decision.session.confirm.is_none());
    let decision = world.get(&second, "/v1/posts");
    assert!(decision.session.confirm.is_some());
    assert!(world.tell(&decision));
    // 17: told once.
    assert!(world.get(&second, "/v1/posts").session.confirm.is_none());
}

/// 3: a bearer of the gate's own confirms, and so does introspection.
#[test]
fn race_3_introspection_confirms_too() {
    let world = World::new();
    let opened = world.open();
    let first = opened["refresh_token"].as_str().unwrap();
    let second = world.refresh(first).unwrap();
    let form = format!(
        "token={}&client_id=app&client_secret=admin-token-that-has-32-bytes-yes",
        second["accessToken"].as_str().unwrap()
    );
    world.after(30);
    let asked = request("POST", "/auth/introspect");
    let answer = world
        .ask(&asked, |endpoints| async move { endpoints.introspect(form.as_bytes()).await })
        .unwrap();
    assert!(answer.body.starts_with(r#"{"active":true"#), "{}", answer.body);
    assert!(answer.note.confirm.is_some());
}

/// 15: a store that does not answer is no log-out.
#[test]
fn race_15_a_fault_of_the_store_is_no_log_out() {
    let world = World::new();
    let jar = world.browser();
    world.stores.sessions().broken.set(true);
    let decision = world.after(880).get(&jar, "/v1/posts");
    assert!(decision.outcome.is_ok(), "the access token still holds");
    assert_eq!(set(&world, &decision).len(), 0);
    let decision = world.after(200).get(&jar, "/v1/posts");
    assert_eq!(code(&decision), Some(Code::StoreUnavailable));
    assert_eq!(set(&world, &decision).len(), 0, "cookies stay");
    assert_eq!(world.refresh(&jar.rt).unwrap_err().code(), Code::StoreUnavailable);
    world.stores.sessions().broken.set(false);
    assert!(world.get(&jar, "/v1/posts").outcome.is_ok());
}

/// 15, 16: a definite end clears the cookies, and is asked once.
#[test]
fn race_16_an_ended_session_is_remembered_and_its_cookies_go() {
    let world = World::new();
    let jar = world.browser();
    let ask = request("DELETE", "/auth/admin/sessions");
    world.ask(&ask, |endpoints| async move { endpoints.end_all_of("alice").await }).unwrap();
    world.after(1000).steps();
    for _ in 0..10 {
        let decision = world.get(&jar, "/v1/posts");
        assert_eq!(code(&decision), Some(Code::InvalidRefreshToken));
        let values = set(&world, &decision);
        assert!(
            values.iter().all(|value| value.contains("=; ") && value.ends_with("Max-Age=0")),
            "{values:?}"
        );
    }
    assert_eq!(world.steps(), [""; 0], "the isolate that ended it knows");
}

/// Forged refresh tokens ask nobody.
#[test]
fn forged_refresh_tokens_cost_no_io() {
    let world = World::new();
    let jar = world.browser();
    world.after(1000).steps();
    for place in 12..jar.rt.len() {
        let mut rt = jar.rt.clone();
        let other = if rt.as_bytes()[place] == b'A' { "B" } else { "A" };
        rt.replace_range(place..=place, other);
        if rt == jar.rt {
            continue;
        }
        let decision = world.get(&Jar { at: String::new(), rt: rt.clone() }, "/v1/posts");
        assert_eq!(code(&decision), Some(Code::InvalidRefreshToken));
        assert_eq!(world.refresh(&rt).unwrap_err().code(), Code::InvalidRefreshToken);
        assert_eq!(set(&world, &decision).len(), 0);
    }
    assert_eq!(world.steps(), [""; 0]);
    assert!(world.get(&jar, "/v1/posts").outcome.is_ok());
}

/// 31: one credential in a header decides alone.
#[test]
fn race_31_cookies_beside_another_credential_are_not_read() {
    let world = World::new();
    let jar = world.browser();
    let opened = world.admin(&json!({"subject": "bob", "scopes": ["read:posts"]})).unwrap();
    let bearer = format!("Bearer {}", opened["access_token"].as_str().unwrap());
    for cookies in [jar.header(), "__Host-edgegate-at=x; __Host-edgegate-at=y".to_owned()] {
        let request = Request {
            authorization: Some(&bearer),
            cookie: Some(&cookies),
            ..request("POST", "/v1/posts")
        };
        let decision = check_at(&world.policy, &world.stores, &request, world.now());
        assert_eq!(decision.outcome.unwrap().subject(), Some("bob"));
        assert!(!decision.session.by_cookie && decision.session.change.is_none());
    }
    assert_eq!(
        edgegate::guard::session::without_cookies(&jar.header()).as_deref(),
        Some("a=1"),
        "and are stripped all the same"
    );
}

/// CVE-2026-47675 (hono): cookie tossing.
#[test]
fn cve_2026_47675_two_cookies_of_one_name_are_refused() {
    let world = World::new();
    let jar = world.browser();
    for header in [
        format!("{}; __Host-edgegate-at=x", jar.header()),
        format!("{}; __Host-edgegate-rt={}", jar.header(), jar.rt),
        format!("{}; __host-edgegate-at=x", jar.header()),
        format!("{}; __Host_edgegate_rt=x", jar.header()),
    ] {
        let request = Request { cookie: Some(&header), ..request("GET", "/v1/posts") };
        let decision = check_at(&world.policy, &world.stores, &request, world.now());
        assert_eq!(code(&decision), Some(Code::MultipleCredentials), "{header}");
    }
}

/// A page of a sibling domain cannot set `__Host-` cookies, but can have a browser send their names behind a comma or another blank.
#[test]
fn cookies_that_only_a_generous_reader_finds_open_no_session() {
    let world = World::new();
    let planted = world.browser().header();
    for header in [
        format!("x=1,{}", planted.replace("; ", ",")),
        format!("x=1, {}", planted.replace("; ", ", ")),
        format!("\u{2000}{}", planted.replace("; ", "; \u{2000}")),
        format!("\u{a0}{}", planted.replace("; ", "; \u{a0}")),
    ] {
        let request = Request { cookie: Some(&header), ..request("GET", "/v1/posts") };
        let decision = check_at(&world.policy, &world.stores, &request, world.now());
        assert_eq!(code(&decision), Some(Code::MissingCredentials), "{header}");
        let rest = edgegate::guard::session::without_cookies(&header).unwrap_or_default();
        assert!(!rest.contains("__Host-edgegate"), "{rest}");
    }
}

/// 33: before scopes, and before any I/O; 34: safe methods renew always.
#[test]
fn race_33_csrf_is_asked_before_scopes_and_io() {
    let world = World::new();
    let jar = world.browser();
    let header = jar.header();
    world.after(880).steps();
    let decide = |method, fetch_site, origin, path| {
        let provenance = Provenance { fetch_site, origin, upgrades: false };
        let request = Request { cookie: Some(&header), provenance, ..request(method, path) };
        check_at(&world.policy, &world.stores, &request, world.now())
    };
    for (fetch_site, origin) in [
        (Some("cross-site"), Some("https://evil.example")),
        (Some("same-site"), None),
        (None, None),
        (None, Some("null")),
        (None, Some("https://api.example.com.evil.example")),
    ] {
        let decision = decide("POST", fetch_site, origin, "/v1/write");
        assert_eq!(code(&decision), Some(Code::CsrfRefused));
        assert_eq!(set(&world, &decision).len(), 0);
    }
    assert_eq!(world.steps(), [""; 0]);
    let decision = decide("POST", Some("same-origin"), None, "/v1/write");
    assert_eq!(code(&decision), Some(Code::InsufficientScope));
    let decision = decide("POST", None, Some("https://api.example.com"), "/v1/posts");
    assert!(decision.outcome.is_ok());
    let decision = decide("GET", Some("cross-site"), None, "/v1/posts");
    assert!(decision.outcome.is_ok() && set(&world, &decision).len() == 2, "a link from a mail");
}

/// 33: the cookie that an operator names has the rule too, unless the policy says that the service sees to it.
#[test]
fn race_33_an_operators_own_cookie_has_the_rule_too() {
    let document = |csrf: Value| {
        json!({
            "cookie": "session", "csrf": csrf, "origin": "https://api.example.com",
            "issuers": [{"issuer": "me", "audience": ["a"], "secret": "JWT_SECRET"}],
        })
    };
    let token = mint::hs256(
        r#"{"alg":"HS256"}"#,
        r#"{"iss":"me","aud":"a","sub":"alice","exp":9999999999}"#,
    );
    let cookie = format!("session={token}");
    let stores = Stores::default();
    let decide = |csrf: &str, method, fetch_site| {
        let policy = gate::policy(&document(json!(csrf)));
        let provenance = Provenance { fetch_site, ..Provenance::default() };
        let request = Request { cookie: Some(&cookie), provenance, ..request(method, "/") };
        code(&check_at(&policy, &stores, &request, NOW))
    };
    assert_eq!(decide("on", "GET", None), None);
    assert_eq!(decide("on", "POST", Some("same-origin")), None);
    assert_eq!(decide("on", "POST", Some("cross-site")), Some(Code::CsrfRefused));
    assert_eq!(decide("on", "POST", None), Some(Code::CsrfRefused));
    assert_eq!(decide("off", "POST", None), None);
    let without = gate::read(&json!({"csrf": "off"})).unwrap_err().to_string();
    assert_eq!(without, "csrf: only with cookie is it used; sessions always have the rule");
}

/// Cookies of sessions are credentials: over plain http somebody may have read them.
#[test]
fn cookies_of_sessions_over_plain_http_are_refused() {
    let mut document = document(&sessions());
    document["https"] = json!("redirect");
    let policy = gate::policy(&document);
    let plain = Request { url: Some("http://api.example.com/"), ..request("GET", "/") };
    let with = Request { cookie: Some("__Host-edgegate-rt=x"), ..plain };
    use edgegate::guard::{Insecure, insecure};
    assert!(matches!(insecure(&policy, &plain), Some(Insecure::Redirected(_))));
    assert!(matches!(insecure(&policy, &with), Some(Insecure::Refused(Error::CredentialInClear))));
}

/// 32: cookie in, cookies out; and 31: a native app with a stray cookie needs no `Origin`.
#[test]
fn race_32_a_refresh_by_cookie_shows_no_token() {
    let world = World::new();
    let jar = world.browser();
    let header = jar.header();
    world.after(60);
    let by_cookie =
        from_page(Request { cookie: Some(&header), ..request("POST", "/auth/refresh") });
    let answer =
        world.ask(&by_cookie, |endpoints| async move { endpoints.refresh(b"").await }).unwrap();
    assert_eq!(answer.body, r#"{"expiresIn":900}"#);
    assert!(matches!(answer.note.change, Some(CookieChange::Set { .. })));
    let foreign = Request { cookie: Some(&header), ..request("POST", "/auth/refresh") };
    let refused = world.ask(&foreign, |endpoints| async move { endpoints.refresh(b"{}").await });
    assert_eq!(refused.unwrap_err().code(), Code::CsrfRefused);
    let opened = world.open();
    let body = json!({"refreshToken": opened["refresh_token"]}).to_string();
    let answer = world
        .ask(&foreign, |endpoints| async move { endpoints.refresh(body.as_bytes()).await })
        .unwrap();
    assert!(answer.note.change.is_none() && answer.body.contains("accessToken"));
}

// ---- endpoints ----

#[test]
fn refresh_is_as_the_guide_says() {
    let world = World::new();
    let opened = world.open();
    let first = opened["refresh_token"].as_str().unwrap();
    let refreshed = world.after(60).refresh(first).unwrap();
    let mut names: Vec<&String> = refreshed.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["accessToken", "expiresIn", "refreshToken"]);
    let token = refreshed["accessToken"].as_str().unwrap();
    assert!(world.bearer(token, "/v1/posts").outcome.is_ok());
    for body in ["", "{}", r#"{"refreshToken":""}"#] {
        let request = request("POST", "/auth/refresh");
        let error = world
            .ask(&request, |endpoints| async move { endpoints.refresh(body.as_bytes()).await })
            .unwrap_err();
        let refusal = Refusal::new(&error, None, None);
        assert_eq!(refusal.status, 400);
        assert!(refusal.body.contains(r#""error":"Refresh token required""#), "{}", refusal.body);
    }
    let refusal = Refusal::new(&world.refresh("x").unwrap_err(), None, None);
    assert_eq!(refusal.status, 401);
    assert_eq!(
        refusal.body,
        "{\"error\":\"Invalid refresh token\",\"code\":\"INVALID_REFRESH_TOKEN\",\"hint\":\"Please log in again\"}\n"
    );
}

#[test]
fn a_copied_session_ends_everywhere() {
    let world = World::new();
    let opened = world.open();
    let first = opened["refresh_token"].as_str().unwrap();
    let second = world.after(900).refresh(first).unwrap();
    let access = second["accessToken"].as_str().unwrap();
    let decision = world.after(30).bearer(access, "/v1/posts");
    assert!(world.tell(&decision));
    assert_eq!(world.refresh(first).unwrap_err(), Error::RefreshTokenReused);
    assert_eq!(code(&world.bearer(access, "/v1/posts")), Some(Code::TokenRevoked));
    assert_eq!(
        world.refresh(second["refreshToken"].as_str().unwrap()).unwrap_err(),
        Error::SessionEnded
    );
}

/// 12: 202 as long as it is not known where revocations are kept.
#[test]
fn race_12_done_is_said_when_it_is_true() {
    let world = World::new();
    let opened = world.open();
    let access = opened["access_token"].as_str().unwrap();
    world.stores.break_down("entries");
    let delete = request("DELETE", "/auth/admin/sessions");
    let end = || {
        world.ask(&delete, |endpoints| async move { endpoints.end_all_of("alice").await }).unwrap()
    };
    let answer = end();
    assert_eq!((answer.status, answer.body.as_str()), (202, r#"{"pending":true,"ended":1}"#));
    assert_eq!(
        world.refresh(opened["refresh_token"].as_str().unwrap()).unwrap_err(),
        Error::SessionEnded
    );
    let here = code(&world.bearer(access, "/v1/posts"));
    assert_eq!(here, Some(Code::TokenRevoked), "by what this isolate remembers");
    world.stores.repair();
    let answer = end();
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"ended":0}"#));
    assert_eq!(code(&world.bearer(access, "/v1/posts")), Some(Code::TokenRevoked));
}

#[test]
fn my_sessions_are_listed_and_ended() {
    let world = World::new();
    let tokens: Vec<Value> = (0..3).map(|_| world.after(1).open()).collect();
    let header = format!("Bearer {}", tokens[2]["access_token"].as_str().unwrap());
    let asked = Request { authorization: Some(&header), ..request("GET", "/auth/sessions") };
    let answer = world.ask(&asked, |endpoints| async move { endpoints.sessions().await }).unwrap();
    let listed: Value = serde_json::from_str(&answer.body).unwrap();
    let current: Vec<&Value> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["current"] == true)
        .collect();
    assert_eq!(current.len(), 1);
    assert_eq!(current[0]["id"], tokens[2]["session_id"]);
    let first = tokens[0]["session_id"].as_str().unwrap();
    let end = |which, id: Option<&'static str>| {
        world.ask(&asked, move |endpoints| async move { endpoints.end_mine(which, id).await })
    };
    let first: &'static str = first.to_owned().leak();
    assert_eq!(end(Which::One, Some(first)).unwrap().status, 200);
    assert_eq!(end(Which::One, Some(first)).unwrap_err(), Error::NotFound);
    assert_eq!(end(Which::One, Some("AAAAAAAAAAAAAAAA")).unwrap_err(), Error::NotFound);
    assert_eq!(end(Which::Others, None).unwrap().body, r#"{"ended":1}"#);
    assert!(world.bearer(tokens[2]["access_token"].as_str().unwrap(), "/v1/posts").outcome.is_ok());
    assert_eq!(
        code(&world.bearer(tokens[1]["access_token"].as_str().unwrap(), "/v1/posts")),
        Some(Code::TokenRevoked)
    );
    // Bob cannot reach alice's.
    let bob = world.admin(&json!({"subject": "bob"})).unwrap();
    let header = format!("Bearer {}", bob["access_token"].as_str().unwrap());
    let asked = Request { authorization: Some(&header), ..request("DELETE", "/auth/sessions/x") };
    let mine: &'static str = tokens[2]["session_id"].as_str().unwrap().to_owned().leak();
    let refused = world.ask(&asked, move |endpoints| async move {
        endpoints.end_mine(Which::One, Some(mine)).await
    });
    assert_eq!(refused.unwrap_err(), Error::NotFound);
}

/// A client that acts for a user neither sees nor ends what the user has elsewhere.
#[test]
fn a_clients_token_has_a_say_over_its_own_session_alone() {
    let world = World::new();
    let first_party = world.open();
    let opened = world.admin(&json!({"subject": "alice", "client_id": "app"})).unwrap();
    let access = opened["access_token"].as_str().unwrap();
    let header = format!("Bearer {access}");
    let asked = Request { authorization: Some(&header), ..request("POST", "/auth/sessions") };
    let refused = Error::ClientNotAllowed;
    let listed = world.ask(&asked, |endpoints| async move { endpoints.sessions().await });
    assert_eq!(listed.unwrap_err(), refused);
    let id: &'static str = first_party["session_id"].as_str().unwrap().to_owned().leak();
    for (which, id) in [(Which::One, Some(id)), (Which::Others, None), (Which::All, None)] {
        let ended =
            world.ask(&asked, move |endpoints| async move { endpoints.end_mine(which, id).await });
        assert_eq!(ended.unwrap_err(), refused, "{which:?}");
    }
    let everywhere = world
        .ask(&asked, |endpoints| async move { endpoints.logout(br#"{"everywhere":true}"#).await });
    assert_eq!(everywhere.unwrap_err(), refused);
    // Nor does its token as a cookie.
    let cookie = format!("__Host-edgegate-at={access}");
    let by_cookie = from_page(Request { cookie: Some(&cookie), ..request("POST", "/auth/logout") });
    for body in [&b""[..], br#"{"everywhere":true}"#] {
        let ended = world.ask(&by_cookie, |endpoints| async move { endpoints.logout(body).await });
        assert_eq!(ended.unwrap_err(), refused);
    }
    assert!(world.refresh(first_party["refresh_token"].as_str().unwrap()).is_ok());
    assert!(world.ask(&asked, |endpoints| async move { endpoints.session().await }).is_ok());
    let own = world.ask(&asked, |endpoints| async move { endpoints.logout(b"").await });
    assert_eq!(own.unwrap().body, r#"{"ended":1}"#);
}

/// Tokens of others, and API keys, have no business at these endpoints.
#[test]
fn foreign_tokens_are_not_allowed_at_the_endpoints_of_sessions() {
    let mut document = document(&sessions());
    document["issuers"] = json!([{"issuer": "me", "audience": ["a"], "secret": "JWT_SECRET"}]);
    let world = World { policy: gate::policy(&document), ..World::new() };
    let foreign = mint::hs256(
        r#"{"alg":"HS256"}"#,
        r#"{"iss":"me","aud":"a","sub":"alice","exp":9999999999}"#,
    );
    let header = format!("Bearer {foreign}");
    let asked = Request { authorization: Some(&header), ..request("GET", "/auth/session") };
    let refused = world.ask(&asked, |endpoints| async move { endpoints.session().await });
    assert_eq!(refused.unwrap_err().code(), Code::NotAllowed);
}

/// better-auth PR 9991: a page of another site logs nobody out.
#[test]
fn log_out_ends_this_session_or_all_and_clears_the_cookies() {
    let world = World::new();
    let jar = world.browser();
    let other = world.open();
    let header = jar.header();
    let foreign = Request { cookie: Some(&header), ..request("POST", "/auth/logout") };
    let refused = world.ask(&foreign, |endpoints| async move { endpoints.logout(b"").await });
    assert_eq!(refused.unwrap_err().code(), Code::CsrfRefused);
    let from_here = from_page(foreign);
    let answer =
        world.ask(&from_here, |endpoints| async move { endpoints.logout(b"").await }).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"ended":1}"#));
    assert!(answer.clears_cache && matches!(answer.note.change, Some(CookieChange::Expire(_))));
    // Cookies that are worth nothing any more go as well.
    let again =
        world.ask(&from_here, |endpoints| async move { endpoints.logout(b"").await }).unwrap();
    assert!(matches!(again.note.change, Some(CookieChange::Expire(_))));
    assert!(world.refresh(other["refresh_token"].as_str().unwrap()).is_ok());
    let jar = world.browser();
    let header = jar.header();
    let from_here = from_page(Request { cookie: Some(&header), ..request("POST", "/auth/logout") });
    let all = world.ask(&from_here, |endpoints| async move {
        endpoints.logout(br#"{"everywhere":true}"#).await
    });
    assert_eq!(all.unwrap().body, r#"{"ended":2}"#);
}

/// 1: that a copy was used is told the log wherever it comes; so is that a secret has leaked.
#[test]
fn a_refusal_that_an_operator_should_know_of_is_an_event() {
    use edgegate::session::{ObjectName, Salt, secrets::SessionSecrets, token::RefreshToken};
    let world = World::new();
    let asked = |path, body: String| {
        let request = request("POST", path);
        let endpoints =
            Endpoints::new(&world.policy, &world.stores, &request, world.now()).unwrap();
        let answered = match path {
            "/auth/refresh" => run(endpoints.refresh(body.as_bytes())),
            "/auth/token" => run(endpoints.token(body.as_bytes())),
            _ => run(endpoints.revoke(body.as_bytes())),
        };
        match answered {
            Ok(answer) => answer.note.events,
            Err(_) => endpoints.take_note().events,
        }
    };
    for path in ["/auth/refresh", "/auth/token"] {
        let opened = world.open();
        let first = opened["refresh_token"].as_str().unwrap();
        let second = world.after(900).refresh(first).unwrap();
        world.after(60).tell(&world.bearer(second["accessToken"].as_str().unwrap(), "/v1/posts"));
        let body = match path {
            "/auth/refresh" => json!({"refreshToken": first}).to_string(),
            _ => format!("grant_type=refresh_token&refresh_token={first}"),
        };
        assert_eq!(asked(path, body), [SessionEvent::RefreshReused], "{path}");
    }
    let opened = world.open();
    let own = world.policy.sessions.as_ref().unwrap();
    let secrets: &SessionSecrets = &own.secrets;
    let genuine = RefreshToken::open(
        opened["refresh_token"].as_str().unwrap(),
        secrets,
        world.now().to_unix_time(),
    )
    .unwrap();
    assert_eq!(genuine.object, ObjectName::of(ISSUER, "alice"));
    let forged = RefreshToken { salt: Salt::from_bytes([0; 8]), ..genuine };
    let forged = forged.seal(secrets).unwrap();
    let body = format!("token={forged}");
    assert_eq!(asked("/auth/revoke", body), [SessionEvent::SaltDiffers]);
    assert!(world.refresh(opened["refresh_token"].as_str().unwrap()).is_ok());
}

/// What has ended, or is a client's, is no reason to end all the others.
#[test]
fn log_out_everywhere_wants_a_session_that_goes_on() {
    let world = World::new();
    let jar = world.browser();
    let other = world.open();
    let client = world.admin(&json!({"subject": "alice", "client_id": "app"})).unwrap();
    let log_out = |header: &str, body: &'static str| {
        let asked = from_page(Request { cookie: Some(header), ..request("POST", "/auth/logout") });
        let endpoints = Endpoints::new(&world.policy, &world.stores, &asked, world.now()).unwrap();
        let answered = run(endpoints.logout(body.as_bytes()));
        let expires = matches!(endpoints.take_note().change, Some(CookieChange::Expire(_)));
        (answered.map(|answer| answer.status), expires)
    };
    let everywhere = r#"{"everywhere":true}"#;
    assert_eq!(log_out(&jar.header(), ""), (Ok(200), false));
    let ended = (Err(Error::SessionEnded), true);
    assert_eq!(log_out(&jar.header(), everywhere), ended);
    assert_eq!(log_out("__Host-edgegate-rt=edgegate_rt_x", everywhere), ended);
    let of_client = format!("__Host-edgegate-rt={}", client["refresh_token"].as_str().unwrap());
    for body in ["", everywhere] {
        assert_eq!(log_out(&of_client, body).0, Err(Error::RefreshTokenOfOtherClient));
    }
    assert!(world.refresh(other["refresh_token"].as_str().unwrap()).is_ok());
}

/// 21: a log-in ends the session that this browser had.
#[test]
fn race_21_a_log_in_ends_the_session_before_it() {
    let world = World::new();
    let jar = world.browser();
    let header = jar.header();
    let ticket = world.admin(&json!({"subject": "bob", "ticket": true})).unwrap();
    let body = json!({"ticket": ticket["ticket"]}).to_string();
    let request =
        from_page(Request { cookie: Some(&header), ..request("POST", "/auth/session/start") });
    let start = || {
        let body = body.clone();
        world.ask(&request, |endpoints| async move {
            endpoints.start(body.as_bytes(), Device::default()).await
        })
    };
    start().unwrap();
    assert_eq!(world.refresh(&jar.rt).unwrap_err(), Error::SessionEnded);
    assert_eq!(start().unwrap_err().code(), Code::InvalidRefreshToken, "once");
}

// ---- clients ----

#[test]
fn machines_get_tokens_and_nothing_else() {
    let world = World::new();
    let token = world.token(Some(BATCH), "grant_type=client_credentials").unwrap();
    assert_eq!(token["scope"], "read:posts repo");
    assert_eq!(token.get("refresh_token"), None);
    let decision = world.bearer(token["access_token"].as_str().unwrap(), "/v1/posts");
    assert_eq!(decision.outcome.unwrap().subject(), Some("client|batch"));
    let narrow =
        world.token(Some(BATCH), "grant_type=client_credentials&scope=repo:status").unwrap();
    assert_eq!(narrow["scope"], "repo:status");
    let word = |authorization, form: &str| {
        Refusal::oauth(&world.token(authorization, form).unwrap_err(), true)
            .body
            .split('"')
            .nth(3)
            .unwrap()
            .to_owned()
    };
    for (authorization, form, error) in [
        (None, "grant_type=client_credentials", "invalid_client"),
        (None, "grant_type=client_credentials&client_id=batch", "invalid_client"),
        (
            None,
            "grant_type=client_credentials&client_id=batch&client_secret=wrong",
            "invalid_client",
        ),
        (Some(BATCH), "grant_type=client_credentials&client_id=app", "invalid_client"),
        (Some(BATCH), "grant_type=client_credentials&client_secret=x", "invalid_request"),
        (Some(BATCH), "grant_type=client_credentials&scope=write:posts", "invalid_scope"),
        (Some(BATCH), "grant_type=client_credentials&resource=https://other", "invalid_target"),
        (Some(BATCH), "grant_type=password", "unsupported_grant_type"),
        (Some(BATCH), "grant_type=refresh_token&refresh_token=x", "unauthorized_client"),
        (None, "grant_type=refresh_token&refresh_token=x", "invalid_grant"),
        (None, "grant_type=refresh_token", "invalid_request"),
        (None, "", "invalid_request"),
        (None, "grant_type=a&grant_type=a", "invalid_request"),
    ] {
        assert_eq!(word(authorization, form), error, "{form}");
    }
}

#[test]
fn a_machine_gets_sixty_tokens_a_minute_and_none_when_it_is_disabled() {
    let world = World::new();
    let ask = || world.token(Some(BATCH), "grant_type=client_credentials");
    assert_eq!((0..100).filter(|_| ask().is_ok()).count(), 60);
    assert_eq!(ask().unwrap_err().code(), Code::RateLimited);
    let token = world.after(1);
    let token = token.token(Some(BATCH), "grant_type=client_credentials").unwrap();
    let request = request("POST", "/auth/admin/subjects/disable");
    world
        .ask(&request, |endpoints| async move {
            endpoints.disable(br#"{"subject":"client|batch"}"#).await
        })
        .unwrap();
    assert_eq!(
        world.after(60).token(Some(BATCH), "grant_type=client_credentials").unwrap_err(),
        Error::SubjectDisabled
    );
    assert_eq!(
        code(&world.bearer(token["access_token"].as_str().unwrap(), "/v1/posts")),
        Some(Code::TokenRevoked)
    );
}

/// RFC 8707: who asks for a token for one service gets none for the others.
#[test]
fn a_machines_token_is_for_what_it_was_asked_for() {
    let mut sessions = sessions();
    sessions["audience"] = json!(["https://api.example.com", "https://other.example.com"]);
    let world = World { policy: gate::policy(&document(&sessions)), ..World::new() };
    for (asked, audience) in [
        ("", json!(["https://api.example.com", "https://other.example.com"])),
        ("&resource=https://other.example.com", json!(["https://other.example.com"])),
    ] {
        let form = format!("grant_type=client_credentials{asked}");
        let token = world.token(Some(BATCH), &form).unwrap();
        let payload = token["access_token"].as_str().unwrap().split('.').nth(1).unwrap();
        let claims = edgegate::base64url::decode(payload).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], audience);
    }
}

/// What this isolate knows to have ended it does not call active, whatever the store of revocations has yet.
#[test]
fn introspection_knows_what_the_isolate_knows_to_have_ended() {
    use edgegate::session::SessionId;
    let world = World::new();
    let opened = world.open();
    let form = format!("token={}", opened["access_token"].as_str().unwrap());
    let form = format!("{form}&client_id=app&client_secret=admin-token-that-has-32-bytes-yes");
    let asked = request("POST", "/auth/introspect");
    let active = || {
        let form = form.clone();
        let told = world
            .ask(&asked, |endpoints| async move { endpoints.introspect(form.as_bytes()).await })
            .unwrap();
        serde_json::from_str::<Value>(&told.body).unwrap()["active"].clone()
    };
    assert_eq!(active(), true);
    let id = SessionId::parse(opened["session_id"].as_str().unwrap()).unwrap();
    world.stores.sessions().memory().note_ended(&[id], world.now());
    assert_eq!(active(), false);
}

/// Not even the right secret passes after too many wrong ones, or guessing would not be slower.
#[test]
fn a_clients_secret_is_guessed_a_bounded_number_of_times() {
    let mut document = document(&sessions());
    document["failed_authentication"] = json!({"requests": 3, "window_secs": 60});
    let world = World { policy: gate::policy(&document), ..World::new() };
    let ask = |ip: [u8; 4], client: &str, secret: &str| {
        let form = format!("token=x&client_id={client}&client_secret={secret}");
        let asked = Request { client_ip: Some(ip.into()), ..request("POST", "/auth/introspect") };
        let told = world
            .ask(&asked, |endpoints| async move { endpoints.introspect(form.as_bytes()).await });
        told.map_err(|error| error.code()).err()
    };
    let right = "admin-token-that-has-32-bytes-yes";
    for _ in 0..5 {
        assert!(ask([192, 0, 2, 1], "app", "wrong").is_some());
    }
    assert_eq!(ask([192, 0, 2, 1], "app", right), Some(Code::RateLimited));
    assert_eq!(ask([192, 0, 2, 2], "app", right), None, "another address");
    // Guesses of another client's secret shut this one out of nothing.
    for _ in 0..5 {
        assert!(ask([192, 0, 2, 3], "batch", "wrong").is_some());
    }
    assert_eq!(ask([192, 0, 2, 3], "app", right), None);
    world.after(61);
    assert_eq!(ask([192, 0, 2, 1], "app", right), None);
}

/// 26; CVE-2026-53512: a client's session is refreshed at `/token` by that client alone.
#[test]
fn cve_2026_53512_a_clients_session_needs_its_client() {
    let world = World::new();
    let opened = world.admin(&json!({"subject": "alice", "client_id": "app"})).unwrap();
    let refresh = opened["refresh_token"].as_str().unwrap();
    assert_eq!(world.refresh(refresh).unwrap_err(), Error::RefreshTokenOfOtherClient);
    let form = |rest: &str| format!("grant_type=refresh_token&refresh_token={refresh}{rest}");
    assert_eq!(world.token(None, &form("")).unwrap_err(), Error::RefreshTokenOfOtherClient);
    assert_eq!(world.token(None, &form("&client_id=app")).unwrap_err().code(), Code::InvalidToken);
    let own = form("&client_id=app&client_secret=admin-token-that-has-32-bytes-yes");
    let token = world.token(None, &own).unwrap();
    assert_eq!(token["token_type"], "Bearer");
    assert!(token["refresh_token"].is_string());
}

/// 29: possession ends first-party tokens; another client's are not.
#[test]
fn race_29_revocation_and_introspection_know_whose_token_it_is() {
    let world = World::new();
    let revoke = |authorization: Option<&str>, token: &str| {
        let form = format!("token={token}");
        let authorization = authorization.map(str::to_owned);
        let request =
            Request { authorization: authorization.as_deref(), ..request("POST", "/auth/revoke") };
        world
            .ask(&request, |endpoints| async move { endpoints.revoke(form.as_bytes()).await })
            .map(|answer| answer.status)
    };
    let first = world.open();
    assert_eq!(revoke(None, first["refresh_token"].as_str().unwrap()), Ok(200));
    assert_eq!(
        world.refresh(first["refresh_token"].as_str().unwrap()).unwrap_err(),
        Error::SessionEnded
    );
    assert_eq!(
        code(&world.bearer(first["access_token"].as_str().unwrap(), "/v1/posts")),
        Some(Code::TokenRevoked)
    );
    let second = world.open();
    assert_eq!(revoke(None, second["access_token"].as_str().unwrap()), Ok(200));
    assert_eq!(
        code(&world.bearer(second["access_token"].as_str().unwrap(), "/v1/posts")),
        Some(Code::TokenRevoked)
    );
    assert!(world.refresh(second["refresh_token"].as_str().unwrap()).is_ok(), "the token alone");
    assert_eq!(revoke(None, "nonsense"), Ok(200));
    let of_app = world.admin(&json!({"subject": "alice", "client_id": "app"})).unwrap();
    for token in ["refresh_token", "access_token"] {
        let refused = revoke(Some(BATCH), of_app[token].as_str().unwrap()).unwrap_err();
        assert!(
            matches!(refused, Error::OAuth { error: "unauthorized_client", .. }),
            "{refused:?}"
        );
    }
    let introspect = |authorization: Option<&str>, token: &str, rest: &str| {
        let form = format!("token={token}{rest}");
        let authorization = authorization.map(str::to_owned);
        let request = Request {
            authorization: authorization.as_deref(),
            ..request("POST", "/auth/introspect")
        };
        world
            .ask(&request, |endpoints| async move { endpoints.introspect(form.as_bytes()).await })
            .map(|answer| answer.body)
    };
    let machine = world.token(Some(BATCH), "grant_type=client_credentials").unwrap();
    let machine = machine["access_token"].as_str().unwrap();
    let inactive = r#"{"active":false}"#;
    assert!(introspect(Some(BATCH), machine, "").unwrap().contains(r#""active":true"#));
    for token in [
        of_app["access_token"].as_str().unwrap(),
        of_app["refresh_token"].as_str().unwrap(),
        first["access_token"].as_str().unwrap(),
        "sk_test_x",
    ] {
        assert_eq!(introspect(Some(BATCH), token, "").unwrap(), inactive);
    }
    let app = "&client_id=app&client_secret=admin-token-that-has-32-bytes-yes";
    assert!(introspect(None, machine, app).unwrap().contains(r#""active":true"#));
    assert!(introspect(None, machine, "").is_err());
}

/// 18, 19: names that are somebody else's.
#[test]
fn race_18_subjects_of_machines_and_accounts_are_not_opened_by_accident() {
    let world = World::new();
    for (body, problem) in [
        (json!({"subject": "client|batch"}), "subject"),
        (json!({"subject": "client|batch", "existing": true}), "subject"),
        (json!({"subject": "account|1"}), "subject"),
        (json!({"subject": ""}), "subject"),
        (json!({"subject": "a\nb"}), "subject"),
        (json!({"subject": "a", "scopes": ["a b"]}), "scopes[0]"),
        (json!({"subject": "a", "client_id": "batch"}), "client_id"),
        (json!({"subject": "a", "audience": ["https://other"]}), "audience"),
        (json!({"subject": "a", "dpop_jkt": "x"}), "dpop_jkt"),
        (json!({"subject": "a", "claims": {"a": "x".repeat(1100)}}), "claims"),
        (json!({"subject": "a", "auth_time": NOW_SECS + 61}), "auth_time"),
        (json!({"subject": "a", "sub": "b"}), "sub"),
    ] {
        let error = world.admin(&body).unwrap_err();
        assert!(matches!(&error, Error::InvalidField { path, .. } if path == problem), "{error:?}");
    }
    assert!(world.admin(&json!({"subject": "account|1", "existing": true})).is_ok());
    assert!(world.admin(&json!({"subject": "auth0|1"})).is_ok());
}

/// 25: the longest token still fits into a cookie.
#[test]
fn race_25_the_longest_token_fits_into_a_cookie() {
    let world = World::new();
    let scopes: Vec<String> = (0..99).map(|number| format!("scope:{number:03}")).collect();
    let body = json!({
        "subject": "s".repeat(255),
        "scopes": scopes[..90],
        "amr": ["pwd", "otp"],
        "acr": "a".repeat(200),
        "claims": {"a": "x".repeat(1000)},
    });
    let opened = world.admin(&body).unwrap();
    assert!(opened["access_token"].as_str().unwrap().len() <= 4000);
}

/// GHSA-3p3g-vpw6-4w66 (hydra): an assertion counts once, and only for this gate.
#[test]
fn ghsa_3p3g_vpw6_4w66_a_client_assertion_counts_once() {
    let mut sessions = sessions();
    sessions["clients"][0] = json!({
        "id": "batch", "jwks_uri": "https://batch.example/jwks.json", "grants": ["client_credentials"], "scopes": ["read:posts"],
    });
    let world = World {
        policy: gate::policy(&document(&sessions)),
        stores: Stores::default().with_remote(mint::set(mint::eddsa_key())),
        ..World::new()
    };
    let assertion = |changes: Value| {
        let mut claims = json!({
            "iss": "batch", "sub": "batch", "aud": "https://gate.edgegate.local/auth/token", "exp": NOW_SECS + 60, "jti": "1",
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        mint::eddsa(r#"{"alg":"EdDSA"}"#, claims.to_string())
    };
    let ask = |assertion: &str, rest: &str| {
        let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        world.token(None, &format!("grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}{rest}"))
    };
    let first = assertion(json!({}));
    assert_eq!(ask(&first, "&client_id=other").unwrap_err(), Error::ClientNotProven);
    let second = assertion(json!({"jti": "2"}));
    assert!(ask(&second, "").is_ok());
    assert_eq!(ask(&second, "").unwrap_err(), Error::ClientNotProven);
    for changes in [
        json!({"jti": "3", "aud": ["https://gate.edgegate.local/"]}),
        json!({"jti": "4", "aud": "https://other.example/"}),
        json!({"jti": "5", "exp": NOW_SECS}),
        json!({"jti": "6", "exp": NOW_SECS + 1000}),
        json!({"jti": "7", "sub": "app"}),
    ] {
        assert_eq!(
            ask(&assertion(changes.clone()), "").unwrap_err(),
            Error::ClientNotProven,
            "{changes}"
        );
    }
    let forged = mint::hs256(r#"{"alg":"HS256"}"#, r#"{"iss":"batch"}"#);
    assert_eq!(ask(&forged, "").unwrap_err().code(), Code::InvalidToken);
    // A client that has a secret is not proven by an assertion.
    assert_eq!(
        ask(&assertion(json!({"iss": "app", "sub": "app", "jti": "8"})), "").unwrap_err(),
        Error::ClientNotProven
    );
}

/// 28: a session that is bound to a key is refreshed with a fresh proof by it, and never lives in a cookie.
#[test]
fn race_28_a_bound_session_is_refreshed_with_proofs() {
    let world = World::new();
    let key = mint::eddsa_key();
    let body = json!({"subject": "alice", "scopes": ["read:posts"], "dpop_jkt": key.thumbprint()});
    let opened = world.admin(&body).unwrap();
    assert_eq!(opened["token_type"], "DPoP");
    let access = opened["access_token"].as_str().unwrap();
    assert_eq!(code(&world.bearer(access, "/v1/posts")), Some(Code::InvalidToken), "no bearer");
    let jar =
        Jar { at: access.to_owned(), rt: opened["refresh_token"].as_str().unwrap().to_owned() };
    assert_eq!(
        code(&world.get(&jar, "/v1/posts")),
        Some(Code::InvalidRefreshToken),
        "nor in a cookie"
    );
    assert_eq!(world.refresh(&jar.rt).unwrap_err(), Error::SessionKeyNotProven);
    let url = "https://gate.edgegate.local/auth/token";
    let jwk = key.public().unwrap().to_jwk_text();
    let proof = |jti: &str| {
        let header = format!(r#"{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{jwk}}}"#);
        let claims = json!({"jti": jti, "htm": "POST", "htu": url, "iat": world.now.get()});
        mint::eddsa(header, claims.to_string())
    };
    let ask = |proof: &str, refresh: &str| {
        let form = format!("grant_type=refresh_token&refresh_token={refresh}");
        let request =
            Request { dpop: Some(proof), url: Some(url), ..request("POST", "/auth/token") };
        let answer =
            world.ask(&request, |endpoints| async move { endpoints.token(form.as_bytes()).await });
        answer.map(|answer| serde_json::from_str::<Value>(&answer.body).unwrap())
    };
    let first = proof("1");
    let token = ask(&first, &jar.rt).unwrap();
    assert_eq!(token["token_type"], "DPoP");
    assert_eq!(ask(&first, &jar.rt).unwrap_err(), Error::ProofReplayed);
    // The same key proves that whoever repeats is no thief.
    world.after(2000);
    assert!(ask(&proof("2"), token["refresh_token"].as_str().unwrap()).is_ok());
    world.after(2000);
    assert!(ask(&proof("3"), &jar.rt).is_ok());
    let ticket =
        world.admin(&json!({"subject": "alice", "dpop_jkt": key.thumbprint(), "ticket": true}));
    assert!(matches!(ticket, Err(Error::InvalidField { path, .. }) if path == "dpop_jkt"));
}

// ---- the policy ----

#[test]
fn faults_of_the_section_are_named() {
    let with = |path: &str, value: Value| {
        let mut sessions = sessions();
        let mut at = &mut sessions;
        for part in path.split('.') {
            at = match part.parse::<usize>() {
                Ok(index) => &mut at[index],
                Err(_) => &mut at[part],
            };
        }
        *at = value;
        gate::read(&document(&sessions)).unwrap_err().to_string()
    };
    for (path, value, message) in [
        (
            "issuer",
            json!("http://gate.example/"),
            "sessions.issuer: expected an https URL without query and fragment, or an http one on loopback",
        ),
        (
            "audience",
            json!([]),
            "sessions.audience: expected a non-empty list of non-empty strings",
        ),
        ("secret", json!(null), "sessions.secret: expected exactly one of secret, secrets"),
        ("secret", json!("SHORT"), "sessions.secret: secret has 31 bytes, expected at least 32"),
        ("algorithm", json!("HS512"), "sessions.algorithm: expected ES256, EdDSA, RS256 or HS256"),
        ("access_secs", json!(299), "sessions.access_secs: expected 300 to 86400 seconds"),
        ("idle_secs", json!(1799), "sessions.idle_secs: expected at least twice access_secs, 1800"),
        (
            "absolute_secs",
            json!(604_799),
            "sessions.absolute_secs: expected idle_secs to 34560000 seconds",
        ),
        ("recheck_secs", json!(899), "sessions.recheck_secs: expected at least access_secs, 900"),
        (
            "renew_before_secs",
            json!(451),
            "sessions.renew_before_secs: expected 1 to half of access_secs, 450",
        ),
        (
            "origins",
            json!(["null"]),
            "sessions.origins[0]: every page can be null, expected an origin",
        ),
        ("same_site", json!("None"), "sessions.same_site: expected Lax or Strict"),
        ("cookies", json!(false), "sessions.origins: only with cookies = true is it used"),
        (
            "clients.0.id",
            json!("first-party"),
            "sessions.clients[0].id: is what sessions without a client are called, expected another",
        ),
        ("clients.1.id", json!("batch"), "sessions.clients[1].id: this client is listed already"),
        (
            "clients.0.secret",
            json!(null),
            "sessions.clients[0]: expected exactly one of secret, secret_sha256, jwks_uri",
        ),
        (
            "clients.0.grants",
            json!(["password"]),
            "sessions.clients[0].grants[0]: expected refresh_token or client_credentials",
        ),
        (
            "clients.0.reuse",
            json!("grace"),
            "sessions.clients[0].grace_secs: is required with reuse = grace",
        ),
        (
            "clients.1.scopes",
            json!(["a"]),
            "sessions.clients[1].scopes: only tokens of client_credentials have them, sessions have their own",
        ),
    ] {
        assert_eq!(with(path, value), message);
    }
    let unknown = with("acces_secs", json!(1));
    assert!(
        unknown.starts_with("sessions.acces_secs: is not a known field, expected one of issuer, "),
        "{unknown}"
    );
}

/// 11: without revocations a log-out would be untrue; 18: no issuer is called as the gate.
#[test]
fn race_11_sessions_need_revocation_and_a_name_of_their_own() {
    let message = |document: Value| gate::read(&document).unwrap_err().to_string();
    let mut without = document(&sessions());
    without.as_object_mut().unwrap().remove("revocation");
    assert_eq!(
        message(without),
        "sessions: needs the section revocation: a log-out has to be known to every isolate"
    );
    let mut same = document(&sessions());
    same["issuers"] = json!([{"issuer": ISSUER, "audience": ["a"], "secret": "JWT_SECRET"}]);
    assert_eq!(
        message(same),
        "sessions.issuer: is issuers[0] too, expected a name that is the gate's alone"
    );
    let mut cookie = document(&sessions());
    cookie["cookie"] = json!("__Host-edgegate-at");
    assert_eq!(message(cookie), "cookie: is the name of a cookie of sessions, expected another");
    let mut identity = document(&sessions());
    identity["identity"] = json!("jwt");
    assert_eq!(
        message(identity),
        "identity: jwt needs identity_audience, or an upstream with a URL"
    );
    for origin in ["http://api.example.com", "https://api.example.com/", "null"] {
        let mut own = document(&sessions());
        own["origin"] = json!(origin);
        assert!(message(own).starts_with("origin: "), "{origin}");
    }
}

#[test]
fn the_signed_identity_is_for_the_upstream_of_the_route() {
    let mut document = document(&sessions());
    document["upstream"] = json!("https://api.internal:8443/base");
    document["identity"] = json!("jwt");
    document["routes"] = json!([
        {"path": "/a"},
        {"path": "/b", "upstream": "https://b.internal/x", "identity_audience": "b"},
        {"path": "/c", "identity": "headers"},
    ]);
    let policy = gate::policy(&document);
    let audience = |path: &str| {
        let path = edgegate::policy::RequestPath::parse(path).unwrap();
        policy.identity_audience(policy.route("GET", &path)).map(str::to_owned)
    };
    assert_eq!(audience("/a").as_deref(), Some("https://api.internal:8443"));
    assert_eq!(audience("/b").as_deref(), Some("b"));
    assert_eq!(audience("/c"), None);
    assert_eq!(audience("/d").as_deref(), Some("https://api.internal:8443"));
}

// ---- the ring ----

#[test]
fn race_23_a_ring_publishes_no_secret() {
    use edgegate::{jose::algorithm::Algorithm, session::key_ring::KeyRing};
    let ring = |text: &str, algorithm| {
        KeyRing::from_secret(&Secret::new(text.as_bytes().to_vec()), algorithm)
    };
    let own = ring(RING, Algorithm::EdDsa).unwrap();
    let jwks = own.jwks();
    assert!(
        jwks.contains(r#""kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k""#),
        "RFC 7638: {jwks}"
    );
    assert!(!jwks.contains("nWGxne") && !jwks.contains(r#""d""#), "{jwks}");
    let secret = r#"{"keys":[{"kty":"oct","kid":"random","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr8"}]}"#;
    let hmac = ring(secret, Algorithm::Hs256).unwrap();
    assert_eq!(hmac.jwks(), r#"{"keys":[]}"#);
    assert!(hmac.verifying().is_symmetric());
    let refused = |text: &str| ring(text, Algorithm::EdDsa).unwrap_err().to_string();
    assert_eq!(refused("{}"), "JWK set: keys is not a list");
    assert_eq!(refused(r#"{"keys":[]}"#), "JWK set: expected exactly one key that is active");
    assert_eq!(
        ring(&secret.replace(r#""kid":"random","#, ""), Algorithm::Hs256).unwrap_err().to_string(),
        "JWK: a secret needs a kid, a random one"
    );
}

/// A gate with a provider, and a browser that has logged in there.
fn logged_in(recheck_secs: u32) -> (World, Jar) {
    let mut world = World::new();
    world.policy = policy_with("corp", recheck_secs);
    let at = world.now().to_unix_time();
    let login = Some(LoginRow { provider: "corp".to_owned(), at, session: None });
    let scopes = vec!["read:posts".to_owned()];
    let sub = "corp|alice".to_owned();
    let object = ObjectName::of(ISSUER, &sub);
    let own = world.policy.sessions.as_ref().unwrap();
    let step = Step::Open(Open {
        opening: Opening { sub, scopes, login, ..Opening::default() },
        new: NewSession {
            id: SessionId::from_bytes([1; 12]),
            salt: Salt::from_bytes([2; 8]),
            key_id: 1,
            device: Device::default(),
            place: None,
            browser: None,
            begun_at: None,
            terms: own.terms,
        },
    });
    let outcome = run(world.stores.sessions().store().apply(&object, &step, Patience::Usual));
    let grant = outcome.unwrap().granted().unwrap().clone();
    let rt = grant.refresh_token(object).seal(&own.secrets).unwrap();
    (world, Jar { at: "none".to_owned(), rt })
}

fn policy_with(provider: &str, recheck_secs: u32) -> Policy {
    let mut sessions = sessions();
    sessions["recheck_secs"] = json!(recheck_secs);
    let mut document = document(&sessions);
    document["login"] = json!({"providers": [
        {"id": provider, "type": "oidc", "issuer": "https://idp.test", "client_id": "gate", "client_secret": "JWT_SECRET"},
    ]});
    gate::policy(&document)
}

#[test]
fn a_login_ends_with_what_the_provider_said_and_with_the_provider() {
    let (world, jar) = logged_in(3600);
    let renewed = world.after(3500).get(&jar, "/v1/posts");
    assert!(renewed.outcome.is_ok(), "{:?}", renewed.outcome);
    let ended = world.after(100).get(&jar, "/v1/posts");
    assert_eq!(ended.outcome.unwrap_err(), Error::SessionEnded);
    assert!(matches!(ended.session.change, Some(CookieChange::Expire(_))));
    // Programs that were given the same token.
    let (world, jar) = logged_in(3600);
    assert!(world.after(3599).refresh(&jar.rt).is_ok());
    assert_eq!(world.after(1).refresh(&jar.rt).unwrap_err(), Error::SessionEnded);
    // The provider is another now.
    let (mut world, jar) = logged_in(3600);
    world.policy = policy_with("other", 3600);
    assert_eq!(world.refresh(&jar.rt).unwrap_err(), Error::SessionEnded);
}

#[test]
fn people_are_told_to_log_in_only_where_a_login_is_accepted() {
    let mut document = document(&sessions());
    document["login"] = json!({"providers": [
        {"id": "corp", "type": "oidc", "issuer": "https://idp.test", "client_id": "gate", "client_secret": "JWT_SECRET"},
    ]});
    document["api_keys"] = json!({
        "environment": "test",
        "prefixes": [{"prefix": "sk"}],
        "signing_keys": [{"id": 1, "secret": "API_KEY_SECRET"}],
    });
    document["routes"] = json!([
        {"path": "/v1/posts"},
        {"path": "/v1/keys", "accept": ["api_key"]},
    ]);
    let world = World { policy: gate::policy(&document), ..World::new() };
    let asked =
        |path| check_at(&world.policy, &world.stores, &request("GET", path), world.now()).outcome;
    assert_eq!(asked("/v1/posts").unwrap_err().code(), Code::LoginRequired);
    assert_eq!(asked("/v1/keys").unwrap_err().code(), Code::MissingCredentials);
}
