//! `listchecker`: looks a value up in a list.

use std::sync::Arc;

use crate::call::Code;
use crate::diagnostic::{Code as ProblemCode, Problem};
use crate::expr::ValueRef;
use crate::policy::feed::{Feed, Source};
use crate::policy::instance::{Fault, Values};
use crate::policy::list::{List, Sought};
use crate::policy::template::listentry;
use crate::policy::verdict::Verdict;
use crate::resource::kinds;
use crate::resource::kinds::listchecker::{EntryType, Listchecker as Spec};

use super::{Adapter, Handler};

/// The adapter `listchecker`.
pub static LISTCHECKER: Adapter = Adapter {
    kind: &kinds::LISTCHECKER,
    templates: &[&listentry::LISTENTRY],
    build: |setup| {
        let spec: Spec = setup.params()?;
        let overrides = List::of(spec.entry_type, spec.overrides.iter().map(String::as_str))
            .map_err(|why| Problem::error(ProblemCode::Invalid, setup.at.field("overrides"), why))?;
        let feed = Source::of(setup.name, &spec)
            .map(|source| setup.live.feeds.get_or(&source.key(), || Feed::new(source.clone())));
        let (name, entry_type, blacklist) = (setup.name.to_owned(), spec.entry_type, spec.blacklist);
        Ok(Arc::new(Listchecker { name, entry_type, blacklist, overrides, feed }))
    },
};

#[derive(Debug)]
struct Listchecker {
    name: String,
    entry_type: EntryType,
    blacklist: bool,
    /// What is on the list besides what is fetched.
    overrides: List,
    feed: Option<Arc<Feed>>,
}

impl Handler for Listchecker {
    fn check<'v>(&self, values: &Values<'v>) -> Result<Verdict, Fault<'v>> {
        let value = values.field(listentry::VALUE)?.unwrap_or(ValueRef::String(""));
        // Without its provider's list a handler cannot judge, whatever its overrides say.
        let provided = match &self.feed {
            Some(feed) => Some(feed.list_at(values.time()).map_err(Fault::Handler)?),
            None => None,
        };
        let Some(sought) = Sought::new(self.entry_type, &value) else {
            return Ok(refused(Code::INVALID_ARGUMENT, &value, "is not a valid IP address"));
        };
        let provided = provided.as_ref().and_then(|list| list.as_deref());
        let found = self.overrides.has(&sought) || provided.is_some_and(|list| list.has(&sought));
        Ok(match (found, self.blacklist) {
            (true, false) | (false, true) => Verdict::Ok,
            (false, false) => refused(Code::PERMISSION_DENIED, &value, "is not whitelisted"),
            (true, true) => refused(Code::PERMISSION_DENIED, &value, "is blacklisted"),
        })
    }

    fn remedy(&self, values: &Values<'_>) -> Option<String> {
        let mut text = String::new();
        values.field(listentry::VALUE).ok()??.write_text(&mut text);
        let on = if self.blacklist { "not on" } else { "on" };
        Some(match self.entry_type {
            EntryType::Regex => format!("a pattern that matches {text:?} {on} the list of {}", self.name),
            _ => format!("{text:?} {on} the list of {}", self.name),
        })
    }
}

