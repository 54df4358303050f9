//! getopt's optional arguments, which clap does not know: `-t` takes one only when it is attached
//! (`-t/tmp/out`), never the next word.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Short options whose argument may be missing, with their long names.
const OPTIONAL: [(u8, &str); 3] = [
    (b't', "--config-test"),
    (b'g', "--log-file"),
    (b'M', "--core-dump-pattern"),
];
/// Short options with an argument.
const REQUIRED: &[u8] = b"fSprcbsiAu";

/// Rewrite attached optional arguments to long form: `-nt/tmp/out` becomes `-n --config-test=/tmp/out`.
/// Everything else stays as it is.
pub(super) fn normalize(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.into_iter();
    let mut out: Vec<OsString> = args.next().into_iter().collect();
    while let Some(arg) = args.next() {
        let bytes = arg.as_bytes();
        if bytes == b"--" {
            out.push(arg);
            out.extend(args);
            break;
        }
        let Some(cluster) = bytes.strip_prefix(b"-").filter(|rest| !rest.starts_with(b"-")) else {
            out.push(arg);
            continue;
        };
        let special = cluster.iter().enumerate().find_map(|(at, letter)| {
            let long = OPTIONAL
                .iter()
                .find(|(short, _)| short == letter)
                .map(|(_, long)| *long);
            (long.is_some() || REQUIRED.contains(letter)).then_some((at, long))
        });
        match special {
            Some((at, Some(long))) => {
                let (flags, rest) = cluster.split_at(at);
                if !flags.is_empty() {
                    out.push(OsString::from_vec([b"-", flags].concat()));
                }
                // The letter itself is one byte.
                let value = rest.get(1..).unwrap_or_default();
                let mut option = OsString::from(long);
                if !value.is_empty() {
                    option.push("=");
                    option.push(OsStr::from_bytes(value));
                }
                out.push(option);
            }
            Some((at, None)) => {
                let value_follows = at + 1 == cluster.len();
                out.push(arg);
                // Its value, whatever it looks like, is not an option.
                if value_follows {
                    out.extend(args.next());
                }
            }
            None => out.push(arg),
        }
    }
    out
}
