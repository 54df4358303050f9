//! Whether a process is the one that is meant. Pure.

use crate::config::{ParamMatch, ProcessSpec};

/// Longest name of a process that the kernel keeps (TASK_COMM_LEN, without the final zero).
const NAME_LEN: usize = 15;

/// What there is to know of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process<'a> {
    /// Its name (`/proc/PID/comm`), at most 15 bytes.
    pub(super) name: &'a [u8],
    /// Its command line (`/proc/PID/cmdline`), each word with a zero behind it.
    pub(super) command: &'a [u8],
}

/// Whether this is such a process: by its name, or by the words of its command line.
pub(super) fn fits(spec: &ProcessSpec, process: Process<'_>) -> bool {
    if spec.by_name {
        let wanted = spec.program.as_bytes();
        return process.name == wanted.get(..NAME_LEN).unwrap_or(wanted);
    }
    let command = process.command.strip_suffix(b"\0").unwrap_or(process.command);
    let mut words = command.split(|byte| *byte == 0);
    if words.next() != Some(spec.program.as_bytes()) {
        return false;
    }
    let given: Vec<_> = words.collect();
    let wanted: Vec<_> = spec.params.iter().map(String::as_bytes).collect();
    match spec.param_match {
        ParamMatch::Any => true,
        ParamMatch::Exact => given == wanted,
        ParamMatch::Partial | ParamMatch::Initial if wanted.is_empty() => given.is_empty(),
        ParamMatch::Partial => given.starts_with(&wanted),
        ParamMatch::Initial => {
            let Some((last, first)) = wanted.split_last() else {
                return given.is_empty();
            };
            let same = given.starts_with(first);
            same && given.get(first.len()).is_some_and(|word| word.starts_with(last))
        }
    }
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::Nanos;

    use super::{Process, fits};
    use crate::config::{ParamMatch, ProcessSpec};

    fn spec(program: &str, params: &[&str], param_match: ParamMatch) -> ProcessSpec {
        ProcessSpec {
            program: program.to_owned(),
            by_name: false,
            params: params.iter().map(|&param| param.to_owned()).collect(),
            param_match,
            quorum: 1,
            quorum_max: None,
            fork_delay: Nanos::ZERO,
            terminate_delay: Nanos::ZERO,
        }
    }

    #[test]
    fn by_name() {
        let table: [(&str, &[u8], bool); 6] = [
            ("nginx", b"nginx", true),
            ("nginx", b"nginx2", false),
            ("nginx2", b"nginx", false),
            ("/usr/sbin/nginx", b"nginx", false),
            // The kernel keeps 15 bytes.
            ("averyveryverylongname", b"averyveryverylo", true),
            ("averyveryverylo", b"averyveryverylo", true),
        ];
        for (wanted, name, expected) in table {
            let spec = ProcessSpec {
                by_name: true,
                ..spec(wanted, &[], ParamMatch::Any)
            };
            let command = b"/usr/sbin/nginx\0-g\0";
            assert_eq!(
                fits(&spec, Process { name, command }),
                expected,
                "{wanted} {name:?}"
            );
        }
    }

    #[test]
    fn by_command_line() {
        use ParamMatch::{Any, Exact, Initial, Partial};
        let table: [(&[&str], ParamMatch, &[u8], bool); 19] = [
            (&[], Any, b"/bin/p\0", true),
            (&[], Any, b"/bin/p\0a\0b\0", true),
            (&[], Any, b"p\0", false),
            (&[], Any, b"", false),
            (&["a"], Exact, b"/bin/p\0a\0", true),
            (&["a"], Exact, b"/bin/p\0a\0b\0", false),
            (&["a"], Exact, b"/bin/p\0ab\0", false),
            (&["a"], Exact, b"/bin/p\0", false),
            (&["a", ""], Exact, b"/bin/p\0a\0\0", true),
            (&["a"], Partial, b"/bin/p\0a\0b\0", true),
            (&["a"], Partial, b"/bin/p\0ab\0", false),
            (&["a", "b"], Partial, b"/bin/p\0a\0", false),
            (&["a"], Initial, b"/bin/p\0ab\0c\0", true),
            (&["a", "b"], Initial, b"/bin/p\0a\0bc\0", true),
            (&["a", "b"], Initial, b"/bin/p\0ax\0b\0", false),
            (&["a"], Initial, b"/bin/p\0", false),
            // Without a word to compare there must be none.
            (&[], Initial, b"/bin/p\0", true),
            (&[], Partial, b"/bin/p\0a\0", false),
            // A process may overwrite its command line, and end it as it likes.
            (&["a"], Exact, b"/bin/p\0a", true),
        ];
        for (params, param_match, command, expected) in table {
            let process = Process { name: b"p", command };
            let what = format!("{params:?} {param_match:?} {}", command.escape_ascii());
            assert_eq!(
                fits(&spec("/bin/p", params, param_match), process),
                expected,
                "{what}"
            );
        }
    }
}
