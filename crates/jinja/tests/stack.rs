//! The stack that the deepest templates take: each runs in a thread with half of what Rust gives
//! one, since its caller has used some. An overflow would end the test's process.
//!
//! With the optimisation of the test profile most take less than 750 KiB and none more than this;
//! without any, some need 3 MiB.

use pacemark_jinja::{Limits, MAX_NESTING, Template};
use serde_json::Map;
use std::thread;
use std::time::UNIX_EPOCH;

const STACK: usize = 1 << 20;

/// Runs `source`, which may fail but must come back.
fn run(source: String) {
    let limits = Limits { instructions: 100_000_000, memory: 1 << 30, output: 1 << 30 };
    let render = move || {
        Template::compile(&source)
            .and_then(|template| template.render(&Map::new(), UNIX_EPOCH, limits))
            .is_ok()
    };
    let thread = thread::Builder::new().stack_size(STACK).spawn(render).expect("a thread");
    thread.join().expect("no panic");
}

#[test]
fn macros_and_loops_that_call_themselves() {
    let bodies = [
        "{{ f(x) }}",
        "{% for i in [1] %}{% if true %}{% with a = 1 %}{{ [(f(x) ~ 1, 2)] }}{% endwith %}{% endif %}{% endfor %}",
        "{% call f(x) %}{% endcall %}",
        "{% filter upper %}{% set y %}{{ f(x=x) }}{% endset %}{% endfilter %}",
        "{% autoescape true %}{% generation %}{{ f() }}{% endgeneration %}{% endautoescape %}",
        "{% for x in [1] if f() %}{% endfor %}",
    ];
    for body in bodies {
        run(format!("{{% macro f(x) %}}{body}{{% endmacro %}}{{{{ f(1) }}}}"));
    }
    run("{% macro f(x=f()) %}{% endmacro %}{{ f() }}".into());
    run("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}".into());
}

#[test]
fn nested_sources() {
    let brackets = [
        ("(", ")"),
        ("[", "]"),
        ("-", ""),
        ("not ", ""),
        ("x[", "]"),
        ("f(a=", ")"),
        ("1 if ", " else 2"),
        ("{1:", "}"),
        ("x|d(", ")"),
        ("x is eq(", ")"),
        ("1 ~ (", ")"),
    ];
    for (open, close) in brackets {
        for depth in [MAX_NESTING, MAX_NESTING / 2 - 2] {
            run(format!("{{{{ {}1{} }}}}", open.repeat(depth), close.repeat(depth)));
        }
    }
    for tag in [
        "if true",
        "for x in [1]",
        "with",
        "filter upper",
        "macro f()",
        "set x",
        "for x in [1] recursive",
    ] {
        let end = tag.split(' ').next().unwrap_or_default();
        let (open, close) = (format!("{{% {tag} %}}"), format!("{{% end{end} %}}"));
        for depth in [MAX_NESTING, MAX_NESTING - 2] {
            run(open.repeat(depth) + &close.repeat(depth));
        }
    }
}

#[test]
fn deep_values() {
    let set = "{% set ns = namespace(a=0, b=0, c=0, d=0) %}";
    let nest = |steps: &str| format!("{set}{{% for i in range(498) %}}{steps}{{% endfor %}}");
    let data = nest(
        "{% set ns.a = [ns.a] %}{% set ns.b = {'x': ns.b} %}{% set ns.c = [ns.c] %}{% set ns.d = (ns.d,) %}",
    );
    let uses = [
        "ns",
        "ns.a|tojson(indent=1)",
        "ns.b|pprint",
        "ns.a == ns.c",
        "ns.a < ns.c",
        "{ns.d: 1}[ns.d]",
    ];
    for expression in uses {
        run(format!("{data}{{{{ {expression} }}}}"));
        // The same at the end of many calls.
        let call =
            "{% macro f(n) %}{{ f(n - 1) if n > 0 else EXPRESSION }}{% endmacro %}{{ f(120) }}";
        run(format!("{data}{}", call.replace("EXPRESSION", expression)));
    }
    for step in [
        "ns.a|map('string')",
        "ns.a|unique",
        "ns.a|batch(1)|map('first')",
        "[ns.a]|map('list')|map('first')",
    ] {
        let chain = nest(&format!("{{% set ns.a = {step} if ns.a else [1] %}}"));
        run(format!("{chain}{{{{ ns.a|list }}}}"));
    }
    run(nest("{% set ns.a = namespace(x=ns.a) %}") + "{{ ns.a }}");
}
