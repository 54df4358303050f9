//! What lies between `proto` and the kernel's ordinary interfaces, on real interfaces: judged by `ip` and by
//! captures, never by the code under test.

#![expect(clippy::unwrap_used, reason = "a test's own helpers fail the test")]

mod addresses;
mod adverts;
mod judge;
mod links;
mod lost;
mod many;
mod model;
mod prefix;
mod reload;
mod routes;
