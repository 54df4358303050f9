//! The only place where the protocol, what comes in and what goes out meet.
//!
//! | module | thread |
//! |---|---|
//! | [`supervisor`] | the parent process |
//! | [`protocol`] | sets the protocol process up and takes it down |
//! | [`mod@line`] | between the two processes |
//! | [`driver`], [`wakeups`], [`kernel_path`], [`snapshot`], [`signals`] | the protocol thread |
//! | [`service`], [`reload`], [`changes`] | the service thread |
//! | [`recorder`] | a thread of its own, only with `--record` |

pub mod changes;
pub mod driver;
pub mod kernel_path;
pub mod line;
mod manager;
pub mod observer;
pub mod pidfile;
mod predecessor;
pub mod presence;
pub mod protocol;
pub mod recorder;
pub mod reload;
pub mod service;
pub mod signals;
pub mod snapshot;
pub mod supervisor;
mod wakeups;
