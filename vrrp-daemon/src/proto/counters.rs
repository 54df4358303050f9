//! What a virtual router counts; each field is fed in `instance` and nowhere else.

use serde::{Deserialize, Serialize};
use vrrp_common::wire::ladder::Refusal;

/// Counters of one virtual router since the daemon started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Adverts sent, less those that failed.
    pub adverts_sent: u64,
    /// Adverts that could not be sent.
    pub send_failures: u64,
    /// Accepted adverts.
    pub adverts_received: u64,
    /// Times it became Master.
    pub became_master: u64,
    /// Times it stopped being Master.
    pub released_master: u64,
    /// Adverts of priority 0 sent.
    pub priority_zero_sent: u64,
    /// Adverts of priority 0 received.
    pub priority_zero_received: u64,
    /// Adverts whose address list differs from ours.
    pub address_list_errors: u64,
    /// IPv4 VRRPv3 adverts whose checksum covers the message alone.
    pub checksum_message_only: u64,
    /// Adverts whose checksum has the group's pseudo-header in a unicast message.
    pub checksum_group: u64,
    /// Times the Master was late to wake beyond the Master_Down_Interval.
    pub overslept: u64,
    /// Addresses that somebody else took away from the Master.
    #[serde(default)]
    pub addresses_lost: u64,
    /// Adverts of the Master that were long in coming.
    #[serde(default)]
    pub late_adverts: u64,
    /// Refused messages, by rung.
    pub refused: [u64; Refusal::ALL.len()],
}
