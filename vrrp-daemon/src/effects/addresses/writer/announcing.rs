//! Gratuitous ARP and unsolicited ND for what is there.

use nix::errno::Errno;
use vrrp_common::time::MonoNanos;

use super::Writer;
use crate::effects::addresses::Report;
use crate::effects::announce::{self, Frame};
use crate::proto::model::{LinkId, RouterId};
use crate::sys::clock;
use crate::sys::packet_sock::PacketSender;

impl Writer {
    /// Announce the picked addresses, never one that the kernel has not accepted. Where there is a pace, those that
    /// may not go now wait for their turn. `first`: of `rounds`; the later ones are nothing new to those with a pace.
    pub(super) fn announce(&mut self, router: RouterId, rounds: u8, first: bool) {
        let now = clock::now();
        let mut on_link = None;
        self.frames.clear();
        for index in 0..self.picked.len() {
            let place = self.picked.get(index).copied().unwrap_or_default();
            let Some(item) = self.table.items(router).get_mut(place) else {
                continue;
            };
            let Some((link, v4, frame)) = item.announcement() else {
                continue;
            };
            let paced = self.pacer.paces(link, v4);
            let goes = !paced || (first && !item.waits && self.pacer.may_go(link, v4, now));
            if paced && first && !item.waits && (!goes || rounds > 1) {
                item.waits = true;
                self.pacer.wait(link, v4, (router, place));
            }
            if goes {
                if on_link != Some(link) {
                    self.send_frames(router, on_link.replace(link));
                }
                self.frames.push(frame);
            }
        }
        self.send_frames(router, on_link);
    }

    /// Send the frames gathered for this link.
    fn send_frames(&mut self, router: RouterId, link: Option<LinkId>) {
        if let Some(link) = link
            && !self.frames.is_empty()
            && let Err(errno) = send(self.table.sender(link), &self.frames)
        {
            (self.report)(Report::NotAnnounced { router, link, errno });
        }
        if let Some(link) = link {
            self.pacer.sent(link, clock::now());
        }
        self.frames.clear();
    }

    /// Announce those whose turn has come. What fails is not repeated: an interface that comes up is announced on
    /// anyway.
    pub(super) fn announce_waiting(&mut self, now: MonoNanos) {
        while let Some((router, place)) = self.pacer.next_due(now) {
            let Some(item) = self.table.items(router).get_mut(place) else {
                continue;
            };
            item.waits = false;
            let Some((link, v4, frame)) = item.announcement() else {
                continue;
            };
            let sent = send(self.table.sender(link), &[frame]);
            self.pacer.announced(link, v4, clock::now());
            if let Err(errno) = sent {
                for (router, place) in self.pacer.give_up(link, v4) {
                    if let Some(item) = self.table.items(router).get_mut(place) {
                        item.waits = false;
                    }
                }
                (self.report)(Report::NotAnnounced { router, link, errno });
            }
        }
    }
}

fn send(sender: Option<&PacketSender>, frames: &[Frame]) -> Result<(), Errno> {
    let sender = sender.ok_or(Errno::ENODEV)?;
    announce::send(sender, frames).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}
