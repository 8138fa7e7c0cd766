//! The attributes that the rules of a registry may name: Istio's own and those of the manifests in it.

use crate::diagnostic::{Code, FieldPath, Problem};
use crate::expr::Vocabulary;
use crate::registry::{LoadError, View, load};
use crate::resource::Resource;
use crate::resource::kinds::ATTRIBUTEMANIFEST;
use crate::resource::kinds::attributemanifest::AttributeManifest;

/// The vocabulary of a registry. Manifests are merged, whatever their namespaces: an attribute of two manifests must have
/// one type in both.
///
/// # Errors
/// A manifest that does not decode, or that declares an attribute otherwise than Istio or an older manifest does.
pub fn vocabulary(view: &dyn View) -> Result<Vocabulary, LoadError> {
    let mut vocabulary = Vocabulary::standard().clone();
    for (resource, manifest) in load::<AttributeManifest>(view, &ATTRIBUTEMANIFEST)? {
        vocabulary = extended(&vocabulary, &manifest).map_err(|clash| LoadError::broken(&resource, clash.into()))?;
    }
    Ok(vocabulary)
}

/// How a manifest that is to be stored disagrees with the others of a registry, if it does.
///
/// # Errors
/// As [`vocabulary`], of the other manifests.
pub fn clash(view: &dyn View, resource: &Resource) -> Result<Option<Problem>, LoadError> {
    // What does not decode has been refused already.
    let Ok(manifest) = resource.typed::<AttributeManifest>() else { return Ok(None) };
    let mut others = Vocabulary::standard().clone();
    for (other, manifest) in load::<AttributeManifest>(view, &ATTRIBUTEMANIFEST)? {
        if other.key() != resource.key() {
            others = extended(&others, &manifest).map_err(|clash| LoadError::broken(&other, clash.into()))?;
        }
    }
    Ok(extended(&others, &manifest).err())
}

fn extended(vocabulary: &Vocabulary, manifest: &AttributeManifest) -> Result<Vocabulary, Problem> {
    vocabulary.extended(manifest.types().map(|(name, of)| (name.to_owned(), of))).map_err(|fault| {
        let attributes = FieldPath::of("spec.attributes");
        let at = fault.name().map_or(attributes.clone(), |name| attributes.field(name).field("valueType"));
        Problem::error(Code::Invalid, at, fault.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::expr::ValueType;
    use crate::manifest::parse;
    use crate::registry::{MemoryRegistry, Operation, Registry, Transaction};

    fn manifest(name: &str, attributes: &str) -> Resource {
        let text = format!(
            "apiVersion: config.istio.io/v1alpha2\nkind: attributemanifest\n\
             metadata: {{name: {name}, namespace: default}}\nspec: {{attributes: {{{attributes}}}}}\n"
        );
        parse(&Source::new("test", text)).resources.pop().expect("a resource")
    }

    fn registry(resources: impl IntoIterator<Item = Resource>) -> MemoryRegistry {
        let registry = MemoryRegistry::new();
        let operations = resources.into_iter().map(Operation::Create).collect();
        registry.commit(Transaction { operations }).expect("new resources");
        registry
    }

    #[test]
    fn manifests_add_to_istios_own_attributes() {
        let registry = registry([
            manifest("one", "shop.tier: {valueType: STRING}"),
            manifest("two", "shop.tier: {valueType: STRING}, shop.since: {valueType: TIMESTAMP}"),
        ]);
        let vocabulary = vocabulary(&registry).expect("no clash");
        let of = |name| vocabulary.get(name).map(|(_, of)| of);
        assert_eq!(of("shop.tier"), Some(ValueType::String));
        assert_eq!(of("shop.since"), Some(ValueType::Timestamp));
        assert_eq!(vocabulary.get("request.host"), Vocabulary::standard().get("request.host"));
    }

    #[test]
    fn two_manifests_must_agree_on_a_type() {
        let (one, two) = (manifest("one", "a.b: {valueType: URI}"), manifest("two", "a.b: {valueType: BOOL}"));
        let before = registry([one.clone()]);
        let found = clash(&before, &two).expect("the others are sound").expect("they disagree");
        assert_eq!(
            found.to_string(),
            "spec.attributes[a.b].valueType: attribute a.b is declared as URI already, it cannot be BOOL"
        );
        assert_eq!(clash(&before, &one).expect("sound"), None);
        assert!(vocabulary(&registry([one, two])).is_err());
    }
}
