//! Statements.

use super::Parser;
use crate::ast::{
    AssignTarget, Block, Body, Captured, Escape, Expr, For, Function, LoopTest, Macro, Name,
    Parameter, Postfix, Scoped, Statement, StatementKind,
};
use crate::error::{Result, syntax};
use crate::lexer::Kind;
use std::sync::Arc;

impl Parser {
    /// Statements up to one of the tags `ends`, which stays; up to the end of the template if there
    /// are none.
    pub(super) fn body(&mut self, ends: &[&str]) -> Result<Body> {
        self.nested(|parser| {
            let mut body = Vec::new();
            loop {
                let line = parser.line();
                match parser.advance() {
                    Kind::Data(text) => {
                        body.push(Statement { line, kind: StatementKind::Text(text) })
                    }
                    Kind::VariableBegin => {
                        let value = parser.tuple()?;
                        parser.expect_kind(&Kind::VariableEnd)?;
                        body.push(Statement {
                            line,
                            kind: StatementKind::Print(value, Escape::Off),
                        });
                    }
                    Kind::BlockBegin if ends.iter().any(|end| parser.is_name(end)) => {
                        return Ok(body);
                    }
                    Kind::BlockBegin => {
                        let line = parser.line();
                        parser.statement(line, &mut body)?;
                        parser.expect_kind(&Kind::BlockEnd)?;
                    }
                    _ if ends.is_empty() => return Ok(body),
                    _ => {
                        return syntax(
                            line,
                            format!(
                                "unexpected end of template, expected '{}'",
                                ends.join("' or '")
                            ),
                        );
                    }
                }
            }
        })
    }

    /// What follows a statement's head: its body up to one of `ends`.
    fn block_body(&mut self, ends: &[&str]) -> Result<Body> {
        self.skip_sign(":");
        self.expect_kind(&Kind::BlockEnd)?;
        self.body(ends)
    }

    /// A body up to the tag `end`, which is taken.
    fn closed_body(&mut self, end: &str) -> Result<Scoped> {
        let body = self.block_body(&[end])?;
        self.expect_keyword(end)?;
        Ok(Scoped { body, ..Scoped::default() })
    }

    fn statement(&mut self, line: u32, body: &mut Body) -> Result<()> {
        let Kind::Name(tag) = self.kind() else { return self.unexpected("the name of a tag") };
        let tag = tag.clone();
        self.advance();
        let kind = match &tag[..] {
            "if" => self.if_statement()?,
            "for" => self.for_statement()?,
            "set" => self.set()?,
            "macro" => self.macro_statement(line)?,
            "call" => self.call_block(line)?,
            "filter" => {
                let mut filters = Vec::new();
                self.filter(&mut filters)?;
                self.filters(&mut filters)?;
                StatementKind::Filter(captured(self.closed_body("endfilter")?, filters))
            }
            "with" => self.with()?,
            "autoescape" => {
                let value = self.expression()?;
                StatementKind::Autoescape(value, self.closed_body("endautoescape")?)
            }
            "generation" => {
                let scoped = self.function(|parser| parser.closed_body("endgeneration"))?;
                StatementKind::Generation(Arc::new(new_macro(None, Vec::new(), scoped, line)))
            }
            "block" => self.block(line)?,
            "print" => return self.print(line, body),
            "break" | "continue" if self.loops == 0 => {
                return syntax(line, format!("'{tag}' outside of a loop"));
            }
            "break" => StatementKind::Break,
            "continue" => StatementKind::Continue,
            "extends" | "include" | "import" | "from" => self.other_template(&tag)?,
            _ => return syntax(line, format!("unknown tag '{tag}'")),
        };
        body.push(Statement { line, kind });
        Ok(())
    }

    fn if_statement(&mut self) -> Result<StatementKind> {
        let mut arms = Vec::new();
        loop {
            let test = self.tuple_of(Parser::or_nested, &[], false)?;
            arms.push((test, self.block_body(&["elif", "else", "endif"])?));
            if self.skip_name("elif") {
                continue;
            }
            let otherwise =
                if self.skip_name("else") { self.block_body(&["endif"])? } else { Body::new() };
            self.expect_keyword("endif")?;
            return Ok(StatementKind::If(arms, otherwise));
        }
    }

    /// An expression without a condition, which would be taken for that of the statement.
    fn or_nested(&mut self) -> Result<Expr> {
        self.nested(Parser::or)
    }

    fn for_statement(&mut self) -> Result<StatementKind> {
        let target = self.target(&["in"], false)?;
        self.expect_keyword("in")?;
        let iterable = self.tuple_of(Parser::or_nested, &["recursive"], false)?;
        let test = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        self.loops += 1;
        let body = self.block_body(&["endfor", "else"])?;
        self.loops -= 1;
        let otherwise =
            if self.skip_name("else") { Some(self.block_body(&["endfor"])?) } else { None };
        self.expect_keyword("endfor")?;
        Ok(StatementKind::For(Arc::new(For {
            test: test.map(|test| LoopTest { test, target: target.clone(), loads: Vec::new() }),
            target,
            iterable,
            body: Scoped { body, ..Scoped::default() },
            otherwise: otherwise.map(|body| Scoped { body, ..Scoped::default() }),
            recursive: recursive.then(Function::default),
            loop_slot: None,
            escape: Escape::Off,
        })))
    }

