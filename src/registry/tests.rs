//! What every registry does, whether it keeps its resources in SQLite or in memory.

use serde_json::json;

use super::testing::*;
use super::*;
use crate::state::StateDir;

/// Runs a check on a new registry of each sort.
fn each(check: impl Fn(&dyn Registry)) {
    let directory = tempfile::tempdir().unwrap();
    check(&SqliteRegistry::open_with(&StateDir::open(directory.path().join("state")).unwrap(), FEW_KINDS).unwrap());
    check(&MemoryRegistry::with_kinds(FEW_KINDS));
}

fn names(registry: &dyn View, query: &ListQuery) -> Vec<String> {
    let found = registry.list(query).unwrap();
    found.iter().map(|resource| format!("{}/{}", resource.namespace(), resource.meta.name)).collect()
}

fn keys(changes: Changes) -> Vec<String> {
    match changes {
        Changes::Since(changes, _) => changes.iter().map(|change| change.key.to_string()).collect(),
        Changes::Relist(_) => panic!("the history is there"),
    }
}

#[test]
fn what_was_created_is_found_under_its_key() {
    each(|registry| {
        let mut sent = labelled(rule("a", "true"), &[("app", "x")]);
        sent.meta.annotations = labels(&[("note", "ä")]);
        sent.origin = Some(crate::resource::Origin { file: "access.yaml".into(), line: 12 });
        let committed = registry.commit(create([sent.clone()])).unwrap();
        let [Applied::Created(stored)] = committed.applied.as_slice() else { panic!("{committed:?}") };
        assert_eq!(registry.get(&rule_key("a")).unwrap().as_ref(), Some(stored));
        assert_eq!(registry.list(&ListQuery::all(&RULE)).unwrap(), std::slice::from_ref(stored));
        assert_eq!((&stored.body, &stored.origin), (&sent.body, &sent.origin));
        assert_eq!((&stored.meta.labels, &stored.meta.annotations), (&sent.meta.labels, &sent.meta.annotations));
        assert_eq!(stored.meta.resource_version, Some(committed.revision.to_string()));
    });
}

#[test]
fn a_new_registry_holds_the_namespaces_and_what_stands_for_istio() {
    each(|registry| {
        assert_eq!(names(registry, &ListQuery::all(&NAMESPACE)), ["/default", "/istio-system"]);
        assert_eq!(names(registry, &ListQuery::all(&SERVICE)), ["istio-system/istio-egressgateway"]);
        let deployments = ["istio-system/istio-egressgateway", "istio-system/istio-telemetry"];
        assert_eq!(names(registry, &ListQuery::all(&DEPLOYMENT)), deployments);
        assert_eq!(registry.revision().unwrap(), Revision(1));
    });
}

#[test]
fn lists_are_ordered_by_namespace_then_name() {
    each(|registry| {
        let ours = ["b", "a-b", "a"].map(|name| rule(name, "true"));
        let theirs = resource(&RULE, "another", "z", json!({}));
        registry.commit(create([namespace("another")])).unwrap();
        registry.commit(create(ours.into_iter().chain([theirs]))).unwrap();
        assert_eq!(names(registry, &ListQuery::all(&RULE)), ["another/z", "default/a", "default/a-b", "default/b"]);
        assert_eq!(names(registry, &ListQuery::within(&RULE, "another")), ["another/z"]);
        assert!(names(registry, &ListQuery::within(&RULE, "nowhere")).is_empty(), "no error either");
    });
}

