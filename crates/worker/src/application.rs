//! An application in the same Worker, in the place of an upstream.

use core::pin::Pin;

use web_sys::{Request, Response};

/// An answer that an application is working on.
pub type Answering = Pin<Box<dyn Future<Output = worker::Result<Response>>>>;

/// What answers admitted requests in this Worker.
///
/// It gets the request as an upstream would: with the identity headers (`X-Auth-Subject` and others, never the caller's
/// own), and without the credential unless the policy forwards it. Its answer goes back as an upstream's would: with the
/// limit fields, and private where a cache must not share it. An error is answered with `UPSTREAM_ERROR`.
pub type Application<'a> = &'a (dyn Fn(Request) -> Answering + 'a);
