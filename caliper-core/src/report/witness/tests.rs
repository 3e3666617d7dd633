use super::*;

fn pins(text: &str) -> Pins {
    let pin = |one: &str| {
        let (name, version) = one.split_once(' ').unwrap();
        (name.parse().unwrap(), version.parse().unwrap())
    };
    text.split(", ").map(pin).collect()
}

fn witness() -> Witness {
    let side = |date: &str, helper: &str, outcome: &str, error: &str| Side {
        cell: format!("2.11.3/3.9[as_of={date}]").parse().unwrap(),
        python: "3.9".parse().unwrap(),
        base: None,
        pins: pins(&format!("Jinja2 2.11.3, MarkupSafe {helper}")),
        outcome: outcome.to_owned(),
        output: if error.is_empty() { "Hello\n".to_owned() } else { String::new() },
        error: error.to_owned(),
    };
    Witness {
        package: "jinja2".parse().unwrap(),
        test: "render.py".to_owned(),
        command: vec!["python".to_owned(), "render.py".to_owned()],
        variables: BTreeMap::new(),
        index: None,
        means: Means::Uv,
        good: side("release", "1.1.1", "passed, with exit status 0", ""),
        bad: side("today", "3.0.4", "failed, with exit status 1", "ImportError: soft_unicode\n"),
    }
}

fn tried() -> Tried {
    Tried {
        at: Timestamp::from_unix_seconds(1_800_000_000),
        tools: [("uv", "0.13.9"), ("Caliper", "0.1.0")]
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .into(),
        system: "linux x86_64".to_owned(),
    }
}

