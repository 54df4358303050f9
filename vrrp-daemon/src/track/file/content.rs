//! What stands in a tracked file.

use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

/// What is read of a file: more than any number takes.
const LONGEST: u64 = 256;

/// A number that no integer of ours holds, as it stands in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beyond(pub(super) String);

/// The number in a file. A file that is missing, unreadable, not a plain one or that holds no number counts as
/// 0, as in keepalived.
pub(super) fn read(path: &Path) -> Result<i32, Beyond> {
    // A FIFO without a writer would be waited for, a device may do anything when it is opened.
    let plain = fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let opened = plain.then(|| {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)
    });
    let Some(Ok(file)) = opened else { return Ok(0) };
    let mut bytes = Vec::new();
    if !file.metadata().is_ok_and(|meta| meta.is_file())
        || file.take(LONGEST).read_to_end(&mut bytes).is_err()
    {
        return Ok(0);
    }
    number(&bytes)
}

/// The number that a text begins with, as C's `strtol` reads it with base 0: blanks, a sign, `0x` for
/// hexadecimal and `0` for octal; what follows is not looked at.
pub(super) fn number(text: &[u8]) -> Result<i32, Beyond> {
    let text: String = text.iter().copied().map(char::from).collect();
    let begin = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let (negative, digits) = match begin.strip_prefix(['-', '+']) {
        Some(digits) => (begin.starts_with('-'), digits),
        None => (false, begin),
    };
    let hexadecimal = digits
        .strip_prefix("0x")
        .or(digits.strip_prefix("0X"))
        .filter(|rest| rest.starts_with(|digit: char| digit.is_ascii_hexdigit()));
    let (base, digits) = match hexadecimal {
        Some(rest) => (16, rest),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let end = digits
        .find(|digit: char| !digit.is_digit(base))
        .unwrap_or(digits.len());
    let digits = digits.get(..end).unwrap_or_default();
    if digits.is_empty() {
        return Ok(0);
    }
    let beyond = || Beyond(begin.split_whitespace().next().unwrap_or_default().to_owned());
    let value = i64::from_str_radix(digits, base).map_err(|_| beyond())?;
    i32::try_from(if negative { -value } else { value }).map_err(|_| beyond())
}
