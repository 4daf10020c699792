//! Which tools a request may or must call, and how the model is told of them.
//!
//! Where the template shows no tools, or teaches another form than those that `tools` reads, the
//! model is told of them in words that ask for the tags. Where a call is required, the output is
//! constrained to JSON of our own choosing.

mod schema;

use super::Context;
use super::form::check_constraint;
use crate::error::{ApiError, Result};
use crate::tools::{CLOSE_TAG, ToolParsing};
use pacemark_backend::{Constraint, GenerateRequest, JsonForm, Whitespace};
use pacemark_openai_api::{ChatRequest, Tool, ToolChoice, ToolMode};
use serde_json::Value;

/// Tools of a request at most.
const MAX_TOOLS: usize = 128;

/// What a request's tools come to.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The model is told of the tools.
    pub shown: bool,
    /// How calls are found; none where there are none.
    pub parsing: Option<ToolParsing>,
    /// What tells of the tools.
    pub teller: Teller,
}

/// What tells the model of tools, and so teaches it how calls are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Teller {
    /// The template.
    #[default]
    Template,
    /// Words in its place: it shows no tools.
    Nothing,
    /// Words in its place, where calls are to be found in the answer: it teaches a form that is not
    /// read here.
    Stranger,
}

impl Teller {
    /// What the log says once, where it is not the template that tells.
    pub(crate) fn note(self) -> Option<&'static str> {
        match self {
            Teller::Template => None,
            Teller::Nothing => Some(
                "note: the model's chat template shows no tools: a system message describes them",
            ),
            Teller::Stranger => Some(
                "note: calls are not read in the form that the model's chat template teaches: a system message describes the tools",
            ),
        }
    }
}

/// Checks tools and choice; constrains `model` where a call is required.
pub(super) fn choose(
    context: &Context<'_>,
    request: &ChatRequest,
    model: &mut GenerateRequest,
) -> Result<Choice> {
    let tools = request.tools.as_deref().unwrap_or_default();
    check(tools)?;
    let choice = request.tool_choice.as_ref();
    if tools.is_empty() {
        return match choice {
            None | Some(ToolChoice::Mode(ToolMode::None | ToolMode::Auto)) => Ok(Choice::default()),
            Some(_) => Err(ApiError::field(
                "tool_choice",
                "tool_choice: expected tools to choose from, found none",
            )),
        };
    }
    let one_call = request.parallel_tool_calls == Some(false);
    let (written, mut teller) = taught(context)?;
    let parsing = match choice {
        Some(ToolChoice::Mode(ToolMode::None)) => return Ok(Choice::default()),
        None | Some(ToolChoice::Mode(ToolMode::Auto)) => {
            match written {
                ToolParsing::Tagged if one_call => model.stop.push(CLOSE_TAG.into()),
                _ if one_call => {
                    let message = "parallel_tool_calls: this model's calls cannot be kept to one";
                    return Err(ApiError::unsupported("parallel_tool_calls", message));
                }
                _ => {}
            }
            return Ok(Choice { shown: true, parsing: Some(written), teller });
        }
        Some(ToolChoice::Mode(ToolMode::Required)) => {
            // Told in words of ours, a model was trained on no end of calls, and many repeat the
            // first until they are cut.
            let one_call =
                one_call || (request.parallel_tool_calls.is_none() && teller != Teller::Template);
            constrain(context, model, &schema::of_calls(tools, one_call))?;
            ToolParsing::Array
        }
        Some(ToolChoice::Named { function, .. }) => {
            let Some(tool) = tools.iter().find(|tool| tool.function.name == function.name) else {
                let message = format!(
                    "tool_choice: expected the name of one of the tools, found {:?}",
                    function.name
                );
                return Err(ApiError::field("tool_choice", message));
            };
            constrain(context, model, &schema::of_arguments(tool))?;
            ToolParsing::Named(function.name.clone())
        }
    };
    // What is constrained is read in whatever form the template teaches.
    if teller == Teller::Stranger {
        teller = Teller::Template;
    }
    Ok(Choice { shown: true, parsing: Some(parsing), teller })
}

fn check(tools: &[Tool]) -> Result<()> {
    if tools.len() > MAX_TOOLS {
        let message = format!("tools: expected at most {MAX_TOOLS}, found {}", tools.len());
        return Err(ApiError::field("tools", message));
    }
    for (i, tool) in tools.iter().enumerate() {
        let wrong = |field: &str, expected: &str, found: &str| {
            let field = format!("tools[{i}].{field}");
            Err(ApiError::field(&field, format!("{field}: expected {expected}, found {found}")))
        };
        let name = &tool.function.name;
        if tool.kind != "function" {
            return wrong("type", "\"function\"", &format!("{:?}", tool.kind));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
            return wrong(
                "function.name",
                "1 to 64 letters, digits, _, - and .",
                &format!("{name:?}"),
            );
        }
        if tools[..i].iter().any(|other| other.function.name == *name) {
            return wrong("function.name", "names that differ", &format!("{name:?} twice"));
        }
        if !matches!(tool.function.parameters, None | Some(Value::Object(_))) {
            return wrong("function.parameters", "a JSON schema", "something else");
        }
        let kind = tool.function.parameters.as_ref().and_then(|parameters| parameters.get("type"));
        if kind.is_some_and(|kind| kind != "object") {
            return wrong("function.parameters.type", "\"object\"", "another");
        }
    }
    Ok(())
}

/// How the model writes calls that it is free to make, and who teaches it.
pub(crate) fn taught(context: &Context<'_>) -> Result<(ToolParsing, Teller)> {
    let Some(template) = context.text()?.tool_template() else {
        return Ok((ToolParsing::Tagged, Teller::Nothing));
    };
    let has = |text: &str| template.contains(text);
    // Qwen3-Coder's and GLM's calls have such tags, but no JSON between them.
    if has("<tool_call>") && !has("<function=") && !has("<arg_key>") {
        return Ok((ToolParsing::Tagged, Teller::Template));
    }
    if has("\"parameters\"") || has("<|python_tag|>") {
        return Ok((ToolParsing::Bare, Teller::Template));
    }
    Ok((ToolParsing::Tagged, Teller::Stranger))
}

fn constrain(context: &Context<'_>, model: &mut GenerateRequest, schema: &Value) -> Result<()> {
    if model.constraint.is_some() {
        let message = "tool_choice: the output's form is given by another field already";
        return Err(ApiError::field("tool_choice", message));
    }
    let form = Constraint::Json(JsonForm {
        schema: schema.to_string(),
        whitespace: Whitespace::default(),
    });
    check_constraint(context, &form, "tool_choice")?;
    model.constraint = Some(form);
    Ok(())
}
