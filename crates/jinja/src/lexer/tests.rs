//! White space and literals, with what jinja2 3.1.6 makes of them.

use super::*;

/// The texts between tags, with `|` for each tag that begins: what white space is left.
fn texts(source: &str) -> String {
    let tokens = tokens(source).unwrap();
    let texts = tokens.iter().filter_map(|token| match &token.kind {
        Kind::Data(text) => Some(&text[..]),
        Kind::BlockBegin | Kind::VariableBegin => Some("|"),
        _ => None,
    });
    texts.collect()
}

#[test]
fn white_space_around_tags() {
    // Environment(trim_blocks=True, lstrip_blocks=True)._tokenize(source, None), printed in the
    // same way.
    let cases = [
        ("a\n  {% if x %}\n  b\n  {% endif %}\nc\n", "a\n|  b\n|c"),
        ("a  {% if x %}  \nb{%- endif -%}\n c", "a  |  \nb|c"),
        ("  {%+ if x +%}\n  b\n  {%+ endif %} c", "  |\n  b\n  | c"),
        ("  {{ x }}\n{{- y -}}\n z", "  ||z"),
        ("a\n  {# c #}\n  {#- d -#}\n b {#+ e +#}\n", "a\nb "),
        ("  {% raw %}\n {{ x }} {% endraw %}\nb", "\n {{ x }} b"),
        ("{% raw -%}\n {{ x }} {%- endraw -%} \nb", "{{ x }}b"),
        ("a\r\nb\rc\r\n\r\n", "a\nb\nc\n"),
        ("{% if x %}\n\n{% endif %}", "|\n|"),
        ("a { b {% x %}", "a { b |"),
    ];
    for (source, expected) in cases {
        assert_eq!(texts(source), expected, "{source:?}");
    }
}

#[test]
fn literals() {
    let kinds = |source: &str| -> Vec<Kind> {
        let tokens = tokens(&format!("{{{{ {source} }}}}")).unwrap();
        tokens[1..tokens.len() - 2].iter().map(|token| token.kind.clone()).collect()
    };
    assert_eq!(kinds("1_000 0xFf 0b1_01 0o17 0_0"), [1000, 255, 5, 15, 0].map(Kind::Int));
    assert_eq!(kinds("1.5 1e3 1_0.2_5E-1 007.5"), [1.5, 1000.0, 1.025, 7.5].map(Kind::Float));
    assert_eq!(kinds("x.0.1")[2..], [Kind::Int(0), Kind::Sign("."), Kind::Int(1)]);
    assert_eq!(kinds(r"'a\n\x41\u00e9\'\101\q'"), [Kind::Text("a\nAé'A\\q".into())]);
    assert_eq!(kinds("'é\\é'"), [Kind::Text("é\\xe9".into())]);
}

#[test]
fn what_is_no_token() {
    let sources = [
        "{{ ! }}",
        "{{ 'a }}",
        "{{ ) }}",
        "{{ (] }}",
        "{# a",
        "{% raw %}",
        "{{ '\\ud83d' }}",
        "{{ '\\x4' }}",
    ];
    for source in sources {
        assert!(tokens(source).is_err(), "{source}");
    }
}
