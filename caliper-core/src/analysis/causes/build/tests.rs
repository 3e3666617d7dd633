//! Logs of real builds, shortened, with the folders of the machine that made them renamed.

use super::*;
use crate::facts::record::RecordedFile;
use crate::facts::record::tests::record;
use crate::question::grid::FileKind;

/// The signature of a build of the release `version` from `filename`, with the reason that Caliper reads.
fn of(filename: &str, version: &str, log: &str) -> String {
    let mut record = record(version, "3.11");
    record.environment.file = Some(RecordedFile {
        filename: filename.to_owned(),
        url: String::new(),
        sha256: None,
        kind: FileKind::Sdist,
        upload_time: None,
        size: None,
    });
    let reason = BuildReason::read(log);
    record.build.as_mut().unwrap().reason = Some(reason);
    format!("{reason} | {}", signature(&record, Some(log)))
}

#[test]
fn each_tool_says_why_it_stopped() {
    let signatures = [
        of("PyVCF-0.6.8.tar.gz", "0.6.8", include_str!("logs/uv-setuptools.txt")),
        of("smart_open-2.0.0.tar.gz", "2.0.0", include_str!("logs/uv-python-requires.txt")),
        of("scipy-1.9.0.tar.gz", "1.9.0", include_str!("logs/uv-meson.txt")),
        of("contourpy-1.2.1.tar.gz", "1.2.1", include_str!("logs/pip-meson.txt")),
        of("gevent-20.9.0.tar.gz", "20.9.0", include_str!("logs/uv-cython.txt")),
        of("lightgbm-3.0.0.tar.gz", "3.0.0", include_str!("logs/uv-cmake.txt")),
        of("cmdemo-1.0.tar.gz", "1.0", include_str!("logs/uv-cmake-error.txt")),
        of("pygraphviz-1.7.zip", "1.7", include_str!("logs/uv-header.txt")),
        of("tokenizers-0.10.0.tar.gz", "0.10.0", include_str!("logs/uv-cargo-network.txt")),
        of("orjson-3.6.0.tar.gz", "3.6.0", include_str!("logs/pip-cargo.txt")),
        of("orjson-3.9.15.tar.gz", "3.9.15", include_str!("logs/pip-maturin.txt")),
        of("cryptography-3.4.tar.gz", "3.4", include_str!("logs/pip-compiler.txt")),
        of("psycopg2-2.9.9.tar.gz", "2.9.9", include_str!("logs/pip-pg-config.txt")),
        of("h5py-2.10.0.tar.gz", "2.10.0", include_str!("logs/pip20-library.txt")),
    ];
    insta::assert_snapshot!(signatures.join("\n"), @r#"
    source build failed | build: error in PyVCF setup command: use_2to3 is invalid.
    source build failed | build: error in smart_open setup command: 'python_requires' must be a string containing valid version specifiers; Invalid specifier: '>=3.5.*'
    compiler or header missing | build: error: Unknown compiler(s): [['gfortran'], ['flang'], ['nvfortran'], ['pgfortran'], ['ifort'], ['g95']] (meson.build)
    compiler or header missing | build: error: Unknown compiler(s): [['c++'], ['g++'], ['clang++'], ['nvc++'], ['pgc++'], ['icpc'], ['icpx']] (meson.build)
    source build failed | build: error: undeclared name not builtin: long (corecext.pyx)
    source build failed | build: Exception: Please install CMake and all required dependencies first
    source build failed | build: CMake Error: By not providing "FindEigen3.cmake" in CMAKE_MODULE_PATH this project has asked CMake to find a package configuration file provided by "Eigen3", but CMake did not find one.
    compiler or header missing | build: error: graphviz/cgraph.h: No such file or directory (graphviz_wrap.c)
    network | build: failed to get `numpy` as a dependency of package `tokenizers-python vN (…/src)`
    compiler or header missing | build: Cargo, the Rust package manager, is not installed or is not on PATH.
    compiler or header missing | build: linker `cc` not found
    compiler or header missing | build: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'
    source build failed | build: pg_config executable not found.
    source build failed | build: libhdf5.so: cannot open shared object file: No such file or directory
    "#);
}

#[test]
fn both_sides_of_a_conflict_are_told() {
    let pip = "ERROR: Cannot install demo==1.0 and weatherkit because these package versions have conflicting \
               dependencies.\n\nThe conflict is caused by:\n    weatherkit 0.3.0 depends on numpy<2\n    \
               demo 1.0 depends on numpy>=2\n\nTo fix this you could try to:\n1. loosen the range\n\n\
               ERROR: ResolutionImpossible: for help visit https://pip.pypa.io\n";
    let uv = "  × No solution found when resolving dependencies:\n  ╰─▶ Because only weatherkit==0.3.0 is available and \
              weatherkit==0.3.0 depends\n      on numpy<2, we can conclude that all versions of weatherkit depend on \
              numpy<2.\n      And because demo==1.0 depends on numpy>=2.1 and only demo==1.0 is available, we\n      \
              can conclude that all versions of demo and weatherkit are incompatible.\n";
    let both = [pip, uv].map(|log| of("demo-1.0-py3-none-any.whl", "1.0", log));
    insta::assert_snapshot!(both.join("\n"), @"
    dependencies conflict | build: weatherkit 0.3.0 depends on numpy<2 and demo N depends on numpy>=2
    unknown, see the log | build: Because weatherkit==0.3.0 depends on numpy<2 and demo==N depends on numpy>=2.1, we can conclude that all versions of demo and weatherkit are incompatible.
    ");
}

#[test]
fn a_package_that_is_there_to_name_another_is_quoted() {
    let signatures = [
        of("sklearn-0.0.post12.tar.gz", "0.0.post12", include_str!("logs/uv-advice.txt")),
        of("sklearn-0.0.post12.tar.gz", "0.0.post12", include_str!("logs/pip-advice.txt")),
        of(
            "nvidia-tensorrt-0.0.1.dev5.tar.gz",
            "0.0.1.dev5",
            include_str!("logs/uv-placeholder.txt"),
        ),
    ];
    insta::assert_snapshot!(signatures.join("\n"), @"
    source build failed | build: The 'sklearn' PyPI package is deprecated, use 'scikit-learn' rather than 'sklearn' for pip commands.
    source build failed | build: The 'sklearn' PyPI package is deprecated, use 'scikit-learn' rather than 'sklearn' for pip commands.
    source build failed | build: RuntimeError: The package you are trying to install is only a placeholder project on PyPI.org repository.
    ");
}

#[test]
fn the_package_that_failed_is_named_where_it_is_another() {
    let signatures = [
        of(
            "tensorflow-2.3.0-cp311-cp311-linux_x86_64.whl",
            "2.3.0",
            include_str!("logs/uv-other-package.txt"),
        ),
        of(
            "tensorflow-2.3.0-cp39-cp39-linux_x86_64.whl",
            "2.3.0",
            include_str!("logs/pip20-other-package.txt"),
        ),
        // The measured one has a name that the other begins with.
        of("grpc-1.30.0.tar.gz", "1.30.0", include_str!("logs/uv-other-package.txt")),
        of("grpcio-1.30.0.tar.gz", "1.30.0", include_str!("logs/uv-other-package.txt")),
    ];
    insta::assert_snapshot!(signatures.join("\n"), @"
    source build failed | build of grpcio: ModuleNotFoundError: No module named 'pkg_resources'
    compiler or header missing | build of grpcio: FileNotFoundError: [Errno N] No such file or directory: 'cc' (setup.py in check_linker_need_libatomic)
    source build failed | build of grpcio: ModuleNotFoundError: No module named 'pkg_resources'
    source build failed | build: ModuleNotFoundError: No module named 'pkg_resources'
    ");
}

#[test]
fn an_explanation_keeps_its_numbers() {
    let pandas = "error: No solution found when resolving dependencies\n  \
                  cause: Because pandas==3.0.0 depends on numpy{python_full_version < '3.14'}>=1.26.0 and you require \
                  pandas==3.0.0, we can conclude that you require numpy>=1.26.0.\n         \
                  And because you require numpy<1.26, we can conclude that your requirements are unsatisfiable.\n";
    insta::assert_snapshot!(of("pandas-3.0.0.whl", "3.0.0", pandas), @"dependencies conflict | build: Because pandas==N depends on numpy>=1.26.0 and you require pandas==N, we can conclude that you require numpy>=1.26.0. And because you require numpy<1.26, we can conclude that your requirements are uns…");
}

#[test]
fn a_place_in_a_file_is_no_explanation() {
    let orjson = "error: Failed to build `orjson @ file:///tmp/orjson-3.6.9.tar.gz`\n  \
                  cause: Failed to parse: /tmp/src/pyproject.toml\n  \
                  cause: TOML parse error at line 1, column 1\n           |\n         \
                  1 | [project]\n           | ^^^^^^^^^\n         \
                  `pyproject.toml` is using the `[project]` table, but the required `project.version` field is neither \
                  set nor present in the `project.dynamic` list\n";
    insta::assert_snapshot!(of("orjson-3.6.9.tar.gz", "3.6.9", orjson), @"source build failed | build: `pyproject.toml` is using the `[project]` table, but the required `project.version` field is neither set nor present in the `project.dynamic` list");
}
