//! What llama.cpp can compute on beside the processors: devices of this machine, and those of workers.

use super::initialize;
use llama_cpp_sys_2 as sys;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

/// A device. ggml makes them once and never frees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Device(sys::ggml_backend_dev_t);

// SAFETY: devices are made once and live as long as the process; ggml's functions on them take no
// part in what thread calls them.
unsafe impl Send for Device {}
// SAFETY: the same; what they read is constant, or locked inside ggml.
unsafe impl Sync for Device {}

/// What a device is, in the words of its library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct About {
    pub(in super::super) name: String,
    pub(in super::super) description: String,
    /// Bytes.
    pub(in super::super) free: u64,
    /// Bytes.
    pub(in super::super) total: u64,
}

type AddServer = unsafe extern "C" fn(*const c_char) -> sys::ggml_backend_reg_t;
type StartServer =
    unsafe extern "C" fn(*const c_char, *const c_char, usize, usize, *mut sys::ggml_backend_dev_t);

/// The text of a string that ggml keeps.
///
/// # Safety
///
/// Null, or NUL-terminated and alive for the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

impl Device {
    /// What it is.
    pub(in super::super) fn about(self) -> About {
        let (mut free, mut total) = (0, 0);
        // SAFETY: the device is one of ggml's; its strings live as long as it does.
        unsafe {
            sys::ggml_backend_dev_memory(self.0, &raw mut free, &raw mut total);
            About {
                name: text(sys::ggml_backend_dev_name(self.0)),
                description: text(sys::ggml_backend_dev_description(self.0)),
                free: free as u64,
                total: total as u64,
            }
        }
    }

    /// For llama.cpp's parameters.
    pub(super) fn raw(self) -> sys::ggml_backend_dev_t {
        self.0
    }
}

/// Devices of this machine that layers may go to, in ggml's order.
pub(in super::super) fn local() -> Vec<Device> {
    initialize();
    // SAFETY: ggml's list of devices; indices are below its length.
    let all =
        unsafe { (0..sys::ggml_backend_dev_count()).map(|index| sys::ggml_backend_dev_get(index)) };
    let computes_layers = |device: &sys::ggml_backend_dev_t| {
        // SAFETY: the device is from that list.
        let kind = unsafe { sys::ggml_backend_dev_type(*device) };
        kind == sys::GGML_BACKEND_DEVICE_TYPE_GPU || kind == sys::GGML_BACKEND_DEVICE_TYPE_IGPU
    };
    all.filter(computes_layers).map(Device).collect()
}

/// A function of the library of workers; `None` if this llama.cpp was built without it.
fn rpc_function(name: &CStr) -> Option<*mut c_void> {
    initialize();
    // SAFETY: both functions look names up; the names are NUL-terminated.
    unsafe {
        let library = sys::ggml_backend_reg_by_name(c"RPC".as_ptr());
        if library.is_null() {
            return None;
        }
        let function = sys::ggml_backend_reg_get_proc_address(library, name.as_ptr());
        (!function.is_null()).then_some(function)
    }
}

/// The devices of the worker at this address, which must be there: llama.cpp ends the process
/// otherwise. `None` if this llama.cpp knows no workers, or the worker has no device.
pub(in super::super) fn of_worker(address: &CString) -> Option<Vec<Device>> {
    let function = rpc_function(c"ggml_backend_rpc_add_server")?;
    // SAFETY: ggml-rpc.h declares the function of this name with this type.
    let add = unsafe { std::mem::transmute::<*mut c_void, AddServer>(function) };
    // SAFETY: the address is NUL-terminated; null is a worker without devices. Devices of the library
    // that comes back are numbered below its count.
    let devices = unsafe {
        let library = add(address.as_ptr());
        if library.is_null() {
            return None;
        }
        let n = sys::ggml_backend_reg_dev_count(library);
        (0..n).map(|index| Device(sys::ggml_backend_reg_dev_get(library, index))).collect()
    };
    Some(devices)
}

/// Computes for others on `devices`, or on the processors where there are none: llama.cpp's own
/// worker at this address, for one caller after the other. Returns only where it cannot start; false
/// if this llama.cpp has none.
pub(in super::super) fn work_for_others(
    address: &CString,
    cache: Option<&CString>,
    n_threads: usize,
    devices: &[Device],
) -> bool {
    let Some(function) = rpc_function(c"ggml_backend_rpc_start_server") else { return false };
    // SAFETY: ggml-rpc.h declares the function of this name with this type.
    let start = unsafe { std::mem::transmute::<*mut c_void, StartServer>(function) };
    let mut devices: Vec<_> = devices.iter().map(|device| device.raw()).collect();
    if devices.is_empty() {
        // SAFETY: a lookup; null where there is no such device.
        let cpu = unsafe { sys::ggml_backend_dev_by_type(sys::GGML_BACKEND_DEVICE_TYPE_CPU) };
        devices.extend((!cpu.is_null()).then_some(cpu));
    }
    // SAFETY: the strings are NUL-terminated and, like the devices, live for the call; null for no
    // cache of tensors.
    unsafe {
        start(
            address.as_ptr(),
            cache.map_or(ptr::null(), |folder| folder.as_ptr()),
            n_threads,
            devices.len(),
            devices.as_mut_ptr(),
        );
    }
    true
}
