//! aya asks for plain data as an unsafe impl.
#![allow(
    unsafe_code,
    reason = "map types are plain data, which is said here and nowhere else"
)]

// SAFETY: for each: `repr(C)`, integers and arrays of integers only, no implicit padding (the size
// assertions beside the types), so every bit pattern is a value and every byte is initialised.
unsafe impl aya::Pod for super::Router {}
// SAFETY: see above.
unsafe impl aya::Pod for super::Peer {}
// SAFETY: see above.
unsafe impl aya::Pod for super::PeerSeen {}
// SAFETY: see above.
unsafe impl aya::Pod for super::Record {}
// SAFETY: see above.
unsafe impl aya::Pod for super::RefusedState {}
// SAFETY: see above.
unsafe impl aya::Pod for super::StrangerKey {}
