//! The layout that the XDP program and the daemon share.
#![allow(unsafe_code, reason = "Pod impls for map types")]
