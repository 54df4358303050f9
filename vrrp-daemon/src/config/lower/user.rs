//! Whom scripts run as, and whether others could change what runs as root.
//!
//! As keepalived 2.2.7 does it (tried with `-t`): a user or group that does not exist disables the scripts that
//! need it; without `script_user`, scripts run as `keepalived_script` if there is such a user; else as root, but
//! with `enable_script_security` not at all. A script of root's that others could change is run, with a security
//! remark, unless `enable_script_security` disables it.

use std::path::Path;

use super::Lowering;
use super::script::Program;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::config::source::Span;
use crate::config::{Command, ScriptUser};

/// The user that keepalived's packages make for scripts.
const DEFAULT_USER: &str = "keepalived_script";

/// Whom scripts run as that name no user.
#[derive(Clone, Debug, Default)]
pub(super) enum DefaultUser {
    /// Not looked up yet.
    #[default]
    Unknown,
    /// This one; `None` for the daemon's own, root.
    Runs(Option<ScriptUser>),
    /// There is none: why, and what to do.
    Missing(&'static str, &'static str),
}

/// A script of root's that others could change.
#[derive(Clone, Debug)]
pub(super) struct Insecure {
    at: Span,
    why: String,
}

impl Lowering<'_> {
    /// `script_user`.
    pub(super) fn script_user(&mut self, statement: &Statement) {
        let Some(user) = self.user(statement, &statement.words) else {
            return;
        };
        if self.exists(&user, statement) {
            self.default_user = DefaultUser::Runs(Some(user.clone()));
            self.config.global.script_user = Some(user);
        } else {
            self.default_user = DefaultUser::Missing(
                "the user in `script_user` does not exist",
                "name one that does, or create it",
            );
        }
    }

    /// `vrrp_control_group`.
    pub(super) fn control_group(&mut self, statement: &Statement) {
        let Some(word) = statement.words.first() else {
            let name = statement.keyword.name;
            self.sink.push(
                Diagnostic::warning(format!("`{name}` names no group"))
                    .at(statement.span, "ignored")
                    .help("write the name of a group"),
            );
            return;
        };
        let group = self.environment.group(&word.text);
        if group.is_none() {
            self.sink.push(
                Diagnostic::warning(format!("there is no group `{}`", word.text))
                    .remark(Remark::None)
                    .at(word.span, "only root can use the control socket")
                    .help("create it, or name another group"),
            );
        }
        self.config.global.control_group = group;
    }

    /// `USER [GROUP]`.
    pub(super) fn user(&mut self, statement: &Statement, words: &[Word]) -> Option<ScriptUser> {
        let Some((user, rest)) = words.split_first() else {
            self.sink.push(
                Diagnostic::warning(format!("`{}` names no user", statement.keyword.name))
                    .at(statement.span, "ignored")
                    .help("write USER or USER GROUP"),
            );
            return None;
        };
        Some(ScriptUser {
            user: user.text.clone(),
            group: rest.first().map(|group| group.text.clone()),
        })
    }

    /// Whether there is such a user and group; if not, it is said.
    pub(super) fn exists(&mut self, user: &ScriptUser, statement: &Statement) -> bool {
        match self.environment.is_root(&user.user, user.group.as_deref()) {
            Ok(_) => true,
            Err(why) => {
                let at = statement
                    .words
                    .last()
                    .map_or(statement.span, |word| statement.span.to(word.span));
                // Of a notify script's user keepalived's `-t` says nothing.
                let remark = if statement.keyword.name.starts_with("notify") {
                    Remark::None
                } else {
                    Remark::General
                };
                self.sink.push(
                    Diagnostic::warning(why)
                        .remark(remark)
                        .at(at, "what needs it is never run")
                        .help("create it, or name another user or group"),
                );
                false
            }
        }
    }

    /// The user of a command, and whether it may run at all.
    pub(super) fn permit(
        &mut self,
        program: Program,
        named: Option<ScriptUser>,
        statement: &Statement,
    ) -> (Command, bool) {
        let Program { argv, found } = program;
        let at = statement.words.first().map_or(statement.span, |word| word.span);
        let named_exists = named.as_ref().is_none_or(|user| self.exists(user, statement));
        let (user, allowed) = match named {
            Some(user) => (Some(user), named_exists),
            None => match self.default_user() {
                DefaultUser::Runs(user) => (user, true),
                DefaultUser::Missing(why, remedy) => {
                    self.sink.push_once(
                        "default script user",
                        || {
                            Diagnostic::warning(format!(
                                "scripts without a user of their own are never run: {why}"
                            ))
                            .at(at, "disabled")
                            .help(remedy)
                        },
                        at,
                    );
                    (None, false)
                }
                DefaultUser::Unknown => (None, true),
            },
        };
        let as_root = user
            .as_ref()
            .is_none_or(|user| self.environment.is_root(&user.user, user.group.as_deref()) == Ok(true));
        let mut usable = found && allowed;
        if usable
            && as_root
            && let Some(path) = argv.first()
            && let Some(why) = self.environment.insecure(Path::new(path))
        {
            if self.config.global.script_security {
                self.sink.push(
                    Diagnostic::warning(format!(
                        "insecure script `{path}`: {why}; it is never run as root"
                    ))
                    .at(at, "disabled")
                    .help(
                        "let root alone write to it and to the directories above, or run it as another user",
                    ),
                );
                usable = false;
            } else {
                self.insecure.get_or_insert(Insecure { at, why });
            }
        }
        if usable {
            self.first_script.get_or_insert(at);
        }
        (Command { argv, user }, usable)
    }

    /// Looked up once, when the first command asks: `global_defs` has been read then.
    fn default_user(&mut self) -> DefaultUser {
        if matches!(self.default_user, DefaultUser::Unknown) {
            let packaged = ScriptUser {
                user: DEFAULT_USER.to_owned(),
                group: None,
            };
            self.default_user = if self.environment.is_root(DEFAULT_USER, None).is_ok() {
                self.config.global.script_user = Some(packaged.clone());
                DefaultUser::Runs(Some(packaged))
            } else if self.config.global.script_security {
                DefaultUser::Missing(
                    "`enable_script_security` is set, and there is neither `script_user` nor a user keepalived_script",
                    "set `script_user` in `global_defs` (keepalived does not run them either)",
                )
            } else {
                DefaultUser::Runs(None)
            };
        }
        self.default_user.clone()
    }

    /// keepalived's remark when scripts run unguarded; its `-t` answers 6 for it.
    pub(super) fn security(&mut self) {
        let Some(first) = self.first_script else { return };
        if self.config.global.script_security {
            return;
        }
        let mut diagnostic = Diagnostic::warning("scripts are run, and `enable_script_security` is not set")
            .remark(Remark::Security)
            .at(first, "a script")
            .help("set `enable_script_security` in `global_defs`, and `script_user` to an unprivileged user");
        if let Some(Insecure { at, why }) = self.insecure.take() {
            diagnostic = diagnostic.related(at, format!("runs as root, and {why}"));
        }
        self.sink.push(diagnostic);
    }
}