    fn set(&mut self) -> Result<StatementKind> {
        let target = self.target(&[], true)?;
        if self.skip_sign("=") {
            return Ok(StatementKind::Set(target, self.tuple()?, Vec::new()));
        }
        let mut filters = Vec::new();
        self.filters(&mut filters)?;
        let scoped = self.closed_body("endset")?;
        Ok(StatementKind::SetBlock(target, captured(scoped, filters), Vec::new()))
    }

    fn macro_statement(&mut self, line: u32) -> Result<StatementKind> {
        let name = self.assignable_name()?;
        let parameters = self.parameters()?;
        let scoped = self.function(|parser| parser.closed_body("endmacro"))?;
        Ok(StatementKind::Macro(
            Arc::new(new_macro(Some(name), parameters, scoped, line)),
            0,
            Vec::new(),
        ))
    }

    fn call_block(&mut self, line: u32) -> Result<StatementKind> {
        let parameters = if self.is_sign("(") { self.parameters()? } else { Vec::new() };
        let call = self.expression()?;
        if !matches!(&call, Expr::Postfix(_, applied) if matches!(applied.last(), Some(Postfix::Call(_))))
        {
            return syntax(line, "expected a call");
        }
        let scoped = self.function(|parser| parser.closed_body("endcall"))?;
        Ok(StatementKind::Call(call, Arc::new(new_macro(None, parameters, scoped, line))))
    }

    fn with(&mut self) -> Result<StatementKind> {
        let mut pairs: Vec<(AssignTarget, Expr)> = Vec::new();
        while *self.kind() != Kind::BlockEnd {
            if !pairs.is_empty() {
                self.expect_sign(",")?;
            }
            let target = self.target(&[], false)?;
            self.expect_sign("=")?;
            pairs.push((target, self.expression()?));
        }
        Ok(StatementKind::With(pairs, self.closed_body("endwith")?))
    }

    fn block(&mut self, line: u32) -> Result<StatementKind> {
        let name = self.name()?;
        let scoped = self.skip_name("scoped");
        let required = self.skip_name("required");
        let content = self.function(|parser| parser.closed_body("endblock"))?;
        self.skip_name(&name);
        let is_blank = |statement: &Statement| match &statement.kind {
            StatementKind::Text(text) => text.chars().all(crate::unicode::is_space),
            _ => false,
        };
        if required && !content.body.iter().all(is_blank) {
            return syntax(line, "required blocks can only contain comments or white space");
        }
        if self.blocks.iter().any(|block| block.name == name) {
            return syntax(line, format!("block '{name}' defined twice"));
        }
        self.blocks.push(Block { name, scoped, required, content, function: Function::default() });
        Ok(StatementKind::Block(self.blocks.len() - 1, None))
    }

    fn print(&mut self, line: u32, body: &mut Body) -> Result<()> {
        let mut is_first = true;
        while *self.kind() != Kind::BlockEnd {
            if !is_first {
                self.expect_sign(",")?;
            }
            is_first = false;
            body.push(Statement {
                line,
                kind: StatementKind::Print(self.expression()?, Escape::Off),
            });
        }
        Ok(())
    }

    /// Statements that need other templates are read and fail when they are run, as without a
    /// loader.
    fn other_template(&mut self, tag: &str) -> Result<StatementKind> {
        self.expression()?;
        let name = match tag {
            "extends" => return Ok(StatementKind::OtherTemplate("extends")),
            "include" => {
                if self.skip_name("ignore") {
                    self.expect_keyword("missing")?;
                }
                "include"
            }
            "import" => {
                self.expect_keyword("as")?;
                self.assignable_name()?;
                "import"
            }
            _ => {
                self.imported_names()?;
                "from"
            }
        };
        if self.is_name("with") || self.is_name("without") {
            self.advance();
            self.expect_keyword("context")?;
        }
        Ok(StatementKind::OtherTemplate(name))
    }

    fn imported_names(&mut self) -> Result<()> {
        self.expect_keyword("import")?;
        loop {
            let _: Name = self.assignable_name()?;
            if self.skip_name("as") {
                self.assignable_name()?;
            }
            if !self.skip_sign(",") {
                return Ok(());
            }
        }
    }
}

fn captured(scoped: Scoped, filters: Vec<Postfix>) -> Captured {
    Captured { scoped, filters, escape: Escape::Off }
}

fn new_macro(name: Option<Name>, parameters: Vec<Parameter>, scoped: Scoped, line: u32) -> Macro {
    let function = Function::default();
    Macro { name, parameters, caller: None, kwargs: None, varargs: None, function, scoped, line }
}
