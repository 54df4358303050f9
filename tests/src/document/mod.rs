//! Documents whose consoles are run.
//!
//! A fenced block marked `console` holds commands behind their prompts, and below each what it answers. `a#` and `b#` name the host,
//! `#` and `$` the machine that the reader sits at. Answers are compared but for numbers; `…` stands for anything, alone on a
//! line for any lines, none included. A command whose answer the document does not show whole has to end with 0, unless `echo $?`
//! comes next. One whose answer ends with `^C` goes on while the next block is run, and is ended by that block's end.
//!
//! What happens that no console shows is a comment on a line of its own, a direction: `<!-- hosts: pull a eth0 -->`, for the [`Runner`]s
//! that it names; a block that is not a console and follows at once belongs to it. `plan` says who runs which section.

mod compare;
mod plan;
mod play;
mod text;

pub use compare::{fits, normal};
pub use plan::{Runner, complete, documents, runner_of};
pub use play::{Stage, play};
pub use text::{Console, Direction, Document, Example, Piece, exchanged};
