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
    missing("peer", Address, OPTION, "The other end of a point-to-point link"),
    missing("home", Flag, OPTION, "A mobile IPv6 home address"),
    missing("mngtmpaddr", Flag, OPTION, "Temporary addresses are made from it"),
    missing("noprefixroute", Flag, OPTION, "No route for its prefix"),
    missing("autojoin", Flag, OPTION, "Join its multicast group"),
    missing("no_track", Flag, OPTION, "It may vanish"),
    missing("preferred_lft", Word, OPTION, "Seconds, or forever").default("0 for an IPv6 /128"),
    missing("use_vmac", Words, OPTION, "On a virtual MAC address"),
    missing("track_group", Word, OPTION, "Instances that a static address belongs to"),
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
const ROUTES: &str = "routes and rules do not move with the addresses";

// One word a line, as a table.
#[rustfmt::skip]
const ROUTE: &[Keyword] = &[
    missing("src", Address, ROUTES, "Source address preferred").common(),
    missing("to", Word, ROUTES, "Destination").common(),
    missing("via", Address, ROUTES, "Gateway").common(),
    missing("gw", Address, ROUTES, "Old name of via").common().deprecated("via"),
    missing("or", Address, ROUTES, "Another gateway").deprecated("nexthop"),
    missing("dev", Word, ROUTES, "Interface").common(),
    missing("oif", Word, ROUTES, "The same"),
    missing("scope", Word, ROUTES, "Scope").common(),
    missing("table", Word, ROUTES, "Routing table").common().default("main"),
    missing("metric", Number, ROUTES, "Metric").common(),
    missing("priority", Number, ROUTES, "The same"),
    missing("preference", Number, ROUTES, "The same"),
    missing("pref", Word, ROUTES, "low, medium or high (IPv6)"),
    missing("tos", Word, ROUTES, "Type of service"),
    missing("dsfield", Word, ROUTES, "The same"),
    missing("protocol", Word, ROUTES, "Who made it").default("112"),
    missing("mtu", Words, ROUTES, "[lock] BYTES"),
    missing("hoplimit", Number, ROUTES, "Hop limit"),
    missing("advmss", Words, ROUTES, "[lock] BYTES"),
    missing("rtt", Words, ROUTES, "[lock] TIME"),
    missing("rttvar", Words, ROUTES, "[lock] TIME"),
    missing("reordering", Words, ROUTES, "[lock] COUNT"),
    missing("window", Number, ROUTES, "TCP window, bytes"),
    missing("cwnd", Words, ROUTES, "[lock] COUNT"),
    missing("ssthresh", Words, ROUTES, "[lock] COUNT"),
    missing("realms", Word, ROUTES, "FROM/TO"),
    missing("rto_min", Words, ROUTES, "[lock] TIME"),
    missing("initcwnd", Number, ROUTES, "Packets"),
    missing("initrwnd", Number, ROUTES, "Packets"),
    missing("features", Word, ROUTES, "ecn"),
    missing("quickack", Number, ROUTES, "0 or 1"),
    missing("congctl", Words, ROUTES, "[lock] NAME"),
    missing("ttl-propagate", Word, ROUTES, "enabled or disabled"),
    missing("fastopen_no_cookie", Number, ROUTES, "0 or 1"),
    missing("onlink", Flag, ROUTES, "The gateway is on the link"),
    missing("encap", Words, ROUTES, "mpls, ip, ip6 or ila, with their options"),
    missing("expires", Number, ROUTES, "Seconds"),
    missing("add", Flag, ROUTES, "Do not replace what is there"),
    missing("prepend", Flag, ROUTES, "Before those there are"),
    missing("append", Flag, ROUTES, "After those there are"),
    missing("nexthop", Words, ROUTES, "via ADDRESS dev IF weight N, for each path"),
    missing("weight", Number, ROUTES, "Of a nexthop"),
    missing("as", Words, ROUTES, "[to] ADDRESS: translate"),
    missing("from", Word, ROUTES, "Source (IPv6)"),
    missing("inet", Flag, ROUTES, "IPv4"),
    missing("inet6", Flag, ROUTES, "IPv6"),
    missing("vrf", Word, ROUTES, "Routing domain"),
    missing("unicast", Flag, ROUTES, "An ordinary route"),
    missing("local", Flag, ROUTES, "Deliver here"),
    missing("broadcast", Flag, ROUTES, "Send as broadcast"),
    missing("anycast", Flag, ROUTES, "Deliver here, as unicast"),
    missing("multicast", Flag, ROUTES, "A multicast route"),
    missing("blackhole", Flag, ROUTES, "Drop"),
    missing("unreachable", Flag, ROUTES, "Refuse: host unreachable"),
    missing("prohibit", Flag, ROUTES, "Refuse: prohibited"),
    missing("throw", Flag, ROUTES, "Go on with the next table"),
    missing("nat", Flag, ROUTES, "Translate"),
    missing("xresolve", Flag, ROUTES, "Ask a program"),
    missing("no_track", Flag, ROUTES, "It may vanish"),
    missing("track_group", Word, ROUTES, "Instances that a static route belongs to"),
];

// One word a line, as a table.
#[rustfmt::skip]
const RULE: &[Keyword] = &[
    missing("inet", Flag, ROUTES, "IPv4"),
    missing("inet6", Flag, ROUTES, "IPv6"),
    missing("not", Flag, ROUTES, "What follows does not hold"),
    missing("from", Word, ROUTES, "Source").common(),
    missing("to", Word, ROUTES, "Destination").common(),
    missing("table", Word, ROUTES, "Routing table to use").common(),
    missing("lookup", Word, ROUTES, "The same"),
    missing("preference", Number, ROUTES, "Its place among the rules").common(),
    missing("order", Number, ROUTES, "The same"),
    missing("priority", Number, ROUTES, "The same").common(),
    missing("tos", Word, ROUTES, "Type of service"),
    missing("dsfield", Word, ROUTES, "The same"),
    missing("fwmark", Word, ROUTES, "MARK[/MASK]"),
    missing("realms", Word, ROUTES, "[FROM/]TO"),
    missing("suppress_prefixlength", Number, ROUTES, "Not by routes this short"),
    missing("sup_pl", Number, ROUTES, "The same"),
    missing("suppress_ifgroup", Word, ROUTES, "Not by interfaces of this group"),
    missing("sup_group", Word, ROUTES, "The same"),
    missing("dev", Word, ROUTES, "Interface it came in by").common(),
    missing("iif", Word, ROUTES, "The same"),
    missing("oif", Word, ROUTES, "Interface of the sending socket"),
    missing("tunnel-id", Number, ROUTES, "Tunnel"),
    missing("uidrange", Word, ROUTES, "FROM-TO"),
    missing("l3mdev", Flag, ROUTES, "The table of its routing domain"),
    missing("protocol", Word, ROUTES, "Who made it").default("112"),
    missing("ipproto", Word, ROUTES, "IP protocol"),
    missing("sport", Word, ROUTES, "PORT or FROM-TO"),
    missing("dport", Word, ROUTES, "PORT or FROM-TO"),
    missing("goto", Number, ROUTES, "Go on at this place"),
    missing("nop", Flag, ROUTES, "Do nothing"),
    missing("blackhole", Flag, ROUTES, "Drop"),
    missing("unreachable", Flag, ROUTES, "Refuse: host unreachable"),
    missing("prohibit", Flag, ROUTES, "Refuse: prohibited"),
    missing("no_track", Flag, ROUTES, "It may vanish"),
    missing("track_group", Word, ROUTES, "Instances that a static rule belongs to"),
];
