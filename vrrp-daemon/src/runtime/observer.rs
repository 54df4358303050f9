//! What the driver shows through, to the floor above.

use vrrp_common::time::MonoNanos;

use crate::proto::{Effect, RouterId, Vrrp};

/// Shows what the protocol does; given by the floor above, because what to say is not decided here.
pub trait Observer {
    /// One effect, just carried out.
    fn effect(&mut self, vrrp: &Vrrp, now: MonoNanos, effect: &Effect);
    /// Why a router is in its state: the name of the reason, and words.
    fn reason(&self, vrrp: &Vrrp, router: RouterId) -> (&'static str, String);
}
