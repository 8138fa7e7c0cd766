//! Which attributes there are, and where their values come from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use super::ast::{Ast, Kind};
use super::{ValueRef, ValueType};

/// The number of an attribute: programs ask for values by slot, never by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

/// The values of one occasion: a call in the proxy, flags in `eval`, a row of the log.
pub trait Bag {
    /// The value of an attribute; `None` where it has none, which is not the same as an empty value.
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>>;
}

impl<B: Bag + ?Sized> Bag for &B {
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
        (**self).get(slot)
    }
}

/// Most attributes of a vocabulary: as many as a [`Slot`] can number.
const MAX_ATTRIBUTES: usize = 1 << 16;

/// Why a vocabulary cannot be extended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// One name with two types.
    #[error("attribute {name} is declared as {declared} already, it cannot be {other}")]
    Clash {
        /// The attribute.
        name: String,
        /// Its type in the vocabulary.
        declared: ValueType,
        /// The type it was to have.
        other: ValueType,
    },
    /// No more can be numbered.
    #[error("more than {MAX_ATTRIBUTES} attributes")]
    TooMany,
}

impl VocabularyError {
    /// The attribute at fault, where it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Clash { name, .. } => Some(name),
            Self::TooMany => None,
        }
    }
}

/// Whether an expression can name an attribute of this name.
pub fn is_attribute_name(name: &str) -> bool {
    Ast::parse(name).is_ok_and(|ast| matches!(&ast.kind, Kind::Name(parsed) if parsed == name))
}

/// The attributes that expressions may name, each with its slot and type.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    /// By slot.
    attributes: Vec<(Cow<'static, str>, ValueType)>,
    /// The slots in order of their names.
    by_name: Vec<Slot>,
}

impl Vocabulary {
    /// Istio's own attributes: all that releases 0.8, 1.0 and 1.1 declare, under the slots of [`slot`]; and ours, of grants.
    pub fn standard() -> &'static Vocabulary {
        static STANDARD_VOCABULARY: OnceLock<Vocabulary> = OnceLock::new();
        STANDARD_VOCABULARY.get_or_init(|| STANDARD.iter().map(|&(name, of)| (Cow::Borrowed(name), of)).collect())
    }

    /// This vocabulary and more attributes, which get the slots above its own. A name that it has already keeps its slot.
    ///
    /// # Errors
    /// A name that it has with another type, or more attributes than slots.
    pub fn extended(
        &self,
        attributes: impl IntoIterator<Item = (String, ValueType)>,
    ) -> Result<Vocabulary, VocabularyError> {
        let mut all = self.attributes.clone();
        let mut added = HashMap::new();
        for (name, other) in attributes {
            let known = self.get(&name).map(|(_, of)| of).or_else(|| added.get(&name).copied());
            match known {
                Some(declared) if declared != other => {
                    return Err(VocabularyError::Clash { name, declared, other });
                }
                Some(_) => continue,
                None if all.len() == MAX_ATTRIBUTES => return Err(VocabularyError::TooMany),
                None => all.push((Cow::Owned(name.clone()), other)),
            }
            added.insert(name, other);
        }
        Ok(all.into_iter().collect())
    }

    /// Slot and type of an attribute.
    pub fn get(&self, name: &str) -> Option<(Slot, ValueType)> {
        let place = self.by_name.binary_search_by(|&slot| self.name_of(slot).cmp(name)).ok()?;
        let slot = self.by_name[place];
        Some((slot, self.attributes[usize::from(slot.0)].1))
    }

    /// The name of an attribute; empty for a slot of another vocabulary.
    pub fn name_of(&self, slot: Slot) -> &str {
        self.attributes.get(usize::from(slot.0)).map_or("", |(name, _)| name)
    }

    /// All names, in the order of their slots.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(name, _)| name.as_ref())
    }
}

impl Default for Vocabulary {
    /// Istio's own attributes.
    fn default() -> Self {
        Self::standard().clone()
    }
}

