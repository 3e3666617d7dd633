//! What stands before the values of an array.

use super::dtype::Dtype;
use super::literal::{self, Literal};
use super::{AXES, Array};
use crate::analysis::compare::format::source::Data;
use crate::analysis::compare::show;

/// The maximum length of a header of version 1. NumPy itself reads at most 10,000 bytes by default.
const LONGEST: usize = 65_535;

/// The maximum length of what stands before the values.
const START: usize = LONGEST + 12;

/// An array in these bytes, or the bytes and why they cannot be compared as one.
pub(in crate::analysis::compare) fn read(
    mut data: Data<'_>,
) -> Result<Array<'_>, (Data<'_>, String)> {
    match data.start(START).and_then(|start| parse(&start)) {
        Ok((shape, fortran, dtype, start)) => Array::new(data, start, shape, fortran, dtype),
        Err(reason) => Err((data, reason)),
    }
}

/// Parses the header: the shape, whether the first axis is the one along which elements lie side by side, the type,
/// and where the values begin.
fn parse(bytes: &[u8]) -> Result<(Vec<usize>, bool, Dtype, usize), String> {
    let short = || "its header is cut off".to_owned();
    let Some(rest) = bytes.strip_prefix(b"\x93NUMPY") else {
        return Err("it does not begin as one".to_owned());
    };
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    let (length, rest) = match version {
        [1, 0] => {
            let (length, rest) = rest.split_first_chunk().ok_or_else(short)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        [2 | 3, 0] => {
            let (length, rest) = rest.split_first_chunk().ok_or_else(short)?;
            (usize::try_from(u32::from_le_bytes(*length)).map_err(|_| short())?, rest)
        }
        [major, minor] => {
            return Err(format!("version {major}.{minor} of the format is not known"));
        }
    };
    if length > LONGEST {
        return Err(format!("its header is longer than {LONGEST} bytes"));
    }
    let (header, data) = rest.split_at_checked(length).ok_or_else(short)?;
    let header = match version {
        [3, _] => String::from_utf8_lossy(header).into_owned(),
        // Latin-1.
        _ => header.iter().map(|byte| char::from(*byte)).collect(),
    };
    let wrong = || format!("its header cannot be read: {}", show::excerpt(&header));
    let Some(Literal::Dictionary(entries)) = literal::read(&header) else { return Err(wrong()) };
    let entry = |name: &str| {
        let mut found = entries.iter().filter(|(key, _)| *key == Literal::Text(name.to_owned()));
        found.next().map(|(_, value)| value).ok_or_else(wrong)
    };
    let fortran = match entry("fortran_order")? {
        Literal::Word(word) if word == "True" => true,
        Literal::Word(word) if word == "False" => false,
        _ => return Err(wrong()),
    };
    let Literal::Sequence(axes) = entry("shape")? else { return Err(wrong()) };
    let axis = |axis: &Literal| match axis {
        Literal::Number(length) => Ok(*length),
        _ => Err(wrong()),
    };
    let shape = axes.iter().map(axis).collect::<Result<Vec<usize>, _>>()?;
    if shape.len() > AXES {
        return Err(format!("it has {} axes, and at most {AXES} are compared", shape.len()));
    }
    let dtype = Dtype::read(entry("descr")?)?;
    Ok((shape, fortran, dtype, bytes.len() - data.len()))
}

#[cfg(test)]
pub(in crate::analysis::compare) mod tests {
    use super::*;

    /// An array with this header and these values.
    pub(in crate::analysis::compare) fn array(
        descr: &str,
        order: &str,
        shape: &str,
        data: &[u8],
    ) -> Vec<u8> {
        let header =
            format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn what_cannot_be_compared_is_told() {
        let reasons = [
            array("'|O'", "False", "(1,)", b"\x80\x04N."),
            array("[('a', '|O')]", "False", "(1,)", b"\x80\x04N."),
            array("'<f8'", "False", "(2,)", &[0; 8]),
            array("'<f8'", "False", "(4294967296, 4294967296)", b""),
            array("'<f8'", "maybe", "(1,)", &[0; 8]),
            array("'<f3'", "False", "(1,)", &[0; 3]),
            array("'<M8[fortnight]'", "False", "()", &[0; 8]),
            array("[('a', '<f8'), ('a', '<f8')]", "False", "()", &[0; 16]),
            array("[('a', [('x', '<f8')], (2,))]", "False", "()", &[0; 16]),
            array("'<f8'", "False", &format!("({})", "1, ".repeat(65)), &[0; 8]),
            b"\x93NUMPY\x01\x00\xff\xff{".to_vec(),
            b"\x93NUMPY\x09\x00".to_vec(),
            b"PK".to_vec(),
        ]
        .map(|bytes| read(bytes.into()).unwrap_err().1);
        insta::assert_snapshot!(reasons.join("\n"), @r"
        it holds pickled objects, which are never unpickled
        it holds pickled objects, which are never unpickled
        it has 8 bytes of values instead of 16
        its shape is larger than can be
        its header cannot be read: {'descr': '<f8', 'fortran_order': maybe, 'shape': (1,), }\n
        its type `<f3` is not known
        its type `<M8[fortnight]` is not known
        its type has two fields of one name
        its type has arrays of structures within structures
        it has 65 axes, and at most 64 are compared
        its header is cut off
        version 9.0 of the format is not known
        it does not begin as one
        ");
    }

    #[test]
    fn sizes_are_what_there_is() {
        // However many elements of no size there are said to be.
        for (descr, shape, values) in [
            ("'<U0'", "(18446744073709551615,)", &[][..]),
            ("'<f8'", "(0, 18446744073709551615, 9)", &[]),
            ("'<f8'", "()", &[0; 8]),
        ] {
            assert!(read(array(descr, "False", shape, values).into()).is_ok());
        }
    }
}
