use super::*;

#[test]
fn a_frame_of_the_project_is_found_wherever_it_ran() {
    let has = |path: &str| matches!(path, "t.py" | "tests/test_a.py" | "utils.py");
    let tree = SourceTree { has: &has, ..SourceTree::default() };
    let text = "Traceback (most recent call last):
  File \"/tmp/run/7/t.py\", line 12, in <module>
  File \"/tmp/env/lib/python3.11/site-packages/demo/utils.py\", line 3, in f
tests/test_a.py:7: AssertionError
other.py:9: ValueError";
    assert_eq!(tree.frames(text), [("t.py".to_owned(), 12), ("tests/test_a.py".to_owned(), 7)]);
    let twice = SourceTree { has: &|path| path == "t.py" || path == "a/t.py", ..tree };
    assert_eq!(twice.file("/x/a/t.py").unwrap(), "a/t.py");
    assert_eq!(twice.file("/x/b/t.py").unwrap(), "t.py");
    assert_eq!(twice.file("/"), None);
}

#[test]
fn a_path_is_a_reference() {
    assert_eq!(escaped("a b/ü:#?.py"), "a%20b/%C3%BC%3A%23%3F.py");
}
