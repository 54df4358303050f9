//! The manual page vrrp-daemon.conf(5).

use roff::{Inline, Roff, bold, italic, roman};
use vrrp_daemon::config::keywords::{Block, Entry, Keyword, Status};

use super::{follows, outcome};

/// Of the last change that is not in the keyword table.
const DATE: &str = "2026-11-23";

const DESCRIPTION: &[&str] = &[
    "vrrp-daemon reads keepalived's configuration language, and takes keepalived's own file as it is. Without -f it reads \
     /etc/vrrp-daemon/vrrp-daemon.conf if it is there, else /etc/keepalived/keepalived.conf.",
    "A line holds one keyword and what follows it. { opens a block, on the keyword's line or on the next, and } closes it. \
     # and ! begin a comment anywhere outside double quotes; \\# and \\! stand for themselves. \"...\" keeps words together; \
     in commands '...' and \\ count too. include FILE takes in other files; FILE may be a pattern, and is relative to the \
     file that it stands in.",
    "What cannot be understood is left out with a warning that names the place and the remedy; a keyword that is not known \
     never keeps the daemon from starting. vrrp-daemon -t checks a file and touches nothing.",
    "Below, SECONDS may have decimals and N is a whole number. The default stands in brackets.",
];

pub(crate) fn page() -> String {
    let mut page = Roff::new();
    page.control(
        "TH",
        ["VRRP-DAEMON.CONF", "5", DATE, "vrrp-daemon", "File formats"],
    );
    section(&mut page, "NAME");
    page.text([roman(
        "vrrp-daemon.conf - configuration of vrrp-daemon, in keepalived's language",
    )]);
    section(&mut page, "DESCRIPTION");
    for (at, paragraph) in DESCRIPTION.iter().enumerate() {
        if at > 0 {
            page.control("PP", []);
        }
        page.text([roman(*paragraph)]);
    }
    for block in Block::ALL {
        let title = match block {
            Block::Root => "TOP LEVEL".to_owned(),
            _ => format!("BLOCK {}", block.name()),
        };
        section(&mut page, &title);
        keywords(&mut page, block.keywords());
    }
    for entry in Entry::ALL {
        let (places, form) = entry.name().split_once(": ").unwrap_or((entry.name(), ""));
        section(&mut page, &format!("ENTRIES OF {places}"));
        page.text([roman("An entry is "), italic(form)]);
        keywords(&mut page, entry.words());
    }
    section(&mut page, "FILES");
    page.text([roman(
        "/etc/vrrp-daemon/vrrp-daemon.conf, /etc/keepalived/keepalived.conf",
    )]);
    section(&mut page, "SEE ALSO");
    page.text([bold("keepalived.conf"), roman("(5), docs/compatibility.md")]);
    page.render()
}

pub(crate) fn section(page: &mut Roff, title: &str) {
    page.control("SH", [title]);
}

fn keywords(page: &mut Roff, keywords: &[Keyword]) {
    for keyword in keywords {
        if keyword.status == Status::LoadBalancer {
            continue;
        }
        page.control("TP", []);
        let mut head = vec![bold(keyword.name)];
        let follows = follows(keyword.shape);
        if !follows.is_empty() {
            head.extend([roman(" "), italic(ascii(follows))]);
        }
        page.text(head);
        page.text(body(keyword));
    }
    let skipped: Vec<&str> = keywords
        .iter()
        .filter(|keyword| keyword.status == Status::LoadBalancer)
        .map(|keyword| keyword.name)
        .collect();
    if !skipped.is_empty() {
        page.control("PP", []);
        page.text([roman(format!(
            "Read over, for they are the load balancer's, which keepalived -C runs: {}.",
            skipped.join(", ")
        ))]);
    }
}

fn body(keyword: &Keyword) -> Vec<Inline> {
    let mut text = ascii(keyword.doc);
    if !keyword.default.is_empty() {
        text += &format!(" [{}]", keyword.default);
    }
    text.push('.');
    let (verdict, more) = outcome(keyword);
    let more = ascii(&more);
    match keyword.status {
        Status::Works(_) => {}
        Status::Needless(_) => text += &format!(" Taken silently: {more}."),
        Status::Missing(_) if keyword.to_come => {
            text += &format!(" Not done yet, taken with a warning: {more}.")
        }
        Status::Missing(_) => text += &format!(" Taken with a warning: {more}."),
        Status::LoadBalancer | Status::Refused(_) => text += &format!(" It is {verdict}: {more}."),
    }
    if let Some(instead) = keyword.instead {
        text += &format!(" Deprecated: use {instead}.");
    }
    vec![roman(text)]
}

/// Without what some terminals cannot show.
pub(crate) fn ascii(text: &str) -> String {
    text.replace('…', "...").replace('`', "")
}
