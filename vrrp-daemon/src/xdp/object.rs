//! The program's object file, inside this binary.

/// The object, `None` if the daemon was built without one (a plain `cargo build`).
#[must_use]
pub fn embedded() -> Option<&'static [u8]> {
    #[cfg(ebpf_object)]
    {
        Some(aya::include_bytes_aligned!(concat!(
            env!("OUT_DIR"),
            "/vrrp-ebpf.o"
        )))
    }
    #[cfg(not(ebpf_object))]
    {
        None
    }
}
