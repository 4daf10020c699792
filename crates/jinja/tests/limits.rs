//! What a template cannot use up: each bound is met by a template that would pass it.

use pacemark_jinja::{Error, Limits, MAX_DEPTH, MAX_SOURCE, Template};
use serde_json::{Map, Value, json};
use std::time::UNIX_EPOCH;

fn render(source: &str) -> Result<String, Error> {
    Template::compile(source)?.render(&Map::new(), UNIX_EPOCH, Limits::default())
}

fn assert_limit(source: &str, expected: &str) {
    match render(source) {
        Err(Error::Limit { what, .. }) => assert_eq!(what, expected, "{source:.200}"),
        other => panic!("{source:.200}: {other:?}, expected a limit of {expected}"),
    }
}

/// `{{ expression }}` with `ns.x` made from itself by `step`, `times` times.
fn repeated(start: &str, step: &str, times: usize, expression: &str) -> String {
    format!(
        "{{% set ns = namespace(x={start}) %}}{{% for i in range({times}) %}}{{% set ns.x = {step} %}}{{% endfor %}}\
         {{{{ {expression} }}}}"
    )
}

#[test]
fn memory() {
    let steps = [
        "ns.x ~ ns.x",
        "ns.x + ns.x",
        "ns.x * 100",
        "'%s%s' % (ns.x, ns.x)",
        "'{0}{0}'.format(ns.x)",
        "[ns.x, ns.x]|join",
        "ns.x.join(['', '', ''])",
        "ns.x|replace('a', 'aa')",
        "ns.x.replace('', 'aa')",
        "(ns.x|escape) ~ ns.x",
        "[ns.x, ns.x]|tojson",
        "[ns.x, ns.x]|string",
        "ns.x|urlencode ~ ns.x",
    ];
    for step in steps {
        let found = render(&repeated("'aaaa'", step, 99, "1"));
        assert!(matches!(found, Err(Error::Limit { .. })), "{step}: {found:?}");
    }
    for step in ["ns.x + ns.x", "ns.x * 100", "(ns.x|list) + (ns.x|list)"] {
        assert_limit(&repeated("[1]", step, 99, "1"), "bytes of values");
    }
    let huge = [
        "'a' * 10 ** 12",
        "[1] * 10 ** 12",
        "'a'.center(10 ** 12)",
        "'a'.zfill(10 ** 12)",
        "'a'|center(10 ** 12)",
        "'a\\tb'.expandtabs(10 ** 12)",
        "'a'|indent(10 ** 12)",
        "'%*d' % (10 ** 12, 1)",
        "'%1000000000000d' % 1",
        "'%.1000000000000f' % 1",
        "'%.1000000000000d' % 1",
        "'{:1000000000000}'.format(1)",
        "'{:01000000000000,}'.format(1)",
        "[1]|tojson(indent=10 ** 12)",
        "[1]|batch(10 ** 12, 0)|list",
    ];
    for expression in huge {
        assert_limit(&format!("{{{{ {expression} }}}}"), "bytes of values");
    }
}

#[test]
fn values_that_share_their_parts() {
    // Written out these have 2 to the power of 200 parts.
    for expression in ["ns.x", "ns.x|tojson", "ns.x|pprint", "ns.x|string|length"] {
        let source = repeated("1", "[ns.x, ns.x]", 200, expression);
        assert!(matches!(render(&source), Err(Error::Limit { .. })), "{expression}");
    }
    let both = "{% set ns = namespace(a=1, b=1) %}{% for i in range(200) %}{% set ns.a = (ns.a, ns.a) %}\
                {% set ns.b = (ns.b, ns.b) %}{% endfor %}";
    for expression in
        ["ns.a == ns.b", "ns.a < ns.b", "{ns.a: 1}", "ns.a in [ns.b]", "[ns.a, ns.b]|unique|list"]
    {
        assert!(
            matches!(render(&format!("{both}{{{{ {expression} }}}}")), Err(Error::Limit { .. })),
            "{expression}"
        );
    }
}

