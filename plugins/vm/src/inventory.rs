//! The inventory: which VMs there are, and where their parts lie. The operator writes it; the plugin gets it as
//! its configuration.

use std::{collections::BTreeMap, net::Ipv4Addr};

use runwright_sdk::{Context, Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};

/// The longest path of a socket, in bytes: `sun_path` has 108, and the last of them is NUL (unix(7)).
const SOCKET_BYTES_MAX: usize = 107;
/// The socket with the longest name.
const LONGEST_SOCKET: &str = "events.sock";

/// VMs are read one by one, so that a mistake in one costs the others nothing.
#[derive(Deserialize)]
struct Inventory {
    vms: BTreeMap<String, Value>,
}

/// One VM. Paths are absolute.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Vm {
    #[serde(skip)]
    pub(crate) name: String,
    /// The disks of the other VMs, by VM.
    #[serde(skip)]
    others: BTreeMap<String, String>,
    /// The golden image that the disk is made from, unless a step names another of `images`.
    pub(crate) image: Option<Image>,
    /// Golden images by name.
    #[serde(default)]
    pub(crate) images: BTreeMap<String, Image>,
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

/// A golden image: its path, or its path and format.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) enum Image {
    /// The format is asked of the image itself.
    Path(String),
    /// The operator says the format.
    Formatted { path: String, format: Format },
}

impl TryFrom<Value> for Image {
    type Error = String;

    fn try_from(value: Value) -> std::result::Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Formatted {
            path: String,
            format: Format,
        }
        match value {
            Value::String(path) => Ok(Self::Path(path)),
            Value::Object(_) => {
                let Formatted { path, format } = serde_json::from_value(value).map_err(|error| error.to_string())?;
                Ok(Self::Formatted { path, format })
            }
            _ => Err(format!("expected a path, or a map with `path` and `format`, found {value}")),
        }
    }
}

/// The format of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    Raw,
    Qcow2,
}

impl Image {
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Path(path) | Self::Formatted { path, .. } => path,
        }
    }

    /// The format that the operator says, if any.
    pub(crate) fn format(&self) -> Option<Format> {
        match self {
            Self::Path(_) => None,
            Self::Formatted { format, .. } => Some(*format),
        }
    }
}

impl Format {
    /// QEMU's word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }

    /// The format that QEMU calls so, if a golden image may have it.
    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Raw, Self::Qcow2].into_iter().find(|format| format.as_str() == word)
    }
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
        let Inventory { mut vms } = context.config()?;
        let Some(entry) = vms.remove(name) else {
            let names: Vec<_> = vms.into_keys().collect();
            let message = format!("there is no VM {name:?} in the inventory; it has {}", names.join(", "));
            return Err(Error::invalid_input(message).code("vm.not-in-inventory"));
        };
        let mut vm: Self = serde_json::from_value(entry.clone()).map_err(|error| {
            let what = misfit(&entry).unwrap_or_else(|| error.to_string());
            Error::invalid_input(format!("{name} in the inventory: {what}")).code("vm.inventory")
        })?;
        name.clone_into(&mut vm.name);
        vm.check()?;
        let disk = |vm: &Value| vm.get("disk")?.as_str().map(str::to_owned);
        vm.others = vms.into_iter().filter_map(|(name, vm)| Some((name, disk(&vm)?))).collect();
        Ok(vm)
    }

    /// Refuses what QEMU would read as something else: `forward` and `accel` stand in its option lists as they are.
    fn check(&self) -> Result<()> {
        let wrong = |what: String| Error::invalid_input(format!("{}: {what}", self.name)).code("vm.inventory");
        if self.name.is_empty() || self.name.chars().any(char::is_control) {
            return Err(wrong("the name of a VM must be text without control characters".into()));
        }
        let paths = [("disk", Some(&self.disk)), ("sockets", Some(&self.sockets)), ("kernel", self.kernel.as_ref())];
        let paths = paths.into_iter().chain([("initrd", self.initrd.as_ref())]);
        let images = self.image.iter().chain(self.images.values()).map(|image| ("image", image.path()));
        let paths = paths.filter_map(|(key, path)| Some((key, path?.as_str()))).chain(images);
        if let Some((key, path)) = paths.into_iter().find(|(_, path)| !path.starts_with('/')) {
            return Err(wrong(format!("`{key}` is {path:?}, which is no absolute path")));
        }
        let socket = self.file(LONGEST_SOCKET);
        if socket.len() > SOCKET_BYTES_MAX {
            let bytes = socket.len();
            return Err(wrong(format!(
                "`sockets` is too long: {socket} has {bytes} bytes, and a socket's path at most {SOCKET_BYTES_MAX}"
            )));
        }
        match &self.forward {
            Some(forward) if !is_forward(forward) => {
                Err(wrong(format!("`forward` is {forward:?}; it looks like this: 127.0.0.1:8081-:8080")))
            }
            _ => Ok(()),
        }
    }

    /// The disk of each VM of the inventory, with the VM's name: its own first.
    pub(crate) fn disks(&self) -> impl Iterator<Item = (&str, &str)> {
        let others = self.others.iter().map(|(name, disk)| (name.as_str(), disk.as_str()));
        std::iter::once((self.name.as_str(), self.disk.as_str())).chain(others)
    }

    /// The file `name` beside the sockets.
    pub(crate) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.sockets)
    }

    /// The golden image `name`; without a name, or with an empty one, the VM's own.
    pub(crate) fn golden(&self, name: Option<&str>) -> Result<&Image> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            let image = self.image.as_ref().or_else(|| self.images.get("golden"));
            return image.ok_or_else(|| {
                Error::invalid_input(format!("the inventory has no image for {}", self.name)).code("vm.no-image")
            });
        };
        self.images.get(name).ok_or_else(|| {
            let names: Vec<_> = self.images.keys().map(String::as_str).collect();
            let has =
                if names.is_empty() { "no `images`; leave the name out for its own".into() } else { names.join(", ") };
            let message = format!("{} has no image {name:?} in the inventory; it has {has}", self.name);
            Error::invalid_input(message).code("vm.no-image")
        })
    }
}

/// The field of a VM that does not fit, and why: each is read on its own, with the rest as it should be.
fn misfit(entry: &Value) -> Option<String> {
    let fields = entry.as_object()?;
    let wrong = |key: &str, value: &Value| {
        let mut vm = json!({"disk": "/d", "memory": 1, "sockets": "/s"});
        vm[key] = value.clone();
        serde_json::from_value::<Vm>(vm).err().map(|error| error.to_string())
    };
    fields.iter().find_map(|(key, value)| {
        let why = wrong(key, value)?;
        let inner = value.as_object().filter(|_| key == "images").into_iter().flatten();
        let image = inner.into_iter().find_map(|(name, image)| Some((name, wrong("image", image)?)));
        Some(match image {
            Some((name, why)) => format!("`images.{name}`: {why}"),
            None if why.starts_with("unknown field") => why,
            None => format!("`{key}`: {why}"),
        })
    })
}

