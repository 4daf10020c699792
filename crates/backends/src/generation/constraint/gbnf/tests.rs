//! Texts that llama.cpp takes and refuses, and what is no grammar.

use super::*;
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::ApproximateTokEnv;
use llguidance::{Matcher, ParserFactory};

/// Whether a text is one of the grammar's, over a vocabulary of bytes.
fn derives(grammar: &str, text: &str) -> bool {
    let lark = to_lark(grammar).unwrap();
    let mut factory = ParserFactory::new_simple(&ApproximateTokEnv::single_byte_env()).unwrap();
    factory.quiet();
    let mut matcher = Matcher::new(factory.create_parser(TopLevelGrammar::from_lark(lark.clone())));
    assert_eq!(matcher.get_error(), None, "{lark}");
    text.bytes().all(|byte| matcher.consume_token(byte.into()).is_ok())
        && matcher.is_accepting().unwrap_or(false)
}

#[test]
fn texts_that_llama_cpp_takes_and_refuses() {
    // Rows as in llama.cpp's tests/test-grammar-integration.cpp: a grammar, texts of it, texts that
    // are none.
    for (grammar, taken, refused) in [
        ("root ::= \"a\" | \"ab\" \"c\"?\n", &["a", "ab", "abc"][..], &["", "b", "abcc", "ac"][..]),
        ("root ::= [a]*", &["", "a", "aaaaa"], &["b", "aab"]),
        ("root ::= \"ab\"+ \"\"", &["ab", "abab"], &["", "abb"]),
        ("root ::= [a]{3,5}", &["aaa", "aaaaa"], &["aa", "aaaaaa"]),
        ("root ::= \"a\"{,2} [bx]{2}", &["bx", "abb", "aaxb"], &["aaabb", "ab"]),
        ("root ::= [a-z]* \"abc\"", &["abc", "zabc", "abcabc"], &["ab", "abcx"]),
        (
            "root ::= expr \"=\" ident\nexpr ::= term ([-+*/] term)* # sums\nterm ::= ident | \"(\" expr \")\"\n\
          ident ::= [a-z] [a-z0-9_]*",
            &["a=b", "(a+b)*c1=d", "((x))=y"],
            &["a", "a+=b", "(a=b", "1=a"],
        ),
        (
            "root ::= (\n  \"x\" |\n  [^x\\n] root\n)",
            &["x", "ax", "\u{e9}bx"],
            &["", "a", "xa", "\nx"],
        ),
        (
            "root ::= . \"\\u00e9\" \"\\x41\" [\\U0001F600]",
            &["\n\u{e9}A\u{1f600}"],
            &["\u{e9}A\u{1f600}"],
        ),
        ("root ::= | \" \" | \"\\n\" [ \\t]{0,20}", &["", " ", "\n", "\n  \t"], &["  ", "\n\n"]),
        ("root ::= [\\]\\\\a-]", &["]", "\\", "a", "-"], &["b", "["]),
    ] {
        for text in taken {
            assert!(derives(grammar, text), "{grammar}: {text:?}");
        }
        for text in refused {
            assert!(!derives(grammar, text), "{grammar}: {text:?}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(3000))]
    #[test]
    fn any_text_is_a_grammar_or_an_error(text in "(root ::= )?([a-c\"\\[\\]()|*+?{},.:=^\\\\ \n#0-9-]|::=|\\\\x4){0,40}") {
        if let Ok(lark) = to_lark(&text) {
            let mut factory = ParserFactory::new_simple(&ApproximateTokEnv::single_byte_env()).unwrap();
            factory.quiet();
            drop(Matcher::new(factory.create_parser(TopLevelGrammar::from_lark(lark))));
        }
    }
}

#[test]
fn what_is_no_grammar_is_told_where() {
    for (grammar, line, expected) in [
        ("root ::= \"a", 1, "at the end of a literal"),
        ("root ::= [a", 1, "at the end of a class"),
        ("root ::= []", 1, "characters in a class"),
        ("root ::= [z-a]", 1, "a range that goes up"),
        ("root ::= (\"a\"\n\n| \"b\"", 3, ") or | in a group"),
        ("\nroot ::= a", 2, "a rule of this name"),
        ("a ::= \"a\"", 1, "a rule of this name"),
        ("root ::= \"a\"\nroot ::= \"b\"", 2, "a name that is not taken"),
        ("root ::= *", 1, "an item before a repetition"),
        ("root ::= \"a\"*+", 1, "one repetition"),
        ("root ::= \"a\"{3,2}", 1, "counts that go up"),
        ("root ::= \"a\"{99999}", 1, "a count of at most"),
        ("root ::= \"\\q\"", 1, "one of"),
        ("root ::= \"\\ud800\"", 1, "a character's number"),
        ("root ::= <think>", 1, "a literal, a class"),
        ("root := \"a\"", 1, "::="),
    ] {
        let error = to_lark(grammar).unwrap_err();
        assert_eq!(
            (error.line, error.expected.contains(expected)),
            (line, true),
            "{grammar}: {error}"
        );
    }
    let deep = format!("root ::= {}\"a\"{}", "(".repeat(200), ")".repeat(200));
    assert!(to_lark(&deep).unwrap_err().to_string().contains("fewer groups"));
}

#[test]
fn a_format_is_known_by_its_first_rule() {
    for (text, is) in [
        ("root ::= \"a\"", true),
        ("# of llama.cpp\n\n  a-b\n::= \"a\"", true),
        ("start: \"::=\"", false),
        ("%llguidance {}\nstart: \"a ::= b\"", false),
        ("", false),
    ] {
        assert_eq!(is_gbnf(text), is, "{text}");
    }
}
