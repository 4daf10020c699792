//! What of each backend is here: what it may compute on, or the exact cause why it cannot be used and
//! what mends it. And which one is the best of those that can.

use crate::side::{self, Found, Lacking};
use crate::{BACKENDS, BackendEntry, devices};
use pacemark_setup::Offload;
use std::sync::atomic::AtomicBool;

/// Looks for a backend. Engines in Python import their packages, in a process of their own.
/// Once `stop` is set, they are not waited for.
pub fn look(entry: &BackendEntry, stop: &AtomicBool) -> Found {
    if let Some(engine) = side::find(entry.name) {
        return side::look(engine, stop);
    }
    let found = |devices: Vec<String>| Found { versions: Vec::new(), devices, lacking: None };
    match entry.load {
        Err(why) => Found {
            lacking: Some(Lacking {
                cause: why.to_owned(),
                mend: format!("cargo build --release --features {}", entry.name),
            }),
            ..found(Vec::new())
        },
        #[cfg(feature = "openvino-capi")]
        Ok(_) if entry.name == crate::openvino_capi::NAME => crate::openvino_capi::look(),
        Ok(_) if entry.name == crate::openai::NAME => found(vec!["the server of --url".into()]),
        Ok(_) => {
            let graphics = match entry.name == "llama-cpp" {
                true => devices(&Offload::default()),
                false => Ok(Vec::new()),
            };
            match graphics {
                Ok(graphics) => {
                    let names = graphics.into_iter().map(|device| device.name);
                    found(std::iter::once("CPU".to_owned()).chain(names).collect())
                }
                Err(error) => Found {
                    lacking: Some(Lacking {
                        cause: format!("its devices cannot be listed: {error}"),
                        mend: "docs/rpc.md says what each kind of device needs".into(),
                    }),
                    ..found(Vec::new())
                },
            }
        }
    }
}

/// What `auto` takes.
pub struct Chosen {
    /// The backend.
    pub entry: &'static BackendEntry,
    /// The device to ask it for; `None` for what it takes by itself.
    pub device: Option<String>,
    /// Why, in words.
    pub why: String,
}

/// The backend that has a processor of graphics or of networks to compute on, else Pacemark's own engine.
pub fn auto() -> Chosen {
    choose(|entry| look(entry, &AtomicBool::new(false)))
}

fn choose(look: impl Fn(&BackendEntry) -> Found) -> Chosen {
    let mut passed = Vec::new();
    for entry in BACKENDS.iter().filter(|entry| ["llama-cpp", "openvino"].contains(&entry.name)) {
        let found = look(entry);
        let device = found.devices.iter().find(|name| !name.eq_ignore_ascii_case("CPU"));
        match (found.lacking, device) {
            (None, Some(device)) => {
                let why = format!("{} has {device}", entry.name);
                // llama.cpp takes all devices by itself.
                let device = (entry.name == "openvino").then(|| device.clone());
                return Chosen { entry, device, why };
            }
            (None, None) => passed.push(format!("{} has the processors only", entry.name)),
            (Some(Lacking { cause, .. }), _) => passed.push(format!("{}: {cause}", entry.name)),
        }
    }
    let why = format!("the processors are all that there is ({})", passed.join("; "));
    Chosen { entry: &BACKENDS[0], device: None, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_device_goes_before_what_has_none() {
        let with = |devices: &'static [&'static str], lacking: Option<Lacking>| {
            choose(move |entry: &BackendEntry| match entry.name {
                "openvino" => Found {
                    versions: Vec::new(),
                    devices: devices.iter().map(ToString::to_string).collect(),
                    lacking: lacking.clone(),
                },
                _ => Found { versions: Vec::new(), devices: vec!["CPU".into()], lacking: None },
            })
        };
        let graphics = with(&["CPU", "GPU.0"], None);
        assert_eq!((graphics.entry.name, graphics.device.as_deref()), ("openvino", Some("GPU.0")));
        assert_eq!(graphics.why, "openvino has GPU.0");
        let plain = with(&["CPU"], None);
        assert_eq!((plain.entry.name, plain.device), ("native", None));
        assert!(plain.why.contains("openvino has the processors only"), "{}", plain.why);
        let lacking = Lacking { cause: "No module named 'openvino'".into(), mend: "…".into() };
        let missing = with(&["GPU"], Some(lacking));
        assert_eq!(missing.entry.name, "native");
        assert!(missing.why.contains("No module named 'openvino'"), "{}", missing.why);
    }

    #[test]
    fn every_backend_can_be_looked_for() {
        for entry in BACKENDS.iter().filter(|entry| side::find(entry.name).is_none()) {
            let found = look(entry, &AtomicBool::new(false));
            // Whose library is opened at run time may not find it.
            if entry.name != "openvino-capi" || entry.load.is_err() {
                assert_eq!(found.lacking.is_none(), entry.load.is_ok(), "{}", entry.name);
            }
            assert_eq!(found.lacking.is_some(), found.devices.is_empty(), "{}", entry.name);
            let mend = found.lacking.map(|lacking| lacking.mend).filter(|_| entry.load.is_err());
            assert!(mend.is_none_or(|mend| mend.ends_with(entry.name)));
        }
    }
}
