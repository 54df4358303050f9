//! The crash takeover as a picture: an SVG written by hand, readable on a light and on a dark page.

use std::fmt::Write;
use std::time::Duration;

use vrrp_tests::lab::Stamp;

use super::stage::Stage;
use super::timeline::{Takeover, signed};

const WIDTH: u64 = 960;
const LEFT: u64 = 170;
const RIGHT: u64 = 24;
const TOP: u64 = 64;
const LANE: u64 = 34;
/// How much is shown before the death and after the takeover.
const BEFORE: u64 = 2_500_000_000;
const AFTER: u64 = 1_500_000_000;

const MASTER: &str = "#2f81f7";
const HEIR: &str = "#d29922";
const ANSWER: &str = "#3fb950";
const SILENCE: &str = "#f85149";
const TEXT: &str = "#808080";

/// A span of time laid over the width of the picture.
struct Axis {
    begin: Stamp,
    end: Stamp,
}

impl Axis {
    /// The horizontal place of a point in time, in tenths of a pixel.
    fn x(&self, at: Stamp) -> u64 {
        let span = self.end.0 - self.begin.0;
        let inside = at.0.clamp(self.begin.0, self.end.0) - self.begin.0;
        LEFT * 10 + inside / 1_000 * (WIDTH - LEFT - RIGHT) * 10 / (span / 1_000)
    }

    fn shows(&self, at: Stamp) -> bool {
        (self.begin..=self.end).contains(&at)
    }
}

/// Tenths as SVG wants them.
fn px(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The picture.
pub(super) fn draw(stage: &Stage, takeover: &Takeover, died: Stamp, master_down: Duration) -> String {
    let heir = takeover.old.other();
    let last_event = takeover
        .paths
        .iter()
        .map(|path| path.first_announcement)
        .max()
        .unwrap_or(died);
    let axis = Axis {
        begin: Stamp(died.0.saturating_sub(BEFORE)),
        end: Stamp(last_event.0 + AFTER),
    };
    let lanes = Stage::PATHS.len() as u64 * 2 + Stage::VIPS.len() as u64;
    let bottom = TOP + lanes * LANE;
    let height = bottom + 92;

    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"{TEXT}\">"
    ));
    line(format!(
        "<title>Host {} dies, host {heir} takes over</title>",
        takeover.old
    ));
    line(format!(
        "<text x=\"12\" y=\"26\" font-size=\"17\" font-weight=\"600\">Host {} dies, host {heir} takes over \
         its four addresses</text>",
        takeover.old
    ));

    // The theory behind everything else: from the last advert, Master_Down_Interval long.
    if let Some(path) = takeover.paths.first() {
        let down = u64::try_from(master_down.as_nanos()).unwrap_or_default();
        let (from, to) = (axis.x(path.last_advert), axis.x(Stamp(path.last_advert.0 + down)));
        line(format!(
            "<rect x=\"{}\" y=\"{TOP}\" width=\"{}\" height=\"{}\" fill=\"{TEXT}\" opacity=\"0.12\"/>",
            px(from),
            px(to - from),
            lanes * LANE
        ));
        line(format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\">Master_Down_Interval {} ms</text>",
            px((from + to) / 2),
            TOP - 8,
            master_down.as_millis()
        ));
    }

    let mut y = TOP;
    for (index, path) in Stage::PATHS.iter().enumerate() {
        for node in [takeover.old, heir] {
            let label = format!("{node} {} adverts", path.interface);
            line(lane(y, &label));
            let color = if node == heir { HEIR } else { MASTER };
            // Seen on the heir's cable: what the heir knew.
            for (at, from, _) in stage.adverts(heir, index, axis.begin) {
                if from == node && axis.shows(at) {
                    line(tick(axis.x(at), y, color, 3));
                }
            }
            if node == heir {
                for (at, _) in stage.announcements(heir, index, axis.begin) {
                    if axis.shows(at) {
                        line(format!(
                            "<circle cx=\"{}\" cy=\"{}\" r=\"3.5\" fill=\"none\" stroke=\"{HEIR}\"/>",
                            px(axis.x(at)),
                            y + LANE - 8
                        ));
                    }
                }
            }
            y += LANE;
        }
    }
    for vip in Stage::VIPS {
        line(lane(y, &vip.to_string()));
        let mut begin = None;
        let mut last: Option<Stamp> = None;
        let answers = stage.prober.answers(vip);
        let shown = answers
            .iter()
            .map(|answer| answer.at)
            .filter(|&at| axis.shows(at));
        let mut gap = None;
        for at in shown {
            // Ten missed requests are a silence; less is the machine's own jitter.
            if let Some(before) = last.filter(|before| at.since(*before) > Duration::from_millis(100)) {
                line(bar(&axis, begin.unwrap_or(before), before, y, ANSWER));
                line(bar(&axis, before, at, y, SILENCE));
                gap = Some((before, at));
                begin = Some(at);
            }
            begin = begin.or(Some(at));
            last = Some(at);
        }
        if let (Some(begin), Some(last)) = (begin, last) {
            line(bar(&axis, begin, last, y, ANSWER));
        }
        if let Some((from, to)) = gap {
            line(format!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\">no answer for {} ms</text>",
                px((axis.x(from) + axis.x(to)) / 2),
                y + 14,
                to.since(from).as_millis()
            ));
        }
        y += LANE;
    }

    // The axis, in seconds from the death.
    line(format!(
        "<line x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\" stroke=\"{TEXT}\"/>",
        WIDTH - RIGHT
    ));
    for second in -2_i64..=8 {
        let at = Stamp(died.0.saturating_add_signed(second * 1_000_000_000));
        if axis.shows(at) {
            line(format!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\">{second:+} s</text>",
                px(axis.x(at)),
                bottom + 16
            ));
        }
    }
    line(format!(
        "<line x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{bottom}\" stroke=\"{SILENCE}\" stroke-dasharray=\"4 3\"/>",
        px(axis.x(died)),
        TOP - 4
    ));
    line(format!(
        "<text x=\"{}\" y=\"{}\" fill=\"{SILENCE}\" font-size=\"11\" text-anchor=\"end\">{} dies </text>",
        px(axis.x(died) - 40),
        TOP - 8,
        takeover.old
    ));
    line(legend(bottom + 40));
    let figures = takeover.paths.iter().zip(&Stage::PATHS).map(|(seen, path)| {
        format!(
            "{}: from the last advert to the takeover by {heir} {} ms, to its first gratuitous ARP {} ms",
            path.instance,
            signed(seen.last_advert, seen.detection),
            signed(seen.last_advert, seen.first_announcement)
        )
    });
    for (index, text) in figures.enumerate() {
        line(format!(
            "<text x=\"12\" y=\"{}\" font-size=\"12\">{text}</text>",
            bottom + 62 + 18 * index as u64
        ));
    }
    line("</svg>".to_owned());
    out
}

