//! The words of entries: what may follow an address, a route, a rule, a tracked object.

use super::Shape::{Address, Flag, Number, Word, Words};
use super::{Key, Keyword, Shape, missing, works};

/// A kind of entry that has options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In `virtual_ipaddress`, `virtual_ipaddress_excluded`, `static_ipaddress`.
    Address,
    /// In `unicast_peer`.
    Peer,
    /// In `track_interface`, `track_script`, `track_file`, `track_process`, `track_bfd`.
    Track,
    /// In `virtual_routes`, `static_routes`.
    Route,
    /// In `virtual_rules`, `static_rules`.
    Rule,
}

impl Entry {
    /// Every kind, for documentation.
    pub const ALL: [Self; 5] = [Self::Address, Self::Peer, Self::Track, Self::Route, Self::Rule];

    /// Its words.
    #[must_use]
    pub const fn words(self) -> &'static [Keyword] {
        match self {
            Self::Address => ADDRESS,
            Self::Peer => PEER,
            Self::Track => TRACK,
            Self::Route => ROUTE,
            Self::Rule => RULE,
        }
    }

    /// A word of this kind of entry.
    #[must_use]
    pub fn find(self, name: &str) -> Option<&'static Keyword> {
        self.words().iter().find(|word| word.name == name)
    }

    /// What it begins with and where it stands, for documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => {
                "virtual_ipaddress, virtual_ipaddress_excluded, static_ipaddress: ADDRESS[/PREFIX] …"
            }
            Self::Peer => "unicast_peer: ADDRESS …",
            Self::Track => "track_interface, track_script, track_file, track_process, track_bfd: NAME …",
            Self::Route => "virtual_routes, static_routes: [to] ADDRESS[/PREFIX] …",
            Self::Rule => "virtual_rules, static_rules: …",
        }
    }
}

const fn word(name: &'static str, shape: Shape, doc: &'static str) -> Keyword {
    works(name, shape, Key::Word, doc)
}

// One word a line, as a table.
#[rustfmt::skip]
const ADDRESS: &[Keyword] = &[
    word("dev", Word, "Interface it is added to").everywhere().default("the instance's"),
    word("label", Word, "Label of an IPv4 address, 15 characters").common(),
    word("scope", Word, "global, site, link, host, nowhere or a number").common().default("global"),
    word("brd", Word, "Broadcast address; + and - compute it").common(),
    word("broadcast", Word, "The same").common(),
    word("-nodad", Flag, "Duplicate address detection for an IPv6 address"),
    word("peer", Address, "The other end of a point-to-point link"),
    word("home", Flag, "A mobile IPv6 home address"),
    word("mngtmpaddr", Flag, "Temporary addresses are made from it"),
    word("noprefixroute", Flag, "No route for its prefix"),
    word("autojoin", Flag, "Join its multicast group"),
    word("no_track", Flag, "It may vanish, and its interface may go down"),
    word("preferred_lft", Word, "Seconds, or forever").default("0 for an IPv6 /128"),
    missing("use_vmac", Words, OPTION, "On a virtual MAC address"),
    word("track_group", Word, "Instances that a static address belongs to"),
];

// One word a line, as a table.
#[rustfmt::skip]
const PEER: &[Keyword] = &[
    word("min_ttl", Number, "Least TTL taken from it").default("0"),
    word("max_ttl", Number, "Greatest TTL taken from it").default("255"),
];

// One word a line, as a table.
#[rustfmt::skip]
const TRACK: &[Keyword] = &[
    word("weight", Number, "-253..253; 0: its failure is a fault").everywhere().default("the object's own"),
    word("reverse", Flag, "Well and failing change places"),
    word("noreverse", Flag, "... do not, whatever the object says"),
];

const OPTION: &str = "it is not done";
const LEFT_OUT: &str = "a route with it is left out";