#[test]
fn a_witness_says_what_differs_and_how_to_see_it() {
    let witness = witness();
    let files = witness.files();
    let told: Vec<String> = files.iter().map(|(path, text)| format!("{path}\n{text}")).collect();
    insta::assert_snapshot!(told.join(""), @"
    good/requirements.txt
    jinja2==2.11.3
    markupsafe==1.1.1
    bad/requirements.txt
    jinja2==2.11.3
    markupsafe==3.0.4
    ");
    insta::assert_snapshot!(witness.readme(&tried()), @r#"
    # `render.py` passes with one set of packages and fails with another

    Found by testing jinja2 2.11.3 on Python 3.9 (`2.11.3/3.9[as_of=today]`), against 2.11.3 (`2.11.3/3.9[as_of=release]`). This is all that differs between [good](good/requirements.txt) and [bad](bad/requirements.txt):

    | package | good | bad |
    |---|---|---|
    | markupsafe | 1.1.1 | 3.0.4 |

    ## Seeing it

    In this folder, with [uv](https://docs.astral.sh/uv/):

    ```sh
    uv run -q --isolated --no-project --python 3.9 --with-requirements good/requirements.txt -- python render.py
    uv run -q --isolated --no-project --python 3.9 --with-requirements bad/requirements.txt -- python render.py
    ```

    The same with pip, each side in an environment of its own:

    ```sh
    python3.9 -m venv good/venv
    good/venv/bin/python -m pip install -r good/requirements.txt
    env PATH="$PWD/good/venv/bin:$PATH" python render.py

    python3.9 -m venv bad/venv
    bad/venv/bin/python -m pip install -r bad/requirements.txt
    env PATH="$PWD/bad/venv/bin:$PATH" python render.py
    ```

    ## What is to be seen

    With good: the test passed, with exit status 0.

    Output:

    ```text
    Hello
    ```

    With bad: the test failed, with exit status 1.

    Standard error:

    ```text
    ImportError: soft_unicode
    ```

    ## Tried

    2027-01-15T08:00:00Z, on linux x86_64, with Caliper 0.1.0, uv 0.13.9: both commands of uv, in a fresh folder, and both ended as above. The commands of pip were not tried.
    "#);
}

#[test]
fn with_an_engine_each_side_has_a_dockerfile() {
    let mut witness = witness();
    witness.means = Means::Engine { program: "docker", has_network: false };
    witness.variables.insert("SEED".to_owned(), "0; rm".to_owned());
    witness.good.base = Some("python:3.9".to_owned());
    let files = witness.files();
    let dockerfiles = files.iter().filter(|(path, _)| path.ends_with("Dockerfile"));
    let told: Vec<String> = dockerfiles.map(|(path, text)| format!("{path}\n{text}")).collect();
    insta::assert_snapshot!(told.join(""), @"
    good/Dockerfile
    FROM python:3.9
    COPY good/requirements.txt /tmp/
    RUN PIP_BREAK_SYSTEM_PACKAGES=1 python -m pip install --no-cache-dir --no-deps -r /tmp/requirements.txt
    COPY . /project
    WORKDIR /project
    bad/Dockerfile
    FROM python:3.9
    COPY bad/requirements.txt /tmp/
    RUN PIP_BREAK_SYSTEM_PACKAGES=1 python -m pip install --no-cache-dir --no-deps -r /tmp/requirements.txt
    COPY . /project
    WORKDIR /project
    ");
    let readme = witness.readme(&tried());
    let start = readme.find("## Seeing it").unwrap();
    let end = readme.find("## What is").unwrap();
    insta::assert_snapshot!(&readme[start..end], @"
    ## Seeing it

    In this folder:

    ```sh
    docker build -t caliper-witness-good -f good/Dockerfile .
    docker run --rm --name caliper-witness-good --network none -e 'SEED=0; rm' caliper-witness-good python render.py
    docker build -t caliper-witness-bad -f bad/Dockerfile .
    docker run --rm --name caliper-witness-bad --network none -e 'SEED=0; rm' caliper-witness-bad python render.py
    ```

    This removes what it leaves behind:

    ```sh
    docker rm -f caliper-witness-good caliper-witness-bad; docker rmi -f caliper-witness-good caliper-witness-bad
    ```
    ");
    assert!(
        readme.ends_with("all these commands, in a fresh folder, and both sides ended as above.\n")
    );
}

#[test]
fn only_the_guilty_pins_change() {
    let good = pins("a 1.0, b 1.0, gone 1.0");
    let bad = pins("a 2.0, b 2.0, new 1.0");
    let all = Pin::differing(&good, &bad);
    assert_eq!(with_guilty(&good, &all), bad);
    assert_eq!(with_guilty(&good, &all[..1]), pins("a 2.0, b 1.0, gone 1.0"));
    assert_eq!(with_guilty(&good, &[]), good);
}

#[test]
fn what_a_program_printed_stays_within_its_fence() {
    let mut witness = witness();
    witness.bad.error = format!(
        "{}````\n# Not a title\n\u{1b}[31mred\u{1b}[0m \u{202e}turned\r\n{}\n",
        "line\n".repeat(40),
        "x".repeat(400)
    );
    witness.test = "a `b`\n# c".to_owned();
    let readme = witness.readme(&tried());
    assert!(readme.starts_with("# ``a `b`\u{fffd}# c`` passes with one set"), "{readme}");
    let start = readme.find("`````text\n").unwrap();
    let block = &readme[start..];
    let end = 10 + block[10..].find("`````\n").unwrap();
    let block = &block[..end];
    assert!(block.contains("… 14 lines are left out\n"), "{block}");
    assert!(block.contains("\n````\n# Not a title\n\u{fffd}[31mred"), "{block}");
    assert!(!readme.contains(['\u{1b}', '\u{202e}', '\r']));
    assert!(readme.lines().all(|line| line.chars().count() < 320));
}

#[test]
fn words_are_safe_in_a_shell() {
    let mut witness = witness();
    witness.command = ["python", "-c", "print('a b')\nx = $HOME", ""].map(str::to_owned).into();
    witness.variables.insert("SEED".to_owned(), "0; rm".to_owned());
    insta::assert_snapshot!(witness.command(Which::Bad), @r#"
    env 'SEED=0; rm' uv run -q --isolated --no-project --python 3.9 --with-requirements bad/requirements.txt -- python -c 'print('\''a b'\'')
    x = $HOME' ''
    "#);
    insta::assert_snapshot!(witness.installing(Which::Bad), @"
    uv run -q --isolated --no-project --python 3.9 --with-requirements bad/requirements.txt -- python -c pass
    ");
    witness.index = Some("http://127.0.0.1:80/a?b/".to_owned());
    let installing = witness.installing(Which::Good);
    assert!(installing.contains(" --default-index 'http://127.0.0.1:80/a?b/' "), "{installing}");
    for (word, wanted) in
        [("a-b_c/d.py", "a-b_c/d.py"), ("", "''"), ("it's", r"'it'\''s'"), ("*", "'*'")]
    {
        assert_eq!(shell_word(word), wanted);
    }
}
