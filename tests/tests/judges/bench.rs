//! Shows frames to the XDP program and compares what it did with what is expected. Counters are read once for many
//! frames, because that takes longer than judging.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use aya::programs::{TestRun, TestRunOptions};
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ladder::Refusal;
use vrrp_daemon::ingress::judge::{Judge, Judged};
use vrrp_daemon::proto::Model;
use vrrp_daemon::proto::model::RouterId;
use vrrp_daemon::xdp::{Counters, Event, Place, XdpPath};
use vrrp_tests::lab::root_or_skip;

use super::Random;
use super::expected::{Expected, Left, Surroundings, Verdict};
use super::model::wide_model;
use crate::packets::bench::object_or_skip;

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const RUNGS: usize = Refusal::ALL.len();
const NEVER_LATE: Nanos = Nanos(u64::MAX);

/// Both judges.
pub(crate) struct Bench {
    xdp: XdpPath,
    model: Model,
    places: Vec<Place>,
    judge: Judge,
    counted: Counters,
    /// What each sender was hushed with.
    hushed: HashMap<(u16, IpAddr), Vec<u8>>,
    /// Refused of each virtual router, by rung, without those that the daemon was shown.
    refused: HashMap<RouterId, [u64; RUNGS]>,
    /// How often each was expected.
    pub(crate) seen: Seen,
}

/// How often each was expected.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) held: BTreeMap<u16, u64>,
    pub(crate) unchanged: u64,
    pub(crate) refused: [u64; RUNGS],
    pub(crate) left: BTreeMap<Left, u64>,
}

/// Something was not as expected.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Place of the frame, if it is known.
    pub(crate) frame: Option<usize>,
    pub(crate) what: String,
}

impl Fault {
    fn somewhere(what: String) -> Self {
        Self { frame: None, what }
    }
}

/// An event, to keep.
#[derive(Debug)]
struct Told {
    router: Option<RouterId>,
    refused: Option<Refusal>,
    source: IpAddr,
    message: Vec<u8>,
    alive_before: u64,
    /// What the daemon's judge makes of it.
    again: Judged,
}

impl Bench {
    /// `None` where the test cannot run, which has been said then.
    pub(crate) fn new() -> Option<Self> {
        if !root_or_skip() {
            return None;
        }
        let mut xdp = XdpPath::load(object_or_skip()?).unwrap();
        let (model, places) = wide_model();
        let left_out = xdp.configure(&model, &places, false).unwrap();
        // Two that are named the same.
        assert_eq!(left_out, [RouterId(9), RouterId(10)]);
        Some(Self {
            counted: xdp.counters().unwrap(),
            xdp,
            judge: Judge::new(&model),
            model,
            places,
            hushed: HashMap::new(),
            refused: HashMap::new(),
            seen: Seen::default(),
        })
    }

