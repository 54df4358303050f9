//! What the object says of itself.
#![allow(
    unsafe_code,
    reason = "placing a symbol in a section of its own is unsafe by the language's rules"
)]

use vrrp_common::abi::ABI_VERSION;

/// The kernel lets programs under a GPL-compatible licence alone call all helpers.
#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Compared by the loader; the section is `vrrp_common::abi::ABI_SECTION`.
#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.abi")]
static VRRP_ABI: u32 = ABI_VERSION;
