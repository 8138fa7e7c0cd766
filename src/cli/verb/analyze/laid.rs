//! What is analyzed: the registry, with files laid on top of it.

use std::collections::{BTreeSet, HashMap};

use crate::analysis::{Finding, analyze, fault};
use crate::cli::context::Context;
use crate::cli::declare::read;
use crate::cli::failure::{Failure, Failures};
use crate::cli::input::Files;
use crate::diagnostic::{Code, FieldPath, Problem, Source, visible};
use crate::manifest::{Finding as ManifestFinding, Locator, Parsed, Place};
use crate::registry::{MemoryRegistry, Operation, Overlay, Registry as _, SqliteRegistry, Transaction, View};
use crate::resource::kinds::NAMESPACE;
use crate::resource::{Key, Meta, Resource};

use super::print::Shown;

/// The registry, and the resources of files.
pub(super) struct Laid {
    base: Base,
    /// As the user named them.
    pub(super) files: Vec<String>,
    /// How many of them hold something that is no manifest.
    pub(super) unparseable: usize,
    declared: Vec<Declared>,
}

/// What files are laid upon.
enum Base {
    Registry(SqliteRegistry),
    Nothing(MemoryRegistry),
}

/// A resource of a file.
struct Declared {
    resource: Resource,
    source: Source,
    place: Place,
    /// Faults of its metadata, which keep it from being looked at together with others.
    faults: Vec<Problem>,
}

impl Base {
    fn view(&self) -> Result<Box<dyn View + Send>, Failure> {
        Ok(match self {
            Base::Registry(registry) => registry.frozen()?,
            Base::Nothing(registry) => registry.frozen()?,
        })
    }
}

impl Laid {
    /// Reads files; what is no manifest is shown on standard error.
    pub(super) fn read(
        files: &Files,
        use_registry: bool,
        ignore_unknown: bool,
        context: &mut Context,
    ) -> Result<Self, Failures> {
        let sources = files.read()?;
        let registry = match (use_registry, files.names.is_empty()) {
            (false, _) => None,
            (true, true) => Some(context.registry()?),
            // Files can be judged where nothing was ever declared.
            (true, false) => context.existing_registry()?,
        };
        let base = registry.map_or_else(|| Base::Nothing(MemoryRegistry::new()), Base::Registry);
        let names = sources.iter().map(|source| visible(&source.name).into_owned()).collect();
        let mut laid = Self { base, files: names, unparseable: 0, declared: Vec::new() };
        for source in sources {
            let Parsed { resources, places, findings } = read(&source);
            let unreadable: Vec<_> = findings.iter().filter(|one| is_unreadable(one, ignore_unknown)).collect();
            laid.unparseable += usize::from(!unreadable.is_empty());
            let mut locator = Locator::new(&source);
            for finding in unreadable {
                context.say(&locator.render(finding, context.color_err)).map_err(Failure::from)?;
            }
            for (mut resource, place) in resources.into_iter().zip(places) {
                if resource.kind.namespaced {
                    resource.meta.namespace.get_or_insert_with(|| context.namespace().to_owned());
                }
                let faults = findings.iter().filter_map(|one| fault_of_metadata(one, &place)).collect();
                laid.declared.push(Declared { resource, source: source.clone(), place, faults });
            }
        }
        Ok(laid)
    }

    /// Analyzes everything together.
    pub(super) fn analyze(&self) -> Result<Vec<Shown>, Failure> {
        let base = self.base.view()?;
        let (operations, mut found) = self.operations(&*base)?;
        let overlay = Overlay::new(&*base, &Transaction { operations })?;
        found.extend(analyze(&overlay)?);
        let mut places: HashMap<String, &Declared> = HashMap::new();
        for declared in &self.declared {
            places.insert(name(&declared.resource.key()), declared);
        }
        let mut shown = Vec::with_capacity(found.len());
        for finding in found {
            let declared = places.get(&name(&finding.key));
            let reference = match (declared, &finding.origin) {
                (Some(declared), _) => Some((declared.source.name.to_string(), declared.line(&finding.at))),
                (None, Some(origin)) => Some((origin.file.to_string(), origin.line)),
                (None, None) => None,
            };
            shown.push(Shown { finding, reference, in_files: declared.is_some() });
        }
        Ok(shown)
    }

    /// What lays the files' resources on top of others, and what is wrong with those that cannot be laid.
    fn operations(&self, base: &dyn View) -> Result<(Vec<Operation>, Vec<Finding>), Failure> {
        let (mut operations, mut found, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut namespaces = BTreeSet::new();
        for Declared { resource, faults, .. } in &self.declared {
            let key = resource.key();
            found.extend(faults.iter().map(|problem| fault(resource, problem)));
            if !faults.is_empty() {
                continue;
            }
            if !seen.insert(name(&key)) {
                let message = format!("{key} stands in these files more than once");
                found.push(fault(resource, &Problem::error(Code::Duplicate, FieldPath::of("metadata.name"), message)));
                continue;
            }
            namespaces.extend(key.namespace.clone());
            operations.push(match base.get(&key)? {
                Some(_) => Operation::Replace(Resource { meta: without_version(&resource.meta), ..resource.clone() }),
                None => Operation::Create(resource.clone()),
            });
        }
        for namespace in namespaces {
            let key = Key::new(&NAMESPACE, "", &namespace);
            if !seen.contains(&name(&key)) && base.get(&key)?.is_none() {
                let meta = Meta { name: namespace, ..Meta::default() };
                let version = NAMESPACE.versions[0].to_owned();
                let implied = Resource { kind: &NAMESPACE, version, meta, body: serde_json::Map::new(), origin: None };
                operations.push(Operation::Create(implied));
            }
        }
        // Namespaces come before what lives in them.
        operations.sort_by_key(|operation| match operation {
            Operation::Create(resource) => *resource.kind != NAMESPACE,
            Operation::Replace(_) | Operation::Delete(_) => true,
        });
        Ok((operations, found))
    }
}

impl Declared {
    /// The line on which a field stands.
    fn line(&self, at: &FieldPath) -> usize {
        let finding = self.place.finding(Problem::warning(Code::Invalid, at.clone(), ""));
        let span = Locator::new(&self.source).span(&finding);
        self.source.line_column(span.start).0
    }
}

/// A key as one text.
fn name(key: &Key) -> String {
    format!("{}/{key}", key.kind.group)
}

/// An overlay is no place for conflicts of versions.
fn without_version(meta: &Meta) -> Meta {
    Meta { resource_version: None, ..meta.clone() }
}

/// Whether a document tells not even what it is.
fn is_unreadable(finding: &ManifestFinding, ignore_unknown: bool) -> bool {
    let unknown = finding.problem.code == Code::UnknownKind
        || finding.subject.as_ref().is_none_or(|subject| subject.kind.is_empty());
    match finding.problem.code {
        Code::Syntax => true,
        _ => unknown && finding.problem.is_error() && !ignore_unknown,
    }
}

/// A fault of a resource's metadata; what is wrong elsewhere the analysis finds itself.
fn fault_of_metadata(finding: &ManifestFinding, place: &Place) -> Option<Problem> {
    let steps = finding.problem.at.steps().strip_prefix(place.at.steps())?;
    let own = steps.iter().fold(FieldPath::root(), |path, step| match step {
        crate::diagnostic::Step::Field(name) => path.field(name),
        crate::diagnostic::Step::Index(index) => path.index(*index),
    });
    let of_metadata = own.to_string().starts_with("metadata");
    (finding.document == place.document && finding.problem.is_error() && of_metadata)
        .then(|| Problem { at: own, ..finding.problem.clone() })
}
