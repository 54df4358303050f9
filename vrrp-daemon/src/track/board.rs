//! The latest word of every tracker, and who is to hear it.
//!
//! This is a level, not a queue: a file that is written a thousand times while the protocol thread is busy is
//! told once, with its last number. Trackers never wait; a task of the board's own does.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::News;
use crate::proto::{FileId, ProcessId, ScriptId, ScriptState, UnitId};

/// One tracker, for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

/// What a tracker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Script(ScriptState),
    File(i32),
    Process(bool),
    Unit(bool),
}

/// What a tracker's object is called in the running configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    name: String,
    id: Id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Script(ScriptId),
    File(FileId),
    Process(ProcessId),
    Unit(UnitId),
}

/// Who is to hear each tracker.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_key: HashMap<Key, Route>,
    next: u64,
}

impl Routes {
    /// For a tracker yet to be started.
    pub(super) fn new_key(&mut self) -> Key {
        let key = Key(self.next);
        self.next += 1;
        key
    }

    pub(super) fn add(&mut self, key: Key, name: String, id: Id) {
        self.by_key.insert(key, Route { name, id });
    }
}

/// Where trackers put their words. Clones are the same board.
#[derive(Clone, Debug)]
pub(super) struct Desk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    words: HashMap<Key, Word>,
    routes: Routes,
    /// Whose word has not been passed on yet, each once.
    pending: VecDeque<Key>,
    news: Option<mpsc::Sender<News>>,
}

/// The board and its task, which ends with it.
#[derive(Debug)]
pub(super) struct Board {
    desk: Desk,
    task: JoinHandle<()>,
}

impl Board {
    /// Inside the service runtime.
    pub(super) fn start() -> Self {
        let desk = Desk(Arc::default());
        let task = tokio::spawn(pass_on(desk.clone()));
        Self { desk, task }
    }

    pub(super) fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Empty routes, to be filled for [`Board::readdress`]. Their new keys are new to the board.
    pub(super) fn routes(&self) -> Routes {
        Routes {
            by_key: HashMap::new(),
            next: self.desk.state().routes.next,
        }
    }

    /// Tell `news` from now on, along `routes`: first the last word of every tracker that has them. A tracker
    /// without a route is forgotten.
    pub(super) fn readdress(&self, routes: Routes, news: mpsc::Sender<News>) {
        let mut state = self.desk.state();
        state.words.retain(|key, _| routes.by_key.contains_key(key));
        state.pending = state.words.keys().copied().collect();
        state.routes = routes;
        state.news = Some(news);
        drop(state);
        self.desk.0.changed.notify_one();
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Desk {
    /// A tracker's word; whether it is another one than its last.
    pub(super) fn put(&self, key: Key, word: Word) -> bool {
        let mut state = self.state();
        // A tracker that was forgotten may have had a last word under way.
        if !state.routes.by_key.contains_key(&key) || state.words.insert(key, word) == Some(word) {
            return false;
        }
        if !state.pending.contains(&key) {
            state.pending.push_back(key);
        }
        drop(state);
        self.0.changed.notify_one();
        true
    }

    /// The last word of a tracker.
    pub(super) fn word(&self, key: Key) -> Option<Word> {
        self.state().words.get(&key).copied()
    }

    /// What a tracker's object is called now, for the log.
    pub(super) fn name(&self, key: Key) -> String {
        let state = self.state();
        let route = state.routes.by_key.get(&key);
        route.map_or_else(|| "?".to_owned(), |route| route.name.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next word to be passed on.
    fn take(&mut self) -> Option<News> {
        let key = self.pending.pop_front()?;
        match (self.routes.by_key.get(&key)?.id, *self.words.get(&key)?) {
            (Id::Script(id), Word::Script(state)) => Some(News::Script(id, state)),
            (Id::File(id), Word::File(value)) => Some(News::File(id, value)),
            (Id::Process(id), Word::Process(quorum)) => Some(News::Process(id, quorum)),
            (Id::Unit(id), Word::Unit(steady)) => Some(News::Unit(id, steady)),
            (Id::Script(_) | Id::File(_) | Id::Process(_) | Id::Unit(_), _) => None,
        }
    }

    /// Who listens, if there is something to say.
    fn listener(&self) -> Option<mpsc::Sender<News>> {
        self.news.clone().filter(|_| !self.pending.is_empty())
    }
}

/// Pass words on, in the order in which they came, as fast as they are taken.
async fn pass_on(desk: Desk) {
    loop {
        let listener = desk.state().listener();
        let Some(listener) = listener else {
            desk.0.changed.notified().await;
            continue;
        };
        // Room first, then the word, so that it is the latest.
        let room = tokio::select! {
            room = listener.reserve() => room,
            // Perhaps there is another listener.
            () = desk.0.changed.notified() => continue,
        };
        let mut state = desk.state();
        let still = state
            .news
            .as_ref()
            .is_some_and(|news| news.same_channel(&listener));
        match room {
            Ok(room) if still => {
                if let Some(news) = state.take() {
                    room.send(news);
                }
            }
            // Gone: nobody is told until somebody else listens.
            Err(_) if still => state.news = None,
            Ok(_) | Err(_) => {}
        }
    }
}
