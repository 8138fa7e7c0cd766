//! Trying expressions, and attributes of one's own.

use crate::harness::Scene;

#[test]
fn an_expression_has_a_value_and_a_type() {
    let scene = Scene::new();
    scene.run("eval request.size|0 --attr request.size=5").succeeds("5\tINT64\n");
    scene.run("eval request.size|0 -o json").succeeds("{\"type\":\"INT64\",\"value\":0}\n");
    scene
        .run("eval request.headers[`x-a`]+request.path --attr request.headers[x-a]=1 --attr request.path=/a=b")
        .succeeds("\"1/a=b\"\tSTRING\n");
    let file = scene.write("call.yaml", "source.ip: 10.0.0.1\nshop.open:BOOL: true\nrequest.path: null\n");
    scene.run(&format!("eval shop.open&&source.ip==ip(`10.0.0.1`) --attributes {file}")).succeeds("true\tBOOL\n");
    scene.run(&format!("eval request.path --attributes {file} --attr request.path=/x")).succeeds("\"/x\"\tSTRING\n");
}

#[test]
fn a_mistake_is_shown_in_the_expression() {
    let scene = Scene::new();
    scene.run("eval request.pth==`/`").fails(
        "\
error: unknown attribute request.pth
 --> <expression>:1:1
  |
1 | request.pth==`/`
  | ^^^^^^^^^^^
  |
  = help: did you mean `request.path`?
",
    );
    scene.run("eval -o json true&&request.path==`/`").says(
        1,
        "{\"error\":{\"phase\":\"eval\",\"message\":\"lookup failed: 'request.path'\",\"column\":7}}\n",
        "",
    );
    scene.run("eval true --attr request.pth=/").fails(
        "error: unknown attribute request.pth; did you mean request.path?\n\
         hint: an attribute of your own is given with its type, request.pth:STRING=VALUE\n",
    );
    scene.run("eval true -o yaml").fails("error: --output must be 'json'\n");
}

#[test]
fn a_batch_answers_line_by_line() {
    let scene = Scene::new();
    scene.run("eval --batch").with_stdin("{\"id\":1,\"expr\":\"1 + 1\"}\nno json\n").succeeds(
        "{\"id\":1,\"type\":\"INT64\",\"value\":2}\n\
         {\"id\":null,\"error\":{\"phase\":\"parse\",\
         \"message\":\"the line is no question: expected ident at line 1 column 2\",\"column\":1}}\n",
    );
}

fn manifest(name: &str, attribute: &str, of: &str) -> String {
    format!(
        "apiVersion: config.istio.io/v1alpha2\nkind: attributemanifest\nmetadata: {{name: {name}}}\n\
         spec:\n  attributes:\n    {attribute}: {{description: x, valueType: {of}}}\n"
    )
}

fn rule(condition: &str) -> String {
    format!(
        "apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {{name: r}}\n\
         spec: {{match: '{condition}', actions: [{{handler: h.stdio, instances: [l.logentry]}}]}}\n"
    )
}

#[test]
fn a_manifest_makes_an_attribute_known_to_rules() {
    let scene = Scene::new();
    let refused = scene.run("create -f -").with_stdin(&rule("shop.tier == 2")).error();
    assert!(refused.contains("unknown attribute shop.tier"), "{refused}");
    scene
        .run("create -f -")
        .with_stdin(&manifest("shop", "shop.tier", "INT64"))
        .succeeds("attributemanifest.config.istio.io/shop created\n");
    scene.run("create -f -").with_stdin(&rule("shop.tier == 2")).succeeds("rule.config.istio.io/r created\n");
    for taking in ["delete attributemanifest shop", "replace -f -"] {
        let forbidden = scene.run(taking).with_stdin(&manifest("shop", "shop.size", "INT64")).error();
        let why = "attributemanifests.config.istio.io \"shop\" is forbidden: it is in use, and then there would be a fault elsewhere: rule/r.default: ";
        assert!(forbidden.contains(why) && forbidden.contains("unknown attribute shop.tier"), "{forbidden}");
    }
    scene
        .run("delete rule/r attributemanifest/shop")
        .succeeds("rule.config.istio.io \"r\" deleted\nattributemanifest.config.istio.io \"shop\" deleted\n");
}

#[test]
fn manifests_must_agree_with_istio_and_with_each_other() {
    let scene = Scene::new();
    let standard = scene.run("create -f -").with_stdin(&manifest("a", "request.size", "STRING")).error();
    assert!(standard.contains("is one of Istio's own and of type INT64, not STRING"), "{standard}");
    let two = format!("{}---\n{}", manifest("a", "shop.tier", "INT64"), manifest("b", "shop.tier", "URI"));
    let clash = scene.run("create -f -").with_stdin(&two).error();
    assert!(clash.contains("attribute shop.tier is declared as") && clash.contains("already"), "{clash}");
}
