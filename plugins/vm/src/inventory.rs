//! The inventory: which VMs there are, and where their parts lie. The operator writes it; the plugin gets it as
//! its configuration.

use std::collections::BTreeMap;

use runwright_sdk::{Context, Error, Result};
use serde::Deserialize;

#[derive(Deserialize)]
struct Inventory {
    vms: BTreeMap<String, Vm>,
}

/// One VM. Paths are absolute.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Vm {
    #[serde(skip)]
    pub(crate) name: String,
    /// The golden image that the disk is made from, unless a step names another of `images`.
    pub(crate) image: Option<String>,
    /// Golden images by name.
    #[serde(default)]
    pub(crate) images: BTreeMap<String, String>,
    /// The disk: a qcow2 file on top of a golden image.
    pub(crate) disk: String,
    /// MiB.
    pub(crate) memory: u32,
    #[serde(default = "one")]
    pub(crate) cpus: u32,
    /// For a direct boot; without it the disk boots.
    pub(crate) kernel: Option<String>,
    pub(crate) initrd: Option<String>,
    pub(crate) append: Option<String>,
    /// The folder with qmp.sock, events.sock, agent.sock, console.log and qemu.pid.
    pub(crate) sockets: String,
    /// Forwards a port of the host: `HOST:PORT-GUEST:PORT`.
    pub(crate) forward: Option<String>,
    /// The URL that answers 2xx when the VM does its work.
    pub(crate) health: Option<String>,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    /// QEMU's `-accel`, for example `kvm`.
    #[serde(default = "tcg")]
    pub(crate) accel: String,
    /// Leaves out flushing the disk: for tests, whose VMs need not survive the host.
    #[serde(default)]
    pub(crate) no_flush: bool,
    #[serde(default = "qemu")]
    pub(crate) qemu: String,
    #[serde(default = "qemu_img")]
    pub(crate) qemu_img: String,
}

fn one() -> u32 {
    1
}

fn tcg() -> String {
    "tcg,thread=multi,tb-size=64".into()
}

fn qemu() -> String {
    "/usr/bin/qemu-system-x86_64".into()
}

fn qemu_img() -> String {
    "/usr/bin/qemu-img".into()
}

impl Vm {
    /// The VM called `name`.
    pub(crate) fn find(name: &str, context: &Context) -> Result<Self> {
        let mut inventory: Inventory = context.config()?;
        let Some(mut vm) = inventory.vms.remove(name) else {
            let names: Vec<_> = inventory.vms.into_keys().collect();
            let message = format!("there is no VM {name:?} in the inventory; it has {}", names.join(", "));
            return Err(Error::invalid_input(message).code("vm.not-in-inventory"));
        };
        name.clone_into(&mut vm.name);
        Ok(vm)
    }

    /// The file `name` beside the sockets.
    pub(crate) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.sockets)
    }

    /// The path of the golden image `name`; without a name, of the VM's own.
    pub(crate) fn golden(&self, name: Option<&str>) -> Result<&str> {
        let Some(name) = name else {
            let image = self.image.as_deref().or_else(|| self.images.get("golden").map(String::as_str));
            return image.ok_or_else(|| {
                Error::invalid_input(format!("the inventory has no image for {}", self.name)).code("vm.no-image")
            });
        };
        self.images.get(name).map(String::as_str).ok_or_else(|| {
            let names: Vec<_> = self.images.keys().map(String::as_str).collect();
            let message = format!("{} has no image {name:?} in the inventory; it has {}", self.name, names.join(", "));
            Error::invalid_input(message).code("vm.no-image")
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use runwright_sdk::ErrorKind;

    use super::*;

    pub(crate) fn context() -> Context {
        Context::new("run", "step", "key").with_config(
            r#"{"vms": {"web1": {"image": "/i/g.qcow2", "images": {"golden": "/i/g.qcow2"}, "disk": "/v/d.qcow2",
                "memory": 128, "kernel": "/i/k", "initrd": "/i/i", "append": "quiet", "sockets": "/v",
                "forward": "127.0.0.1:2000-:8080", "health": "http://127.0.0.1:2000/", "labels": {"role": "web"}}}}"#,
        )
    }

    #[test]
    fn a_vm_is_found_by_its_name() {
        let vm = Vm::find("web1", &context()).unwrap();
        assert_eq!((vm.name.as_str(), vm.file("qmp.sock").as_str()), ("web1", "/v/qmp.sock"));
        assert_eq!(vm.golden(None).unwrap(), "/i/g.qcow2");
        assert_eq!(vm.golden(Some("golden")).unwrap(), "/i/g.qcow2");
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let error = Vm::find("web2", &context()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), r#"there is no VM "web2" in the inventory; it has web1"#);
        let error = Vm::find("web1", &context()).unwrap().golden(Some("old")).unwrap_err();
        assert!(error.to_string().ends_with("it has golden"), "{error}");
    }
}
