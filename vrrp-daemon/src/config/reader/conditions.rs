//! `@ID` and `@^ID`: lines for one host.
//!
//! keepalived leaves out the line and nothing else: of `@other vrrp_instance X {` the block's lines are then
//! read into the block around. Where that leaves a `}` too many in the file, the block is left out with its line.

use super::super::diag::Diagnostic;
use super::super::line::Line;
use super::variables::definition;
use super::{LeftOut, Reader, braces, content};

impl Reader<'_> {
    /// A condition at `start`: how long it is if it holds. If not, the line is left out.
    pub(super) fn condition(&mut self, line: &Line, start: usize) -> Option<usize> {
        let text = line.text().get(start + 1..).unwrap_or("");
        let end = |c: char| c.is_whitespace() || matches!(c, '#' | '!');
        let word = text.get(..text.find(end).unwrap_or(text.len())).unwrap_or("");
        let (id, wanted) = match word.strip_prefix('^') {
            Some(id) => (id, false),
            None => (word, true),
        };
        if (id == self.config_id) == wanted {
            return Some(1 + word.len());
        }
        self.leave_out(line, start, 1 + word.len());
        None
    }

    fn leave_out(&mut self, line: &Line, start: usize, condition: usize) {
        let rest = line.text().get(start + condition..).unwrap_or("");
        let content = rest.get(content(rest)).unwrap_or("");
        if definition(content).is_some() && continues(rest) {
            let span = line.span(start..start + condition, self.sources);
            while self.next_raw().is_some_and(|line| continues(line.text())) {}
            self.sink.push(
                Diagnostic::warning("a definition of several lines is left out by its condition")
                    .at(span, "left out with all its lines")
                    .help("keepalived leaves out the first line alone: put the condition where the variable is used"),
            );
            return;
        }
        let (mut depth, any) = braces(rest);
        // The `{` may stand on the next line.
        let opens = depth > 0 || (!any && !content.is_empty() && self.next_opens());
        if !opens {
            return;
        }
        self.left_open += 1;
        if self.left_out == LeftOut::Line {
            return;
        }
        let span = line.span(start..start + condition + rest.trim_end().len(), self.sources);
        let mut entered = depth > 0;
        while !entered || depth > 0 {
            let Some(line) = self.next_raw() else { break };
            let (balance, any) = braces(line.text());
            depth += balance;
            entered |= any;
        }
        self.sink.push(
            Diagnostic::warning("the block of this line is left out with it")
                .at(span, "left out by its condition")
                .help("keepalived leaves out this line alone and reads the block's lines into the block around: put the condition on each of them, the `}` too"),
        );
    }

    /// Whether the next line that is not empty begins with `{`.
    fn next_opens(&self) -> bool {
        let Some(super::Item::File(file)) = self.stack.last() else {
            return false;
        };
        let rest = file.text.get(file.at..).unwrap_or("");
        let next = rest.lines().map(|line| line.get(content(line)).unwrap_or(""));
        next.take(8)
            .find(|line| !line.is_empty())
            .is_some_and(|line| line.starts_with('{'))
    }
}

/// Whether a definition goes on after this line: a `\` at its end, or before its comment.
pub(super) fn continues(text: &str) -> bool {
    text.trim_end().ends_with('\\') || text.get(content(text)).is_some_and(|text| text.ends_with('\\'))
}
