//! `track_restarts`.

use vrrp_common::time::Nanos;

use super::{instance, read, said};
use crate::config::UnitSpec;
use crate::proto::UnitId;
use crate::proto::model::{Track, TrackObject};

fn spec(unit: &str, restarts: u32, seconds: u64) -> UnitSpec {
    UnitSpec {
        unit: unit.to_owned(),
        restarts,
        within: Nanos::from_secs(seconds),
    }
}

fn track(unit: u16, weight: i16) -> Track {
    Track {
        object: TrackObject::Unit(UnitId(unit)),
        weight,
        reverse: false,
    }
}

#[test]
fn a_unit_with_the_same_limit_is_one_whoever_tracks_it() {
    let lines = "track_restarts haproxy 5 600\ntrack_restarts haproxy.service 1 60 weight -20";
    let second = instance("track_restarts haproxy.service 1 60 weight -30")
        .replace("vrrp_instance P", "vrrp_instance Q")
        .replace("51", "52")
        .replace("192.0.2.100", "192.0.2.101");
    let group = "vrrp_sync_group G {\n group {\n P\n Q\n }\n track_restarts nginx 0 30\n}\n";
    let loaded = read(&(instance(lines) + &second + group));
    assert_eq!(said(&loaded), Vec::<String>::new());
    let config = loaded.config.unwrap();
    assert_eq!(
        config.units,
        [
            spec("haproxy.service", 5, 600),
            spec("haproxy.service", 1, 60),
            spec("nginx.service", 0, 30)
        ]
    );
    let names = config.model.units.iter().map(|unit| unit.name.as_str());
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            "haproxy.service 5 600",
            "haproxy.service 1 60",
            "nginx.service 0 30"
        ]
    );
    assert_eq!(config.model.routers[0].track, [track(0, 0), track(1, -20)]);
    assert_eq!(config.model.routers[1].track, [track(1, -30)]);
    assert_eq!(config.model.groups[0].track, [track(2, 0)]);
}

/// Nobody learns from a line that means nothing that nothing is protected.
#[test]
fn a_line_that_cannot_hold_is_refused() {
    let table = [
        ("", "`track_restarts` takes a unit, a count and seconds"),
        ("haproxy", "`track_restarts` takes a unit, a count and seconds"),
        (
            "haproxy 5 600 -20",
            "`track_restarts` takes a unit, a count and seconds",
        ),
        (
            "haproxy.socket 5 600",
            "`haproxy.socket` is not the name of a service",
        ),
        (
            "haproxy often 600",
            "`often` is not a number of restarts from 0 to 1000",
        ),
        (
            "haproxy 1001 600",
            "`1001` is not a number of restarts from 0 to 1000",
        ),
        ("haproxy 5 0", "`0` is not a number of seconds from 1 to 86400"),
        (
            "haproxy 5 10m",
            "`10m` is not a number of seconds from 1 to 86400",
        ),
        (
            "haproxy 5 600 weight 300",
            "`300` is not a weight from -254 to 254",
        ),
    ];
    for (words, error) in table {
        let loaded = read(&instance(&format!("track_restarts {words}")));
        let said = said(&loaded);
        assert!(
            said.iter().any(|line| line.ends_with(error)),
            "{words}\n{said:#?}"
        );
        assert!(loaded.config.is_none(), "{words}");
    }
    let twice = "track_restarts haproxy 5 600\ntrack_restarts haproxy.service 5 600 weight -1";
    let loaded = read(&instance(twice));
    assert!(
        said(&loaded)[0].ends_with("`haproxy.service` is tracked twice"),
        "{:?}",
        said(&loaded)
    );
}