#[test]
fn labels_select() {
    each(|registry| {
        registry
            .commit(create([
                labelled(rule("a", "true"), &[("app", "x"), ("tier", "1")]),
                labelled(rule("b", "true"), &[("app", "y")]),
                rule("c", "true"),
                labelled(resource(&GATEWAY, "default", "g", json!({})), &[("app", "x")]),
            ]))
            .unwrap();
        let select = |requirements: Vec<Requirement>| {
            let query = ListQuery { selector: Selector(requirements), ..ListQuery::within(&RULE, "default") };
            let anywhere = ListQuery { namespace: None, ..query.clone() };
            assert_eq!(names(registry, &query), names(registry, &anywhere));
            names(registry, &query).iter().map(|name| name.replace("default/", "")).collect::<Vec<_>>().concat()
        };
        let (app, tier) = ("app".to_owned(), "tier".to_owned());
        assert_eq!(select(vec![Requirement::In(app.clone(), vec!["x".into()])]), "a");
        assert_eq!(select(vec![Requirement::In(app.clone(), vec!["y".into(), "x".into()])]), "ab");
        assert_eq!(select(vec![Requirement::In(app.clone(), vec![])]), "");
        assert_eq!(select(vec![Requirement::NotIn(app.clone(), vec!["x".into()])]), "bc");
        assert_eq!(select(vec![Requirement::Exists(app.clone())]), "ab");
        assert_eq!(select(vec![Requirement::Absent(app.clone())]), "c");
        assert_eq!(select(vec![Requirement::Exists(app), Requirement::Absent(tier)]), "b");
    });
}

#[test]
fn labels_that_change_select_no_more() {
    each(|registry| {
        registry.commit(create([labelled(rule("a", "true"), &[("app", "x")])])).unwrap();
        registry.commit(one(Operation::Replace(labelled(rule("a", "true"), &[("app", "y")])))).unwrap();
        let query = |value: &str| ListQuery { selector: (&labels(&[("app", value)])).into(), ..ListQuery::all(&RULE) };
        assert!(names(registry, &query("x")).is_empty());
        assert_eq!(names(registry, &query("y")), ["default/a"]);
        registry.commit(one(Operation::Delete(rule_key("a")))).unwrap();
        assert!(names(registry, &query("y")).is_empty());
    });
}

#[test]
fn a_transaction_is_made_whole_or_not_at_all() {
    each(|registry| {
        let before = registry.revision().unwrap();
        let error = registry.commit(create([rule("a", "true"), rule("b", "true"), rule("a", "false")])).unwrap_err();
        assert_eq!(error.to_string(), "rules.config.istio.io \"a\" already exists");
        assert!(names(registry, &ListQuery::all(&RULE)).is_empty());
        assert_eq!(registry.revision().unwrap(), before);
        assert!(keys(registry.changes(before).unwrap()).is_empty());
    });
}

#[test]
fn all_operations_of_a_transaction_share_a_revision() {
    each(|registry| {
        registry.commit(create([rule("old", "true")])).unwrap();
        let before = registry.revision().unwrap();
        let operations = vec![
            Operation::Create(rule("new", "true")),
            Operation::Replace(rule("old", "false")),
            Operation::Create(rule("x", "1")),
        ];
        let committed = registry.commit(Transaction { operations }).unwrap();
        assert_eq!(committed.revision, Revision(before.0 + 1));
        for applied in &committed.applied {
            assert_eq!(applied.resource().meta.resource_version, Some(committed.revision.to_string()));
        }
    });
}

#[test]
fn a_later_operation_sees_the_earlier_ones() {
    each(|registry| {
        let inside = resource(&RULE, "fresh", "r", json!({}));
        let key = inside.key();
        registry.commit(create([namespace("fresh"), inside])).unwrap();
        assert!(registry.get(&key).unwrap().is_some());
        let operations = vec![Operation::Create(rule("a", "1")), Operation::Delete(rule_key("a"))];
        registry.commit(Transaction { operations }).unwrap();
        assert!(registry.get(&rule_key("a")).unwrap().is_none());
    });
}

#[test]
fn a_namespace_must_be_there() {
    each(|registry| {
        let error = registry.commit(create([resource(&RULE, "nope", "r", json!({}))])).unwrap_err();
        assert_eq!(error.to_string(), "namespaces \"nope\" not found");
    });
}

#[test]
fn a_resource_without_namespace_goes_to_default() {
    each(|registry| {
        let mut sent = rule("a", "true");
        sent.meta.namespace = None;
        registry.commit(create([sent])).unwrap();
        assert_eq!(registry.get(&rule_key("a")).unwrap().unwrap().namespace(), "default");
    });
}

