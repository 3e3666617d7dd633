//! The key `overlay`.

use super::*;
use crate::names::Sha256;

fn listed(overlays: &str) -> Result<Config, String> {
    let text = format!("analysis:\n  dependency: keras\n  overlay:\n{overlays}");
    let read = |path: &str| match path {
        "patches/huge/huge.bin" => Ok(vec![0; 17 << 20]),
        path => Ok(path.as_bytes().to_vec()),
    };
    let list = |folder: &str| {
        let files: &[&str] = match folder {
            "patches/keras" => {
                &["keras/b.py", "keras/a.py", "keras/__pycache__/a.pyc", "keras/c.pyc"]
            }
            "patches/compiled" => &["keras/a.pyc"],
            "patches/huge" => &["huge.bin"],
            "file" => return Err(io::ErrorKind::NotADirectory.into()),
            "linked" => return Err(io::Error::other("`a.py` is a symbolic link")),
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(files.iter().map(|&file| file.to_owned()).collect())
    };
    Config::from_project("caliper.yaml", &text, &read, &list).map_err(|error| error.to_string())
}

#[test]
fn overlays_are_files_with_digests() {
    let config = listed(
        "    - {package: Keras, version: 2.10, files: ./patches/keras/}\n    - {package: keras, version: 2.2.4, files: patches/keras}\n",
    )
    .unwrap();
    let [one, other] = config.overlays.as_slice() else { panic!("{:?}", config.overlays) };
    // A number of YAML would be 2.1.
    assert_eq!(
        (one.version.to_string(), other.version.to_string()),
        ("2.10".into(), "2.2.4".into())
    );
    assert_eq!(one.folder, "patches/keras");
    let paths: Vec<&str> = one.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["keras/a.py", "keras/b.py"]);
    assert_eq!(one.files[0].sha256, Sha256::of(b"patches/keras/keras/a.py"));
    assert_eq!(one.in_project(&one.files[0]), "patches/keras/keras/a.py");
    assert_eq!(config.setup().overlays, config.overlays);
}

#[test]
fn what_is_wrong_with_an_overlay_is_told_with_its_line() {
    let problems = listed(
        "    - {package: keras, version: '>=2', files: patches/keras}
    - {package: keras, version: 2.2.4, files: patches/nosuch}
    - {package: keras, version: 2.2.4, files: ../elsewhere}
    - {package: keras, version: 2.2.4, files: /etc}
    - {package: keras, version: 2.2.4, files: .}
    - {package: keras, version: 2.2.4, files: file}
    - {package: keras, version: 2.2.4, files: linked}
    - {package: keras, version: 2.2.4, files: patches/compiled}
    - {package: keras, version: 2.2.4, files: patches/huge}
    - {package: 'ke ras', file: patches/keras}
    - {package: h5py, version: 2.10.0, files: patches/keras}
    - {package: H5PY, version: 2.10, files: patches/keras}
    - keras
",
    )
    .unwrap_err();
    insta::assert_snapshot!(problems);
    assert!(
        parse("analysis:\n  dependency: a\n  overlay: b\n")
            .unwrap_err()
            .contains("`overlay` must be a list")
    );
    let closed =
        parse("analysis:\n  dependency: a\n  overlay: [{package: a, version: 1, files: b}]\n");
    assert!(closed.unwrap_err().contains("the folders of the project are not known here"));
}
