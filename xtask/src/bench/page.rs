//! docs/benchmarks.md.

use std::fmt::Write as _;
use std::time::Duration;

use super::figure::{Aim, Figure, Section};

pub(super) fn render(
    machine: &[String],
    sections: &[Section],
    quick: bool,
    took: Duration,
) -> String {
    let mut page = String::from(
        "# What watching costs\n\nWritten by `cargo xtask bench`; don't edit. Runs alternate, and a \
         watched run is compared with\nthe unwatched one of its own round. Shown are the median (or \
         what a line says), the middle half of\nall values, and their number.\n\n",
    );
    if quick {
        page.push_str("**A trial run (`--quick`), perhaps on a busy machine: these figures mean nothing.**\n\n");
    }
    for line in machine {
        line_of(&mut page, format_args!("- {line}"));
    }
    line_of(
        &mut page,
        format_args!("- {:.1} minutes in all", took.as_secs_f64() / 60.0),
    );
    for section in sections {
        line_of(&mut page, format_args!("\n## {}\n", section.title));
        for sentence in &section.how {
            line_of(&mut page, format_args!("{sentence}\n"));
        }
        page.push_str("```sh\n");
        for command in &section.commands {
            line_of(&mut page, format_args!("{command}"));
        }
        page.push_str("```\n\n| figure | value | middle half | values | aim | |\n| --- | --- | --- | --- | --- | --- |\n");
        for figure in &section.figures {
            line_of(&mut page, format_args!("{}", row(figure)));
        }
        for skipped in &section.skipped {
            line_of(&mut page, format_args!("\nSKIP {skipped}"));
        }
    }
    page
}

fn line_of(page: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(page, "{line}").expect("a String takes it");
}

fn row(figure: &Figure) -> String {
    let Figure {
        what, unit, sample, ..
    } = figure;
    let show = |value| unit.show(value);
    let middle = match sample.len() {
        0 | 1 => String::new(),
        _ => format!(
            "{} … {}",
            show(sample.quantile(0.25)),
            show(sample.quantile(0.75))
        ),
    };
    let aim = match figure.aim {
        None => String::new(),
        Some(Aim::AtMost(most)) => format!("≤ {}", show(most)),
        Some(Aim::AtLeast(least)) => format!("≥ {}", show(least)),
    };
    let met = match figure.is_met() {
        None => "",
        Some(true) => "met",
        Some(false) => "**missed**",
    };
    format!(
        "| {what} | {} | {middle} | {} | {aim} | {met} |",
        show(figure.value()),
        sample.len()
    )
}

/// For the terminal.
pub(super) fn summary(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        for figure in &section.figures {
            let met = match figure.is_met() {
                None => "      ",
                Some(true) => "met   ",
                Some(false) => "MISSED",
            };
            let value = figure.unit.show(figure.value());
            line_of(
                &mut text,
                format_args!("{met}  {:>12}  {}: {}", value, section.title, figure.what),
            );
        }
        for skipped in &section.skipped {
            line_of(
                &mut text,
                format_args!("SKIP  {}: {skipped}", section.title),
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::figure::{Sample, Unit};
    use super::*;

    #[test]
    fn a_row_shows_its_aim_and_whether_it_is_met() {
        let sample: Sample = [1.0, 1.01, 1.02].into_iter().collect();
        let figure = Figure::new("wall", Unit::Ratio, sample).at_most(1.015);
        assert_eq!(
            row(&figure),
            "| wall | × 1.010 | × 1.005 … × 1.015 | 3 | ≤ × 1.015 | met |"
        );
    }
}
