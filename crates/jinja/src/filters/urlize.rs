//! `urlize`: links for what looks like a URL or an address of mail, by the rules of jinja2's
//! `utils.py`.

use super::{given, is_true};
use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use crate::unicode::{is_space, is_word};
use crate::value::iterate::collect;
use crate::value::repr::to_text;
use crate::value::text::Buffer;
use crate::value::{Text, Value};

/// Top-level domains that are known without a scheme before them.
const DOMAINS: &[&str] = &["com", "net", "int", "edu", "gov", "org", "info", "mil"];
/// What may be around a URL without being a part of it; brackets may be balanced inside of it.
const BRACKETS: &[(&str, &str)] = &[("(", ")"), ("<", ">"), ("&lt;", "&gt;")];

/// `urlize(trim_url_limit=None, nofollow=False, target=None, rel=None, extra_schemes=None)`
pub(super) fn urlize(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let names = ["trim_url_limit", "nofollow", "target", "rel", "extra_schemes"];
    let [limit, nofollow, target, rel, schemes] = args.optional("urlize", names)?;
    let rel = given(rel).unwrap_or_else(|| Value::str(""));
    let mut rels: Vec<&str> =
        rel.text("urlize")?.split(is_space).filter(|part| !part.is_empty()).collect();
    rels.extend(is_true(nofollow).then_some("nofollow"));
    rels.push("noopener");
    rels.sort_unstable();
    rels.dedup();
    let attribute = |name: &str, value: &Text| -> Result<String> {
        Ok(format!(" {name}=\"{}\"", &value.escaped(&run.budget)?[..]))
    };
    let mut attributes = attribute("rel", &Text::from(&rels.join(" ")[..]))?;
    if let Some(target) = given(target).filter(Value::is_true) {
        attributes += &attribute("target", &to_text(run, &target)?)?;
    }
    let schemes = given(schemes).map_or(Ok(Vec::new()), |schemes| collect(run, &schemes))?;
    let schemes =
        schemes.iter().map(|scheme| scheme.text("urlize").cloned()).collect::<Result<Vec<_>>>()?;
    if let Some(scheme) = schemes.iter().find(|scheme| !is_scheme(scheme)) {
        return fail(format!("'{}' is not a valid URI scheme prefix", &scheme[..]));
    }
    let limit = given(limit).map(|limit| limit.index("urlize")).transpose()?;
    let limit = limit.map(|limit| usize::try_from(limit.max(0)).unwrap_or(usize::MAX));
    let text = to_text(run, value)?.escaped(&run.budget)?;
    run.budget.steps(text.len())?;
    let links = Links { attributes, limit, schemes };
    let mut out = Buffer::new(&run.budget);
    let mut rest: &str = &text;
    while let Some(start) = rest.find(|c| !is_space(c)) {
        out.push_str(&rest[..start])?;
        let end = rest[start..].find(is_space).map_or(rest.len(), |length| start + length);
        links.word(&rest[start..end], &mut out)?;
        rest = &rest[end..];
    }
    out.push_str(rest)?;
    Ok(Value::Text(out.into_text(run.autoescape.get())))
}

/// `name:`, `name:/` or `name://`
fn is_scheme(scheme: &str) -> bool {
    let Some((name, slashes)) = scheme.split_once(':') else { return false };
    let is_part = |c| is_word(c) || matches!(c, '.' | '+' | '-');
    name.chars().count() >= 2 && name.chars().all(is_part) && matches!(slashes, "" | "/" | "//")
}

struct Links {
    attributes: String,
    /// Characters that are shown of a URL.
    limit: Option<usize>,
    schemes: Vec<Text>,
}

impl Links {
    fn word(&self, word: &str, out: &mut Buffer<'_>) -> Result<()> {
        let mut middle = word;
        while let Some(rest) =
            ["(", "<", "&lt;"].iter().find_map(|start| middle.strip_prefix(start))
        {
            middle = rest;
        }
        let start = word.len() - middle.len();
        let mut end = word.len();
        while let Some(rest) =
            [")", ">", ".", ",", "&gt;"].iter().find_map(|end| middle.strip_suffix(end))
        {
            middle = rest;
            end = start + middle.len();
        }
        end = balanced(word, start, end);
        let middle = &word[start..end];
        out.push_str(&word[..start])?;
        self.link(middle, out)?;
        out.push_str(&word[end..])
    }

