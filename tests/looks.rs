//! What `show` tells of results of every kind, and what of them is looked past.

use crate::support::{World, has_uv, python, verdicts};

const SCRIPT: &str = r"
import os, struct, sys, zlib
import demo

def png(pixel):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = (b'\0' + bytes([pixel, 0, 9])) * 2
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 3, 2, 8, 0, 0, 0, 0))
            + chunk(b'tEXt', b'Software\0demo ' + demo.VERSION.encode()) + chunk(b'IDAT', zlib.compress(rows))
            + chunk(b'IEND', b''))

def write(name, content):
    os.makedirs('out', exist_ok=True)
    with open(os.path.join(b'out', name), 'wb') as file:
        file.write(content)

new = demo.VERSION == '1.0.1'
what = sys.argv[1]
if what == 'metadata':
    write(b'figure.png', png(1))
    write(b'figure.svg', b'<svg><!-- demo v%s --><g id=\x22p%s\x22/></svg>' % ((demo.VERSION.encode(),) * 2))
elif what == 'pixels':
    write(b'figure.png', png(20 if new else 10))
elif what == 'bytes':
    write(b'state.bin', bytes(1000 if new else 1012))
    print('loss', 0.5 if new else 0.25)
elif what == 'name':
    write(b'lost\xff\n.csv', b'a\n1\n' if new else b'a\n2\n')
elif what == 'version':
    print('demo', demo.VERSION, 'root 1.25')
elif what == 'ignored':
    print('versions', 'a' if new else 'b')
    print('seed', 1 if new else 2, 'loss 0.5')
elif what == 'status':
    print('a warning' if new else 'none')
elif what == 'zip':
    print('01234' if new else '1234')
elif what == 'many':
    for number in range(4):
        write(b'%d.txt' % number, b'')
";

const CONFIG: &str = r#"  results: ["out/*"]
  limits: {result_files: 3}
  tests:
    - {name: metadata, run: python look.py metadata}
    - {name: pixels, run: python look.py pixels}
    - {name: bytes, run: python look.py bytes}
    - {name: name, run: python look.py name}
    - {name: version, run: python look.py version}
    - {name: ignored, run: python look.py ignored, compare: {ignore: [{line: "^versions"}, {pattern: "seed [0-9]+"}]}}
    - {name: status, run: python look.py status, compare: exit-status}
    - {name: zip, run: python look.py zip}
    - {name: many, run: python look.py many}
"#;

#[test]
fn results_are_told_by_what_they_hold() {
    if !has_uv() {
        return;
    }
    let world = World::with_config(CONFIG);
    for version in ["1.0.0", "1.0.1"] {
        world.wheel("demo", version, &[("demo.py", &format!("VERSION = '{version}'\n"))]);
    }
    world.write("look.py", SCRIPT);
    let python = python();
    world.caliper(&["run", "--python", &python]).expect(0);
    let results = world.results();
    let first = |test| verdicts(&results, test)[0].clone();
    for (test, verdict) in [
        ("metadata", "same"),
        ("pixels", "undecided"),
        ("bytes", "undecided"),
        ("name", "undecided"),
        ("version", "same"),
        ("ignored", "same"),
        ("status", "same"),
        ("zip", "undecided"),
    ] {
        assert_eq!(first(test), verdict, "{test}");
    }
    let said = world.caliper(&["show", &format!("1.0.0/{python}")]).expect(0).out;
    // What differs from run to run stands in no line that is told here.
    let told = said.lines().filter(|line| {
        let evidence = line.starts_with("    ") && line.contains(": ");
        let of_test = line.contains(": passed") || line.contains("over the limit");
        evidence || of_test || line.contains("exit status is")
    });
    let told: Vec<String> =
        told.map(|line| line.split(" in 0.").next().unwrap_or_default().to_owned()).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    import: passed, exit status 0
    metadata: passed, exit status 0
        out/figure.png: same pixels; only the metadata differs (image_metadata)
        out/figure.svg: same, looking past svg_ids (1), version (1)
    pixels: passed, exit status 0
        out/figure.png: 2 of 6 pixels differ, the largest difference 10 of 255
    bytes: passed, exit status 0
        stdout: 1 of 1 number differs by 50 %: loss 0.5 → 0.25
        out/state.bin: other bytes, 1,000 → 1,012 bytes
    name: passed, exit status 0
        out/lost\xff\n.csv: 1 of 1 number differs by 100 %: a 1 → 2
    version: passed, exit status 0
        stdout: only the version differs (version (1))
    ignored: passed, exit status 0
        stdout: same, looking past line: ^versions (1), pattern: seed [0-9]+ (1)
    status: passed, exit status 0
        only the exit status is compared (`compare: exit-status`)
    zip: passed, exit status 0
        stdout: 1 of 1 number differs: line 1, column 1 01234 → 1234
    many: results over the limit (it left more than 3 result files (`limits.result_files`)), exit status 0
    ");
    let summary = world.caliper(&["show"]).expect(0).out;
    let told: Vec<&str> = summary.lines().filter(|line| line.contains("looking past")).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    ignored: 1 result is the same by looking past line: ^versions (1), pattern: seed [0-9]+ (1)
    metadata: 1 result is the same by looking past image_metadata (1), svg_ids (1), version (1)
    version: 1 result is the same by looking past version (1)
    ");

    // Recorded results are judged again under other criteria, and nothing is measured.
    let config = std::fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    world.write("caliper.yaml", &config.replace("compare: exit-status", "repeat: 1"));
    let again = world.caliper(&["run", "--python", &python, "--progress", "plain"]).expect(0);
    assert!(again.err.contains("0 measured, 2 reused"), "{}", again.err);
    assert_eq!(verdicts(&world.results(), "status")[0], "undecided");
}

