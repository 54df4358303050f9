//! Messages of rtnetlink(7), to and from bytes.

use std::net::IpAddr;

use super::Change;

const NLMSG_ERROR: u16 = 2;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const NLM_F_REQUEST: u16 = 1;
pub(super) const NLM_F_ACK: u16 = 4;
/// `NLM_F_EXCL | NLM_F_CREATE`.
const NLM_F_NEW: u16 = 0x200 | 0x400;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// `ifa_flags`: no duplicate address detection.
const IFA_F_NODAD: u8 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
/// `RT_TABLE_LOCAL`, `RTN_LOCAL`, and a protocol that nobody has.
const LOCAL_TABLE: u8 = 255;
const LOCAL: u8 = 2;
const PROTOCOL: u8 = 250;
/// `RT_SCOPE_HOST`, of IPv4 alone.
const HOST: u8 = 254;
const HEADER: usize = 16;
const IFADDRMSG: usize = 8;

/// Append one message about an address; `prefix` bits of it name its network, else all.
pub(super) fn message(
    bytes: &mut Vec<u8>,
    change: Change,
    interface: u32,
    (address, prefix): (IpAddr, Option<u8>),
    sequence: u32,
    flags: u16,
) {
    let kind = match change {
        Change::Added => RTM_NEWADDR,
        Change::Removed => RTM_DELADDR,
    };
    let (octets, address_flags, attributes): (_, u8, &[u16]) = match address {
        IpAddr::V4(_) => (octets(address), 0, &[IFA_LOCAL, IFA_ADDRESS]),
        IpAddr::V6(_) => (octets(address), IFA_F_NODAD, &[IFA_ADDRESS]),
    };
    let start = begin(bytes, kind, change, sequence, flags);
    bytes.extend([family(address), prefix.unwrap_or(bits(&octets)), address_flags, 0]);
    bytes.extend(interface.to_ne_bytes());
    for kind in attributes {
        attribute(bytes, *kind, &octets);
    }
    end(bytes, start);
}

/// Append one message about a route of the local table: what is sent to `address` is for this host.
pub(super) fn local_route(
    bytes: &mut Vec<u8>,
    change: Change,
    interface: u32,
    address: IpAddr,
    sequence: u32,
    flags: u16,
) {
    let kind = match change {
        Change::Added => RTM_NEWROUTE,
        Change::Removed => RTM_DELROUTE,
    };
    let octets = octets(address);
    let scope = if address.is_ipv4() { HOST } else { 0 };
    let start = begin(bytes, kind, change, sequence, flags);
    bytes.extend([family(address), bits(&octets), 0, 0]);
    bytes.extend([LOCAL_TABLE, PROTOCOL, scope, LOCAL]);
    bytes.extend(0_u32.to_ne_bytes());
    attribute(bytes, RTA_DST, &octets);
    attribute(bytes, RTA_OIF, &interface.to_ne_bytes());
    end(bytes, start);
}

/// A header whose length is filled in at the end; where it begins.
fn begin(bytes: &mut Vec<u8>, kind: u16, change: Change, sequence: u32, flags: u16) -> usize {
    let start = bytes.len();
    let new = match change {
        Change::Added => NLM_F_NEW,
        Change::Removed => 0,
    };
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | new | flags).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    start
}

/// A length of 8 or 20 needs no padding.
fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend(u16::try_from(value.len() + 4).unwrap_or(0).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
}

