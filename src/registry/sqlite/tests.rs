use std::sync::Barrier;
use std::thread;

use serde_json::{Value as Json, json};

use super::super::testing::*;
use super::super::{Applied, Error, HISTORY_REVISIONS, Operation, Requirement, Selector};
use super::rows::{LabelProbe, get_sql, list_sql};
use super::*;

mod crash;

fn open(directory: &tempfile::TempDir) -> SqliteRegistry {
    SqliteRegistry::open_with(&StateDir::open(directory.path().join("state")).unwrap(), FEW_KINDS).unwrap()
}

fn plan(registry: &SqliteRegistry, sql: &str) -> String {
    let connection = registry.store.lock();
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>(3).unwrap());
    }
    lines.join("\n")
}

#[test]
fn a_resource_is_read_by_its_key_without_reading_others() {
    let directory = tempfile::tempdir().unwrap();
    let expected = "SEARCH r USING INDEX resource_key (api_group=? AND kind=? AND namespace=? AND name=?)";
    assert_eq!(plan(&open(&directory), &get_sql()), expected);
}

#[test]
fn lists_read_only_what_they_are_asked_for_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(&directory);
    let all = plan(&registry, &list_sql(false, None));
    assert_eq!(all, "SEARCH r USING INDEX resource_key (api_group=? AND kind=?)");
    let one_namespace = plan(&registry, &list_sql(true, None));
    assert_eq!(one_namespace, "SEARCH r USING INDEX resource_key (api_group=? AND kind=? AND namespace=?)");
}

#[test]
fn a_label_selector_reads_only_what_carries_the_label() {
    let directory = tempfile::tempdir().unwrap();
    let selector = Selector(vec![Requirement::Absent("a".into()), Requirement::In("b".into(), vec!["c".into()])]);
    let plan = plan(&open(&directory), &list_sql(true, LabelProbe::of(&selector).as_ref()));
    assert!(plan.starts_with("SEARCH l USING PRIMARY KEY (api_group=? AND kind=? AND key=? AND value=?)"), "{plan}");
    assert!(plan.contains("SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let stored = open(&directory).commit(create([rule("a", "1")])).unwrap();
    let reopened = open(&directory);
    assert_eq!(reopened.get(&rule_key("a")).unwrap().as_ref(), Some(stored.applied[0].resource()));
    assert_eq!(reopened.revision().unwrap(), stored.revision);
}

#[test]
fn what_a_user_deleted_is_not_seeded_again() {
    let directory = tempfile::tempdir().unwrap();
    let service = Key::new(&SERVICE, "istio-system", "istio-egressgateway");
    open(&directory).commit(one(Operation::Delete(service.clone()))).unwrap();
    assert!(open(&directory).get(&service).unwrap().is_none());
}

#[test]
fn many_may_open_a_new_registry_at_once() {
    let directory = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for opener in (0..8).map(|_| scope.spawn(|| open(&directory).revision())).collect::<Vec<_>>() {
            assert_eq!(opener.join().unwrap().unwrap(), Revision(1), "seeded once");
        }
    });
}

