//! `/chat`: the model that is served, to try it, with what each answer took.

use super::asked::Asked;
use super::shell::{escape, option, page as shell};
use super::{Desk, Paged, fine};

pub(super) fn page(desk: &Desk, asked: &Asked, _: &str) -> Paged {
    asked.only(&[])?;
    let Some(first) = desk.models.first() else {
        return fine(shell("Chat", "/chat", "<p>No model is served.</p>\n"));
    };
    let models: String = desk.models.iter().map(|model| option(model, model, None)).collect();
    let model = match desk.models.len() {
        1 => {
            let name = escape(first);
            format!(
                "<p>Model: <strong>{name}</strong><input type=\"hidden\" name=\"model\" value=\"{name}\"></p>\n"
            )
        }
        _ => format!("<label>Model <select name=\"model\">\n{models}</select></label>\n"),
    };
    let main = format!(
        "<noscript><p>This page needs its script; <code>POST /v1/chat/completions</code> does the same.</p>\
         </noscript>\n\
         <div id=\"talk\" role=\"log\" aria-live=\"polite\" aria-label=\"Conversation\" tabindex=\"0\"></div>\n\
         <form class=\"chat\" id=\"chat\">\n{model}\
         <label for=\"text\">Message</label>\n\
         <textarea id=\"text\" name=\"text\" rows=\"4\" required aria-describedby=\"keys\"></textarea>\n\
         <p class=\"legend\" id=\"keys\">Ctrl+Enter sends.</p>\n\
         <p class=\"row\"><label>Tokens at most <input name=\"most\" type=\"number\" min=\"1\" max=\"1000000\" \
         value=\"256\"></label>\n\
         <label>Temperature <input name=\"temperature\" type=\"number\" min=\"0\" max=\"2\" step=\"0.1\" \
         value=\"0.7\"></label></p>\n\
         <p><button id=\"send\">Send</button> <button type=\"button\" id=\"stop\" disabled>Stop</button> \
         <button type=\"button\" id=\"clear\">New conversation</button></p>\n\
         <p class=\"said\" id=\"said\" role=\"alert\"></p>\n</form>\n\
         <p class=\"legend\">Times are measured in this browser: to the first piece of text, and tokens after \
         the first by the time since it. Tokens are the server's count.</p>\n"
    );
    fine(shell("Chat", "/chat", &main))
}