// One word a line, as a table.
#[rustfmt::skip]
const ROUTE: &[Keyword] = &[
    word("src", Address, "Source address preferred").common(),
    word("to", Word, "Destination").common(),
    word("via", Address, "Gateway").common(),
    word("gw", Address, "Old name of via").common().deprecated("via"),
    word("or", Address, "Another gateway").deprecated("nexthop"),
    word("dev", Word, "Interface").common(),
    word("oif", Word, "The same"),
    word("scope", Word, "Scope").common(),
    word("table", Word, "Routing table").common().default("main"),
    word("metric", Number, "Metric").common(),
    word("priority", Number, "The same"),
    word("preference", Number, "The same"),
    word("pref", Word, "low, medium or high (IPv6)"),
    word("tos", Word, "Type of service"),
    word("dsfield", Word, "The same"),
    word("protocol", Word, "Who made it").default("keepalived"),
    word("mtu", Words, "[lock] BYTES"),
    word("hoplimit", Number, "Hop limit"),
    word("advmss", Words, "[lock] BYTES"),
    word("rtt", Words, "[lock] TIME"),
    word("rttvar", Words, "[lock] TIME"),
    word("reordering", Words, "[lock] COUNT"),
    word("window", Number, "TCP window, bytes"),
    word("cwnd", Words, "[lock] COUNT"),
    word("ssthresh", Words, "[lock] COUNT"),
    word("realms", Word, "FROM/TO"),
    word("rto_min", Words, "[lock] TIME"),
    word("initcwnd", Number, "Packets"),
    word("initrwnd", Number, "Packets"),
    word("features", Word, "ecn"),
    word("quickack", Number, "0 or 1"),
    word("congctl", Words, "[lock] NAME"),
    word("ttl-propagate", Word, "enabled or disabled"),
    word("fastopen_no_cookie", Number, "0 or 1"),
    word("onlink", Flag, "The gateway is on the link"),
    missing("encap", Words, LEFT_OUT, "mpls, ip, ip6 or ila, with their options"),
    word("expires", Number, "Seconds"),
    word("add", Flag, "Only if there is none"),
    word("prepend", Flag, "Before those there are (default)"),
    word("append", Flag, "After those there are"),
    word("nexthop", Words, "via ADDRESS dev IF weight N, for each path"),
    word("weight", Number, "Of a nexthop"),
    missing("as", Words, LEFT_OUT, "[to] ADDRESS: translate"),
    word("from", Word, "Source (IPv6)"),
    word("inet", Flag, "IPv4"),
    word("inet6", Flag, "IPv6"),
    missing("vrf", Word, LEFT_OUT, "Routing domain"),
    word("unicast", Flag, "An ordinary route"),
    word("local", Flag, "Deliver here"),
    word("broadcast", Flag, "Send as broadcast"),
    word("anycast", Flag, "Deliver here, as unicast"),
    word("multicast", Flag, "A multicast route"),
    word("blackhole", Flag, "Drop"),
    word("unreachable", Flag, "Refuse: host unreachable"),
    word("prohibit", Flag, "Refuse: prohibited"),
    word("throw", Flag, "Go on with the next table"),
    word("nat", Flag, "Translate"),
    word("xresolve", Flag, "Ask a program"),
    word("no_track", Flag, "It may vanish, and its interface may go down"),
    word("track_group", Word, "Instances that a static route belongs to"),
];

// One word a line, as a table.
#[rustfmt::skip]
const RULE: &[Keyword] = &[
    word("inet", Flag, "IPv4"),
    word("inet6", Flag, "IPv6"),
    word("not", Flag, "What follows does not hold"),
    word("from", Word, "Source").common(),
    word("to", Word, "Destination").common(),
    word("table", Word, "Routing table to use").common(),
    word("lookup", Word, "The same"),
    word("preference", Number, "Its place among the rules").common(),
    word("order", Number, "The same"),
    word("priority", Number, "The same").common(),
    word("tos", Word, "Type of service"),
    word("dsfield", Word, "The same"),
    word("fwmark", Word, "MARK[/MASK]"),
    word("realms", Word, "[FROM/]TO"),
    word("suppress_prefixlength", Number, "Not by routes this short"),
    word("sup_pl", Number, "The same"),
    word("suppress_ifgroup", Word, "Not by interfaces of this group"),
    word("sup_group", Word, "The same"),
    word("dev", Word, "Interface it came in by").common(),
    word("iif", Word, "The same"),
    word("oif", Word, "Interface of the sending socket"),
    word("tunnel-id", Number, "Tunnel"),
    word("uidrange", Word, "FROM-TO"),
    word("l3mdev", Flag, "The table of its routing domain"),
    word("protocol", Word, "Who made it").default("keepalived"),
    word("ipproto", Word, "IP protocol"),
    word("sport", Word, "PORT or FROM-TO"),
    word("dport", Word, "PORT or FROM-TO"),
    word("goto", Number, "Go on at this place"),
    word("nop", Flag, "Do nothing"),
    word("blackhole", Flag, "Drop"),
    word("unreachable", Flag, "Refuse: host unreachable"),
    word("prohibit", Flag, "Refuse: prohibited"),
    word("no_track", Flag, "It may vanish, and its interface may go down"),
    word("track_group", Word, "Instances that a static rule belongs to"),
];
