//! What the kernel hands to the daemon.
#![allow(
    unsafe_code,
    reason = "a header is read out of the ring as the plain bytes that it is"
)]

use core::mem::offset_of;

use super::{AddressWords, MAX_PDU};

/// What comes before the message in a ring record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// `bpf_ktime_get_ns` at arrival.
    pub stamp: u64,
    /// [`PeerSeen::alive`](super::PeerSeen::alive) until now.
    pub alive: u64,
    /// [`PeerSeen::quiet`](super::PeerSeen::quiet) until now.
    pub quiet: u64,
    /// Where it arrived.
    pub ifindex: u32,
    /// As in [`RouterKey`](super::RouterKey).
    pub vlan: u32,
    /// IP source.
    pub source: AddressWords,
    /// IP destination.
    pub destination: AddressWords,
    /// [`RouterRules::slot`](super::RouterRules::slot) of the router that it was judged for.
    pub slot: u32,
    /// The sender's seat.
    pub seat: u32,
    /// Bytes of the message that follow.
    pub pdu_len: u16,
    /// Ethernet source.
    pub source_mac: [u8; 6],
    /// [`family_byte`](super::family_byte).
    pub family: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// [`Verdict::counter`](super::Verdict::counter): accepted, or one of the refused that the daemon is shown.
    pub verdict: u8,
    /// Zero.
    pub pad: [u8; 5],
}

/// A ring record. Only `pdu_len` bytes of the message are in the ring.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Record {
    /// Everything but the message.
    pub header: RecordHeader,
    /// The message.
    pub pdu: [u8; MAX_PDU],
}

impl Record {
    /// The message; `None` if the header says more than there is room for.
    #[must_use]
    pub fn message(&self) -> Option<&[u8]> {
        self.pdu.get(..usize::from(self.header.pdu_len))
    }
}

impl RecordHeader {
    /// Bytes of it.
    pub const LEN: usize = size_of::<Self>();

    /// The header at the front of a ring record, and the message behind it. `None` for a record that is not
    /// as long as it says.
    #[must_use]
    pub fn split(record: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = record.split_first_chunk::<{ Self::LEN }>()?;
        // SAFETY: same size, and integers and arrays of integers take every bit pattern.
        let header = unsafe { core::mem::transmute::<[u8; Self::LEN], Self>(*header) };
        Some((header, rest.get(..usize::from(header.pdu_len))?))
    }
}

const _: () = {
    assert!(size_of::<RecordHeader>() == 88);
    assert!(offset_of!(Record, pdu) == 88);
    assert!(size_of::<Record>() == 88 + MAX_PDU);
};

#[cfg(test)]
mod tests {
    use super::RecordHeader;

    #[test]
    fn a_record_shorter_than_it_says_is_none() {
        let mut record = [0; RecordHeader::LEN + 12];
        record[72..74].copy_from_slice(&12_u16.to_ne_bytes());
        let whole = RecordHeader::split(&record).map(|(header, pdu)| (header.pdu_len, pdu.len()));
        assert_eq!(whole, Some((12, 12)));
        assert_eq!(RecordHeader::split(&record[..RecordHeader::LEN + 11]), None);
        assert_eq!(RecordHeader::split(&record[..RecordHeader::LEN - 1]), None);
    }
}