#[test]
fn each_test_has_a_view_and_what_was_measured_is_shown() {
    if !has_uv() {
        return;
    }
    let tests = "[{name: fine, run: python -c pass}, {name: new, run: python new.py}]";
    let world = World::with_config(&format!("  tests: {tests}\n"));
    for version in ["1.0", "1.1"] {
        world.wheel("demo", version, &[("demo.py", &format!("VERSION = '{version}'\n"))]);
    }
    world.write("new.py", "import demo, sys\nsys.exit(demo.VERSION == '1.0')\n");
    let python = python();
    let said = world.caliper(&["run", "--python", &python, "--progress", "none"]).expect(0);
    let from_grid = |text: &str| {
        let text = text.replace(&python, "X.YZ");
        let heading = text.find("X.YZ\n").unwrap();
        let start = text[..heading].rfind('\n').map_or(0, |end| end + 1);
        text[start..].trim_end().to_owned()
    };
    insta::assert_snapshot!(from_grid(&said.out), @"
         X.YZ
    1.0  ✗ 1/2
    1.1  ✓

    ✓ same result   ✗ n/m fails: n of m tests pass
    2 cells · 1 same result · 1 fails
    of these, by test (`caliper show --test NAME`):
      fine  2 same result
      new   1 same result · 1 fails

    why tests fail
    1x exit status 1, no output in 1.0

    what changes along the releases
    new on X.YZ
      is fixed between 1.0 and 1.1 (adjacent; a single run)

    suggestion: demo>=1.1 (it allows what passes everywhere, and nothing that fails somewhere)

    look further
      caliper show 1.0/X.YZ  # a cell that fails, with its output
      caliper suggest        # what the suggestion rests on
      caliper report         # all of it as a page
    ");
    let show = |arguments: &[&str]| world.caliper(&[&["show"], arguments].concat());
    insta::assert_snapshot!(from_grid(&show(&["--test", "fine"]).expect(0).out), @"
              X.YZ
    1.0, 1.1  ✓

    ✓ same result
    2 cells · 2 same result

    look further
      caliper report  # all of it as a page
    ");
    insta::assert_snapshot!(from_grid(&show(&["--test", "new"]).expect(0).out), @"
         X.YZ
    1.0  ✗
    1.1  ✓

    ✓ same result   ✗ fails: no test passes
    2 cells · 1 same result · 1 fails

    why tests fail
    1x exit status 1, no output in 1.0

    what changes along the releases
    new on X.YZ
      is fixed between 1.0 and 1.1 (adjacent; a single run)

    suggestion: demo>=1.1 (it allows what passes everywhere, and nothing that fails somewhere)

    look further
      caliper show 1.0/X.YZ  # a cell that fails, with its output
      caliper suggest        # what the suggestion rests on
      caliper report         # all of it as a page
    ");
    insta::assert_snapshot!(show(&["--test", "old"]).error(2), @"error: there is no test `old` in the results; there are `import`, `fine`, `new`");
    let json = show(&["--test", "new", "--format", "json"]).expect(0).out;
    world.follows("results", &json);
    assert!(!json.contains("\"fine\""), "{json}");

    for measure in ["time", "cpu", "memory", "build"] {
        let told = from_grid(&show(&["--measure", measure]).expect(0).out);
        let row = |version: &str| {
            let line = told.lines().find(|line| line.starts_with(version));
            line.and_then(|line| line.split_whitespace().nth(1)).map(str::to_owned)
        };
        let number = row("1.1").and_then(|text| text.parse::<f64>().ok());
        // Memory is sampled where there is no control group, and this test is over before that.
        assert!(measure == "memory" || number.is_some(), "{measure}: {told}");
        if measure != "build" {
            assert!(told.contains("1.0  ✗ 1/2"), "{measure}: {told}");
        }
    }
    let time = show(&["--test", "fine", "--measure", "time"]).expect(0).out;
    assert!(time.contains("time of the tests, in seconds") && !time.contains('✗'), "{time}");
    insta::assert_snapshot!(show(&["--measure", "time", "--format", "json"]).error(2), @"error: `--measure` is for the grid as text; a cell and `--format json` tell all measures");
    let cell = show(&[&format!("1.1/{python}"), "--test", "new"]).expect(0).out;
    assert!(cell.contains("new: passed") && !cell.contains("fine: "), "{cell}");
}
