//! What every page has: head, ways to the others, headers, and how a text gets into it.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// The script of all pages.
pub(super) const SCRIPT: &str = include_str!("pages.js");

/// The style of reports and what pages have besides.
static STYLE: LazyLock<String> =
    LazyLock::new(|| [pacemark_report::page::STYLE, include_str!("pages.css")].concat());

/// A mark of what style and script hold.
static MARK: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    (&*STYLE, SCRIPT).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
});

/// Nothing on a page is of others, and no script stands in it. Pictures have styles of their own.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// What all pages lead to.
const WAYS: [(&str, &str); 5] = [
    ("/", "History"),
    ("/trends", "Trends"),
    ("/jobs", "Jobs"),
    ("/live", "Live"),
    ("/chat", "Chat"),
];

/// The style of all pages.
pub(super) fn style() -> &'static str {
    &STYLE
}

/// A text as it may stand in an element or an attribute. Every text that is not of a page itself goes
/// through here, or through `report`, which does the same.
pub(super) fn escape(text: &str) -> String {
    pacemark_report::page::escaped(text)
}

/// A page of that title, which belongs to the way `at`; `main` is HTML.
pub(super) fn page(title: &str, at: &str, main: &str) -> String {
    let (title, mark) = (escape(title), &*MARK);
    let ways: String = WAYS
        .iter()
        .map(|(path, name)| {
            let current = if *path == at { " aria-current=\"page\"" } else { "" };
            format!("<li><a href=\"{path}\"{current}>{name}</a></li>\n")
        })
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} – Pacemark</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/assets/pages.css?v={mark}\">\n\
         <script src=\"/assets/pages.js?v={mark}\" defer></script>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to content</a>\n\
         <nav class=\"ways\" aria-label=\"Pages\">\n<ul>\n{ways}</ul>\n</nav>\n\
         <main id=\"main\" tabindex=\"-1\">\n<h1>{title}</h1>\n{main}</main>\n</body>\n</html>\n"
    )
}

/// A box in which a table that is wider than the page is moved by itself, also by keys.
pub(super) fn scroll(label: &str, table: &str) -> String {
    let label = escape(label);
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n{table}</div>\n"
    )
}

/// An option of a list to choose from.
pub(super) fn option(value: &str, name: &str, chosen: Option<&str>) -> String {
    let selected = if chosen == Some(value) { " selected" } else { "" };
    format!("<option value=\"{}\"{selected}>{}</option>\n", escape(value), escape(name))
}

/// HTML as an answer.
pub(super) fn html(status: StatusCode, html: String) -> Response {
    let mut response = pacemark_server::typed("text/html; charset=utf-8", html);
    *response.status_mut() = status;
    response
}

/// An answer that a browser neither guesses at, nor keeps, nor lets others have.
pub(super) fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let with: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in with {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a page is not what was asked for; it is a page itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) status: StatusCode,
    title: &'static str,
    pub(super) why: String,
}

impl Wrong {
    fn new(status: StatusCode, title: &'static str, why: impl Into<String>) -> Wrong {
        Wrong { status, title, why: why.into() }
    }

    /// What was asked for means nothing.
    pub(super) fn asked(why: impl Into<String>) -> Wrong {
        Wrong::new(StatusCode::BAD_REQUEST, "This cannot be asked", why)
    }

    /// There is no such thing.
    pub(super) fn unknown(why: impl Into<String>) -> Wrong {
        Wrong::new(StatusCode::NOT_FOUND, "Not found", why)
    }

    /// It is there, but this version cannot show it.
    pub(super) fn unshown(why: impl Into<String>) -> Wrong {
        Wrong::new(StatusCode::UNPROCESSABLE_ENTITY, "This cannot be shown", why)
    }

    /// The history cannot be read.
    pub(super) fn history(why: impl Into<String>) -> Wrong {
        Wrong::new(StatusCode::SERVICE_UNAVAILABLE, "The history cannot be read", why)
    }

    /// What should not be.
    pub(super) fn broken() -> Wrong {
        let why = "this page broke down while it was made: please report it";
        Wrong::new(StatusCode::INTERNAL_SERVER_ERROR, "A mistake of Pacemark", why)
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let why = escape(&pacemark_files::bounded(&self.why));
        html(self.status, page(self.title, "", &format!("<p role=\"alert\">{why}</p>\n")))
    }
}
