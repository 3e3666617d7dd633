//! The order of the layers in files of Keras.
//!
//! `model.save("model.h5")` puts the weights into a group `model_weights`, and `save_weights` to the root. That group has
//! an attribute `layer_names`, and each layer is a group in it with an attribute `weight_names`. Names that are too many
//! for one attribute are in `layer_names0`, `layer_names1` and so on.

use std::collections::HashMap;

use super::File;

/// Where the weights are.
const GROUPS: [&str; 2] = ["", "model_weights"];

/// Of each array of weights by its path which layer it belongs to, and the how many-th it is there; both from 0.
pub(super) fn positions(file: &mut File) -> Result<HashMap<String, (usize, usize)>, String> {
    let mut positions = HashMap::new();
    for group in GROUPS {
        for (layer, name) in names(file, group, "layer_names")?.into_iter().enumerate() {
            let path = if group.is_empty() { name } else { format!("{group}/{name}") };
            for (array, weight) in names(file, &path, "weight_names")?.into_iter().enumerate() {
                positions.entry(format!("{path}/{weight}")).or_insert((layer, array));
            }
        }
    }
    Ok(positions)
}

/// The names in an attribute, or in several that are counted.
fn names(file: &mut File, group: &str, attribute: &str) -> Result<Vec<String>, String> {
    let mut names = file.texts(&format!("{group}@{attribute}"))?;
    if !names.is_empty() {
        return Ok(names);
    }
    for number in 0_u32.. {
        let more = file.texts(&format!("{group}@{attribute}{number}"))?;
        if more.is_empty() {
            break;
        }
        names.extend(more);
    }
    Ok(names)
}
