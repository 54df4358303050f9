//! What the driver shows through, to the floor above.

use vrrp_common::time::{MonoNanos, Nanos};

use crate::proto::{Effect, RouterId, Vrrp};

/// Shows what the protocol does; given by the floor above, because what to say is not decided here.
pub trait Observer {
    /// One effect, just carried out; `took`: since the input at `now` that it follows from, until all that followed was
    /// sent, or handed on to the thread that does it.
    fn effect(&mut self, vrrp: &Vrrp, now: MonoNanos, took: Nanos, effect: &Effect);
    /// The states that virtual routers have were taken over from the process `pid`, just so.
    fn taken_over(&mut self, vrrp: &Vrrp, pid: i32);
    /// Why a router is in its state: the name of the reason, and words.
    fn reason(&self, vrrp: &Vrrp, router: RouterId) -> (&'static str, String);
}
