//! The script that reads a FIFO (`notify_fifo_script`): started with the FIFO, and again when it ends.
//!
//! keepalived 2.2.7 says that it has ended and leaves it at that, so that from then on nobody is told anything.

use std::path::Path;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::sys::process::{Identity, Lifetime};
use crate::sys::scripts::{Running, Script, Scripts};

/// Longest pause before it is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(32);
/// It lived long enough to be started again soon.
const STABLE: Duration = Duration::from_secs(60);
/// After the end of the FIFO, until SIGTERM; and from there to SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

/// A running reader. If it is dropped, its script is killed.
#[derive(Debug)]
pub(in crate::effects) struct Reader {
    stop: oneshot::Sender<Patience>,
    task: JoinHandle<()>,
}

/// How a reader is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// It may read to the end of the FIFO, which was closed.
    ToTheEnd,
    /// The FIFO stays open: what it reads from now on is another's.
    None,
}

impl Reader {
    /// Start `argv` with the path of the FIFO as its last argument, after `before` has ended: two readers would share
    /// the lines out between them. Must be called inside a runtime.
    pub(in crate::effects) fn start(
        scripts: &Scripts,
        argv: &[String],
        fifo: &Path,
        identity: Option<Identity>,
        before: Option<Self>,
    ) -> Self {
        let mut argv = argv.to_vec();
        argv.push(fifo.display().to_string());
        // Its whole group goes with us: a pipeline that read on would be a second reader after a restart.
        let script = Script {
            argv,
            identity,
            lifetime: Lifetime::WithUs,
        };
        let scripts = scripts.clone();
        let (stop, stopped) = oneshot::channel();
        let task = async move {
            if let Some(before) = before {
                before.give_way().await;
            }
            keep_running(&scripts, script, stopped).await;
        };
        Self {
            stop,
            task: tokio::spawn(task),
        }
    }

    /// Let it read to the end of a FIFO that was closed; then SIGTERM, then SIGKILL.
    pub(in crate::effects) async fn stop(self) {
        let _ = self.stop.send(Patience::ToTheEnd);
        let _ = self.task.await;
    }

    /// SIGTERM, then SIGKILL: the FIFO goes on without it.
    pub(in crate::effects) async fn give_way(self) {
        let _ = self.stop.send(Patience::None);
        let _ = self.task.await;
    }
}

async fn keep_running(scripts: &Scripts, script: Script, mut stopped: oneshot::Receiver<Patience>) {
    let shown = script.argv.first().cloned().unwrap_or_default();
    let mut pause = Duration::from_secs(1);
    loop {
        let started = Instant::now();
        let mut running = scripts.start(script.clone());
        tokio::select! {
            ended = running.wait() => match ended {
                Ok(status) => tracing::warn!("FIFO script {shown} ended with {status}"),
                Err(failure) => tracing::error!("FIFO script {shown} {failure}"),
            },
            how = &mut stopped => return end(running, how.unwrap_or(Patience::ToTheEnd)).await,
        }
        if started.elapsed() >= STABLE {
            pause = Duration::from_secs(1);
        }
        tracing::info!("FIFO script {shown} is started again in {} s", pause.as_secs());
        tokio::select! {
            () = sleep(pause) => {}
            _ = &mut stopped => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn end(mut running: Running, patience: Patience) {
    let steps: [fn(&Running); 3] = [|_| (), Running::terminate, Running::kill];
    for step in steps.into_iter().skip(usize::from(patience == Patience::None)) {
        step(&running);
        if timeout(GRACE, running.wait()).await.is_ok() {
            return;
        }
    }
}
