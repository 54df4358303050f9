//! Recordings: lines, replay, and what must never be in them.

use vrrp_common::id::Version;
use vrrp_common::time::Nanos;
use vrrp_common::wire::ladder::Auth;

use super::fixture::{Bench, HIGH, L0, OURS, R0, advert, link, model, ms, router};
use crate::proto::model::VirtualRouter;
use crate::proto::record::{Begin, Fed, Played, RecordingError, Step, from_line, replay, to_line};
use crate::proto::{Input, LinkState};

#[test]
fn the_password_is_not_written() {
    let config = VirtualRouter {
        version: Version::V2,
        auth: Auth::Pass(*b"s3cr3t!!"),
        ..router(100)
    };
    let model = model(vec![config]);
    let line = to_line(&Begin::new(&model, ms(0))).unwrap();
    assert!(line.contains(r#""auth":"pass""#), "{line}");
    // Neither as text nor as a list of numbers.
    assert!(!line.contains("s3cr3t") && !line.contains("115,51"), "{line}");
    let read: Begin<'_> = from_line(&line).unwrap();
    assert_eq!(read.model.routers.first().unwrap().auth, Auth::Pass([0; 8]));
}

#[test]
fn a_step_as_it_stands_in_a_file() {
    let step = Step {
        now: ms(1_500),
        fed: Fed::Input(advert(ms(1_499), R0, HIGH, 150)),
    };
    let line = concat!(
        r#"{"now":1500000000,"input":{"advert":{"router":0,"source":"192.0.2.200","priority":150,"#,
        r#""interval":100,"at":1499000000,"checksum":"pseudo","same_addresses":true}}}"#
    );
    assert_eq!(to_line(&step).unwrap(), line);
    assert_eq!(from_line::<Step>(line).unwrap(), step);
}

/// A replay does what the bench did, input by input.
#[test]
fn replay_repeats_the_run() {
    let model = model(vec![router(100)]);
    let steps = [
        (0, link(L0, LinkState::Up)),
        (
            0,
            Input::Source {
                router: R0,
                address: Some(OURS),
            },
        ),
        (0, Input::Start),
        (500, advert(ms(499), R0, HIGH, 150)),
        (4_200, Input::Tick),
        (4_300, advert(ms(4_300), R0, HIGH, 150)),
        (
            4_500,
            Input::Standby {
                router: R0,
                length: Some(Nanos::from_secs(60)),
            },
        ),
        (4_600, Input::Resume { router: R0 }),
        (5_000, Input::Shutdown),
    ];
    let mut bench = Bench::new(model.clone());
    let mut lines = vec![to_line(&Begin::new(&model, ms(0))).unwrap()];
    let mut expected = Vec::new();
    for (at, input) in steps {
        let now = ms(at);
        lines.push(
            to_line(&Step {
                now,
                fed: Fed::Input(input),
            })
            .unwrap(),
        );
        let effects = bench.feed_whole(now, input);
        expected.push(Played {
            now,
            fed: Fed::Input(input),
            effects,
            next_deadline: bench.deadline(),
        });
    }
    assert_eq!(replay(lines.iter().map(String::as_str)).unwrap(), expected);
}

#[test]
fn what_cannot_be_played() {
    let model = model(vec![router(100)]);
    let begin = to_line(&Begin::new(&model, ms(5))).unwrap();
    let early = r#"{"now":4999999,"input":"tick"}"#;
    let other = begin.replacen(r#""format":1"#, r#""format":2"#, 1);
    let zero = begin.replacen(r#""interval":100"#, r#""interval":0"#, 1);
    assert_ne!(other, begin);
    assert_ne!(zero, begin);
    assert!(matches!(replay([]), Err(RecordingError::Empty)));
    assert!(matches!(replay(["{"]), Err(RecordingError::Line { line: 1, .. })));
    assert!(matches!(
        replay([other.as_str()]),
        Err(RecordingError::Format { found: 2 })
    ));
    // An interval of 0 would be a machine that never rests.
    assert!(matches!(
        replay([zero.as_str()]),
        Err(RecordingError::Line { line: 1, .. })
    ));
    assert!(matches!(
        replay([begin.as_str(), "", early]),
        Err(RecordingError::Backwards { line: 3 })
    ));
    let unknown = r#"{"now":5000000,"input":"dance"}"#;
    assert!(matches!(
        replay([begin.as_str(), unknown]),
        Err(RecordingError::Line { line: 2, .. })
    ));
}
