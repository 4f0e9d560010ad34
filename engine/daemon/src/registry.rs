//! Pulling plugins from registries of the OCI distribution specification, as the `wasm-pkg` tools push them.

use minisign_verify::{PublicKey, Signature};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use crate::Error;

/// The layer that is the component.
const COMPONENT: &str = "application/wasm";

/// The layer that is a minisign signature of the component.
const SIGNATURE: &str = "application/vnd.minisign.signature";

/// Bytes of a signature.
const SIGNATURE_BYTES_MAX: usize = 4096;

/// How to reach a registry.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// The name and password, if it wants some.
    pub login: Option<(String, String)>,
    /// Speak HTTP without TLS: only for a registry on this machine.
    pub plain_http: bool,
    /// The minisign public key that must have signed the component; any component is taken without one.
    pub public_key: Option<String>,
    /// The bytes that a component may have.
    pub component_bytes_max: usize,
}

/// A plugin that was pulled; its digests and its signature were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The component.
    pub bytes: Vec<u8>,
    /// Whether a signature was checked.
    pub signed: bool,
}

impl Registry {
    /// Pulls what `source` names: `oci://HOST/REPOSITORY@sha256:DIGEST`, the digest of the manifest. A tag is not enough:
    /// it may mean something else tomorrow.
    pub async fn pull(&self, source: &str) -> Result<Pulled, Error> {
        let failed = |what: String| Error::Pull { plugin: source.to_owned(), what };
        let reference = reference(source).map_err(failed)?;
        let client = self.client(&reference).map_err(failed)?;
        let auth = match &self.login {
            Some((name, password)) => RegistryAuth::Basic(name.clone(), password.clone()),
            None => RegistryAuth::Anonymous,
        };
        let manifest = client.pull_image_manifest(&reference, &auth).await;
        let (manifest, _) = manifest.map_err(|error| failed(format!("its manifest: {error}")))?;
        let of = |kind: &str| manifest.layers.iter().filter(|layer| layer.media_type == kind).collect::<Vec<_>>();
        let [component] = of(COMPONENT)[..] else {
            let found: Vec<&str> = manifest.layers.iter().map(|layer| layer.media_type.as_str()).collect();
            return Err(failed(format!("its manifest has not one layer {COMPONENT}, but: {}", found.join(", "))));
        };
        let blob = async |layer: &OciDescriptor, bytes_max: usize| {
            blob(&client, &reference, layer, bytes_max).await.map_err(failed)
        };
        let bytes = blob(component, self.component_bytes_max).await?;
        let Some(key) = &self.public_key else { return Ok(Pulled { bytes, signed: false }) };
        let [signature] = of(SIGNATURE)[..] else {
            return Err(failed(format!("it is not signed: its manifest has not one layer {SIGNATURE}")));
        };
        let signature = blob(signature, SIGNATURE_BYTES_MAX).await?;
        verify(key, &bytes, &signature).map_err(failed)?;
        Ok(Pulled { bytes, signed: true })
    }

    fn client(&self, reference: &Reference) -> Result<Client, String> {
        let host = reference.registry();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
        if self.plain_http && !here {
            return Err(format!("{host} is not this machine: without TLS anybody between could change the plugin"));
        }
        // Another part of the process may have chosen already, and the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let protocol = if self.plain_http { ClientProtocol::Http } else { ClientProtocol::Https };
        Client::try_from(ClientConfig { protocol, ..ClientConfig::default() }).map_err(|error| error.to_string())
    }
}

fn reference(source: &str) -> Result<Reference, String> {
    let example = "write it like oci://registry.example/plugins/vm@sha256:…";
    let rest = source.strip_prefix("oci://").ok_or_else(|| format!("it does not begin with oci://: {example}"))?;
    let host = rest.split('/').next().unwrap_or_default();
    if !rest.contains('/') || !(host.contains('.') || host.contains(':') || host == "localhost") {
        return Err(format!("it names no registry: {example}"));
    }
    let reference: Reference = rest.parse().map_err(|error| format!("{error}: {example}"))?;
    match reference.digest() {
        Some(_) => Ok(reference),
        None => Err(format!("it names no digest, and a tag may mean something else tomorrow: {example}")),
    }
}

/// The bytes of a layer, which have its digest.
async fn blob(
    client: &Client,
    reference: &Reference,
    layer: &OciDescriptor,
    bytes_max: usize,
) -> Result<Vec<u8>, String> {
    let size = usize::try_from(layer.size).unwrap_or(usize::MAX);
    if size > bytes_max {
        return Err(format!("its layer {} has {size} bytes, and {bytes_max} are allowed", layer.media_type));
    }
    let mut bytes = Bounded { bytes: Vec::with_capacity(size), bytes_max: size };
    let pulled = client.pull_blob(reference, layer, &mut bytes).await;
    pulled.map_err(|error| format!("its layer {}: {error}", layer.media_type))?;
    if bytes.bytes.len() != size {
        return Err(format!("its layer {} has {} of {size} bytes", layer.media_type, bytes.bytes.len()));
    }
    Ok(bytes.bytes)
}

/// Takes at most this many bytes, whatever a registry sends.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl tokio::io::AsyncWrite for Bounded {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            return std::task::Poll::Ready(Err(std::io::Error::other("it is longer than its manifest says")));
        }
        self.bytes.extend_from_slice(bytes);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

/// Checks a minisign signature (Ed25519, <https://jedisct1.github.io/minisign/>).
fn verify(key: &str, bytes: &[u8], signature: &[u8]) -> Result<(), String> {
    let key = PublicKey::from_base64(key).map_err(|error| format!("the public key in the configuration: {error}"))?;
    let signature = std::str::from_utf8(signature).ok().and_then(|text| Signature::decode(text).ok());
    let signature = signature.ok_or("its signature is none of minisign")?;
    key.verify(bytes, &signature, false).map_err(|error| format!("its signature does not hold: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_of_a_named_registry_is_pulled() {
        let digest = format!("sha256:{}", "0".repeat(64));
        assert!(reference(&format!("oci://localhost:5000/vm@{digest}")).is_ok());
        for (wrong, why) in [
            (format!("https://localhost:5000/vm@{digest}"), "oci://"),
            ("oci://localhost:5000/vm:latest".to_owned(), "no digest"),
            (format!("oci://vm@{digest}"), "no registry"),
            (format!("oci://plugins/vm@{digest}"), "no registry"),
            ("oci://localhost:5000/vm@sha256:1".to_owned(), "oci://registry.example"),
        ] {
            let told = reference(&wrong).unwrap_err();
            assert!(told.contains(why), "{wrong}: {told}");
        }
        let elsewhere = Registry { plain_http: true, ..Registry::default() };
        let reference = reference(&format!("oci://registry.example/vm@{digest}")).unwrap();
        assert!(elsewhere.client(&reference).err().unwrap().contains("not this machine"));
    }
}
