//! What `cargo xtask bench xdp` and `cargo xtask bench tcp` run: it is here, and no part of xtask, because it
//! loads the program with the daemon's own code.
//!
//! * `xdp_bench cost ROUNDS` prints what single frames cost, as JSON.
//! * `xdp_bench hold PROGRAM MODE INTERFACE` attaches `vrrp` or `empty` (`native`, `generic`), prints `held`, and
//!   waits for the end of its standard input.

#![deny(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]
#![expect(dead_code, reason = "the packet builder serves the packet tables too")]

mod cost;
mod empty;
mod frames;
#[path = "../../tests/packets/mod.rs"]
mod packets;

use std::io::{Read, stdin};

use anyhow::{Context, bail, ensure};
use aya::Ebpf;
use aya::programs::{Xdp, XdpMode};
use nix::net::if_::if_nametoindex;
use vrrp_daemon::xdp::{Mode, XdpPath, embedded};

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["cost", rounds] => {
            let rows = cost::run(rounds.parse().context("ROUNDS")?)?;
            println!("{}", serde_json::to_string(&rows)?);
            Ok(())
        }
        ["hold", program, mode, interface] => hold(program, mode, interface),
        _ => bail!("xdp_bench cost ROUNDS | hold vrrp|empty native|generic INTERFACE"),
    }
}

/// The program that the daemon loads.
fn object() -> anyhow::Result<&'static [u8]> {
    embedded().context("built without the XDP program: run `cargo xtask build` first")
}

/// [`empty`], loaded.
fn load_empty() -> anyhow::Result<Ebpf> {
    let mut ebpf = Ebpf::load(&empty::object())?;
    empty_program(&mut ebpf)?.load()?;
    Ok(ebpf)
}

fn empty_program(ebpf: &mut Ebpf) -> anyhow::Result<&mut Xdp> {
    let program = ebpf.program_mut(empty::PROGRAM).context("no empty program")?;
    Ok(program.try_into()?)
}

fn hold(program: &str, mode: &str, interface: &str) -> anyhow::Result<()> {
    let index = if_nametoindex(interface).with_context(|| format!("no interface {interface}"))?;
    let native = match mode {
        "native" => true,
        "generic" => false,
        _ => bail!("mode {mode}"),
    };
    let (mut vrrp, mut empty);
    match program {
        "vrrp" => {
            vrrp = XdpPath::load(object()?)?;
            let (model, mut places) = packets::bench::model();
            for place in &mut places {
                place.ifindex = Some(index);
            }
            vrrp.configure(&model, &places, false)?;
            vrrp.attach(index, if native { Mode::Native } else { Mode::Generic })?;
        }
        "empty" => {
            empty = load_empty()?;
            let mode = if native { XdpMode::Driver } else { XdpMode::Skb };
            empty_program(&mut empty)?.attach_to_if_index(index, mode)?;
        }
        _ => bail!("program {program}"),
    }
    println!("held");
    let input = stdin().lock().read(&mut [0])?;
    ensure!(input == 0, "nothing is expected on standard input");
    Ok(())
}
