use std::fs;

use super::*;
use crate::metadata::read_metadata;

/// A wheel with these members, in this order.
fn wheel(folder: &Path, name: &str, members: &[(&str, &str)]) -> PathBuf {
    let path = folder.join(name);
    let mut archive = ZipWriter::new(File::create(&path).unwrap());
    for (member, text) in members {
        let mode = if member.split('.').next_back() == Some("sh") { 0o755 } else { 0o600 };
        archive.start_file(*member, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    path
}

const METADATA: &str = "Metadata-Version: 2.1\nName: Weather-Kit\nVersion: 1.0\nRequires-Dist: pandas[all] (>=1.3,<2)\n\
                        requires-dist: Pandas>=1.4 ;\n  extra == \"new\"\nRequires-Dist: click>=8\nProvides-Extra: new\n\n\
                        Requires-Dist: pandas<9 is what the description says\n";

fn packages() -> Vec<PackageName> {
    vec!["pandas".parse().unwrap()]
}

fn members(path: &Path) -> Vec<(String, String, u32)> {
    let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut member = archive.by_index(index).unwrap();
            let mut text = String::new();
            member.read_to_string(&mut text).unwrap();
            let name = member.name().unwrap().into_owned();
            (name, text, member.unix_mode().unwrap() & 0o777)
        })
        .collect()
}

#[test]
fn ranges_of_the_measured_package_are_lifted_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    let info = "weather_kit-1.0.dist-info";
    let path = wheel(
        &from,
        "weather_kit-1.0-py3-none-any.whl",
        &[
            ("weather_kit/run.sh", "echo\n"),
            (&format!("{info}/METADATA"), METADATA),
            (
                &format!("{info}/WHEEL"),
                "Wheel-Version: 1.0\nGenerator: one (1)\nTag: py3-none-any\n",
            ),
            (&format!("{info}/RECORD"), "wrong,,\n"),
            (&format!("{info}/RECORD.jws"), "signed"),
            ("weather_kit/a,b.txt", "x"),
            ("weather_kit/__init__.py", ""),
        ],
    );
    let lifted = lift(&path, &packages(), &to).unwrap();
    assert_eq!(lifted.lifted, ["pandas[all] (>=1.3,<2)", "Pandas>=1.4 ; extra == \"new\""]);
    assert_eq!(lifted.metadata, read_metadata(&lifted.path).unwrap());
    assert_eq!(
        lifted.metadata.requires_dist,
        ["pandas[all]", "Pandas; extra == \"new\"", "click>=8"]
    );
    assert_eq!(lifted.sha256, Sha256::of(&fs::read(&lifted.path).unwrap()));
    assert_eq!(lifted.size, fs::metadata(&lifted.path).unwrap().len());
    let written = members(&lifted.path);
    let names: Vec<&str> = written.iter().map(|(name, ..)| name.as_str()).collect();
    let dist_info = |name: &str| format!("{info}/{name}");
    assert_eq!(
        names,
        [
            &dist_info("METADATA"),
            &dist_info("WHEEL"),
            "weather_kit/__init__.py",
            "weather_kit/a,b.txt",
            "weather_kit/run.sh",
            &dist_info("RECORD"),
        ]
    );
    let modes: Vec<u32> = written.iter().map(|(.., mode)| *mode).collect();
    assert_eq!(modes, [0o644, 0o644, 0o644, 0o644, 0o755, 0o644]);
    assert!(written[0].1.ends_with("\n\nRequires-Dist: pandas<9 is what the description says\n"));
    let record = &written[5].1;
    // Computed with Python's hashlib and base64.
    assert!(
        record.contains(
            "\"weather_kit/a,b.txt\",sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1\n"
        ),
        "{record}"
    );
    assert!(record.ends_with("weather_kit-1.0.dist-info/RECORD,,\n"), "{record}");
    assert!(!record.contains("wrong"), "{record}");
}

#[test]
fn the_content_decides_and_not_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to");
    fs::create_dir(&to).unwrap();
    let info = "demo-1.0.dist-info";
    let of = |generator: &str, module: &str, metadata: &str, turned: bool| {
        let (metadata_name, wheel_name) = (format!("{info}/METADATA"), format!("{info}/WHEEL"));
        let text = format!("Wheel-Version: 1.0\nGenerator: {generator}\n");
        let mut all = vec![
            (metadata_name.as_str(), metadata),
            (wheel_name.as_str(), text.as_str()),
            ("demo.py", module),
        ];
        if turned {
            all.reverse();
        }
        let path = wheel(folder.path(), "demo-1.0-py3-none-any.whl", &all);
        lift(&path, &packages(), &to).unwrap()
    };
    let metadata =
        |range: &str| format!("Name: demo\nVersion: 1.0\nRequires-Dist: pandas{range}\n");
    let one = of("a (1)", "x = 1\n", &metadata(">=1"), false);
    let bytes = fs::read(&one.path).unwrap();
    let same = of("a (1)", "x = 1\n", &metadata(">=1"), true);
    assert_eq!((same.content, same.sha256), (one.content, one.sha256));
    assert_eq!(fs::read(&one.path).unwrap(), bytes);
    // Another range of what is measured changes nothing either.
    assert_eq!(of("b (2)", "x = 1\n", &metadata("<2"), false).content, one.content);
    assert_ne!(of("a (1)", "x = 2\n", &metadata(">=1"), false).content, one.content);
    let other = "Name: demo\nVersion: 1.0\nRequires-Dist: numpy>=1\n";
    assert_ne!(of("a (1)", "x = 1\n", other, false).content, one.content);
}

#[test]
fn what_is_no_wheel_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str, members: &[(&str, &str)]| {
        let path = wheel(folder.path(), name, members);
        let error = lift(&path, &packages(), folder.path()).unwrap_err();
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        let text = format!("{error}{}", source.unwrap_or_default());
        text.replace(&folder.path().display().to_string(), "")
    };
    let name = "demo-1.0-py3-none-any.whl";
    insta::assert_snapshot!(told("demo.zip", &[]), @"`demo.zip` is not the name of a wheel");
    insta::assert_snapshot!(told(name, &[]), @"`/demo-1.0-py3-none-any.whl` cannot be read as a wheel: it has no `.dist-info/METADATA` with a name and a version");
    insta::assert_snapshot!(told(name, &[("../x", "")]), @"`/demo-1.0-py3-none-any.whl` cannot be read as a wheel: it holds `../x`, a path that could lead out of it");
    let other = "Name: other\nVersion: 2\n";
    insta::assert_snapshot!(told(name, &[("demo-1.0.dist-info/METADATA", other)]), @"the metadata of `demo-1.0-py3-none-any.whl` is that of `other` 2");
    fs::write(folder.path().join(name), "no archive").unwrap();
    let error = lift(&folder.path().join(name), &packages(), folder.path()).unwrap_err();
    assert!(matches!(error, LiftError::Wheel(_)), "{error:?}");
}
