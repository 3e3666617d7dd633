use std::collections::BTreeMap;

use caliper_core::names::PackageName;

use super::{IndexError, PackageIndex, Project};

/// A [`PackageIndex`] of projects given beforehand, which makes no requests.
#[derive(Debug, Clone, Default)]
pub struct IndexInMemory {
    projects: BTreeMap<PackageName, Project>,
}

impl IndexInMemory {
    /// Offers `project`, in the place of one of the same name.
    #[must_use]
    pub fn with(mut self, project: Project) -> Self {
        self.projects.insert(project.name().clone(), project);
        self
    }
}

impl PackageIndex for IndexInMemory {
    fn project(&self, name: &PackageName) -> Result<Project, IndexError> {
        self.projects.get(name).cloned().ok_or_else(|| IndexError::NotFound {
            index: "memory".to_owned(),
            project: name.clone(),
        })
    }
}