fn end(bytes: &mut [u8], start: usize) {
    let length = u32::try_from(bytes.len() - start).unwrap_or(0).to_ne_bytes();
    if let Some(field) = bytes.get_mut(start..start + 4) {
        field.copy_from_slice(&length);
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// `AF_INET`, `AF_INET6`.
const fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

fn bits(octets: &[u8]) -> u8 {
    u8::try_from(octets.len() * 8).unwrap_or(0)
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    kind: u16,
    pub(super) sequence: u32,
    payload: &'a [u8],
}

/// The messages of a datagram, up to the first that is cut short.
pub(super) fn messages(mut bytes: &[u8]) -> Vec<Message<'_>> {
    let mut found = Vec::new();
    while let Some(length) = word(bytes, 0).and_then(|length| usize::try_from(length).ok()) {
        let (Some(kind), Some(sequence), Some(payload)) =
            (half(bytes, 4), word(bytes, 8), bytes.get(HEADER..length))
        else {
            break;
        };
        found.push(Message {
            kind,
            sequence,
            payload,
        });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

impl Message<'_> {
    /// The error number that it answers with; 0 acknowledges.
    pub(super) fn error(&self) -> Option<i32> {
        (self.kind == NLMSG_ERROR).then(|| word(self.payload, 0).unwrap_or(0).cast_signed().wrapping_neg())
    }

    pub(super) fn change(&self) -> Option<(Change, IpAddr)> {
        let change = match self.kind {
            RTM_NEWADDR => Change::Added,
            RTM_DELADDR => Change::Removed,
            _ => return None,
        };
        let mut rest = self.payload.get(IFADDRMSG..)?;
        let mut found = None;
        while let (Some(length), Some(kind)) = (half(rest, 0), half(rest, 2)) {
            let value = rest.get(4..usize::from(length))?;
            let address = match value.len() {
                4 => Some(IpAddr::from(<[u8; 4]>::try_from(value).ok()?)),
                16 => Some(IpAddr::from(<[u8; 16]>::try_from(value).ok()?)),
                _ => None,
            };
            match (kind, address) {
                (IFA_LOCAL, Some(local)) => return Some((change, local)),
                (IFA_ADDRESS, Some(address)) => found = Some((change, address)),
                _ => {}
            }
            rest = rest
                .get(usize::from(length).next_multiple_of(4)..)
                .unwrap_or_default();
        }
        found
    }
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(
        bytes.get(offset..offset + 4)?.try_into().ok()?,
    ))
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(
        bytes.get(offset..offset + 2)?.try_into().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Change, local_route, message, messages};

    #[test]
    #[cfg(target_endian = "little")]
    fn a_message_is_as_rtnetlink_wants_it() {
        let mut bytes = Vec::new();
        let address = (IpAddr::from([192, 0, 2, 100]), None);
        message(&mut bytes, Change::Added, 7, address, 3, 4);
        assert_eq!(
            bytes,
            [
                40, 0, 0, 0, 20, 0, 5, 6, 3, 0, 0, 0, 0, 0, 0, 0, // header
                2, 32, 0, 0, 7, 0, 0, 0, // IPv4, /32, on 7
                8, 0, 2, 0, 192, 0, 2, 100, // IFA_LOCAL
                8, 0, 1, 0, 192, 0, 2, 100, // IFA_ADDRESS
            ]
        );
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_local_route_is_as_rtnetlink_wants_it() {
        let mut bytes = Vec::new();
        local_route(
            &mut bytes,
            Change::Removed,
            7,
            IpAddr::from([192, 0, 2, 100]),
            3,
            4,
        );
        assert_eq!(
            bytes,
            [
                44, 0, 0, 0, 25, 0, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0, // header
                2, 32, 0, 0, 255, 250, 254, 2, 0, 0, 0,
                0, // IPv4, /32, table local, scope host, type local
                8, 0, 1, 0, 192, 0, 2, 100, // RTA_DST
                8, 0, 4, 0, 7, 0, 0, 0, // RTA_OIF
            ]
        );
    }

    #[test]
    fn both_of_two_messages_are_read_back() {
        let (one, two) = (
            IpAddr::from([192, 0, 2, 100]),
            IpAddr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 1]),
        );
        let mut bytes = Vec::new();
        message(&mut bytes, Change::Added, 7, (one, None), 1, 0);
        message(&mut bytes, Change::Removed, 7, (two, None), 2, 0);
        let changes: Vec<_> = messages(&bytes).iter().filter_map(|one| one.change()).collect();
        assert_eq!(changes, [(Change::Added, one), (Change::Removed, two)]);
        assert_eq!(messages(&bytes[..60]).len(), 1);
        assert_eq!(messages(&[]), []);
    }

    /// -EEXIST for message 5.
    #[test]
    #[cfg(target_endian = "little")]
    fn a_refusal_is_an_error_number() {
        let mut answer = vec![20, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
        answer.extend((-17_i32).to_le_bytes());
        let read = messages(&answer);
        assert_eq!((read[0].error(), read[0].sequence), (Some(17), 5));
    }
}