fn refused(code: Code, value: &ValueRef<'_>, why: &str) -> Verdict {
    let mut message = String::new();
    value.write_text(&mut message);
    message.push(' ');
    message.push_str(why);
    Verdict::Refused { code, message }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::expr::Timestamp;

    const PATH: &str = "value: request.path";

    fn answer(handler: &str, entry: &str, request: &str) -> String {
        Trial::new(&LISTCHECKER, handler, &listentry::LISTENTRY, entry).check(request)
    }

    #[test]
    fn a_whitelist_refuses_what_is_not_on_it_and_a_blacklist_what_is() {
        let white = "overrides: [/health, /sport]";
        assert_eq!(answer(white, PATH, "/sport"), "OK");
        assert_eq!(answer(white, PATH, "/politics"), "PERMISSION_DENIED /politics is not whitelisted");
        assert_eq!(
            answer("overrides: [/sport]\nblacklist: true", PATH, "/sport"),
            "PERMISSION_DENIED /sport is blacklisted"
        );
        assert_eq!(answer("{}", PATH, "/sport"), "PERMISSION_DENIED /sport is not whitelisted");
        assert_eq!(answer("blacklist: true", PATH, "/sport"), "OK");
        let folded = "overrides: [/SPORT]\nentryType: CASE_INSENSITIVE_STRINGS";
        assert_eq!(answer(folded, PATH, "/Sport"), "OK");
        assert_eq!(answer(folded, PATH, "/Politics"), "PERMISSION_DENIED /Politics is not whitelisted");
        assert_eq!(answer("overrides: ['^/sp']\nentryType: REGEX", PATH, "/sport"), "OK");
    }

    #[test]
    fn what_is_no_address_is_refused_by_both_sorts_of_lists_of_addresses() {
        for list in ["overrides: [10.0.0.0/8]\nentryType: IP_ADDRESSES", "entryType: IP_ADDRESSES\nblacklist: true"] {
            assert_eq!(answer(list, PATH, "/x"), "INVALID_ARGUMENT /x is not a valid IP address");
        }
        let list = "overrides: [10.0.0.0/8]\nentryType: IP_ADDRESSES";
        assert_eq!(answer(list, "value: ip(\"::ffff:10.2.3.4\")", "/"), "OK");
        assert_eq!(answer(list, "value: '\"10.2.3.4\"'", "/"), "OK");
        let denied = answer(list, "value: ip(\"::ffff:11.2.3.4\")", "/");
        assert_eq!(denied, "PERMISSION_DENIED 11.2.3.4 is not whitelisted");
    }

    #[test]
    fn without_its_providers_list_a_check_cannot_be_carried_out() {
        let list = "providerUrl: http://u:p@lists.example/a\noverrides: [/sport]";
        let bench = Trial::new(&LISTCHECKER, list, &listentry::LISTENTRY, PATH);
        assert_eq!(bench.check("/sport"), "fault: no list from http://lists.example/a serves");
        let (_, feed) = bench.live.feeds.all().pop().expect("building makes it");
        feed.accept(b"/health\n", Trial::TIME).unwrap();
        assert_eq!(bench.check("/sport"), "OK");
        assert_eq!(bench.check("/health"), "OK");
        assert_eq!(bench.check("/politics"), "PERMISSION_DENIED /politics is not whitelisted");
        let long_ago = Timestamp { seconds: Trial::TIME.seconds - 301, ..Trial::TIME };
        feed.accept(b"/health\n", long_ago).unwrap();
        assert_eq!(bench.check("/sport"), "fault: the list from http://lists.example/a is older than its ttl");
    }

    #[test]
    fn a_handler_takes_over_the_list_of_the_one_before() {
        let bench = Trial::new(&LISTCHECKER, "providerUrl: http://lists.example/a", &listentry::LISTENTRY, PATH);
        let (_, feed) = bench.live.feeds.all().pop().expect("building makes it");
        feed.accept(b"/a\n", Trial::TIME).unwrap();
        assert_eq!(bench.rebuilt("providerUrl: http://lists.example/a\noverrides: [/b]").check("/a"), "OK");
        let other = bench.rebuilt("providerUrl: http://lists.example/b");
        assert_eq!(other.check("/a"), "fault: no list from http://lists.example/b serves");
    }

    #[test]
    fn an_entry_that_is_none_of_its_type_is_refused() {
        let problems = Trial::faults(&LISTCHECKER, "entryType: REGEX\noverrides: ['(']");
        let told = problems.iter().next().expect("a problem").to_string();
        assert!(told.starts_with("spec.overrides: \"(\": "), "{told}");
    }
}