    fn link(&self, middle: &str, out: &mut Buffer<'_>) -> Result<()> {
        let Links { attributes, .. } = self;
        let is_mail = middle.contains('@')
            && !middle.starts_with("www.")
            && !middle.starts_with('@')
            && !middle.contains(':')
            && is_address(middle);
        if is_url(middle) {
            let has_scheme = middle.starts_with("https://") || middle.starts_with("http://");
            let scheme = if has_scheme { "" } else { "https://" };
            let shown = Text::from(middle);
            let (shown, more) = match self.limit {
                Some(limit) if shown.n_chars() > limit => (shown.slice(0, limit), "..."),
                _ => (middle, ""),
            };
            out.push_str(&format!("<a href=\"{scheme}{middle}\"{attributes}>{shown}{more}</a>"))
        } else if let Some(address) =
            middle.strip_prefix("mailto:").filter(|address| is_address(address))
        {
            out.push_str(&format!("<a href=\"{middle}\">{address}</a>"))
        } else if is_mail {
            out.push_str(&format!("<a href=\"mailto:{middle}\">{middle}</a>"))
        } else if self
            .schemes
            .iter()
            .any(|scheme| middle.len() > scheme.len() && middle.starts_with(&scheme[..]))
        {
            out.push_str(&format!("<a href=\"{middle}\"{attributes}>{middle}</a>"))
        } else {
            out.push_str(middle)
        }
    }
}

/// Moves the end behind closing brackets that belong to opening ones inside.
fn balanced(word: &str, start: usize, mut end: usize) -> usize {
    for (open, close) in BRACKETS {
        let n_open = word[start..end].matches(open).count();
        if n_open <= word[start..end].matches(close).count() {
            continue;
        }
        let n_close = word[end..].matches(close).count();
        for _ in 0..n_open.min(n_close) {
            end += word[end..].find(close).map_or(0, |at| at + close.len());
        }
    }
    end
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.chars().all(|c| is_word(c) || matches!(c, '%' | '-'))
}

/// A domain or an IP address with its scheme, or a domain that is known without one.
fn is_url(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let scheme = ["https://", "http://"].iter().find(|scheme| lower.starts_with(**scheme));
    let after_scheme = scheme.map(|scheme| &text[scheme.len()..]);
    let is_host = |c: char| is_word(c) || matches!(c, '%' | '-' | '.');
    if let Some(rest) = after_scheme.and_then(|rest| rest.strip_prefix('['))
        && let Some((address, rest)) = rest.split_once(']')
    {
        return is_ipv6(address) && is_path(rest);
    }
    let www = lower.starts_with("www.").then(|| &text[4..]);
    let split = |text: &str| text.find(|c| !is_host(c)).unwrap_or(text.len());
    if let Some(rest) = after_scheme.or(www) {
        let (host, path) = rest.split_at(split(rest));
        return (is_domain(host) || after_scheme.is_some() && is_ipv4(host)) && is_path(path);
    }
    let (host, path) = text.split_at(split(text));
    let Some((labels, last)) = host.rsplit_once('.') else { return false };
    let is_long = |label: &str| is_label(label) && (2..=63).contains(&label.chars().count());
    DOMAINS.contains(&&last.to_ascii_lowercase()[..])
        && labels.split('.').all(is_long)
        && is_path(path)
}

fn is_domain(host: &str) -> bool {
    let (labels, last) =
        host.rsplit_once('.').map_or((None, host), |(labels, last)| (Some(labels), last));
    let is_plain =
        (2..=63).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_alphabetic());
    let coded = last.to_ascii_lowercase();
    let is_coded = coded.strip_prefix("xn--").is_some_and(|rest| {
        (2..=59).contains(&rest.chars().count()) && rest.chars().all(|c| is_word(c) || c == '%')
    });
    (is_plain || is_coded) && labels.is_none_or(|labels| labels.split('.').all(is_label))
}

fn is_ipv4(host: &str) -> bool {
    let is_part = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    host.split('.').count() == 4 && host.split('.').all(is_part)
}

fn is_ipv6(address: &str) -> bool {
    let groups: Vec<&str> = address.split(':').collect();
    let is_group =
        |group: &&str| group.len() <= 4 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    (3..=9).contains(&groups.len()) && groups.iter().all(is_group)
}

/// A port, and then a path, query or fragment.
fn is_path(rest: &str) -> bool {
    let rest = match rest.strip_prefix(':') {
        Some(port) => {
            let n_digits = port.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=5).contains(&n_digits) {
                return false;
            }
            &port[n_digits..]
        }
        None => rest,
    };
    rest.is_empty() || rest.starts_with(['/', '?', '#'])
}

/// An address of mail.
fn is_address(text: &str) -> bool {
    let Some((name, host)) = text.rsplit_once('@') else { return false };
    let Some((before, last)) = host.rsplit_once('.') else { return false };
    let starts = before.chars().next().is_some_and(is_word);
    let is_part = |c: char| is_word(c) || matches!(c, '.' | '-');
    !name.is_empty()
        && starts
        && before.chars().all(is_part)
        && !last.is_empty()
        && last.chars().all(is_word)
}