#[test]
fn deleting_a_namespace_deletes_what_is_in_it_and_nothing_else() {
    each(|registry| {
        let inside = labelled(resource(&RULE, "gone", "r", json!({})), &[("app", "x")]);
        registry
            .commit(create([namespace("gone"), inside, resource(&GATEWAY, "gone", "g", json!({})), rule("a", "1")]))
            .unwrap();
        let before = registry.revision().unwrap();
        registry.commit(one(Operation::Delete(Key::new(&NAMESPACE, "", "gone")))).unwrap();
        assert_eq!(names(registry, &ListQuery::all(&RULE)), ["default/a"]);
        assert!(names(registry, &ListQuery::all(&GATEWAY)).is_empty());
        let expected = ["Namespace/gone", "rule/r.gone", "Gateway/g.gone"];
        assert_eq!(keys(registry.changes(before).unwrap()), expected);
    });
}

#[test]
fn the_namespaces_that_are_needed_cannot_be_deleted() {
    each(|registry| {
        for name in ["default", "istio-system"] {
            let error = registry.commit(one(Operation::Delete(Key::new(&NAMESPACE, "", name)))).unwrap_err();
            let expected = format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
            assert_eq!(error.to_string(), expected);
        }
    });
}

#[test]
fn what_is_not_there_can_be_neither_replaced_nor_deleted() {
    each(|registry| {
        for operation in [Operation::Replace(rule("a", "1")), Operation::Delete(rule_key("a"))] {
            let error = registry.commit(one(operation)).unwrap_err();
            assert_eq!(error.to_string(), "rules.config.istio.io \"a\" not found");
        }
    });
}

#[test]
fn an_old_resource_version_is_a_conflict_and_none_is_not() {
    each(|registry| {
        let committed = registry.commit(create([rule("a", "1")])).unwrap();
        let mut stale = committed.applied[0].resource().clone();
        registry.commit(one(Operation::Replace(rule("a", "2")))).unwrap();
        stale.body = rule("a", "3").body;
        let error = registry.commit(one(Operation::Replace(stale))).unwrap_err();
        let expected = "Operation cannot be fulfilled on rules.config.istio.io \"a\": the object has been modified; \
                        please apply your changes to the latest version and try again";
        assert_eq!(error.to_string(), expected);
        assert_eq!(registry.get(&rule_key("a")).unwrap().unwrap().body, rule("a", "2").body);
    });
}

#[test]
fn a_write_that_changes_nothing_keeps_its_revision() {
    each(|registry| {
        let first = registry.commit(create([rule("a", "1"), rule("b", "1")])).unwrap();
        let again = registry.commit(one(Operation::Replace(rule("a", "1")))).unwrap();
        assert_eq!(again.revision, first.revision);
        assert!(matches!(&again.applied[..], [Applied::Unchanged(stored)] if stored == first.applied[0].resource()));
        let operations = vec![Operation::Replace(rule("a", "1")), Operation::Replace(rule("b", "2"))];
        let mixed = registry.commit(Transaction { operations }).unwrap();
        assert!(matches!(&mixed.applied[..], [Applied::Unchanged(_), Applied::Changed(_)]));
        assert_eq!(keys(registry.changes(first.revision).unwrap()), ["rule/b.default"]);
    });
}

#[test]
fn a_generated_name_is_the_prefix_and_five_characters() {
    each(|registry| {
        let mut sent = rule("", "true");
        sent.meta.generate_name = Some("report-".into());
        let committed = registry.commit(create([sent])).unwrap();
        let stored = committed.applied[0].resource();
        assert_eq!((stored.meta.name.len(), &stored.meta.name[..7]), (12, "report-"));
        assert_eq!(registry.get(&stored.key()).unwrap().as_ref(), Some(stored));
        assert!(matches!(registry.commit(create([rule("", "true")])), Err(Error::NoName)));
    });
}

#[test]
fn a_body_too_deep_to_be_read_back_is_refused() {
    each(|registry| {
        let mut body = json!("leaf");
        for _ in 0..200 {
            body = json!([body]);
        }
        let deep = resource(&RULE, "default", "deep", json!({"spec": body}));
        let error = registry.commit(create([deep])).unwrap_err();
        assert_eq!(error.to_string(), "rules.config.istio.io \"deep\" is nested more than 100 levels deep");
    });
}