    pub(crate) fn expected<'a>(&self, frame: &'a [u8]) -> Expected<'a> {
        let surroundings = Surroundings {
            model: &self.model,
            places: &self.places,
            judge: &self.judge,
        };
        surroundings.expected(frame)
    }

    /// Show one frame: what the program did with it.
    pub(crate) fn observe(&mut self, frame: &[u8]) -> (Verdict, u32) {
        let before = self.xdp.counters().unwrap();
        let action = self.run(frame);
        let after = self.xdp.counters().unwrap();
        let mut verdicts = Vec::new();
        let held = |counters: &Counters| counters.accepted + counters.kept + counters.unchanged;
        verdicts.extend((held(&after) > held(&before)).then_some(Verdict::Held));
        verdicts.extend((after.not_ours > before.not_ours).then_some(Verdict::NotOurs));
        verdicts.extend((after.not_judged > before.not_judged).then_some(Verdict::NotJudged));
        let rungs = after.refused.iter().zip(before.refused).zip(Refusal::ALL);
        verdicts.extend(
            rungs.filter_map(|((after, before), rung)| (*after > before).then_some(Verdict::Refused(rung))),
        );
        assert!(verdicts.len() <= 1, "{verdicts:?}");
        (verdicts.pop().unwrap_or(Verdict::Other), action)
    }

    /// Show one frame: what the program said of it and what was expected, if they are not the same.
    pub(crate) fn disagreement(&mut self, frame: &[u8]) -> Option<(Verdict, Verdict)> {
        let (verdict, action) = self.observe(frame);
        self.xdp.drain(|_| ());
        let expected = self.expected(frame);
        let as_expected = verdict == expected.verdict()
            || expected.may_be_in_pieces(frame) && verdict == Verdict::NotJudged;
        let agree = as_expected && action == action_of(verdict);
        (!agree).then(|| (verdict, expected.verdict()))
    }

    fn run(&self, frame: &[u8]) -> u32 {
        let options = TestRunOptions {
            data_in: Some(frame),
            repeat: 1,
            ..TestRunOptions::new()
        };
        self.xdp
            .program()
            .unwrap()
            .test_run(options)
            .unwrap()
            .return_value
    }

    /// Show frames, and compare everything that is told of them.
    pub(crate) fn show(&mut self, frames: &[Vec<u8>]) -> Result<(), Fault> {
        let expected: Vec<Expected<'_>> = frames.iter().map(|frame| self.expected(frame)).collect();
        let mut awaited = self.counted;
        let (mut held, mut unchanged) = (0, 0);
        for (at, (frame, expected)) in frames.iter().zip(&expected).enumerate() {
            let (verdict, action) = if expected.may_be_in_pieces(frame) {
                self.observe(frame)
            } else {
                (expected.verdict(), self.run(frame))
            };
            let left_alone = expected.may_be_in_pieces(frame) && verdict == Verdict::NotJudged;
            if action != action_of(verdict) || verdict != expected.verdict() && !left_alone {
                return Err(Fault {
                    frame: Some(at),
                    what: format!("{verdict:?} with action {action}, for {expected:?}"),
                });
            }
            match verdict {
                Verdict::Held => held += 1,
                Verdict::Refused(refusal) => awaited.refused[usize::from(refusal.number())] += 1,
                Verdict::NotOurs => awaited.not_ours += 1,
                Verdict::NotJudged => awaited.not_judged += 1,
                Verdict::Other => {}
            }
            unchanged += u64::from(self.note(*expected, verdict));
        }
        let counted = self.xdp.counters().unwrap();
        let told = self.told();
        let kept_told = self.kept();
        let accepted = counted.accepted - self.counted.accepted;
        let kept = counted.kept - self.counted.kept;
        awaited = Counters {
            accepted: counted.accepted,
            kept: counted.kept,
            ring_full: self.counted.ring_full,
            unchanged: self.counted.unchanged + unchanged,
            ..awaited
        };
        if counted != awaited || accepted + kept + unchanged != held {
            return Err(Fault::somewhere(format!(
                "counted {counted:?}\nawaited {awaited:?}, {held} held"
            )));
        }
        self.counted = counted;
        let shown = told.iter().filter(|told| told.refused.is_none()).count();
        if u64::try_from(shown).unwrap() != accepted || (kept > 0) == kept_told.is_empty() {
            return Err(Fault::somewhere(format!(
                "{accepted} accepted and {kept} kept; {told:?} {kept_told:?}"
            )));
        }
        self.in_order(&expected, &told)?;
        // Of kept ones the newest of each sender is told.
        for told in &kept_told {
            if !expected.iter().any(|expected| told.tells(*expected)) {
                return Err(Fault::somewhere(format!("kept out of nowhere: {told:?}")));
            }
        }
        self.alive(unchanged, &told)
    }

    /// Write down what was expected, and whether it is no news.
    fn note(&mut self, expected: Expected<'_>, verdict: Verdict) -> bool {
        match expected {
            Expected::Held {
                router,
                source,
                message,
            } => {
                *self.seen.held.entry(router).or_default() += 1;
                let known = self.hushed.get(&(router, source)).map(Vec::as_slice);
                self.seen.unchanged += u64::from(known == Some(message));
                known == Some(message)
            }
            Expected::Refused(router, refusal) => {
                let rung = usize::from(refusal.number());
                self.seen.refused[rung] += 1;
                if verdict == Verdict::Refused(refusal) {
                    self.refused.entry(RouterId(router)).or_default()[rung] += 1;
                }
                false
            }
            Expected::Left(left) => {
                *self.seen.left.entry(left).or_default() += 1;
                false
            }
        }
    }

    /// What is in the ring.
    fn told(&mut self) -> Vec<Told> {
        let Self {
            xdp, judge, model, ..
        } = self;
        let mut told = Vec::new();
        xdp.drain(|event| told.push(Told::new(&event, judge, model)));
        told
    }

    /// What did not get into it.
    fn kept(&mut self) -> Vec<Told> {
        let Self {
            xdp, judge, model, ..
        } = self;
        let mut told = Vec::new();
        xdp.take_kept(|event| told.push(Told::new(&event, judge, model)))
            .unwrap();
        told
    }

    /// What was told is of frames that were shown, in the same order.
    fn in_order(&mut self, expected: &[Expected<'_>], told: &[Told]) -> Result<(), Fault> {
        let mut rest = expected.iter();
        for told in told {
            if !rest.any(|expected| told.tells(*expected)) {
                return Err(Fault::somewhere(format!("told out of nowhere: {told:?}")));
            }
            if let (Some(router), Some(refusal)) = (told.router, told.refused) {
                let rungs = self.refused.entry(router).or_default();
                rungs[usize::from(refusal.number())] -= 1;
            }
        }
        Ok(())
    }

    /// Of each sender as many signs of life as it sent.
    fn alive(&mut self, unchanged: u64, told: &[Told]) -> Result<(), Fault> {
        let before: u64 = told.iter().map(|told| told.alive_before).sum();
        let mut life = 0;
        for (router, source) in self.hushed.keys() {
            life += self
                .xdp
                .life(RouterId(*router), *source)
                .map_or(0, |life| life.adverts);
        }
        if before + life != unchanged {
            return Err(Fault::somewhere(format!(
                "{unchanged} unchanged, signs of life: {before} told and {life} read"
            )));
        }
        Ok(())
    }

    /// Hush the sender of one of these frames, or listen to all of one virtual router again.
    pub(crate) fn hush_one(&mut self, random: &mut Random, frames: &[Vec<u8>]) {
        let frame = &frames[random.below(frames.len())];
        let Expected::Held {
            router,
            source,
            message,
        } = self.expected(frame)
        else {
            return;
        };
        let id = RouterId(router);
        if random.one_in(8) {
            self.xdp
                .listen(id, |source, life| panic!("not told before: {source} {life:?}"));
            self.hushed.retain(|(of, _), _| *of != router);
            return;
        }
        self.xdp.hush(id, source, message, NEVER_LATE).unwrap();
        // One at a time is followed.
        self.hushed.retain(|(of, _), _| *of != router);
        self.hushed.insert((router, source), message.to_vec());
    }

    /// Each virtual router has been told of as many refused frames as there were, at each rung.
    pub(crate) fn tallies_agree(&self) {
        let mut expected = self.refused.clone();
        expected.retain(|_, rungs| *rungs != [0; RUNGS]);
        assert_eq!(self.xdp.refused_silently().unwrap(), expected);
    }
}

