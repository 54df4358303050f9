//! Plots of the distributions, as SVG: how many of the takeovers, or adverts, were no later than so many microseconds.

use std::path::Path;

use anyhow::{Context, anyhow};
use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::coord::combinators::IntoLogRange;
use plotters::drawing::IntoDrawingArea;
use plotters::element::PathElement;
use plotters::series::LineSeries;
use plotters::style::{BLACK, Color, IntoFont, RGBColor, WHITE};

use super::sample::Samples;
use super::whole::Report;
use super::work::Work;

const SIZE: (u32, u32) = (900, 420);
/// Told apart also by those who see no red or green.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];

/// A curve: its title, and nanoseconds.
type Curve<'a> = (String, &'a Samples);

/// All plots, into `folder`; answers their files' names and titles.
pub(super) fn all(report: &Report, folder: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    let one = Work::one(1, 10);
    let thousand = Work::one(1_000, 100);
    let first: Vec<Curve<'_>> = report
        .failover
        .iter()
        .filter(|row| row.case.work == one)
        .flat_map(|row| row.columns.iter().map(move |column| (row, column)))
        .map(|(row, column)| {
            let busy = if row.case.loaded { ", 8 busy loops" } else { "" };
            (
                format!("{}{busy}", column.daemon),
                &column.figures.first_announcement,
            )
        })
        .collect();
    let last: Vec<Curve<'_>> = report
        .failover
        .iter()
        .filter(|row| row.case.work == thousand && !row.case.loaded)
        .flat_map(|row| {
            let kernel = row
                .kernel
                .iter()
                .map(|cost| ("the kernel's own cost".to_owned(), &cost.announced));
            row.columns
                .iter()
                .map(|column| (column.daemon.clone(), &column.figures.last_announcement))
                .chain(kernel)
        })
        .collect();
    let jitter: Vec<Curve<'_>> = report
        .steady
        .iter()
        .filter(|row| row.work == Work::many(250, 10))
        .flat_map(|row| &row.columns)
        .map(|column| (column.daemon.clone(), &column.jitter))
        .collect();
    let mut drawn = Vec::new();
    for (file, title, curves) in [
        (
            "first-garp.svg",
            format!("First gratuitous ARP past Master_Down_Interval: {one}"),
            first,
        ),
        (
            "last-garp.svg",
            format!("Last gratuitous ARP past Master_Down_Interval: {thousand}"),
            last,
        ),
        (
            "jitter.svg",
            format!("Adverts: how far from the interval: {}", Work::many(250, 10)),
            jitter,
        ),
    ] {
        if curves.iter().any(|(_, samples)| !samples.0.is_empty()) {
            let path = folder.join(file);
            distribution(&path, &title, &curves).with_context(|| format!("drawing {}", path.display()))?;
            drawn.push((file, title));
        }
    }
    Ok(drawn)
}

/// Points of the curve: so many microseconds, so many percent no later. What came before its time is shown at 1.
fn points(samples: &Samples) -> Vec<(i64, i64)> {
    let mut micros: Vec<i64> = samples.0.iter().map(|nanos| (nanos / 1_000).max(1)).collect();
    micros.sort_unstable();
    let count = i64::try_from(micros.len()).unwrap_or(i64::MAX);
    let mut points: Vec<(i64, i64)> = Vec::new();
    let mut percent = 0;
    for (rank, value) in (1..).zip(micros) {
        let now = rank * 100 / count;
        // Ten thousand adverts are a hundred steps.
        if points.is_empty() || now > percent {
            points.push((value, percent));
            points.push((value, now));
            percent = now;
        }
    }
    points
}

fn distribution(path: &Path, title: &str, curves: &[Curve<'_>]) -> anyhow::Result<()> {
    let curves: Vec<(&str, Vec<(i64, i64)>)> = curves
        .iter()
        .map(|(title, samples)| (title.as_str(), points(samples)))
        .collect();
    let values = || {
        curves
            .iter()
            .flat_map(|(_, points)| points)
            .map(|(value, _)| *value)
    };
    let (low, high) = (values().min().unwrap_or(1), values().max().unwrap_or(1));
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(said)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18).into_font())
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(48)
        .build_cartesian_2d(
            ((low * 2 / 3).max(1)..high * 3 / 2 + 1).log_scale(),
            0_i64..100_i64,
        )
        .map_err(said)?;
    chart
        .configure_mesh()
        .x_desc("microseconds, no later than")
        .y_desc("percent")
        .light_line_style(WHITE)
        .draw()
        .map_err(said)?;
    for ((title, points), colour) in curves.into_iter().zip(COLOURS.into_iter().cycle()) {
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))
            .map_err(said)?
            .label(title)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()
        .map_err(said)?;
    area.present().map_err(said)
}

/// The library's errors are not ours to keep: they borrow the drawing.
fn said(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}

#[cfg(test)]
mod tests {
    use super::points;
    use crate::bench::sample::Samples;

    #[test]
    fn a_curve_climbs_to_a_hundred() {
        let four = Samples(vec![4_000, 1_000, -7, 2_000]);
        assert_eq!(
            points(&four),
            [
                (1, 0),
                (1, 25),
                (1, 25),
                (1, 50),
                (2, 50),
                (2, 75),
                (4, 75),
                (4, 100)
            ]
        );
        let thousand = Samples((1..=1_000).map(|micros| micros * 1_000).collect());
        assert_eq!(points(&thousand).last(), Some(&(1_000, 100)));
        assert!(points(&thousand).len() <= 204);
        assert_eq!(points(&Samples::default()), []);
    }
}
