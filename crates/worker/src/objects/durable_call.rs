//! One call to a Durable Object.

use worker::{Env, Response, Result};

/// Sends a question to the object of a name; the answer has status 200.
pub(crate) async fn ask(env: &Env, binding: &str, name: &str, question: &str) -> Result<Response> {
    let stub = env.durable_object(binding)?.id_from_name(name)?.get_stub()?;
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_body(&question.into());
    let request = web_sys::Request::new_with_str_and_init("https://object.invalid/", &init)?;
    let response = stub.fetch_with_request(request.into()).await?;
    match response.status_code() {
        200 => Ok(response),
        status => Err(format!("status {status}").into()),
    }
}
