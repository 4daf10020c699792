//! The server that is measured: how it is spoken to, and what it calls its model.

use super::Args;
use anyhow::{Context, Result};
use pacemark_load::api::Api;
use pacemark_load::{Settings, Target, Timeouts, Trust};

/// What the flags say of server and client.
pub(super) fn settings(args: &Args, target: Target) -> Result<Settings> {
    let mut settings =
        Settings::new(target, args.endpoint(), args.model.clone().unwrap_or_default());
    settings.trust = match &args.cacert {
        Some(path) => Trust::File(path.clone()),
        None if args.insecure => Trust::Anybody,
        None => Trust::System,
    };
    settings.stream = !args.no_stream;
    settings.connections = args.connections;
    settings.timeouts = Timeouts {
        connect: args.connect_timeout.0,
        first_byte: args.first_byte_timeout.0,
        stall: args.stall_timeout.0,
        total: args.timeout.0,
    };
    settings.api_key.clone_from(&args.api_key);
    settings.headers.clone_from(&args.header);
    settings.kernel_stamps = args.stamps == "kernel";
    if let Some(body) = &args.body {
        settings.extra_body.clone_from(&body.0);
    }
    if args.model.is_none() {
        let models = Api::new(&settings)?
            .models()
            .context("cannot ask the server for its model; name it with --model")?;
        settings.model =
            models.into_iter().next().context("the server has no model; name one with --model")?;
    }
    Ok(settings)
}
