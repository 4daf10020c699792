//! Lists of models: names separated by commas, which names of files may hold themselves, and JSON
//! shapes do.

use std::path::Path;

/// The models of `text`. The whole is tried first: a file whose name has commas is one model, alone
/// or in a list of others, and the commas within the braces of `synth:{…}` separate nothing.
pub fn split_list(text: &str) -> Vec<String> {
    let mut commas = separators(text);
    commas.push(text.len());
    let (mut models, mut start) = (Vec::new(), 0);
    while start <= text.len() {
        let ends = commas.iter().copied().filter(|&end| end >= start);
        let next = ends.clone().next().unwrap_or(text.len());
        // The longest that is a file; else up to the next comma.
        let end = ends.rev().find(|&end| end > next && is_there(&text[start..end])).unwrap_or(next);
        models.push(text[start..end].to_owned());
        start = end + 1;
    }
    models
}

fn is_there(model: &str) -> bool {
    Path::new(model).exists() // a name that cannot be looked at is told when it is opened, whole or in parts
}

/// The commas outside of braces.
fn separators(text: &str) -> Vec<usize> {
    let mut depth = 0usize;
    let separates = |(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (c == ',' && depth == 0).then_some(at)
    };
    text.char_indices().filter_map(separates).collect()
}

#[cfg(test)]
mod tests {
    use super::split_list;
    use crate::testing::Directory;

    #[test]
    fn commas_separate_what_is_no_file() {
        let home = Directory::new("list");
        for name in ["a,b.gguf", "c.gguf", "模,型.gguf", "{x"] {
            std::fs::write(home.join(name), "").unwrap();
        }
        std::fs::create_dir(home.join("d,ir")).unwrap();
        let at = |name: &str| home.join(name).to_str().unwrap().to_owned();
        let split = |names: &[&str]| split_list(&names.join(","));
        assert_eq!(split(&["a", "b", "c"]), ["a", "b", "c"]);
        assert_eq!(
            (split(&[""]), split(&["a", ""])),
            (vec![String::new()], vec!["a".into(), String::new()])
        );
        assert_eq!(split(&[&at("a,b.gguf")]), [at("a,b.gguf")]);
        let several = [
            "smollm2-135m",
            &at("a,b.gguf"),
            &at("c.gguf"),
            &at("模,型.gguf"),
            &at("d,ir"),
            "hf:o/r/f",
        ];
        assert_eq!(split(&several), several);
        let shape = r#"synth:{"n_embd": 64, "n_ff": 64}:Q8_0"#;
        assert_eq!(split(&[shape, "b"]), [shape, "b"]);
        // No such file: as it always was.
        assert_eq!(split(&[&at("a,c.gguf")]), [at("a"), "c.gguf".to_owned()]);
        assert_eq!(split(&[&at("{x"), "y"]), [format!("{},y", at("{x"))]);
    }
}
