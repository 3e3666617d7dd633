//! Reads the names in a Git index (<https://git-scm.com/docs/index-format>), versions 2 to 4.

/// The paths in an index, from the top of the work tree; those that are not UTF-8 are left out. `None` if it
/// is not an index that is understood here.
pub(super) fn paths(index: &[u8]) -> Option<Vec<String>> {
    // The length of a digest stands in the repository's configuration: SHA-1, or SHA-256.
    read(index, 20).or_else(|| read(index, 32))
}

fn read(index: &[u8], digest: usize) -> Option<Vec<String>> {
    let number = |at: usize| Some(u32::from_be_bytes(index.get(at..at + 4)?.try_into().ok()?));
    let version = number(4)?;
    if !index.starts_with(b"DIRC") || !(2..=4).contains(&version) {
        return None;
    }
    let mut paths = Vec::new();
    let mut last = Vec::new();
    let mut at = 12;
    for _ in 0..number(8)? {
        // Two times, device, inode, mode, user, group and size; the digest; flags.
        let flags = at + 40 + digest;
        let extended = index.get(flags)? & 0x40 != 0;
        let mut name = flags + if extended { 4 } else { 2 };
        if version == 4 {
            // The name without what it shares with the one before.
            let dropped = varint(index, &mut name)?;
            last.truncate(last.len().checked_sub(dropped)?);
        } else {
            last.clear();
        }
        let length = index.get(name..)?.iter().position(|byte| *byte == 0)?;
        last.extend_from_slice(&index[name..name + length]);
        // Up to version 3 an entry ends with 1 to 8 zeros, at a multiple of 8.
        let end = name + length;
        at = if version == 4 { end + 1 } else { at + ((end - at) / 8 + 1) * 8 };
        // The size of an entry is a guess until its end is seen to be one.
        if version < 4 && index.get(end..at)?.iter().any(|byte| *byte != 0) {
            return None;
        }
        paths.extend(String::from_utf8(last.clone()));
    }
    Some(paths)
}

/// An offset as in a pack: seven bits in each byte, the highest first, with one added for each further byte.
fn varint(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_usize;
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 127))?;
        if byte & 128 == 0 {
            return Some(value);
        }
        value = value.checked_add(1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(version: u32, names: &[(usize, &str)]) -> Vec<u8> {
        let mut bytes = b"DIRC".to_vec();
        bytes.extend(version.to_be_bytes());
        bytes.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
        for (dropped, name) in names {
            let start = bytes.len();
            bytes.extend([7; 60]);
            bytes.extend([0, 0]);
            if version == 4 {
                bytes.push(u8::try_from(*dropped).unwrap());
            }
            bytes.extend(name.as_bytes());
            bytes.push(0);
            while version < 4 && !(bytes.len() - start).is_multiple_of(8) {
                bytes.push(0);
            }
        }
        bytes
    }

    #[test]
    fn names_are_read() {
        let whole = [(0, "a/b.csv"), (0, "a/c"), (0, "longer/name.txt")];
        let expected = ["a/b.csv", "a/c", "longer/name.txt"];
        assert_eq!(paths(&index(2, &whole)).unwrap(), expected);
        let parts = [(0, "a/b.csv"), (5, "c"), (3, "longer/name.txt")];
        assert_eq!(paths(&index(4, &parts)).unwrap(), expected);
        for rubbish in [&b""[..], b"DIRC", b"DIRC\0\0\0\x09\0\0\0\0", &index(2, &whole)[..40]] {
            assert_eq!(paths(rubbish), None);
        }
    }
}
