//! Which resources a command line speaks of: `rule`, `rule x y`, `rule,stdio`, `rule/x stdio/y`, `all`.

use super::failure::Failure;
use crate::diagnostic::{nearest, visible};
use crate::resource::{KINDS, Kind, kinds};

/// What was asked for, in the order typed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Targets {
    /// Whole kinds or single resources.
    pub(crate) wanted: Vec<Wanted>,
    /// Whether several kinds, or a category, were asked for, so that names are shown with their kind.
    pub(crate) several_kinds: bool,
}

/// One thing that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    /// Everything of a kind.
    All(&'static Kind),
    /// One resource.
    Named(&'static Kind, String),
}

impl Wanted {
    /// The kind.
    pub(crate) fn kind(&self) -> &'static Kind {
        match self {
            Self::All(kind) | Self::Named(kind, _) => kind,
        }
    }
}

impl Targets {
    /// Reads the words behind a verb, of which there is at least one.
    ///
    /// # Errors
    /// No such kind, or a mixture of the two forms.
    pub(crate) fn parse(words: &[String]) -> Result<Self, Failure> {
        if words.iter().any(|word| word.contains('/')) { pairs(words) } else { kinds_and_names(words) }
    }

    /// Whether single resources were named.
    pub(crate) fn are_named(&self) -> bool {
        self.wanted.iter().any(|wanted| matches!(wanted, Wanted::Named(..)))
    }
}

fn pairs(words: &[String]) -> Result<Targets, Failure> {
    let wanted: Vec<Wanted> = words.iter().map(|word| pair(word)).collect::<Result<_, _>>()?;
    let several_kinds = wanted.iter().any(|other| other.kind() != wanted[0].kind());
    Ok(Targets { wanted, several_kinds })
}

fn pair(word: &str) -> Result<Wanted, Failure> {
    let Some((kind, name)) = word.split_once('/') else {
        return Err(Failure::client(
            "there is no need to specify a resource type as a separate argument when passing arguments in \
             resource/name form (e.g. 'egressctl get resource/<resource_name>' instead of 'egressctl get resource \
             resource/<resource_name>'",
        ));
    };
    if name.contains('/') {
        return Err(Failure::client("arguments in resource/name form may not have more than one slash"));
    }
    if kind.is_empty() || name.is_empty() || kind.contains(',') {
        return Err(Failure::client("arguments in resource/name form must have a single resource and name"));
    }
    Ok(Wanted::Named(kind_of(kind)?, name.to_owned()))
}

fn kinds_and_names(words: &[String]) -> Result<Targets, Failure> {
    let Some((first, names)) = words.split_first() else { return Ok(Targets { wanted: vec![], several_kinds: false }) };
    let mut found: Vec<&'static Kind> = Vec::new();
    let mut category = false;
    for word in first.split(',').filter(|word| !word.is_empty()) {
        let members: Vec<_> = kinds::in_category(word).collect();
        category |= !members.is_empty();
        let named = if members.is_empty() { vec![kind_of(word)?] } else { members };
        named.into_iter().for_each(|kind| {
            if !found.contains(&kind) {
                found.push(kind);
            }
        });
    }
    if found.is_empty() {
        return Err(no_such_kind(first));
    }
    let several_kinds = category || found.len() > 1;
    let wanted = match names {
        [] => found.into_iter().map(Wanted::All).collect(),
        names => {
            let named = |kind| names.iter().map(move |name| Wanted::Named(kind, name.clone()));
            found.into_iter().flat_map(named).collect()
        }
    };
    Ok(Targets { wanted, several_kinds })
}

fn kind_of(word: &str) -> Result<&'static Kind, Failure> {
    kinds::by_name(word).ok_or_else(|| no_such_kind(word))
}

/// That there is no such kind, and which may be meant.
pub(crate) fn no_such_kind(word: &str) -> Failure {
    let names = KINDS.iter().flat_map(|kind| [kind.singular, kind.plural]);
    let hint = nearest(word, names).map(|name| format!("\nhint: did you mean {name}?")).unwrap_or_default();
    Failure::client(format!("the server doesn't have a resource type \"{}\"{hint}", visible(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Targets, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Targets::parse(&words).map_err(|failure| match failure {
            Failure::Client(text) => text,
            other => panic!("not the client's own failure: {other:?}"),
        })
    }

    fn shown(line: &str) -> Vec<String> {
        let wanted = read(line).expect(line).wanted;
        let show = |wanted: &Wanted| match wanted {
            Wanted::All(kind) => kind.name.to_owned(),
            Wanted::Named(kind, name) => format!("{}/{name}", kind.name),
        };
        wanted.iter().map(show).collect()
    }

    #[test]
    fn kinds_and_names_are_read_in_every_form() {
        assert_eq!(shown("rules"), ["rule"]);
        assert_eq!(shown("Rule.config.istio.io"), ["rule"]);
        assert_eq!(shown("vs,gw"), ["VirtualService", "Gateway"]);
        assert_eq!(shown("stdio x y"), ["stdio/x", "stdio/y"]);
        assert_eq!(shown("rule,stdio x"), ["rule/x", "stdio/x"]);
        assert_eq!(shown("rule/x stdio/y"), ["rule/x", "stdio/y"]);
        assert_eq!(shown("rule,rules"), ["rule"]);
        assert!(shown("istio-io").contains(&"ServiceEntry".to_owned()));
    }

    #[test]
    fn names_show_their_kind_only_among_several() {
        assert!(!read("rule").expect("a kind").several_kinds);
        assert!(!read("rule/a rule/b").expect("pairs").several_kinds);
        assert!(read("rule,stdio").expect("kinds").several_kinds);
        assert!(read("rule/a stdio/b").expect("pairs").several_kinds);
        assert!(read("all").expect("a category").several_kinds);
    }

    #[test]
    fn faults_are_told_in_kubectls_words() {
        assert_eq!(read("foo").expect_err("no kind"), "the server doesn't have a resource type \"foo\"");
        let meant = "the server doesn't have a resource type \"gatway\"\nhint: did you mean gateway?";
        assert_eq!(read("gatway").expect_err("no kind"), meant);
        assert_eq!(read("rule,foo").expect_err("no kind"), "the server doesn't have a resource type \"foo\"");
        assert!(read("rule rule/x").expect_err("mixed").starts_with("there is no need to specify a resource type"));
        assert!(read("rule/x/y").expect_err("slashes").starts_with("arguments in resource/name form may not"));
        assert!(read("rule/").expect_err("no name").starts_with("arguments in resource/name form must"));
        assert!(read(",").is_err());
    }
}
