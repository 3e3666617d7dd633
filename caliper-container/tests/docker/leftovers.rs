//! What is removed, and what is not.

use caliper_core::question::template::Template;

use crate::bench::{Bench, IMAGE, command, docker, lines};

/// Something that a test made on the engine itself.
struct Made(&'static str, String);

impl Drop for Made {
    fn drop(&mut self) {
        let arguments = [self.0, "rm", "-f", &self.1];
        let _ = command().args(arguments).output();
    }
}

fn container(labels: &[String]) -> Made {
    let mut arguments = vec!["create"];
    for label in labels {
        arguments.extend(["--label", label]);
    }
    arguments.extend([IMAGE, "true"]);
    Made("container", docker(&arguments))
}

#[test]
fn only_what_is_calipers_and_unneeded_goes() {
    let Some(bench) = Bench::new() else { return };
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap().display().to_string();
    let digits: String = namespace.chars().filter(char::is_ascii_digit).collect();
    let machine = format!("{}.{digits}", boot.trim().replace('-', ""));
    let ours = "dev.caliper=1".to_owned();
    let owner = |text: &str| format!("dev.caliper.owner={text}");
    // The first process of the machine runs, but did not start at the moment 1.
    let dead = container(&[ours.clone(), owner(&format!("{machine}-1-1"))]);
    let elsewhere = container(&[ours.clone(), owner("00.1-1-1")]);
    let nobody = container(std::slice::from_ref(&ours));
    let users = container(&["dev.else=1".to_owned()]);
    let tagged = Made("image", "caliper-test-users:1".to_owned());
    docker(&["tag", IMAGE, &tagged.1]);
    let built = Made("image", "caliper-test-built:1".to_owned());
    build_by_hand(&bench, &built.1);

    let environment = bench.build();
    let left = lines(&docker(&["ps", "-aq", "--no-trunc"]));
    assert!(!left.contains(&dead.1));
    assert!([&elsewhere, &nobody, &users].iter().all(|container| left.contains(&container.1)));

    // The user gives one of Caliper's images a name while it is there.
    let named = Made("image", "caliper-test-named:1".to_owned());
    docker(&["tag", environment.id(), &named.1]);
    environment.release().unwrap();
    docker(&["image", "inspect", &tagged.1]);
    for image in [&built, &named] {
        let command =
            ["run", "--rm", &image.1, "python", "-c", "import tinier; print(tinier.number)"];
        assert_eq!(docker(&command), "1");
    }
    drop((dead, elsewhere, nobody, users, tagged, built, named));
    bench.assert_clean();
}

/// Podman of itself removes, with the last image that stood on it, whatever has no name.
#[test]
fn a_base_without_a_name_stays() {
    let Some(mut bench) = Bench::new() else { return };
    let context = bench.folder.path().join("context");
    std::fs::create_dir_all(&context).unwrap();
    std::fs::write(context.join("Dockerfile"), format!("FROM {IMAGE}\nRUN echo 1 > /users\n"))
        .unwrap();
    let base = build_folder(&context, &[]);
    let base = Made("image", base.trim_start_matches("sha256:").to_owned());
    bench.setup.base = Template::new("base", &base.1);
    let environment = bench.build();
    assert_eq!(bench.test(&*environment, &["cat", "/users"]).1, "1");
    environment.release().unwrap();
    let bench = bench.with(|_| {});
    assert_eq!(docker(&["image", "inspect", "--format", "{{.RepoTags}}", &base.1]), "[]");
    drop(base);
    bench.assert_clean();
}

/// Builds the Dockerfile of the cell with the command `docker`: equal layers, but the user's.
fn build_by_hand(bench: &Bench, name: &str) {
    let context = bench.folder.path().join("context");
    std::fs::create_dir_all(&context).unwrap();
    let wheel = "tiny-1.0-py2.py3-none-any.whl";
    std::fs::copy(bench.folder.path().join(wheel), context.join(wheel)).unwrap();
    std::fs::write(context.join("Dockerfile"), bench.recipe().dockerfile.unwrap()).unwrap();
    build_folder(&context, &["-t", name]);
}

/// Builds the Dockerfile in a folder as a user does, and says which image that made.
fn build_folder(folder: &std::path::Path, arguments: &[&str]) -> String {
    let output = command()
        .args(["build", "-q"])
        .args(arguments)
        .arg(folder)
        .env("DOCKER_BUILDKIT", "0")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
