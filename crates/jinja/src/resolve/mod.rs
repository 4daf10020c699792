//! Gives each variable its place, by the scopes that jinja2's compiler finds.
//!
//! Python's functions are ours: the template, each macro, block and recursive loop has places of
//! its own, and the scopes inside (loops, `with`, captured blocks) share them. So a variable is
//! found at a known place, as fast as an index, and which of several variables of one name is meant
//! is decided as in jinja2, before anything runs.

mod assign;
mod names;
mod symbols;
mod walk;

use crate::ast::{Block, Body, Escape, Function, Loads, Name, Program, Scoped};
use crate::error::{Result, syntax};
use std::collections::HashMap;
use symbols::Scope;

/// The program that a parsed template is.
pub(crate) fn resolve(body: Body, blocks: Vec<Block>) -> Result<Program> {
    let mut resolver = Resolver {
        scopes: Vec::new(),
        functions: Vec::new(),
        names: Vec::new(),
        numbers: HashMap::new(),
        scoped_blocks: blocks.iter().map(|block| block.scoped).collect(),
        in_block: false,
        soft: false,
        escape: Escape::Off,
        line: 1,
        refused: None,
    };
    let mut root = Scoped { body, loads: Loads::new() };
    let function = resolver.function(&mut root)?;
    let mut blocks = blocks;
    resolver.in_block = true;
    for block in &mut blocks {
        block.function = resolver.function(&mut block.content)?;
    }
    if let Some((line, name)) = resolver.refused {
        return syntax(
            line,
            format!(
                "'{name}' is not supported: there are no other templates whose blocks it could mean"
            ),
        );
    }
    Ok(Program { root, function, blocks, names: resolver.names })
}

struct Resolver {
    /// From the outermost to the innermost.
    scopes: Vec<Scope>,
    /// The functions that the scopes are in, from the outermost.
    functions: Vec<Function>,
    names: Vec<Name>,
    numbers: HashMap<Name, usize>,
    scoped_blocks: Vec<bool>,
    in_block: bool,
    /// Whether an unknown filter is an error only if it is run: in conditions and conditional
    /// parts.
    soft: bool,
    escape: Escape,
    /// Of the statement that is looked at.
    line: u32,
    refused: Option<(u32, Name)>,
}

impl Resolver {
    /// The number of a name that is looked for in the context.
    fn context_name(&mut self, name: &Name) -> usize {
        if matches!(&name[..], "self" | "super") && self.refused.is_none() {
            self.refused = Some((self.line, name.clone()));
        }
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), self.names.len() - 1);
        self.names.len() - 1
    }

    /// A function whose names are not seen from others: the template or a block.
    fn function(&mut self, content: &mut Scoped) -> Result<Function> {
        self.functions.push(Function::default());
        self.scopes.push(Scope::new(self.functions.len() - 1));
        self.find_symbols(&content.body);
        self.body(&mut content.body)?;
        content.loads = self.leave();
        Ok(self.functions.pop().unwrap_or_default())
    }

    /// Enters a scope inside the function.
    fn enter(&mut self) {
        self.scopes.push(Scope::new(self.functions.len() - 1));
    }

    /// Enters a function inside the function, and its scope.
    fn enter_function(&mut self) {
        self.functions.push(Function::default());
        self.enter();
    }

    /// Leaves the innermost scope.
    fn leave(&mut self) -> Loads {
        self.scopes.pop().map(Scope::into_loads).unwrap_or_default()
    }

    /// A scope of its own whose variables are those of its body.
    fn scoped(&mut self, scoped: &mut Scoped) -> Result<()> {
        self.enter();
        self.inner_scope(scoped)
    }

    /// The rest of [`Resolver::scoped`] after its parameters are declared.
    fn inner_scope(&mut self, scoped: &mut Scoped) -> Result<()> {
        self.find_symbols(&scoped.body);
        let soft = std::mem::replace(&mut self.soft, false);
        self.body(&mut scoped.body)?;
        self.soft = soft;
        scoped.loads = self.leave();
        Ok(())
    }

    /// The variables that blocks see: those of the template's outermost scope.
    fn is_top_level(&self) -> bool {
        !self.in_block && self.scopes.len() == 1 && !self.scoped_blocks.is_empty()
    }
}
