#[test]
fn conforms() {
    let mut dirs = Vec::new();
    crate::conformance::all(|| {
        let d = tempfile::tempdir().unwrap();
        let j = crate::SledJournal::open(d.path()).unwrap();
        dirs.push(d);
        j
    });
}