/// Adds one to a number kept in a rule, as often as it takes to win against others.
fn increment(registry: &SqliteRegistry) -> Revision {
    loop {
        let mut counter = registry.get(&rule_key("counter")).unwrap().unwrap();
        let number = counter.body["spec"]["number"].as_u64().unwrap();
        counter.body.insert("spec".into(), json!({ "number": number + 1 }));
        match registry.commit(one(Operation::Replace(counter))) {
            Ok(committed) => return committed.revision,
            Err(Error::Conflict(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn threads_on_two_connections_lose_no_update_and_share_no_revision() {
    const THREADS: usize = 8;
    const EACH: usize = 12;
    let directory = tempfile::tempdir().unwrap();
    let registries = [open(&directory), open(&directory)];
    let counter = resource(&RULE, "default", "counter", json!({"spec": {"number": 0}}));
    let before = registries[0].commit(create([counter])).unwrap().revision;
    let start = Barrier::new(THREADS);
    let work = |thread: usize| {
        let registry = &registries[thread % 2];
        start.wait();
        let steps = (0..EACH).flat_map(move |step| {
            let created = registry.commit(create([rule(&format!("r-{thread}-{step}"), "1")])).unwrap();
            [created.revision.0, increment(registry).0]
        });
        steps.collect::<Vec<_>>()
    };
    let mut revisions: Vec<u64> = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    revisions.sort_unstable();
    let expected: Vec<u64> = (before.0 + 1..=before.0 + 2 * (THREADS * EACH) as u64).collect();
    assert_eq!(revisions, expected, "each commit has a revision of its own, and none is skipped");
    let counter = registries[1].get(&rule_key("counter")).unwrap().unwrap();
    assert_eq!(counter.body["spec"]["number"], Json::from(THREADS * EACH));
    assert_eq!(registries[1].list(&ListQuery::all(&RULE)).unwrap().len(), THREADS * EACH + 1);
}

#[test]
fn history_is_bounded_and_what_it_forgot_is_listed_again() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(&directory);
    let jump = i64::try_from(HISTORY_REVISIONS).unwrap();
    registry.commit(create([rule("a", "0")])).unwrap();
    // As if thousands of commits had been made; each has changed something.
    registry.store.lock().execute("UPDATE counter SET value = value + ?1 - 1", [jump]).unwrap();
    let newest = registry.commit(one(Operation::Replace(rule("a", "1")))).unwrap().revision;
    assert!(matches!(registry.changes(Revision(1)), Ok(Changes::Relist(revision)) if revision == newest));
    assert!(matches!(registry.changes(Revision(newest.0 - 1)), Ok(Changes::Since(news, _)) if news.len() == 1));
    let rows: i64 = registry.store.lock().query_row("SELECT count(*) FROM change", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1, "older rows are gone");
}

static WITHOUT_RULES: &[&Kind] = &[&NAMESPACE, &SERVICE, &DEPLOYMENT];

#[test]
fn kinds_that_a_newer_binary_stored_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    open(&directory).commit(create([namespace("n"), resource(&RULE, "n", "r", json!({}))])).unwrap();
    let older =
        SqliteRegistry::open_with(&StateDir::open(directory.path().join("state")).unwrap(), WITHOUT_RULES).unwrap();
    let Changes::Since(news, newest) = older.changes(Revision(1)).unwrap() else { panic!("the history is there") };
    assert_eq!(news.iter().map(|change| change.key.to_string()).collect::<Vec<_>>(), ["Namespace/n"]);
    assert_eq!(newest, Revision(2));
    older.commit(one(Operation::Delete(Key::new(&NAMESPACE, "", "n")))).unwrap();
    assert!(open(&directory).list(&ListQuery::all(&RULE)).unwrap().is_empty(), "they go with their namespace");
}

#[test]
fn a_damaged_row_is_reported_with_its_name_and_file() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(&directory);
    registry.commit(create([rule("a", "1"), rule("b", "1")])).unwrap();
    registry.store.lock().execute("UPDATE resource SET body = '{' WHERE name = 'a'", []).unwrap();
    let error = registry.get(&rule_key("a")).unwrap_err();
    assert!(error.to_string().contains("registry.db is damaged: rule.config.istio.io/a cannot be read"), "{error}");
    assert!(registry.get(&rule_key("b")).unwrap().is_some(), "others are still read");
}

#[test]
fn a_file_that_is_no_database_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let dir = StateDir::open(directory.path().join("state")).unwrap();
    std::fs::write(dir.registry_db(), "x".repeat(10_000)).unwrap();
    let error = SqliteRegistry::open_with(&dir, FEW_KINDS).unwrap_err();
    assert!(matches!(error, Error::Store(state::Error::Corrupt { .. })), "{error}");
}

#[test]
fn a_panic_in_one_thread_leaves_the_registry_usable() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(&directory);
    let panicked = thread::scope(|scope| {
        scope
            .spawn(|| {
                let connection = registry.store.lock();
                let _begun = begin_immediate(&connection, &registry.store.path).unwrap();
                panic!("on purpose");
            })
            .join()
    });
    assert!(panicked.is_err());
    let committed = registry.commit(create([rule("a", "1")])).unwrap();
    assert!(matches!(committed.applied[..], [Applied::Created(_)]));
}
