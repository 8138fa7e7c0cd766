//! What a policy sees of a call: `input.subject` and `input.action`.

use std::collections::BTreeMap;

use regorus::Value;

use crate::expr::{EvalError, ValueRef};
use crate::policy::instance::Values;
use crate::policy::template::authorization::{
    ACTION_PROPERTIES, GROUPS, METHOD, NAMESPACE, PATH, SERVICE, SUBJECT_PROPERTIES, USER,
};

type Object = BTreeMap<Value, Value>;

/// The input made of an instance; fields that are empty are left out.
///
/// # Errors
/// When a field has no value.
pub(super) fn of<'v>(values: &Values<'v>) -> Result<Value, EvalError<'v>> {
    let subject = object(values, &[("user", USER), ("groups", GROUPS)], SUBJECT_PROPERTIES)?;
    let texts = [("namespace", NAMESPACE), ("service", SERVICE), ("method", METHOD), ("path", PATH)];
    let action = object(values, &texts, ACTION_PROPERTIES)?;
    Ok(Object::from([("subject".into(), subject.into()), ("action".into(), action.into())]).into())
}

fn object<'v>(values: &Values<'v>, texts: &[(&str, usize)], map: usize) -> Result<Object, EvalError<'v>> {
    let mut object = Object::new();
    for (name, field) in texts {
        let text = values.text(*field)?;
        if !text.is_empty() {
            object.insert((*name).into(), text.into());
        }
    }
    let mut properties = Object::new();
    for (member, value) in values.map(map) {
        properties.insert(member.name.as_str().into(), plain(value?));
    }
    if !properties.is_empty() {
        object.insert("properties".into(), properties.into());
    }
    Ok(object)
}

/// A value in Rego: numbers, booleans and maps as what they are, all else as the text that the log has of it.
fn plain(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Int64(number) => number.into(),
        ValueRef::Double(number) if number.is_finite() => number.into(),
        ValueRef::Bool(truth) => truth.into(),
        ValueRef::StringMap(map) => {
            let mut object = Object::new();
            map.visit(&mut |key, value| {
                object.insert(key.into(), value.into());
            });
            object.into()
        }
        other => {
            let mut text = String::new();
            other.write_text(&mut text);
            text.into()
        }
    }
}
