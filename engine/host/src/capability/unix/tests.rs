//! Which sockets are reached, and how.

use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::bindings::unix::HostConnection;
use crate::notes::Silent;
use crate::state::bare;

#[test]
fn links_are_resolved_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("real/web")).unwrap();
    std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
    let _listener = UnixListener::bind(root.join("real/web/qmp.sock")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("real/web/evil.sock")).unwrap();

    let real = |path: &str| hold(root.join(path).to_str().unwrap()).unwrap().1;
    let grant = |pattern: &str| root.join(pattern).to_str().unwrap().to_owned();
    assert!(resolved_fits(&grant("link/*/qmp.sock"), &real("real/web/qmp.sock")));
    assert!(resolved_fits(&grant("real/*/qmp.sock"), &real("link/web/qmp.sock")));
    assert!(resolved_fits(&grant("real/*/qmp.sock"), &real("real/../real/web/qmp.sock")));
    assert!(!resolved_fits(&grant("real/*/*.sock"), &real("real/web/evil.sock")));
    assert!(!resolved_fits(&grant("real/*.sock"), &real("real/web/qmp.sock")));
}

#[test]
fn a_grant_is_an_absolute_plain_path() {
    let problem = |path: &str| problem(&UnixGrant { path: path.to_owned(), in_plan: false });
    assert_eq!(problem("/vms/*/qmp.sock"), None);
    for wrong in ["vms/x", "/vms/../x", "/a/**/b", "", "/./x"] {
        assert!(problem(wrong).is_some(), "{wrong}");
    }
}

#[tokio::test]
async fn bytes_pass_both_ways_until_the_end() {
    let folder = tempfile::tempdir().unwrap();
    // Longer than the 107 bytes that a socket's address may have.
    let long = folder.path().join("x".repeat(100));
    std::fs::create_dir(&long).unwrap();
    let short = folder.path().join("s");
    let listener = UnixListener::bind(&short).unwrap();
    std::fs::rename(&short, long.join("echo.sock")).unwrap();
    let echo = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        io::copy(&mut &stream, &mut &stream).unwrap();
    });
    let path = long.join("echo.sock").to_str().unwrap().to_owned();
    let mut state = bare(&format!("unix = ['{path}']"), Arc::new(Silent));
    let own = |connection: &Resource<Connection>| Resource::new_own(connection.rep());
    let connection = state.connect(path).await.unwrap().unwrap();
    assert_eq!(state.write(own(&connection), b"hello".to_vec()).await.unwrap().unwrap(), 5);
    assert_eq!(state.read(own(&connection), 4, None).await.unwrap().unwrap(), b"hell");
    assert_eq!(state.read(own(&connection), u32::MAX, None).await.unwrap().unwrap(), b"o");
    let started = Instant::now();
    assert!(matches!(state.read(own(&connection), 4, Some(50)).await.unwrap(), Err(UnixError::TimedOut)));
    assert!(started.elapsed() < Duration::from_secs(5));
    state.shutdown(own(&connection)).await.unwrap();
    assert_eq!(state.read(own(&connection), 4, None).await.unwrap().unwrap(), b"");
    echo.join().unwrap();
    assert_eq!(state.refusals.take().acts, 1, "it was written to");
    state.drop(connection).await.unwrap();
}

#[tokio::test]
async fn what_is_written_where_a_dry_run_may_write_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock").to_str().unwrap().to_owned();
    let _listener = UnixListener::bind(&path).unwrap();
    let mut state = bare(&format!("unix = [{{ path = '{path}', in-plan = true }}]"), Arc::new(Silent));
    let connection = state.connect(path).await.unwrap().unwrap();
    assert_eq!(state.write(connection, b"hello".to_vec()).await.unwrap().unwrap(), 5);
    assert_eq!(state.refusals.take().acts, 0);
}

#[tokio::test]
async fn connections_are_few_and_a_socket_that_is_not_there_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let _listener = UnixListener::bind(path("a.sock")).unwrap();
    std::fs::write(path("file.sock"), "").unwrap();
    let mut state = bare(&format!("unix = ['{}']", path("*.sock")), Arc::new(Silent));
    assert!(matches!(state.connect(path("b.sock")).await.unwrap(), Err(UnixError::NotFound)));
    assert!(matches!(state.connect(path("file.sock")).await.unwrap(), Err(UnixError::Failed(_))));
    assert!(matches!(state.connect("/etc/no-such".to_owned()).await.unwrap(), Err(UnixError::Denied(_))));
    let climbing = format!("{}/none/../../etc/none.sock", path(""));
    assert!(matches!(state.connect(climbing).await.unwrap(), Err(UnixError::Denied(_))));
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        connections.push(state.connect(path("a.sock")).await.unwrap().unwrap());
    }
    assert!(matches!(state.connect(path("a.sock")).await.unwrap(), Err(UnixError::Denied(_))));
    state.drop(connections.pop().unwrap()).await.unwrap();
    state.connect(path("a.sock")).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_socket_that_goes_away_meanwhile_is_not_found_and_never_denied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock").to_str().unwrap().to_owned();
    let mut state = bare(&format!("unix = ['{path}']"), Arc::new(Silent));
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (ends, socket) = (Arc::clone(&done), path.clone());
    let blinking = std::thread::spawn(move || {
        while !ends.load(std::sync::atomic::Ordering::Relaxed) {
            let _listener = UnixListener::bind(&socket).unwrap();
            std::fs::remove_file(&socket).unwrap();
        }
    });
    for _ in 0..20_000 {
        match state.connect(path.clone()).await.unwrap() {
            Ok(connection) => state.drop(connection).await.unwrap(),
            Err(UnixError::Denied(why)) => panic!("{why}"),
            Err(_) => {}
        }
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    blinking.join().unwrap();
}
