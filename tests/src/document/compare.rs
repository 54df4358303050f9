//! Whether an answer is the document's.

use std::net::IpAddr;

/// What may differ from run to run is made the same: numbers with their units, how wide a column is, how adverts arrive.
#[must_use]
pub fn normal(line: &str) -> String {
    // How many classes there are is the machine's affair.
    let line = line.split("; gaps of at least").next().unwrap_or(line);
    const UNITS: [&str; 6] = ["us", "ms", "s", "m", "h", "d"];
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let address = bare
            .split('/')
            .next()
            .is_some_and(|bare| bare.parse::<IpAddr>().is_ok());
        let after_number = words.last().is_some_and(|before| before.ends_with('N'));
        let word = match word {
            "xdp-native" | "xdp-generic" | "raw" => "RECEIVED".to_owned(),
            _ if bare.starts_with("fe80:") => "LINK-LOCAL".to_owned(),
            _ if address => word.to_owned(),
            _ if bare.split(':').count() == 6 => "MAC".to_owned(),
            // The end of a virtual cable.
            _ => numberless(word.split("@if").next().unwrap_or(word)),
        };
        let unit = after_number && UNITS.contains(&word.trim_end_matches([',', ')', ';', ':']));
        if unit {
            let rest = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            if let Some(number) = words.last_mut() {
                number.push_str(rest);
            }
        } else if after_number && word.starts_with('N') {
            // 5 m 03 s, or a bound beside another.
            words.pop();
            words.push(word);
        } else {
            words.push(word);
        }
    }
    words.join(" ").replace("N to N", "N")
}

fn numberless(word: &str) -> String {
    let mut out = String::new();
    let mut in_number = false;
    for c in word.chars() {
        let digit = c.is_ascii_digit() || (in_number && c == '.');
        if digit && !in_number {
            out.push('N');
        }
        if !digit {
            out.push(c);
        }
        in_number = digit;
    }
    out
}

/// Whether `said` is what the document has, `pattern`: but for numbers, and `…` for anything.
#[must_use]
pub fn fits(pattern: &[String], said: &[String]) -> bool {
    let normal = |lines: &[String]| {
        let lines = lines.iter().map(|line| normal(line));
        // A busy machine is no mistake of the document.
        lines
            .filter(|line| !line.starts_with("late adverts of the Master"))
            .collect::<Vec<_>>()
    };
    lines_fit(&normal(pattern), &normal(said))
}

fn lines_fit(pattern: &[String], said: &[String]) -> bool {
    match pattern.split_first() {
        None => said.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=said.len()).any(|passed| lines_fit(rest, said.get(passed..).unwrap_or_default()))
        }
        Some((first, rest)) => said
            .split_first()
            .is_some_and(|(line, others)| line_fits(first, line) && lines_fit(rest, others)),
    }
}

fn line_fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern == line,
        Some((before, behind)) => line.strip_prefix(before.trim_end()).is_some_and(|rest| {
            let mut places = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            places.any(|at| {
                line_fits(
                    behind.trim_start(),
                    rest.get(at..).unwrap_or_default().trim_start(),
                )
            })
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_answer_fits_but_for_numbers_and_what_is_left_out() {
        for (pattern, said, good) in [
            ("up 12 s, pid 7", "up  3 m 02 s, pid 99", true),
            ("up 12 s", "down 12 s", false),
            ("192.0.2.1 is Master", "192.0.2.2 is Master", false),
            (
                "sent by MAC address 2a:58:83:22:cd:26",
                "sent by MAC address fa:01:02:03:04:05",
                true,
            ),
            (
                "eth0 UP fe80::7434:63ff:fea7:3d1a/64",
                "eth0@if3  UP  fe80::1/64",
                true,
            ),
            ("one\n…\nfour", "one\ntwo\nthree\nfour", true),
            ("one\n…\nfour", "one\nfour", true),
            ("one\n…\nfour", "one\ntwo", false),
            ("…", "", true),
            ("web: MASTER: …", "web: MASTER: no Master heard", true),
            ("web: … present", "web: 192.0.2.1 is present", true),
            ("web: … present", "web: 192.0.2.1 is absent", false),
            ("", "something", false),
        ] {
            assert_eq!(fits(&lines(pattern), &lines(said)), good, "{pattern:?} {said:?}");
        }
    }
}
