//! What the project's tests, demo and bench stand on.
//!
//! [`lab`] builds hosts out of network namespaces, pulls their cables, captures what they send and asks, as
//! a client would, whether their addresses answer. It needs root and touches nothing of the machine's own:
//! see [`lab::Namespace`].

#![deny(unsafe_code)]

pub mod document;
pub mod lab;