impl FromIterator<(Cow<'static, str>, ValueType)> for Vocabulary {
    /// Numbers attributes in the order given, from slot 0; of one name given twice the first counts.
    ///
    /// # Panics
    /// With more than 65,536 names.
    fn from_iter<T: IntoIterator<Item = (Cow<'static, str>, ValueType)>>(attributes: T) -> Self {
        let attributes: Vec<_> = attributes.into_iter().collect();
        let slot = |place| Slot(u16::try_from(place).expect("a vocabulary has at most 65,536 names"));
        let mut by_name: Vec<Slot> = (0..attributes.len()).map(slot).collect();
        let name = |slot: &Slot| attributes[usize::from(slot.0)].0.as_ref();
        by_name.sort_by(|a, b| name(a).cmp(name(b)));
        by_name.dedup_by(|later, first| name(later) == name(first));
        Self { attributes, by_name }
    }
}

/// One line an attribute: the slot's constant, the name, the type.
macro_rules! attributes {
    ($($constant:ident $name:literal $of:ident)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the variants number the constants below")]
        enum Number { $($constant),* }

        /// The slots of the standard attributes, to be matched on by a [`Bag`].
        pub mod slot {
            use super::{Number, Slot};
            $(#[doc = concat!("`", $name, "`")] pub const $constant: Slot = Slot(Number::$constant as u16);)*
        }

        const STANDARD: &[(&str, ValueType)] = &[$(($name, ValueType::$of)),*];

        #[cfg(test)]
        const CONSTANTS: &[(&str, Slot)] = &[$((stringify!($constant), slot::$constant)),*];
    };
}

attributes! {
    REQUEST_HOST "request.host" String
    REQUEST_PATH "request.path" String
    REQUEST_URL_PATH "request.url_path" String
    REQUEST_QUERY_PARAMS "request.query_params" StringMap
    REQUEST_METHOD "request.method" String
    REQUEST_USERAGENT "request.useragent" String
    REQUEST_REFERER "request.referer" String
    REQUEST_SCHEME "request.scheme" String
    REQUEST_HEADERS "request.headers" StringMap
    REQUEST_ID "request.id" String
    REQUEST_REASON "request.reason" String
    REQUEST_API_KEY "request.api_key" String
    REQUEST_SIZE "request.size" Int64
    REQUEST_TOTAL_SIZE "request.total_size" Int64
    REQUEST_TIME "request.time" Timestamp
    REQUEST_AUTH_PRINCIPAL "request.auth.principal" String
    REQUEST_AUTH_AUDIENCES "request.auth.audiences" String
    REQUEST_AUTH_PRESENTER "request.auth.presenter" String
    REQUEST_AUTH_CLAIMS "request.auth.claims" StringMap
    REQUEST_AUTH_RAW_CLAIMS "request.auth.raw_claims" String
    RESPONSE_CODE "response.code" Int64
    RESPONSE_FLAGS "response.flags" String
    RESPONSE_SIZE "response.size" Int64
    RESPONSE_TOTAL_SIZE "response.total_size" Int64
    RESPONSE_DURATION "response.duration" Duration
    RESPONSE_TIME "response.time" Timestamp
    RESPONSE_HEADERS "response.headers" StringMap
    RESPONSE_GRPC_STATUS "response.grpc_status" String
    RESPONSE_GRPC_MESSAGE "response.grpc_message" String
    SOURCE_UID "source.uid" String
    SOURCE_NAME "source.name" String
    SOURCE_NAMESPACE "source.namespace" String
    SOURCE_SERVICE_ACCOUNT "source.serviceAccount" String
    SOURCE_IP "source.ip" IpAddress
    SOURCE_LABELS "source.labels" StringMap
    SOURCE_METADATA "source.metadata" StringMap
    SOURCE_SERVICE "source.service" String
    SOURCE_SERVICES "source.services" String
    SOURCE_USER "source.user" String
    SOURCE_PRINCIPAL "source.principal" String
    SOURCE_OWNER "source.owner" String
    SOURCE_WORKLOAD_UID "source.workload.uid" String
    SOURCE_WORKLOAD_NAME "source.workload.name" String
    SOURCE_WORKLOAD_NAMESPACE "source.workload.namespace" String
    DESTINATION_IP "destination.ip" IpAddress
    DESTINATION_PORT "destination.port" Int64
    DESTINATION_LABELS "destination.labels" StringMap
    DESTINATION_METADATA "destination.metadata" StringMap
    DESTINATION_UID "destination.uid" String
    DESTINATION_NAME "destination.name" String
    DESTINATION_NAMESPACE "destination.namespace" String
    DESTINATION_SERVICE_ACCOUNT "destination.serviceAccount" String
    DESTINATION_SERVICE "destination.service" String
    DESTINATION_SERVICE_HOST "destination.service.host" String
    DESTINATION_SERVICE_NAME "destination.service.name" String
    DESTINATION_SERVICE_NAMESPACE "destination.service.namespace" String
    DESTINATION_SERVICE_UID "destination.service.uid" String
    DESTINATION_PRINCIPAL "destination.principal" String
    DESTINATION_OWNER "destination.owner" String
    DESTINATION_CONTAINER_NAME "destination.container.name" String
    DESTINATION_WORKLOAD_UID "destination.workload.uid" String
    DESTINATION_WORKLOAD_NAME "destination.workload.name" String
    DESTINATION_WORKLOAD_NAMESPACE "destination.workload.namespace" String
    CONNECTION_ID "connection.id" String
    CONNECTION_EVENT "connection.event" String
    CONNECTION_RECEIVED_BYTES "connection.received.bytes" Int64
    CONNECTION_RECEIVED_BYTES_TOTAL "connection.received.bytes_total" Int64
    CONNECTION_SENT_BYTES "connection.sent.bytes" Int64
    CONNECTION_SENT_BYTES_TOTAL "connection.sent.bytes_total" Int64
    CONNECTION_DURATION "connection.duration" Duration
    CONNECTION_CLOSED_BY "connection.closed_by" String
    CONNECTION_MTLS "connection.mtls" Bool
    CONNECTION_REQUESTED_SERVER_NAME "connection.requested_server_name" String
    CONTEXT_PROTOCOL "context.protocol" String
    CONTEXT_TIME "context.time" Timestamp
    CONTEXT_TIMESTAMP "context.timestamp" Timestamp
    CONTEXT_REPORTER_KIND "context.reporter.kind" String
    CONTEXT_REPORTER_UID "context.reporter.uid" String
    CONTEXT_REPORTER_LOCAL "context.reporter.local" Bool
    CONTEXT_PROXY_ERROR_CODE "context.proxy_error_code" String
    API_SERVICE "api.service" String
    API_VERSION "api.version" String
    API_OPERATION "api.operation" String
    API_PROTOCOL "api.protocol" String
    ORIGIN_IP "origin.ip" IpAddress
    ORIGIN_UID "origin.uid" String
    ORIGIN_USER "origin.user" String
    CHECK_ERROR_CODE "check.error_code" Int64
    CHECK_ERROR_MESSAGE "check.error_message" String
    CHECK_CACHE_HIT "check.cache_hit" Bool
    QUOTA_CACHE_HIT "quota.cache_hit" Bool
    RBAC_PERMISSIVE_RESPONSE_CODE "rbac.permissive.response_code" String
    RBAC_PERMISSIVE_EFFECTIVE_POLICY_ID "rbac.permissive.effective_policy_id" String
    GRANT_NAME "grant.name" String
    GRANT_REASON "grant.reason" String
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `source.serviceAccount` as `SOURCE_SERVICE_ACCOUNT`.
    fn constant_of(name: &str) -> String {
        let mut constant = String::new();
        for c in name.chars() {
            if c.is_uppercase() {
                constant.push('_');
            }
            constant.push(if c == '.' { '_' } else { c.to_ascii_uppercase() });
        }
        constant
    }

    #[test]
    fn every_attribute_is_found_under_the_slot_of_its_constant() {
        let vocabulary = Vocabulary::standard();
        assert_eq!(vocabulary.names().count(), CONSTANTS.len());
        for (name, &(constant, slot)) in vocabulary.names().zip(CONSTANTS) {
            assert_eq!(constant_of(name), constant);
            assert_eq!(vocabulary.get(name).map(|found| found.0), Some(slot), "{name}");
            assert_eq!(vocabulary.name_of(slot), name);
        }
    }

    #[test]
    fn no_attribute_stands_twice() {
        let vocabulary = Vocabulary::standard();
        assert_eq!(vocabulary.by_name.len(), vocabulary.attributes.len());
    }

    #[test]
    fn slots_can_be_matched_on() {
        let is_host = |slot| matches!(slot, slot::REQUEST_HOST);
        assert!(is_host(Vocabulary::standard().get("request.host").unwrap().0));
        assert!(!is_host(slot::REQUEST_PATH));
    }

    #[test]
    fn types_are_those_of_the_manifests() {
        let of = |name| Vocabulary::standard().get(name).map(|found| found.1);
        assert_eq!(of("request.headers"), Some(ValueType::StringMap));
        assert_eq!(of("response.duration"), Some(ValueType::Duration));
        assert_eq!(of("context.reporter.local"), Some(ValueType::Bool));
        assert_eq!(of("source.ip"), Some(ValueType::IpAddress));
        assert_eq!(of("destination.port"), Some(ValueType::Int64));
        assert_eq!(of("request"), None);
    }

    #[test]
    fn of_two_attributes_of_one_name_the_first_counts() {
        let twice = [("a".into(), ValueType::Bool), ("b".into(), ValueType::Uri), ("a".into(), ValueType::String)];
        assert_eq!(Vocabulary::from_iter(twice).get("a"), Some((Slot(0), ValueType::Bool)));
    }

    #[test]
    fn an_extended_vocabulary_keeps_the_slots_it_had() {
        let more = [("a.b".to_owned(), ValueType::Uri), ("request.path".to_owned(), ValueType::String)];
        let extended = Vocabulary::standard().extended(more.clone().into_iter().chain(more)).unwrap();
        let count = Vocabulary::standard().names().count();
        assert_eq!(extended.names().count(), count + 1);
        assert_eq!(extended.get("a.b").map(|(slot, of)| (usize::from(slot.0), of)), Some((count, ValueType::Uri)));
        assert_eq!(extended.get("request.path").map(|found| found.0), Some(slot::REQUEST_PATH));
    }

    #[test]
    fn one_name_has_one_type() {
        let clash = |names: &[(&str, ValueType)]| {
            let names = names.iter().map(|(name, of)| ((*name).to_owned(), *of));
            Vocabulary::standard().extended(names).unwrap_err().to_string()
        };
        assert_eq!(
            clash(&[("request.size", ValueType::Double)]),
            "attribute request.size is declared as INT64 already, it cannot be DOUBLE"
        );
        assert!(clash(&[("a", ValueType::Uri), ("a", ValueType::Bool)]).starts_with("attribute a is declared as URI"));
        let many = (0..MAX_ATTRIBUTES).map(|number| (format!("a{number}"), ValueType::Bool));
        assert_eq!(Vocabulary::standard().extended(many).unwrap_err(), VocabularyError::TooMany);
    }

    #[test]
    fn names_are_those_that_an_expression_can_spell() {
        for name in ["a", "a.b_c", "source.serviceAccount", "_x.\u{fc}1"] {
            assert!(is_attribute_name(name), "{name}");
        }
        for name in ["", "a-b", "a.type", "true", "a ", "a. b", "a.", "1", "a.1", "f()"] {
            assert!(!is_attribute_name(name), "{name}");
        }
    }
}