#[test]
fn changes_tell_what_happened_after_a_revision() {
    each(|registry| {
        let first = registry.commit(create([rule("a", "1"), rule("b", "1")])).unwrap().revision;
        registry.commit(one(Operation::Replace(rule("b", "2")))).unwrap();
        registry.commit(one(Operation::Delete(rule_key("a")))).unwrap();
        let all = registry.changes(Revision(1)).unwrap();
        assert_eq!(keys(all), ["rule/a.default", "rule/b.default", "rule/b.default", "rule/a.default"]);
        let Changes::Since(news, newest) = registry.changes(first).unwrap() else { panic!("the history is there") };
        assert_eq!(newest, Revision(first.0 + 2));
        assert_eq!(news.iter().map(|change| change.revision.0).collect::<Vec<_>>(), [first.0 + 1, first.0 + 2]);
        assert!(keys(registry.changes(newest).unwrap()).is_empty());
    });
}

#[test]
fn a_revision_of_another_registry_asks_to_list_again() {
    each(|registry| {
        let newest = registry.revision().unwrap();
        assert!(matches!(registry.changes(Revision(999)), Ok(Changes::Relist(revision)) if revision == newest));
    });
}

#[test]
fn a_frozen_view_does_not_move() {
    each(|registry| {
        registry.commit(create([rule("a", "1")])).unwrap();
        let frozen = registry.frozen().unwrap();
        registry.commit(create([rule("b", "1")])).unwrap();
        registry.commit(one(Operation::Delete(rule_key("a")))).unwrap();
        assert_eq!(names(&frozen, &ListQuery::all(&RULE)), ["default/a"]);
        assert!(frozen.get(&rule_key("a")).unwrap().is_some());
        assert_eq!(frozen.revision().unwrap(), Revision(2));
        assert_eq!(names(registry, &ListQuery::all(&RULE)), ["default/b"]);
    });
}

#[test]
fn an_overlay_shows_what_would_be_and_leaves_the_registry_alone() {
    each(|registry| {
        registry.commit(create([rule("a", "1"), labelled(rule("b", "1"), &[("app", "x")]), rule("c", "1")])).unwrap();
        let operations = vec![
            Operation::Delete(rule_key("a")),
            Operation::Replace(rule("b", "2")),
            Operation::Create(rule("aa", "1")),
        ];
        let overlay = Overlay::new(&registry, &Transaction { operations }).unwrap();
        assert_eq!(names(&overlay, &ListQuery::all(&RULE)), ["default/aa", "default/b", "default/c"]);
        assert_eq!(overlay.get(&rule_key("b")).unwrap().unwrap().body, rule("b", "2").body);
        let selected = ListQuery { selector: (&labels(&[("app", "x")])).into(), ..ListQuery::all(&RULE) };
        assert!(names(&overlay, &selected).is_empty(), "the label is gone in the overlay");
        assert_eq!(overlay.revision().unwrap(), Revision(3));
        assert_eq!(names(registry, &ListQuery::all(&RULE)), ["default/a", "default/b", "default/c"]);
    });
}

#[test]
fn an_overlay_is_refused_where_the_commit_would_be() {
    each(|registry| {
        let taken = Transaction { operations: vec![Operation::Create(namespace("default"))] };
        assert!(matches!(Overlay::new(&registry, &taken), Err(Error::AlreadyExists(_))));
    });
}

#[test]
fn deleting_a_namespace_in_an_overlay_hides_its_contents() {
    each(|registry| {
        registry.commit(create([namespace("n"), resource(&RULE, "n", "r", json!({}))])).unwrap();
        let operations = vec![
            Operation::Create(resource(&RULE, "n", "s", json!({}))),
            Operation::Delete(Key::new(&NAMESPACE, "", "n")),
        ];
        let overlay = Overlay::new(&registry, &Transaction { operations }).unwrap();
        assert!(names(&overlay, &ListQuery::all(&RULE)).is_empty());
        assert_eq!(names(&overlay, &ListQuery::all(&NAMESPACE)), ["/default", "/istio-system"]);
    });
}
