//! What answers: the mock, Pacemark's own engine under its scheduler, or any other backend in static
//! batches.

use super::Args;
use crate::backend::is_native;
use crate::commands::bench::synthetic;
use crate::{hub, template};
use anyhow::{Context, Result, anyhow};
use pacemark_backend::{MockService, Service, Text};
use pacemark_backends::native::NativeService;
use pacemark_backends::served::ServedBackend;
use pacemark_backends::{BackendEntry, ModelText};
use pacemark_setup::Setup;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The service that was asked for.
pub(super) fn of(
    args: &Args,
    entry: &BackendEntry,
    setup: Option<Setup>,
) -> Result<Arc<dyn Service>> {
    if let Some(mock) = &args.mock {
        return Ok(Arc::new(MockService::new(mock.clone()).context("cannot start the mock")?));
    }
    let setup = setup.context("a model has a setup")?;
    let path = hub::resolve(&args.model)?;
    let template = args.chat_template.as_deref();
    if is_native(entry) {
        return native(args, &path, &setup);
    }
    let mut paths = HashMap::from([(args.model.clone(), path)]);
    // Once the model is loaded the file is mapped or was read, and needs no name any more.
    let _written =
        synthetic::write_needed(&[entry.name.to_owned()], &mut paths, hub::Cache::from_env)?;
    let path = paths.remove(&args.model).context("a model has a path")?;
    let service = batched(entry, path, setup, template)?;
    eprintln!(
        "note: --backend {} computes static batches: who comes while one is computed waits for its end",
        entry.name
    );
    Ok(Arc::new(service))
}

fn native(args: &Args, path: &Path, setup: &Setup) -> Result<Arc<dyn Service>> {
    // The engine's threads go to their places by themselves; all others are started by this one.
    setup
        .threads
        .place
        .leave_leader()
        .context("cannot leave a processor to the thread that leads the computation")?;
    let mut service = NativeService::load(path, setup, args.scheduling.options(), &mut |_, _| {})?;
    if let Some(wanted) = &args.chat_template {
        let own =
            service.chat_templates().context("--chat-template: the model has no tokenizer")?;
        let chosen = template::choose(wanted, own.map_err(|error| anyhow!("{error}"))?)?;
        service.set_chat_templates(chosen);
    }
    Ok(Arc::new(service))
}

/// Any backend; its text is read from the file.
fn batched(
    entry: &BackendEntry,
    path: PathBuf,
    setup: Setup,
    template: Option<&str>,
) -> Result<ServedBackend> {
    let mut text = ModelText::open(&path)?;
    if let Some(wanted) = template {
        let text = text.as_mut().context("--chat-template: the model has no tokenizer")?;
        let own = text.chat_templates().map_err(|error| anyhow!("{error}"))?;
        let chosen = template::choose(wanted, own)?;
        text.set_chat_templates(chosen);
    }
    let load = entry.load.map_err(|why| anyhow!("{}: {why}", entry.name))?;
    let make = move || load(&path, &setup, &mut |_, _| {});
    let text = text.map(|text| Box::new(text) as Box<dyn Text>);
    // The error of a library names the file.
    ServedBackend::start(make, text).map_err(|error| anyhow!(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Directory;
    use pacemark_backend::{Backend, Event, GenerateRequest};
    use pacemark_backends::native::NativeBackend;
    use pacemark_setup::Threads;
    use pacemark_testmodel::TestModel;
    use std::sync::mpsc::channel;

    /// The native engine as if it were another.
    const OTHER: BackendEntry = BackendEntry {
        name: "other",
        help: "for this test",
        files_only: false,
        kv_policies: false,
        supports: |_| Ok(()),
        load: Ok(|path, setup, progress| Ok(Box::new(NativeBackend::load(path, setup, progress)?))),
    };

    #[test]
    fn another_backend_is_served_with_the_text_of_the_models_file() {
        let folder = Directory::new("batched");
        let path = folder.join("tiny.gguf");
        TestModel::llama().write(&path).unwrap();
        let setup = || Setup { threads: Threads::new(1), n_seqs: 2, ..Setup::default() };
        let template = folder.join("mine.jinja");
        std::fs::write(&template, "<{{ messages[0].content }}>").unwrap();
        let wanted = template.to_str();
        let service = batched(&OTHER, path.clone(), setup(), wanted).unwrap();
        assert_eq!(service.info().n_seqs, 2);
        let text = service.text().unwrap();
        let mut chat = pacemark_backend::Chat::default();
        chat.messages.push(serde_json::json!({"role": "user", "content": "abc"}));
        assert_eq!(text.render(&chat), Ok("<abc>".to_string()));
        let prompt = text.encode("abc", true);
        let request = GenerateRequest { prompt, max_tokens: 5, ..GenerateRequest::default() };
        let alone = NativeBackend::load(&path, &setup(), &mut |_, _| {}).unwrap();
        let say = |event| match event {
            Event::Token { text, .. } => Some(text),
            Event::Failed(error) => panic!("{error}"),
            _ => None,
        };
        let expected: String = alone.generate(request.clone()).filter_map(say).collect();
        let (told, events) = channel();
        let _ticket = service.submit(request, Box::new(move |event| told.send(event).unwrap()));
        assert_eq!(events.iter().filter_map(say).collect::<String>(), expected);
        assert!(!expected.is_empty());
        let unknown = batched(&OTHER, path, setup(), Some("no-such")).err().unwrap();
        assert!(format!("{unknown:#}").contains("--chat-template: expected one of"), "{unknown:#}");
    }
}