#[test]
fn time() {
    let loops = "{% for a in range(99999) %}{% for b in range(99999) %}";
    for inner in ["", "{% continue %}", "{{ '' }}", "{% if 'x' in 'y' * 1000 %}{% endif %}"] {
        assert_limit(&format!("{loops}{inner}{{% endfor %}}{{% endfor %}}"), "instructions");
    }
    let reading = [
        "ns.t.find('b')",
        "'b' in ns.t",
        "ns.t.count('b')",
        "ns.t == ns.t[1:] ~ 'a'",
        "ns.t.startswith(ns.t)",
    ];
    for expression in reading {
        let set = "{% set ns = namespace(t='a' * 1000000) %}{% for a in range(99999) %}";
        let found = render(&format!("{set}{{% if {expression} %}}{{% endif %}}{{% endfor %}}"));
        assert!(matches!(found, Err(Error::Limit { .. })), "{expression}: {found:?}");
    }
    // From each place of a run of hyphens on, the run would be 10^10 steps that nothing counts.
    assert!(render("{{ ('a' ~ '-' * 150000)|wordwrap|length }}").is_ok());
    assert_limit(
        "{{ range(99999)|list|sort(attribute='x')|list }}{{ range(99999)|map('string')|list }}",
        "instructions",
    );
}

#[test]
fn output_source_and_depth() {
    assert_limit("{% for i in range(999) %}{{ 'x' * 1000000 }}{% endfor %}", "bytes of output");
    assert_limit(&" ".repeat(MAX_SOURCE + 1), "bytes of template");
    for step in [
        "[ns.x]",
        "(ns.x,)",
        "{1: ns.x}",
        "{(ns.x,): 1}.keys()|first",
        "[ns.x]|map('list')",
        "cycler(ns.x)",
        "[ns.x]|select",
    ] {
        assert_limit(&repeated("1", step, 999, "1"), "levels of values");
    }
    let mut deep = json!(1);
    for _ in 0..usize::from(MAX_DEPTH) + 1 {
        deep = json!([deep]);
    }
    let variables: Map<String, Value> = [("deep".to_owned(), deep)].into_iter().collect();
    let template = Template::compile("{{ deep is defined }}").unwrap();
    let found = template.render(&variables, UNIX_EPOCH, Limits::default());
    assert!(matches!(found, Err(Error::Limit { what: "levels of values", .. })), "{found:?}");
}

#[test]
fn what_refers_to_itself() {
    assert_eq!(
        render("{% set ns = namespace(a=1) %}{% set ns.x = [ns] %}{{ ns }}").as_deref(),
        Ok("<Namespace {'a': 1, 'x': [<Namespace {...}>]}>")
    );
    assert!(render("{% for x in [1] %}{{ loop.changed(loop) }}{% endfor %}").is_ok());
    assert!(
        render("{% set ns = namespace() %}{% set ns.g = [ns]|map(attribute='g')|map('list') %}{{ ns.g|list }}")
            .is_err()
    );
    let outlived = "{% set ns = namespace() %}{% macro f() %}{% macro g() %}x{% endmacro %}{% set ns.g = g %}{% endmacro %}";
    assert!(render(&format!("{outlived}{{{{ f() }}}}{{{{ ns.g() }}}}")).is_err());
}

#[test]
fn what_is_long_without_being_deep() {
    let long =
        |first: &str, part: &str| format!("{{{{ {first}{} }}}}", part.repeat(100_000 / part.len()));
    let chains = [
        " + 1",
        " ~ 1",
        " or 0",
        " and 1",
        " == 1",
        "|abs",
        " if 1 else 0",
        " is defined",
        "[0:]",
        " * 1",
    ];
    for part in chains {
        let _ = render(&long("1", part));
    }
    assert_eq!(render(&long("1", " + 1")).as_deref(), Ok("25001"));
    assert_eq!(
        render(&format!("{{% if 0 %}}{}{{% else %}}x{{% endif %}}", "{% elif 0 %}".repeat(9000)))
            .as_deref(),
        Ok("x")
    );
    let _ = render(&"{{ x }}".repeat(18_000));
    let _ = render(&format!("{{% set {}a = 1 %}}", "a, ".repeat(40_000)));
}
