//! `runwright plugin pull`, from a real registry with a real signature.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runwright_core::Digest;
use serde_json::{Value, json};

use crate::support::{Project, plugin};

/// Debian's registry, on a free port of this machine. Dropping it ends it.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(project: &Project) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: '127.0.0.1:{port}' }}\n",
            project.path("registry").display()
        );
        project.write("registry.yml", &config);
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/docker-registry/usr/bin/docker-registry");
        assert!(program.exists(), "no {}: run tests/setup", program.display());
        let mut command = Command::new(program);
        command.arg("serve").arg(project.path("registry.yml")).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { process: command.spawn().unwrap(), port };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "the registry does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn curl(&self, words: &[&str]) -> String {
        let done = Command::new("curl").args(["-sS", "--fail", "-i"]).args(words).output().unwrap();
        assert!(done.status.success(), "{words:?}: {done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Puts bytes there; gives what names them in a manifest.
    fn blob(&self, project: &Project, kind: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(project.path("blob"), bytes).unwrap();
        let begun = self.curl(&["-X", "POST", &format!("http://127.0.0.1:{}/v2/hello/blobs/uploads/", self.port)]);
        let place = begun.lines().find_map(|line| line.strip_prefix("Location: ")).expect("a place").trim().to_owned();
        let sign = if place.contains('?') { '&' } else { '?' };
        let body = format!("@{}", project.path("blob").display());
        let octets = "Content-Type: application/octet-stream";
        self.curl(&["-X", "PUT", "-H", octets, "--data-binary", &body, &format!("{place}{sign}digest={digest}")]);
        json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
    }

    /// Pushes a plugin as the wasm-pkg tools do, with these layers beside it; gives its address.
    fn push(&self, project: &Project, layers: &[(&str, &[u8])]) -> String {
        let config = self.blob(project, "application/vnd.wasm.config.v0+json", b"{}");
        let layers: Vec<Value> = layers.iter().map(|(kind, bytes)| self.blob(project, kind, bytes)).collect();
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers }).to_string();
        let digest = Digest::of(manifest.as_bytes());
        let place = format!("http://127.0.0.1:{}/v2/hello/manifests/{digest}", self.port);
        self.curl(&["-X", "PUT", "-H", &format!("Content-Type: {kind}"), "--data-binary", &manifest, &place]);
        format!("oci://127.0.0.1:{}/hello@{digest}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const COMPONENT: &str = "application/wasm";
const SIGNATURE: &str = "application/vnd.minisign.signature";

fn hello() -> Vec<u8> {
    fs::read(plugin("hello")).unwrap()
}

/// Another binary that does the same.
fn changed() -> Vec<u8> {
    [hello(), vec![0, 5, 4, b'm', b'o', b'r', b'e']].concat()
}

#[test]
fn a_plugin_is_pulled_by_digest_and_pinned() {
    let project = Project::with_plugins(&[]);
    let server = Server::start(&project);
    let source = server.push(&project, &[(COMPONENT, &hello())]);
    let pulled = project.call(&["plugin", "pull", &source, "--plain-http", "-o", "json"]);
    assert_eq!(pulled.exit, Some(0), "{pulled:?}");
    assert_eq!(pulled.json()["digest"], json!(Digest::of(&hello())));
    assert_eq!(fs::read(project.path("plugins/hello.wasm")).unwrap(), hello());
    let lock = fs::read_to_string(project.path("plugins.lock")).unwrap();
    assert!(lock.contains(&source) && lock.contains(&Digest::of(&hello()).to_string()), "{lock}");
    project.write("greet.yaml", "name: greet\nsteps: [{ id: a, uses: hello/greet, with: { name: Ada } }]\n");
    assert_eq!(project.call(&["run", "greet.yaml"]).exit, Some(0));

    let newer = server.push(&project, &[(COMPONENT, &changed())]);
    let refused = project.call(&["plugin", "pull", &newer, "--plain-http"]);
    assert!(refused.exit == Some(3) && refused.err.contains("plugins.lock pins hello"), "{refused:?}");
    assert_eq!(fs::read(project.path("plugins/hello.wasm")).unwrap(), hello(), "nothing changed");
    assert_eq!(project.call(&["plugin", "pull", &newer, "--plain-http", "--accept"]).exit, Some(0));
    assert_eq!(project.call(&["run", "greet.yaml"]).exit, Some(0));
}

#[test]
fn only_what_the_digest_names_is_taken() {
    let project = Project::with_plugins(&[]);
    let server = Server::start(&project);
    let pull = |source: &str| project.call(&["plugin", "pull", source, "--plain-http"]);
    let none = server.push(&project, &[("text/plain", b"hello")]);
    assert!(pull(&none).err.contains("has not one layer application/wasm, but: text/plain"), "{:?}", pull(&none));
    let no_plugin = server.push(&project, &[(COMPONENT, b"no plugin")]);
    assert_eq!(pull(&no_plugin).exit, Some(3));
    let tag = format!("oci://127.0.0.1:{}/hello:latest", server.port);
    assert!(pull(&tag).err.contains("names no digest"), "{:?}", pull(&tag));
    let gone = format!("oci://127.0.0.1:{}/hello@{}", server.port, Digest::of(b"gone"));
    assert_eq!(pull(&gone).exit, Some(3));
    // Somebody changes the component in the registry's own files.
    let source = server.push(&project, &[(COMPONENT, &hello())]);
    let digest = Digest::of(&hello()).to_string().replace("sha256:", "");
    let stored = format!("registry/docker/registry/v2/blobs/sha256/{}/{digest}/data", &digest[..2]);
    fs::write(project.path(&stored), changed()).unwrap();
    let refused = pull(&source);
    assert_eq!(refused.exit, Some(3), "{refused:?}");
    assert!(!project.path("plugins/hello.wasm").exists() && !project.path("plugins.lock").exists());
}

#[test]
fn with_a_public_key_only_what_it_signed_is_taken() {
    let project = Project::with_plugins(&[]);
    let server = Server::start(&project);
    let minisign = |words: &[&str]| {
        let mut command = Command::new("/usr/bin/minisign");
        let done = command.args(words).current_dir(project.folder()).stdin(Stdio::null()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    minisign(&["-G", "-W", "-p", "key.pub", "-s", "key.secret"]);
    fs::write(project.path("hello.wasm"), hello()).unwrap();
    minisign(&["-S", "-s", "key.secret", "-m", "hello.wasm"]);
    let signature = fs::read(project.path("hello.wasm.minisig")).unwrap();
    let key = fs::read_to_string(project.path("key.pub")).unwrap().lines().nth(1).unwrap().to_owned();
    project.write("runwright.toml", &format!("state-dir = 'state'\n[registry]\npublic-key = '{key}'\n"));
    let pull = |layers: &[(&str, &[u8])]| {
        let source = server.push(&project, layers);
        project.call(&["plugin", "pull", &source, "--plain-http", "-o", "json"])
    };
    assert!(pull(&[(COMPONENT, &hello())]).err.contains("it is not signed"));
    let other = pull(&[(COMPONENT, &changed()), (SIGNATURE, &signature)]);
    assert!(other.err.contains("its signature does not hold"), "{other:?}");
    assert!(!project.path("plugins/hello.wasm").exists());
    let signed = pull(&[(COMPONENT, &hello()), (SIGNATURE, &signature)]);
    assert_eq!((signed.exit, signed.json()["signed"].clone()), (Some(0), json!(true)));
}
