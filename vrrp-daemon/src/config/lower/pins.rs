//! `vrrp_peer_mac`: peers that may send from one network card only.
//!
//! Whoever writes such a line relies on it, so one that cannot hold keeps the daemon from starting.

use std::net::IpAddr;

use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Peer;

use super::Lowering;
use super::instance::Draft;
use crate::config::diag::Diagnostic;
use crate::config::raw::Statement;
use crate::config::source::Span;
use crate::proto::model::XdpMode;

const FORM: &str = "write `vrrp_peer_mac IP MAC`, such as `vrrp_peer_mac 192.0.2.1 02:00:00:00:00:01`";

/// One line of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pin {
    peer: IpAddr,
    mac: Mac,
    at: Span,
}

impl Lowering<'_> {
    /// `IP MAC`.
    pub(super) fn pin(&mut self, statement: &Statement) -> Option<Pin> {
        let [peer, mac, ..] = statement.words.as_slice() else {
            self.sink.push(
                Diagnostic::error("`vrrp_peer_mac` takes an IP address and a MAC address")
                    .at(statement.span, "")
                    .help(FORM),
            );
            return None;
        };
        self.no_more(statement, 2);
        let Ok(address) = peer.text.parse() else {
            self.sink.push(
                Diagnostic::error(format!("`{}` is not an IP address", peer.text))
                    .at(peer.span, "")
                    .help(FORM),
            );
            return None;
        };
        let Some(pinned) = station(&mac.text) else {
            self.sink.push(
                Diagnostic::error(format!("`{}` is not the MAC address of a network card", mac.text))
                    .at(mac.span, "")
                    .help(FORM),
            );
            return None;
        };
        Some(Pin {
            peer: address,
            mac: pinned,
            at: statement.span,
        })
    }

    /// Give each peer its pin. Those that are left over are for nobody.
    pub(super) fn pin_peers(&mut self, draft: &Draft<'_>, peers: &mut [Peer]) {
        let pins = &draft.uncommon.pins;
        for (index, pin) in pins.iter().enumerate() {
            let earlier = pins.iter().take(index).find(|earlier| earlier.peer == pin.peer);
            if let Some(earlier) = earlier {
                self.sink.push(
                    Diagnostic::error(format!("{} is pinned twice", pin.peer))
                        .at(pin.at, "")
                        .related(earlier.at, "first here")
                        .help("remove one of the lines: a peer sends from one MAC address"),
                );
                continue;
            }
            if let Some(peer) = peers.iter_mut().find(|peer| peer.address == pin.peer) {
                peer.mac = Some(pin.mac);
                continue;
            }
            let name = &draft.name.text;
            let (message, help) = if peers.is_empty() {
                (
                    format!("`vrrp_peer_mac` needs unicast peers, and `{name}` is multicast"),
                    "name the other hosts in `unicast_peer { … }`, or remove this line",
                )
            } else {
                (
                    format!("{} is not a unicast peer of `{name}`", pin.peer),
                    "pin an address that stands in `unicast_peer { … }`",
                )
            };
            self.sink
                .push(Diagnostic::error(message).at(pin.at, "").help(help));
        }
        let mode = draft.uncommon.xdp.unwrap_or(self.config.global.xdp);
        if let (Some(pin), XdpMode::Off) = (pins.first(), mode) {
            self.sink.push(
                Diagnostic::warning(format!(
                    "`vrrp_peer_mac` protects nothing in `{}`: `vrrp_xdp` is off, and raw sockets do not see MAC \
                     addresses",
                    draft.name.text
                ))
                .at(pin.at, "")
                .help("let XDP receive its adverts, or remove the line"),
            );
        }
    }
}

/// `02:00:00:00:00:01`: six numbers of two hexadecimal digits. No group's address, and not all zeros.
fn station(text: &str) -> Option<Mac> {
    let mut octets = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut octets {
        let digits = parts.next().filter(|digits| digits.len() == 2)?;
        // A sign would be taken for a number.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *octet = u8::from_str_radix(digits, 16).ok()?;
    }
    let [first, ..] = octets;
    let fits = parts.next().is_none() && first & 1 == 0 && octets != [0; 6];
    fits.then_some(Mac(octets))
}

#[cfg(test)]
mod tests {
    use vrrp_common::wire::ethernet::Mac;

    use super::station;

    #[test]
    fn a_station_has_six_octets_and_is_no_group() {
        assert_eq!(station("02:0a:B0:00:00:fF"), Some(Mac([2, 10, 0xb0, 0, 0, 0xff])));
        for bad in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:01:02",
            "2:0:0:0:0:1",
            "02-00-00-00-00-01",
            "02:00:00:00:00:0g",
            "+2:00:00:00:00:01",
            "00:00:00:00:00:00",
            "01:00:5e:00:00:12",
            "ff:ff:ff:ff:ff:ff",
        ] {
            assert_eq!(station(bad), None, "{bad}");
        }
    }
}