/// The label of a lane, and a hair line under it.
fn lane(y: u64, label: &str) -> String {
    format!(
        "<text x=\"12\" y=\"{}\">{label}</text>\n\
         <line x1=\"{LEFT}\" y1=\"{1}\" x2=\"{2}\" y2=\"{1}\" stroke=\"{TEXT}\" opacity=\"0.25\"/>",
        y + 21,
        y + LANE,
        WIDTH - RIGHT
    )
}

fn tick(x: u64, y: u64, color: &str, width: u64) -> String {
    format!(
        "<line x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{2}\" stroke=\"{color}\" stroke-width=\"{width}\"/>",
        px(x),
        y + 8,
        y + LANE - 2
    )
}

fn bar(axis: &Axis, from: Stamp, to: Stamp, y: u64, color: &str) -> String {
    let (from, to) = (axis.x(from), axis.x(to));
    format!(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"9\" fill=\"{color}\"/>",
        px(from),
        y + 19,
        px(to.saturating_sub(from).max(5))
    )
}

fn legend(y: u64) -> String {
    let mut out = String::new();
    let entries = [
        (MASTER, "advert of the old Master"),
        (HEIR, "advert of the new Master (ring: gratuitous ARP)"),
        (ANSWER, "client is answered"),
        (SILENCE, "client is not answered"),
    ];
    let mut x = 12;
    for (color, text) in entries {
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\" fill=\"{color}\"/>\
             <text x=\"{}\" y=\"{y}\" font-size=\"12\">{text}</text>",
            y - 10,
            x + 16
        );
        x += 40 + text.len() as u64 * 7;
    }
    out
}
