//! What logins ask of the platform: providers, AES-GCM, and signatures by a client's own key.

use std::{rc::Rc, time::Duration};

use wasm_bindgen::JsCast as _;
use web_sys::{Headers, Request, RequestInit, RequestRedirect, Response};
use worker::{Env, js_sys, wasm_bindgen_futures::JsFuture};

use super::{
    body, clock, deadline,
    memory::Memory,
    objects::grant_stub,
    web_crypto::{self, RuntimeCrypto},
};
use edgegate::{
    error::StoreError,
    grant::step::{GrantOutcome, GrantStep},
    guard::login::{LoginMemory, Logins, ProviderAnswer},
    login::{exchange::ProviderRequest, token_answer::MAX_ANSWER_LENGTH},
    secret::Secret,
    session::ObjectName,
    time::UnixMillis,
};

/// The logins of a gate.
#[derive(Debug)]
pub(super) struct GateLogins<'a> {
    pub(super) memory: &'a Rc<Memory>,
    pub(super) env: &'a Env,
}

impl Logins for GateLogins<'_> {
    type Crypto = RuntimeCrypto;

    fn crypto(&self) -> &RuntimeCrypto {
        &RuntimeCrypto
    }

    fn memory(&self) -> &LoginMemory {
        &self.memory.guard.logins
    }

    fn now(&self) -> UnixMillis {
        clock::now()
    }

    async fn ask(&self, request: &ProviderRequest) -> Result<ProviderAnswer, String> {
        let limit = Duration::from_millis(request.patience_millis.into());
        let answer = deadline::within(limit, ask(request)).await;
        answer.unwrap_or_else(|| Err("no answer in time".to_owned()))
    }

    async fn of_grants(
        &self,
        owner: &ObjectName,
        step: &GrantStep,
    ) -> Result<GrantOutcome, StoreError> {
        grant_stub::of_object(self.env, owner, step).await
    }

    async fn sign_es256(&self, key: &Secret, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        web_crypto::sign_es256(key, message).await
    }
}

async fn ask(request: &ProviderRequest) -> Result<ProviderAnswer, String> {
    let runtime = |fault: worker::Error| fault.to_string();
    let response = fetch(request).await.map_err(runtime)?;
    let body = match response.body() {
        None => Vec::new(),
        Some(stream) => body::read_at_most(&stream, MAX_ANSWER_LENGTH)
            .await
            .map_err(runtime)?
            .ok_or_else(|| format!("more than {MAX_ANSWER_LENGTH} bytes"))?,
    };
    Ok(ProviderAnswer { status: response.status(), body })
}

/// A redirect could lead anywhere, with a secret: it is the answer.
async fn fetch(request: &ProviderRequest) -> worker::Result<Response> {
    let headers = Headers::new()?;
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    let init = RequestInit::new();
    init.set_method(request.method);
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    if let Some(body) = &request.body {
        init.set_body(&body.into());
    }
    let request = Request::new_with_str_and_init(&request.url, &init)?;
    let global: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    Ok(JsFuture::from(global.fetch_with_request(&request)).await?.dyn_into()?)
}
