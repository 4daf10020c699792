//! Python's semantics, a few of each kind: what CPython 3.11 and jinja2 3.1.6 give in Hugging
//! Face's environment (the one of `tokenizer/tests/data/make_templates.py`), with the variable
//! `given` being 1.

use pacemark_jinja::{Error, Limits, Template};
use serde_json::json;
use std::time::UNIX_EPOCH;

fn render(source: &str) -> Result<String, Error> {
    let variables = json!({"given": 1}).as_object().cloned().unwrap_or_default();
    Template::compile(source)?.render(&variables, UNIX_EPOCH, Limits::default())
}

fn check_templates(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(render(source).as_deref(), Ok(*expected), "{source}");
    }
}

fn check(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        check_templates(&[(&format!("{{{{ {expression} }}}}"), expected)]);
    }
}

#[test]
fn operators_are_pythons() {
    check(&[
        ("7 // -2", "-4"),
        ("-7 % 3", "2"),
        ("-7.5 // 2", "-4.0"),
        ("7.5 % -2", "-0.5"),
        ("2 ** -1", "0.5"),
        ("8 / 2", "4.0"),
        ("2 ** 3 ** 2", "64"),
        ("-2 ** 2", "4"),
        // At the ends of what 128 bits hold.
        ("'-inf'|float in range(0, -5, -1)", "False"),
        ("170141183460469231731687303715884105727 in range(-5, 5)", "False"),
        (
            "90000000000000000000000000000000000000|round(-37)",
            "90000000000000000000000000000000000000",
        ),
        (
            "60000000000000000000000000000000000000|round(-38)",
            "100000000000000000000000000000000000000",
        ),
        ("(-170141183460469231731687303715884105727-1) % -1", "0"),
        (
            "(-170141183460469231731687303715884105727-1) % 170141183460469231731687303715884105727",
            "170141183460469231731687303715884105726",
        ),
        ("1e16 * 10", "1e+17"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("true + true", "2"),
        ("[1] * 2 + [3]", "[1, 1, 3]"),
        ("'ab' * 2", "abab"),
        ("1 < 2 < 3 > 2", "True"),
        ("1 == 1.0 == true", "True"),
        ("'a' in 'abc' and 4 not in [1, 2]", "True"),
        ("0 or '' or []", "[]"),
        ("1 and [] and 2", "[]"),
        ("(1, 2) < (1, 2, 0)", "True"),
        ("-1|abs", "1"),
        ("+1.50", "1.5"),
        ("(1 + 2) ~ 3 * 4", "312"),
        ("{'a': 1} == {'a': 1.0}", "True"),
    ]);
}

#[test]
fn values_print_as_python_prints_them() {
    check(&[
        ("[1.0, 1e16, 1e-5, -0.0, 1e15]", "[1.0, 1e+16, 1e-05, -0.0, 1000000000000000.0]"),
        ("(1,)", "(1,)"),
        ("(), [], {}", "((), [], {})"),
        (
            r#"['it\'s', 'a"b\'c', '\n\x00\u200b\u00e9\\']"#,
            r#"["it's", 'a"b\'c', '\n\x00\u200bé\\']"#,
        ),
        ("{1: none, 'a': (true, 1.5)}", "{1: None, 'a': (True, 1.5)}"),
        ("range(3), range(0, 9, 3)", "(range(0, 3), range(0, 9, 3))"),
        ("{'a': 1}.items()", "dict_items([('a', 1)])"),
        ("namespace(a=[1])", "<Namespace {'a': [1]}>"),
        ("'<b>'|safe, ['<b>'|safe]", "(Markup('<b>'), [Markup('<b>')])"),
        ("12345678901234567890123", "12345678901234567890123"),
    ]);
}

#[test]
fn percent_formats() {
    check(&[
        ("'%s %r' % ('a', 'a')", "a 'a'"),
        ("'%5d|%-5d|%05d|%+d|% d' % (1, 2, 3, 4, 5)", "    1|2    |00003|+4| 5"),
        ("'%x %X %#o %#x' % (255, 255, 8, 255)", "ff FF 0o10 0xff"),
        (
            "'%e %.1E %g %g %#.3g' % (12345.678, 0.00012, 1e10, 0.0001, 1)",
            "1.234568e+04 1.2E-04 1e+10 0.0001 1.00",
        ),
        ("'%.0f %.3f %8.2f' % (2.5, 1, 3.14159)", "2 1.000     3.14"),
        ("'%c%c %%' % ('a', 98)", "ab %"),
        ("'%(a)s-%(b)04d' % {'a': 1, 'b': 2}", "1-0002"),
        ("'%*d|%.*f' % (4, 1, 2, 3.14159)", "   1|3.14"),
        ("'%s' % [1, (2,)]", "[1, (2,)]"),
        ("'%.2s' % 'abc'", "ab"),
    ]);
}

#[test]
fn brace_formats() {
    check(&[
        ("'{:>5}|{:<5}|{:^5}|{:*^7}' .format(1, 2, 3, 'x')", "    1|2    |  3  |***x***"),
        (
            "'{:+} {:,} {:#x} {:b} {:%} {:.3e}'.format(5, 1234567, 255, 5, 0.25, 12345.6789)",
            "+5 1,234,567 0xff 101 25.000000% 1.235e+04",
        ),
        ("'{0[a]} {0.a} {1[0]} {x!r}'.format({'a': 1}, [2], x='y')", "1 1 2 'y'"),
        ("'{:{}}|'.format('a', 4)", "a   |"),
        ("'{{}} {:08.3f} {:012,}'.format(3.14159, 1234)", "{} 0003.142 0,000,001,234"),
        ("('<i>{}</i>'|safe).format('<b>')", "<i>&lt;b&gt;</i>"),
    ]);
}

#[test]
fn attributes_and_items() {
    check(&[
        ("{'items': 1}.items()|list", "[('items', 1)]"),
        ("{'items': 1}['items']", "1"),
        ("[1, 2].0", "1"),
        ("'abc'[-1] ~ 'aéb'[1:] ~ 'abc'[::-1]", "cébcba"),
        ("[1, 2, 3][5:0:-2]", "[3]"),
        ("{}.x is undefined", "True"),
        ("[].append is undefined", "True"),
        ("{'a': {'b': 2}}.a.b", "2"),
        ("[1][3] is undefined", "True"),
    ]);
}

#[test]
fn markup_escapes_what_joins_it() {
    check(&[
        ("('<b>'|safe) + '<i>'", "<b>&lt;i&gt;"),
        ("'<i>' + ('<b>'|safe)", "&lt;i&gt;<b>"),
        ("('<b>'|safe) ~ '<i>'", "<b><i>"),
        ("('%s'|safe) % '<i>'", "&lt;i&gt;"),
        ("('a<b'|e).upper()", "A&LT;B"),
        ("('x'|safe).join(['<', '>'])", "&lt;x&gt;"),
    ]);
}

#[test]
fn scopes() {
    check_templates(&[
        (
            "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
            "231",
        ),
        ("{% for i in [1] %}{{ given }}{% endfor %}{% set given = 2 %}{{ given }}", "2"),
        ("{{ given }}{% if false %}{% set given = 2 %}{% endif %}{{ given }}", "11"),
        ("{% set given %}{{ given }}!{% endset %}{{ given }}", "!"),
        (
            "{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{% set x = 2 %}{{ f() }}",
            "12",
        ),
        (
            "{% with a = 1, b = a %}{{ a }}{{ b is defined }}{% endwith %}{{ a is defined }}",
            "1FalseFalse",
        ),
        ("{% for i in [1, 2] %}{% block b scoped %}{{ i }}{% endblock %}{% endfor %}", "12"),
        ("{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x is defined }}", "1False"),
    ]);
}

#[test]
fn loops() {
    check_templates(&[
        (
            "{% for x in 'abc' %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ loop.revindex0 }}{{ loop.last }} {% endfor %}",
            "<a>b2False a<b>c1False b<c>0True ",
        ),
        (
            "{% for x in [1, 2, 3] if x != 2 %}{{ loop.index }}/{{ loop.length }} {% endfor %}",
            "1/2 2/2 ",
        ),
        ("{% for x in [1] %}{% continue %}{% else %}else{% endfor %}", "else"),
        (
            "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }} {% endfor %}",
            "Truea Falseb Truea ",
        ),
        (
            "{% for x in [[1, [2, []]], [3, []]] recursive %}{{ loop.depth }}{{ x if x is integer else loop(x) }}{% endfor %}",
            "12123231232",
        ),
        ("{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"),
        ("{% set g = [1, 2]|map('string') %}{{ g|first }}{{ g|list }}{{ g|list }}", "1['2'][]"),
    ]);
}

#[test]
fn macros() {
    check_templates(&[
        (
            "{% macro f(a, b=a) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1) }} {{ f(1, 2, 3, c=4) }}",
            "11(){} 12(3,){'c': 4}",
        ),
        (
            "{% macro f(x) %}[{{ caller(x) }}]{% endmacro %}{% call(y) f(1) %}{{ y }}{% endcall %}",
            "[1]",
        ),
        (
            "{% macro f(a, b=2) %}{{ kwargs }}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f.catch_kwargs }}{{ f.catch_varargs }}",
            "f('a', 'b')TrueFalse",
        ),
        (
            "{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
            "3210",
        ),
        (
            "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{% set j = joiner('|') %}{{ j() }}x{{ j() }}y",
            "abax|y",
        ),
    ]);
}

#[test]
fn what_python_refuses() {
    let refused = [
        "1 / 0",
        "1 + 'a'",
        "'a' < 1",
        "none + 1",
        "nope + 1",
        "nope.x",
        "[].append(1)",
        "{}.update({})",
        "''.__class__.__mro__()",
        "{[1]: 2}",
        "'%d' % 'a'",
        "'%s %s' % 'a'",
        "'a' % 1",
        "'{} {0}'.format(1)",
        "5|length",
        "nope|int",
        "1 in 'a'",
        "1 in none",
        "[1, 'a']|sort",
        "range(100001)",
        "1|foo",
        "1 is foo",
    ];
    for expression in refused {
        assert!(render(&format!("{{{{ {expression} }}}}")).is_err(), "{expression}");
    }
    for source in [
        "{% for x in none %}{% endfor %}",
        "{% for a, b in [1] %}{% endfor %}",
        "{% set given.x = 1 %}",
    ] {
        assert!(matches!(render(source), Err(Error::Render { line: 1, .. })), "{source}");
    }
}

#[test]
fn what_is_no_template() {
    let sources = [
        "{% if %}",
        "{% if given %}",
        "{% endif %}",
        "{{ given",
        "{{ }}",
        "{% break %}",
        "{% do given %}",
        "{% set true = 1 %}",
        "{% for loop in [] %}{% endfor %}",
        "{{ f(a=1, 2) }}",
        "{{ f(a=1, a=2) }}",
        "{% macro f(a=1, b) %}{% endmacro %}",
        "{{ given[1:2, 3] }}",
        "{% block a %}{% endblock %}{% block a %}{% endblock %}",
        "{{ self.a() }}",
    ];
    for source in sources {
        let found = render(&format!("\n{source}"));
        assert!(matches!(found, Err(Error::Syntax { line: 2, .. })), "{source}: {found:?}");
    }
}

#[test]
fn what_needs_other_templates_fails_when_it_is_run() {
    for tag in
        ["include 'a'", "extends 'a'", "import 'a' as b", "from 'a' import b, c as d with context"]
    {
        assert_eq!(
            render(&format!("{{% if false %}}{{% {tag} %}}{{% endif %}}ok")).as_deref(),
            Ok("ok")
        );
        assert!(matches!(render(&format!("{{% {tag} %}}")), Err(Error::Render { .. })), "{tag}");
    }
    assert_eq!(render("{{ raise_exception('no') }}"), Err(Error::Raised("no".into())));
}
