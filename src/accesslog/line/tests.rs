use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::accesslog::testing::{SCENARIO, START};

#[test]
fn the_scenarios_first_line_is_built_to_the_byte() {
    let mut out = String::new();
    begin(&mut out, Level::Info, START, "egress-access.logentry.istio-system");
    let variables = [
        ("destination", "\"edition.cnn.com\""),
        ("path", "\"/politics\""),
        ("responseCode", "200"),
        ("responseSize", "150448"),
        ("source", "\"sleep\""),
        ("user", "\"unknown\""),
    ];
    for (variable, value) in variables {
        name(&mut out, variable);
        out.push_str(value);
    }
    end(&mut out);
    assert_eq!(out, SCENARIO[0]);
}

#[test]
fn times_have_six_decimals_from_year_one_on() {
    let shown = |micros| {
        let mut out = String::new();
        timestamp(&mut out, micros);
        out
    };
    assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(shown(-1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(shown(crate::expr::Timestamp::ZERO.micros()), "0001-01-01T00:00:00.000000Z");
    assert_eq!(shown(START / 10 * 10), "2018-06-18T13:22:58.317440Z");
}

#[test]
fn what_could_break_a_line_or_drive_a_terminal_is_escaped() {
    let mut out = String::new();
    string(&mut out, "a\"b\\c\n\r\t\u{8}\u{0}<>&é\u{7f}\u{2028}");
    assert_eq!(out, "\"a\\\"b\\\\c\\n\\r\\t\\u0008\\u0000<>&é\\u007f\\u2028\"");
}

#[test]
fn the_text_form_has_tabs_and_a_spaced_object() {
    assert_eq!(
        printed(SCENARIO[1], Format::Text),
        "2018-06-18T13:22:58.317448Z\terror\tegress-access.logentry.istio-system\t{\"destination\": \"edition.cnn.com\", \
         \"path\": \"/politics\", \"responseCode\": 200, \"responseSize\": 150448, \"source\": \"sleep\", \"user\": \"unknown\"}"
    );
    assert_eq!(printed(SCENARIO[1], Format::Json), SCENARIO[1]);
}

#[test]
fn the_text_form_without_variables_has_no_object() {
    let mut line = String::new();
    begin(&mut line, Level::Warning, 0, "i");
    end(&mut line);
    assert_eq!(line, r#"{"level":"warn","time":"1970-01-01T00:00:00.000000Z","instance":"i"}"#);
    assert_eq!(printed(&line, Format::Text), "1970-01-01T00:00:00.000000Z\twarn\ti");
}

#[test]
fn a_line_that_has_not_our_form_is_printed_as_it_is() {
    for line in ["", "{}", "{\"level\":\"", "no json"] {
        assert_eq!(printed(line, Format::Text), line);
    }
}

#[test]
fn fields_keep_their_order_and_duplicates() {
    let fields = fields(r#"{"level":"info","b":1,"a":{"y":[2]},"level":null}"#).unwrap();
    let expected = [("level", json!("info")), ("b", json!(1)), ("a", json!({"y": [2]})), ("level", json!(null))];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[test]
fn what_is_no_object_has_no_fields() {
    for line in ["", "[]", "{", "{} x", "1"] {
        assert!(fields(line).is_err(), "{line}");
    }
}

proptest! {
    #[test]
    fn any_text_survives_being_written_and_read(variable in any::<String>(), value in any::<String>()) {
        let mut line = String::new();
        begin(&mut line, Level::Info, 0, "i");
        name(&mut line, &variable);
        string(&mut line, &value);
        end(&mut line);
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(fields(&line).unwrap().pop(), Some((variable.clone(), json!(value))));
        let text = printed(&line, Format::Text).into_owned();
        let object = text.splitn(4, '\t').nth(3).unwrap();
        prop_assert_eq!(fields(object).unwrap(), vec![(variable, json!(value))]);
    }
}

#[test]
fn a_time_is_written_as_every_other_is_also_in_the_second_of_the_one_before() {
    let some =
        [0, 1, 999_999, 1_000_000, -1, -1_000_000, 1_529_328_178_317_448, 1_529_328_178_000_000, i64::MAX, i64::MIN];
    for micros in some.iter().flat_map(|micros| [*micros, *micros]) {
        let (mut written, mut expected) = (String::new(), String::new());
        timestamp(&mut written, micros);
        Timestamp::from_micros(micros).write_rfc3339_micros(&mut expected);
        assert_eq!(written, expected);
    }
}
