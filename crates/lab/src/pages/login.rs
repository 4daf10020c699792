//! `/login`: where a browser gets the key of a server that asks for one.

use super::asked::Asked;
use super::shell::page as shell;
use super::{Desk, Paged, fine};

pub(super) fn page(desk: &Desk, asked: &Asked, _: &str) -> Paged {
    asked.only(&["to"])?;
    if !desk.has_keys {
        let main = "<p>This server asks for no key. <a href=\"/\">To the history</a></p>\n";
        return fine(shell("Log in", "", main));
    }
    // Where it leads then is read by the script, which takes paths of this server only.
    let main = "<noscript><p>This page needs its script.</p></noscript>\n\
        <p>This server asks for a key: one of those that it was started with (<code>--api-key</code>).</p>\n\
        <form class=\"filter\" id=\"login\">\n\
        <label>Key <input name=\"key\" type=\"password\" autocomplete=\"current-password\" required \
        maxlength=\"1000\"></label>\n\
        <button>Log in</button>\n<p class=\"said\" id=\"said\" role=\"alert\"></p>\n</form>\n";
    fine(shell("Log in", "", main))
}
