//! The end of grants, and how often they were used: both are kept in the registry, so that no restart gives more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::sync::{Notify, watch};

use crate::expr::Timestamp;
use crate::registry::{Error, ListQuery, Operation, Registry as _, SqliteRegistry, Transaction, View as _};
use crate::resource::Resource;
use crate::resource::kinds::GRANT;
use crate::resource::kinds::grant::GrantStatus;
use crate::snapshot::{Grant, Published};
use crate::state::StateDir;

use super::messages::Messages;

/// How often clocks are looked at while a grant lives: one that was set forward ends it within this time.
const TICK: Duration = Duration::from_secs(1);

/// Seconds that a grant is still shown after its end.
const KEPT: i64 = 3600;

/// Watches over the grants of a proxy.
pub(super) struct Watcher {
    pub(super) state: StateDir,
    pub(super) published: Arc<Published>,
    /// Told where a configuration was published, or a grant used.
    pub(super) news: Arc<Notify>,
    /// Tells tunnels that something may have ended.
    pub(super) endings: watch::Sender<()>,
    pub(super) messages: Messages,
}

/// A grant, and when it ends by a clock that nobody sets.
struct Known {
    grant: Arc<Grant>,
    deadline: Instant,
}

/// What is to be written down of a grant.
struct Note {
    grant: Arc<Grant>,
    used: u64,
    ended_at: Option<String>,
}

impl Watcher {
    /// Watches until it is dropped.
    pub(super) async fn watch(self) {
        let mut known: HashMap<String, Known> = HashMap::new();
        let mut failing = false;
        loop {
            let ended = self.look(&mut known);
            failing = self.write(&mut known, ended, failing).await;
            let news = self.news.notified();
            if known.is_empty() {
                news.await;
            } else {
                let _ = tokio::time::timeout(TICK, news).await;
            }
        }
    }

    /// Takes up new grants, and ends those that are over or gone: the grants that ended by their time.
    fn look(&self, known: &mut HashMap<String, Known>) -> Vec<Arc<Grant>> {
        let (snapshot, now, clock) = (self.published.load().1, crate::proxy::now(), Instant::now());
        for grant in snapshot.grants.iter() {
            let same = known.get(&grant.uid).is_some_and(|known| known.grant.granted == grant.granted);
            if !same {
                let deadline = clock + left(grant.granted.expires, now);
                known.insert(grant.uid.clone(), Known { grant: Arc::clone(grant), deadline });
            }
        }
        let there: std::collections::HashSet<&str> = snapshot.grants.iter().map(|grant| grant.uid.as_str()).collect();
        let (mut ended, mut any) = (Vec::new(), false);
        known.retain(|uid, Known { grant, deadline }| {
            let (gone, over) = (!there.contains(uid.as_str()), now >= grant.granted.expires || clock >= *deadline);
            if gone || over {
                any |= grant.state.end();
            }
            if over && !gone {
                ended.push(Arc::clone(grant));
            }
            !gone
        });
        if any {
            self.endings.send_replace(());
        }
        ended
    }

    /// Writes down what is new of them. Whether that fails.
    async fn write(&self, known: &mut HashMap<String, Known>, ended: Vec<Arc<Grant>>, failing: bool) -> bool {
        let now = text(crate::proxy::now());
        let notes = known.values().filter_map(|Known { grant, .. }| {
            let ended_at = ended.iter().any(|ended| ended.uid == grant.uid).then(|| now.clone());
            let used = grant.state.unsaved();
            (used > 0 || ended_at.is_some()).then(|| Note { grant: Arc::clone(grant), used, ended_at })
        });
        let notes: Vec<Note> = notes.collect();
        if notes.is_empty() {
            return failing;
        }
        let state = self.state.clone();
        let written = tokio::task::spawn_blocking(move || note_down(&state, &notes)).await;
        match written {
            Ok(Ok(())) => false,
            Ok(Err(error)) => {
                if !failing {
                    self.messages.say(&format!("uses and ends of grants cannot be kept: {error}"));
                }
                true
            }
            Err(_) => failing,
        }
    }
}

fn left(end: Timestamp, now: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(end.micros().saturating_sub(now.micros())).unwrap_or_default())
}

fn text(time: Timestamp) -> String {
    let mut text = String::new();
    Timestamp { nanos: 0, ..time }.write_rfc3339(&mut text);
    text
}

/// Writes notes into the registry, and clears away grants that ended long ago. What could not be written is still unsaved.
fn note_down(state: &StateDir, notes: &[Note]) -> Result<(), Error> {
    let mut result = Ok(());
    let registry = SqliteRegistry::open(state).inspect_err(|_| notes.iter().for_each(Note::undo))?;
    for note in notes {
        // Somebody else has written meanwhile: the next round reads what they wrote.
        if let Err(error) = note.write(&registry) {
            note.undo();
            result = result.and(if matches!(error, Error::Conflict(_)) { Ok(()) } else { Err(error) });
        }
    }
    clear_away(&registry);
    result
}

impl Note {
    fn undo(&self) {
        self.grant.state.still_unsaved(self.used);
    }

    fn write(&self, registry: &SqliteRegistry) -> Result<(), Error> {
        let found = registry.get(&self.grant.key)?;
        let Some(mut stored) = found.filter(|stored| stored.meta.uid.as_deref() == Some(&*self.grant.uid)) else {
            return Ok(());
        };
        let status = GrantStatus::of(&stored);
        let used = status.used.saturating_add(self.used);
        let mut written = json!({"used": used});
        if let Some(ended_at) = status.ended_at.as_ref().or(self.ended_at.as_ref()) {
            written["endedAt"] = Json::from(ended_at.as_str());
        }
        stored.body.insert("status".to_owned(), written);
        registry.commit(Transaction { operations: vec![Operation::Replace(stored)] })?;
        self.grant.state.known(used);
        Ok(())
    }
}

/// Deletes grants that ended long ago. Whoever fails at it, because somebody else is faster, need not care.
fn clear_away(registry: &SqliteRegistry) {
    let Ok(grants) = registry.list(&ListQuery::all(&GRANT)) else { return };
    let now = crate::proxy::now().seconds;
    let is_old = |grant: &&Resource| {
        let ended = GrantStatus::of(grant).ended_at.and_then(|ended| Timestamp::parse_rfc3339(&ended));
        ended.is_some_and(|ended| ended.seconds + KEPT < now)
    };
    let operations: Vec<_> = grants.iter().filter(is_old).map(|grant| Operation::Delete(grant.key())).collect();
    if !operations.is_empty() {
        let _ = registry.commit(Transaction { operations });
    }
}
