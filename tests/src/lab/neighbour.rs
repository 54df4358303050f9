//! Somebody else on a network. A real one is never silent for long: somebody asks for somebody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use socket2::Socket;

use super::kernel;
use super::namespace::Namespace;

/// How often it says something.
const EVERY: Duration = Duration::from_millis(50);

/// Sends a broadcast frame into every network again and again, as long as this value lives.
#[derive(Debug)]
pub(super) struct Neighbour(Arc<Networks>);

#[derive(Debug, Default)]
struct Networks(Mutex<Vec<(String, Socket)>>);

impl Networks {
    fn sockets(&self) -> MutexGuard<'_, Vec<(String, Socket)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Neighbour {
    /// On no network yet.
    pub(super) fn start() -> anyhow::Result<Self> {
        let networks = Arc::new(Networks::default());
        let weak = Arc::downgrade(&networks);
        thread::Builder::new()
            .name("neighbour".to_owned())
            .spawn(move || talk(&weak))?;
        Ok(Self(networks))
    }

    /// On the network of this bridge, too.
    pub(super) fn join(&self, switch: &Namespace, bridge: &str) -> anyhow::Result<()> {
        let socket = switch.inside(|| {
            Ok(kernel::packet_socket(
                if_nametoindex(bridge)?,
                kernel::Hears::Nothing,
            )?)
        })?;
        self.0.sockets().push((bridge.to_owned(), socket));
        Ok(())
    }

    /// Whether it is on the network of this bridge.
    pub(super) fn is_on(&self, bridge: &str) -> bool {
        self.0.sockets().iter().any(|(name, _)| name == bridge)
    }
}

fn talk(networks: &Weak<Networks>) {
    let frame = frame();
    while let Some(networks) = networks.upgrade() {
        for (_, socket) in networks.sockets().iter() {
            // A network without a cable that is plugged in is down.
            let _nobody_there = socket.send(&frame);
        }
        drop(networks);
        thread::sleep(EVERY);
    }
}

/// What means nothing to anybody: the EtherType for experiments (IEEE 802).
fn frame() -> [u8; 60] {
    let mut frame = [0; 60];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&[0x02, 0, 0, 0, 0, 0x77]);
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame
}
