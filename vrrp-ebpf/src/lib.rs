//! Empty: it makes this crate a dependency that cargo tracks.
#![no_std]
