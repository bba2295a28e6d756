//! What happened, how often, and what is wrong: rules alone, as everywhere in this library. An edge loads, saves and sends.
//!
//! [`event`] is the one form in which the gate tells of something; [`dialects`] are other forms of the same. An isolate keeps a
//! [`tally`] and hands over what has come together; one [`state`] adds it up, in [`windows`], looks at the [`rules`], and keeps in its
//! [`outbox`] what others are to be told ([`message`]). [`sharing`], [`revoked`], [`stuffing`] and [`travel`] find what no count shows. [`report`] is what an
//! administrator and Prometheus read. [`audit`] is the chain of what administration did.

pub mod audit;
pub mod counts;
pub mod delta;
pub mod dialects;
pub mod event;
mod fingerprint;
pub mod message;
pub mod outbox;
pub mod place;
pub mod pseudonym;
mod ranking;
mod recent;
pub mod report;
pub mod revoked;
pub mod rules;
pub mod series;
pub mod sharing;
pub mod state;
pub mod stuffing;
pub mod tally;
pub mod travel;
pub mod windows;
