//! Laying files over the packages of an image, in layers of its own behind those of the template.

use caliper_core::facts::record::Installed;
use caliper_core::names::PackageName;

use super::dockerfile::Dockerfile;
use super::environment::Held;
use super::images::{self, Image};
use super::index::GivenIndex;
use super::installed::{self, Inventory};
use super::pythons::Question;
use super::{DockerBackend, build};
use crate::backend::{BackendError, EnvironmentRequest, LaidOverlay};
use crate::overlay::{self, Order};

/// At the top, where no image has a volume, whose content a build would lose.
const FOLDER: &str = "/.caliper-overlay";

impl DockerBackend {
    /// The image in which the overlays of a cell are laid over that which its template makes. What it prints is added to
    /// `log`. If it fails, nothing is left behind.
    pub(super) fn overlaid(
        &self,
        request: &EnvironmentRequest<'_>,
        image: Image,
        below: Held,
        log: &mut Vec<u8>,
    ) -> Result<(Image, Held), BackendError> {
        if request.setup.overlays.is_empty() {
            return Ok((image, below));
        }
        let made = self.lay_over(request, &image, &below, log);
        let (above, held) = match made {
            Ok(Some(made)) => made,
            // Its packages cannot be listed. That is told when the environment is opened, which lists them again.
            Ok(None) => return Ok((image, below)),
            Err(error) => {
                // The first error says more.
                let _ = self.let_go(&below);
                return Err(error);
            }
        };
        let layers = [below.layers, held.layers.clone()].concat();
        let held = Held { layers, ..held };
        let untagged = self.engine.block_on(images::untag(&self.engine, &below.tag));
        untagged.map_err(|fault| self.engine.error("take a name off an image", fault))?;
        Ok((above, held))
    }

    fn lay_over(
        &self,
        request: &EnvironmentRequest<'_>,
        image: &Image,
        below: &Held,
        log: &mut Vec<u8>,
    ) -> Result<Option<(Image, Held)>, BackendError> {
        let read = |output: &[u8]| Inventory::parse(output).map_err(|error| error.to_string());
        let question = installed::question(request.dependency);
        let answer = self.ask_image(&image.id, &question, Some(request.interrupt), read)?;
        let Ok(inventory) = answer else { return Ok(None) };
        let version = |package: &PackageName| inventory.version(package).map(str::to_owned);
        let Some(order) = Order::new(request.setup, request.project, version)? else {
            return Ok(None);
        };
        let action = "lay the files of an overlay";
        let folder = tempfile::tempdir().map_err(BackendError::machine(action))?;
        let files = order.write(folder.path()).map_err(BackendError::machine(action))?;
        let tag = self.fresh_tag(request.run);
        let build = build::Order {
            action: format!("lay the overlays of {}", request.cell.id),
            dockerfile: &Dockerfile::new(&dockerfile(image), "", ""),
            files: files.to_vec(),
            project: request.project.matching(&[]),
            tag: &tag,
            mark: self.mark(request.run),
            index: &GivenIndex::default(),
        };
        let (finished, held) = self.try_build(&build, &below.base, request.interrupt)?;
        log.extend_from_slice(&finished.log);
        let Ok(image) = finished.image else {
            let _ = self.let_go(&held);
            return Err(overlay::refused(&String::from_utf8_lossy(&finished.log)));
        };
        Ok(Some((image, held)))
    }

    /// What was laid over packages in an image that has these, if it is still there.
    pub(super) fn laid(
        &self,
        request: &EnvironmentRequest<'_>,
        image: &str,
        installed: &[Installed],
    ) -> Result<Vec<LaidOverlay>, BackendError> {
        let version = |package: &PackageName| overlay::version_in(installed, package);
        let Some(order) = Order::new(request.setup, request.project, version)? else {
            return Ok(Vec::new());
        };
        let report = format!("{FOLDER}/report.json");
        let question =
            Question { options: &["-B"], program: overlay::PROGRAM, argument: Some(&report) };
        let read = |output: &[u8]| overlay::read(output).map_err(|error| error.to_string());
        let told = self.ask_image(image, &question, Some(request.interrupt), read)?;
        order.laid(told.map_err(|said| overlay::refused(&said))?)
    }
}

/// The Dockerfile that lays the files. It runs as root, because the packages may belong to another user than that of the image.
fn dockerfile(image: &Image) -> String {
    let (before, after) = match image.user() {
        "" => (String::new(), String::new()),
        user => ("USER 0\n".to_owned(), format!("USER {user}\n")),
    };
    let words =
        ["python", "-B", "overlay.py", "order.json", "report.json"].map(|word| match word {
            file if file.contains('.') => format!("{FOLDER}/{file}"),
            other => other.to_owned(),
        });
    let command = serde_json::Value::from(words.to_vec());
    format!(
        "FROM {}\n{before}COPY overlay.py order.json {FOLDER}/\nRUN {command}\n{after}",
        image.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_keeps_its_user() {
        let image = |user: &str| -> Image {
            let config = serde_json::json!({ "User": user });
            serde_json::from_value(serde_json::json!({ "Id": "sha256:1", "Config": config }))
                .unwrap()
        };
        insta::assert_snapshot!(dockerfile(&image("app")), @r#"
        FROM sha256:1
        USER 0
        COPY overlay.py order.json /.caliper-overlay/
        RUN ["python","-B","/.caliper-overlay/overlay.py","/.caliper-overlay/order.json","/.caliper-overlay/report.json"]
        USER app
        "#);
        assert!(!dockerfile(&image("")).contains("USER"));
    }
}