/// Whether it is `HOST:PORT-GUEST:PORT`, in which each address may be left out. QEMU takes IPv4 addresses only.
fn is_forward(text: &str) -> bool {
    let end = |text: &str| {
        let Some((address, port)) = text.rsplit_once(':') else { return false };
        let known = address.is_empty() || address.parse::<Ipv4Addr>().is_ok();
        known && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    text.split_once('-').is_some_and(|(host, guest)| end(host) && end(guest))
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
        assert_eq!(vm.golden(None).unwrap().path(), "/i/g.qcow2");
        assert_eq!(vm.golden(Some("golden")).unwrap().path(), "/i/g.qcow2");
        assert_eq!(vm.golden(Some("")).unwrap().path(), "/i/g.qcow2");
    }

    #[test]
    fn the_operator_may_say_the_format_of_an_image() {
        let of = |image: &str| {
            let json =
                format!(r#"{{"vms": {{"a": {{"image": {image}, "disk": "/d", "memory": 1, "sockets": "/s"}}}}}}"#);
            Vm::find("a", &Context::new("run", "step", "key").with_config(&json)).map(|vm| vm.image.unwrap())
        };
        assert_eq!(of(r#""/g.img""#).unwrap().format(), None);
        let raw = of(r#"{"path": "/g.img", "format": "raw"}"#).unwrap();
        assert_eq!((raw.path(), raw.format()), ("/g.img", Some(Format::Raw)));
        assert!(of(r#"{"path": "/g.img", "format": "vmdk"}"#).is_err());
        assert_eq!(of(r#""g.img""#).unwrap_err().to_string(), "a: `image` is \"g.img\", which is no absolute path");
    }

    #[test]
    fn what_qemu_would_read_as_another_option_is_refused() {
        for good in ["127.0.0.1:2000-:8080", ":2000-:80", "127.0.0.1:2000-10.0.2.15:80"] {
            assert!(is_forward(good), "{good}");
        }
        for bad in ["", ":2000", "127.0.0.1:0-:80", ":2000-:80,id=x", ":2000-:80,guestfwd=tcp::1-cmd:sh", "a b:1-:2"] {
            assert!(!is_forward(bad), "{bad}");
        }
        // QEMU itself would refuse these, after the start.
        for bad in ["127.0.0.300:2000-:80", "localhost:2000-:80", "[::1]:2000-:80", ":2000-guest:80", ":+2000-:80"] {
            assert!(!is_forward(bad), "{bad}");
        }
    }

    fn find(vms: &Value, name: &str) -> Result<Vm> {
        Vm::find(name, &Context::new("run", "step", "key").with_config(json!({"vms": vms}).to_string()))
    }

    #[test]
    fn a_mistake_in_one_vm_costs_the_others_nothing_and_is_named() {
        let with = |key: &str, value: Value| {
            let mut vm = json!({"disk": "/d", "memory": 1, "sockets": "/s"});
            vm[key] = value;
            vm
        };
        let vms = json!({
            "good": with("cpus", json!(2)),
            "text": with("memory", json!("2G")),
            "number": with("image", json!(7)),
            "vmdk": with("images", json!({"a": "/a", "old": {"path": "/g", "format": "vmdk"}})),
            "pathless": with("image", json!({"format": "raw"})),
            "typo": with("dsik", json!("/d")),
            "less": {"memory": 1, "sockets": "/s"},
            "list": [],
        });
        assert_eq!(find(&vms, "good").unwrap().cpus, 2);
        for (name, expected) in [
            ("text", "text in the inventory: `memory`: invalid type: string \"2G\", expected u32"),
            ("number", "number in the inventory: `image`: expected a path, or a map with `path` and `format`, found 7"),
            ("vmdk", "vmdk in the inventory: `images.old`: unknown variant `vmdk`, expected `raw` or `qcow2`"),
            ("pathless", "pathless in the inventory: `image`: missing field `path`"),
            ("typo", "typo in the inventory: unknown field `dsik`, expected one of"),
            ("less", "less in the inventory: missing field `disk`"),
            ("list", "list in the inventory: "),
        ] {
            let error = find(&vms, name).unwrap_err();
            assert_eq!((error.kind(), error.code_text()), (ErrorKind::InvalidInput, Some("vm.inventory")), "{error}");
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_socket_that_can_not_be_is_refused_at_once() {
        let sockets = |bytes: usize| {
            let folder = format!("/{}", "d".repeat(bytes - "/".len() - "/events.sock".len()));
            find(&json!({"a": {"disk": "/d", "memory": 1, "sockets": folder}}), "a")
        };
        assert!(sockets(107).is_ok());
        let error = sockets(108).unwrap_err();
        assert_eq!(error.code_text(), Some("vm.inventory"));
        assert!(error.to_string().ends_with("has 108 bytes, and a socket's path at most 107"), "{error}");
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