impl Told {
    fn new(event: &Event<'_>, judge: &Judge, model: &Model) -> Self {
        // The daemon knows the device by the virtual router's configuration.
        let link = event.router.map(|router| model.routers[router.index()].link);
        Self {
            router: event.router,
            refused: event.refused,
            source: event.source(),
            message: event.datagram.pdu.to_vec(),
            alive_before: event.before.map_or(0, |life| life.adverts),
            again: link.map_or(Judged::NotOurs, |link| {
                judge.judge(link, &event.datagram, MonoNanos(0))
            }),
        }
    }

    /// Whether it can be what the daemon is told of such a frame; of one that held, the daemon must say so again.
    fn tells(&self, expected: Expected<'_>) -> bool {
        match expected {
            Expected::Held {
                router,
                source,
                message,
            } => {
                (self.router, self.refused, self.source) == (Some(RouterId(router)), None, source)
                    && self.message == message
                    && matches!(self.again, Judged::Heard(heard) if heard.router == RouterId(router))
            }
            Expected::Refused(router, refusal) => {
                (self.router, self.refused) == (Some(RouterId(router)), Some(refusal))
            }
            Expected::Left(_) => false,
        }
    }
}

/// What is done with a frame after each verdict.
fn action_of(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Held | Verdict::Refused(_) => XDP_DROP,
        Verdict::NotOurs | Verdict::NotJudged | Verdict::Other => XDP_PASS,
    }
}
