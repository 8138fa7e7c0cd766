//! Which rules can match a call: found by hosts, paths, callers and headers that they ask for, so that rules for others cost
//! nothing.

use std::collections::HashMap;

use crate::expr;
use crate::resource::kinds::authorization_policy::Attribute;

use super::super::affixes::Candidates;
use super::super::literals::Literals;
use super::rule::Rule;
use super::test::{Arrived, Test};

/// Rules, in the order in which they count, and an index over what they ask for.
#[derive(Debug, Default)]
pub(super) struct Rules {
    all: Vec<Rule>,
    /// Those that ask for nothing that can be looked up.
    always: Vec<u32>,
    tables: Vec<(Attribute, Literals)>,
}

/// How many rules ask for the same of an attribute.
type Counts<'r> = HashMap<(&'r Attribute, &'r expr::Test), usize>;

/// Tests that can be looked up: what each looks at, and what it asks for.
type Clause<'r> = Vec<(&'r Attribute, Vec<expr::Test>)>;

/// Those of a rule: for each of its parts, for each of the part's clauses.
type Parts<'r> = Vec<Vec<Clause<'r>>>;

impl Rules {
    /// Rules that are not to change any more.
    pub(super) fn of(all: Vec<Rule>) -> Self {
        let parts: Vec<Parts<'_>> = all.iter().map(parts).collect();
        let mut counts = Counts::new();
        for (attribute, tests) in parts.iter().flatten().flatten().flatten() {
            for test in tests {
                *counts.entry((attribute, test)).or_default() += 1;
            }
        }
        let (mut always, mut tables) = (Vec::new(), Vec::<(Attribute, Literals)>::new());
        for (number, parts) in (0..).zip(&parts) {
            let Some(required) = rarest(parts, &counts) else {
                always.push(number);
                continue;
            };
            for (attribute, tests) in required {
                let found = tables.iter().position(|(known, _)| known == *attribute);
                let place = found.unwrap_or_else(|| {
                    tables.push(((*attribute).clone(), Literals::default()));
                    tables.len() - 1
                });
                tests.iter().for_each(|test| tables[place].1.push(test.clone(), number));
            }
        }
        tables.iter_mut().for_each(|(_, literals)| literals.seal());
        drop(counts);
        drop(parts);
        Self { all, always, tables }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.all.iter()
    }

    /// The rule of a number.
    pub(super) fn get(&self, number: u32) -> Option<&Rule> {
        self.all.get(number as usize)
    }

    /// The numbers of those that match a call.
    pub(super) fn matching<'r>(&'r self, arrived: Arrived<'r>) -> impl Iterator<Item = u32> + use<'r> {
        let candidates = self.candidates(arrived).into_iter();
        candidates.filter(move |number| self.get(*number).is_some_and(|rule| rule.matches(arrived)))
    }

    /// The numbers of those that may match a call.
    fn candidates(&self, arrived: Arrived<'_>) -> Candidates {
        // What is asked of HTTP is passed over there.
        if arrived.bag.call().tunnel().is_some() {
            return (0..).zip(&self.all).map(|(number, _)| number).collect();
        }
        let mut found: Candidates = self.always.iter().copied().collect();
        for (attribute, literals) in &self.tables {
            arrived.look_up(attribute, &mut |text| literals.find(text, &mut found));
        }
        if found.len() > self.always.len() {
            found.sort_unstable();
            found.dedup();
        }
        found
    }
}

/// What of a rule can be looked up.
fn parts(rule: &Rule) -> Parts<'_> {
    rule.parts().iter().map(|clauses| clauses.iter().map(|clause| tests(clause)).collect()).collect()
}

/// Tests of a clause that can be looked up.
fn tests(clause: &[Test]) -> Clause<'_> {
    clause.iter().filter_map(|test| Some((&test.attribute, test.literals()?))).collect()
}

/// What a call must have one of for a rule to match it: of each clause of one of its parts the test that the fewest rules
/// share, and of the parts that in which the most are shared by the fewest. None where no part can be looked up.
fn rarest<'p, 'r>(parts: &'p Parts<'r>, counts: &Counts<'_>) -> Option<Vec<&'p (&'r Attribute, Vec<expr::Test>)>> {
    let shared = |(attribute, tests): &(&Attribute, Vec<expr::Test>)| {
        tests.iter().filter_map(|test| counts.get(&(*attribute, test))).max().copied().unwrap_or_default()
    };
    let of_part = |clauses: &'p Vec<Clause<'r>>| {
        let rare = clauses.iter().map(|clause| clause.iter().min_by_key(|test| shared(test)));
        rare.collect::<Option<Vec<_>>>().filter(|rare| !rare.is_empty())
    };
    parts.iter().filter_map(of_part).min_by_key(|rare| rare.iter().map(|test| shared(test)).max())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{call, compiled, enforcer};
    use super::*;
    use crate::call::{CallBag, Reporter};

    fn candidates(manifest: &str, words: &str) -> Vec<u32> {
        let authorization = compiled(manifest, &enforcer());
        let (call, port) = call(words);
        let reporter = Reporter::default();
        let bag = CallBag::new(&call, None, &reporter);
        authorization.deny.candidates(Arrived { bag: &bag, port }).into_vec()
    }

    fn deny(rules: &[&str]) -> String {
        format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: \
             istio-system}}\nspec: {{action: DENY, rules: [{}]}}\n",
            rules.join(", ")
        )
    }

    #[test]
    fn rules_for_other_hosts_paths_and_callers_are_left_out() {
        let manifest = deny(&[
            "{to: [{operation: {hosts: [a.example], paths: ['/x*']}}]}",
            "{to: [{operation: {hosts: [a.example], paths: [/y]}}]}",
            "{to: [{operation: {hosts: ['*.b.example']}}, {operation: {methods: [PUT], paths: ['/b/{*}/c']}}]}",
            "{from: [{source: {principals: [cluster.local/ns/web/sa/front]}}], to: [{operation: {ports: ['443']}}]}",
            "{from: [{source: {notNamespaces: [web]}}]}",
            "{when: [{key: 'request.headers[x]', values: ['1']}, {key: source.ip, values: [10.0.0.1]}]}",
        ]);
        for (words, expected) in [
            ("GET http://a.example/x/y", &[0, 4][..]),
            ("GET http://a.example/y x=1", &[1, 4, 5]),
            ("GET http://c.b.example/ from cluster.local/ns/web/sa/front", &[2, 3, 4]),
            ("PUT http://c.example/b/d/c", &[2, 4]),
            ("tunnel a.example:443", &[0, 1, 2, 3, 4, 5]),
        ] {
            assert_eq!(candidates(&manifest, words), expected, "{words}");
        }
    }

    #[test]
    fn rules_are_found_by_what_the_fewest_of_them_share() {
        let rules: Vec<_> =
            (0..100).map(|n| format!("{{to: [{{operation: {{hosts: [a.example], paths: [/p{n}]}}}}]}}")).collect();
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        assert_eq!(candidates(&deny(&rules), "GET http://a.example/p7"), [7]);
    }
}
