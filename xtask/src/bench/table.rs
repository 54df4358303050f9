//! The table of bars, as text for a terminal and as Markdown for `docs/benchmarks.md`; the plots beside it.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::bars::{Line, Verdict};
use super::plot;
use super::profile::Row;
use super::sample::Summary;
use super::whole::{Machine, Report};

/// Between these lines of the document stands what is written here.
const BEGIN: &str = "<!-- Figures: written by `cargo xtask bench --write`, not by hand. -->";
const END: &str = "<!-- End of the figures. -->";

/// To standard output.
pub(super) fn print(report: &Report) {
    println!("\n{}", machine(&report.machine));
    println!("\nWhere we mean to be, and are");
    println!(
        "{:<24}{:>7}{:>11}{:>11}{:>11}{:>11}",
        "", "n", "p50", "p90", "p99", "max"
    );
    for line in &report.lines {
        println!(
            "{} [{}]  {}  {}",
            line.what,
            line.unit.name(),
            line.bar,
            line.verdict()
        );
        if line.verdict == Verdict::NotMeasured {
            continue;
        }
        print_row("  vrrp-daemon", line, &line.ours);
        for (title, summary) in &line.theirs {
            print_row(&format!("  {title}"), line, summary);
        }
        if let Some(ratio) = line.ratio {
            println!("  ratio {ratio} %");
        }
    }
    let count = |verdict| report.lines.iter().filter(|line| line.verdict == verdict).count();
    println!(
        "\n{} bars kept, {} missed, {} not measured",
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::NotMeasured)
    );
}

fn print_row(title: &str, line: &Line, summary: &Summary) {
    let [p50, p90, p99, max] = line.ranks(summary);
    println!(
        "{title:<24}{:>7}{p50:>11}{p90:>11}{p99:>11}{max:>11}",
        summary.count()
    );
}

/// Put table and plots where the documents are: `docs/benchmarks` means the section of `docs/benchmarks.md`, and plots
/// and every figure in `docs/benchmarks/`.
pub(super) fn write(report: &Report, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let plots = plot::all(report, folder)?;
    let figures = folder.join("figures.json");
    let mut text = serde_json::to_string(report)?;
    text.push('\n');
    fs::write(&figures, text).with_context(|| format!("writing {}", figures.display()))?;

    let document = folder.with_extension("md");
    let old = fs::read_to_string(&document).with_context(|| format!("reading {}", document.display()))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let mut section = markdown(report);
    for (file, title) in plots {
        section.push_str(&format!("\n![{title}]({name}/{file})\n"));
    }
    let new = replaced(&old, &section).with_context(|| {
        format!(
            "{} has no place for figures, which is between two lines:\n{BEGIN}\n{END}",
            document.display()
        )
    })?;
    fs::write(&document, new).with_context(|| format!("writing {}", document.display()))?;
    println!("\nWritten: {} and {}", document.display(), folder.display());
    Ok(())
}

/// `document` with `section` between the two lines that mark its place.
fn replaced(document: &str, section: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{section}\n{END}{after}"))
}

fn machine(machine: &Machine) -> String {
    format!(
        "{}, {} cores, kernel {}, {} UTC, load {} before; `{}`",
        machine.processor, machine.cores, machine.kernel, machine.date, machine.load, machine.command
    )
}

fn markdown(report: &Report) -> String {
    let mut text = machine(&report.machine);
    text.push_str(
        "\n\n| what | bar | | n | p50 | p90 | p99 | max | ratio | verdict |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut shown = "";
    for line in &report.lines {
        let ratio = line.ratio.map_or_else(String::new, |ratio| format!("{ratio} %"));
        let mut row = |first: [&str; 3], summary: &Summary, last: [&str; 2]| {
            let [what, bar, who] = first;
            let ranks = line.ranks(summary).join(" | ");
            let [ratio, verdict] = last;
            text.push_str(&format!(
                "| {what} | {bar} | {who} | {} | {ranks} | {ratio} | {verdict} |\n",
                summary.count()
            ));
        };
        let what = match line.unit.name() {
            "" => line.what.clone(),
            unit => format!("{} ({unit})", line.what),
        };
        row(
            [&what, &line.bar, "vrrp-daemon"],
            &line.ours,
            [&ratio, &line.verdict()],
        );
        // Another bar for the same figures.
        if shown == line.what {
            continue;
        }
        for (title, summary) in &line.theirs {
            row(["", "", title], summary, ["", ""]);
        }
        shown = &line.what;
    }
    text.push_str(
        "\nSystem calls of the protocol thread, counted by strace:\n\n\
         | work | | | adverts | wake-ups | calls for a wake-up | calls for an advert | sends for a wake-up |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in &report.profile {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
            row.work,
            row.daemon,
            row.role(),
            row.adverts,
            row.wake_ups,
            Row::per(row.calls, row.wake_ups),
            Row::per(row.calls, row.adverts),
            Row::per(row.sends, row.wake_ups),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, replaced};

    #[test]
    fn only_the_section_is_replaced() {
        let old = format!("head\n{BEGIN}\nold\n{END}\ntail\n");
        let new = replaced(&old, "| new |\n").unwrap();
        assert_eq!(new, format!("head\n{BEGIN}\n\n| new |\n\n{END}\ntail\n"));
        assert_eq!(replaced(&new, "| new |\n").unwrap(), new);
        assert_eq!(replaced("no place", "new"), None);
    }
}
