//! What a file is by its content, whatever its name.
//!
//! Sources of the signatures: file(1) and the specifications of the formats.

use crate::analysis::compare::comparison::Format;

/// How files begin that are no text, although some of them begin with readable characters.
const SIGNATURES: &[&[u8]] = &[
    b"%PDF-",
    b"PK\x03\x04",         // ZIP: xlsx, docx, whl, npz
    b"PK\x05\x06",         // an empty ZIP
    b"\x1f\x8b",           // gzip
    b"BZh",                // bzip2
    b"\xfd7zXZ\0",         // xz
    b"\x28\xb5\x2f\xfd",   // Zstandard
    b"\x04\x22\x4d\x18",   // LZ4
    b"7z\xbc\xaf\x27\x1c", // 7-Zip
    b"CDF\x01",            // NetCDF
    b"CDF\x02",
    b"CDF\x05",
    b"SQLite format 3\0",
    b"PAR1",   // Parquet
    b"ARROW1", // Arrow, Feather
    b"FEA1",
    b"ORC",
    b"Obj\x01", // Avro
    b"GIF87a",
    b"GIF89a",
    b"II*\0", // TIFF
    b"MM\0*",
    b"RIFF", // WebP, WAV
    b"BM",   // BMP, where more says that it is no text
    b"\x7fELF",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", // xls, doc
    b"wOFF",
    b"wOF2",
    b"OggS",
    b"fLaC",
    b"GGUF",
];

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";
const NPY: &[u8] = b"\x93NUMPY";
/// Also files of `NetCDF` 4, and of `MATLAB` since 7.3 behind 512 bytes of its own.
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// How much of a content is looked at to tell text from binary.
pub(super) const LOOKED_AT: usize = 1 << 20;

/// The format of a content whose name promises another.
pub(super) fn format(promised: Format, content: &[u8]) -> Format {
    if content.starts_with(PNG) || content.starts_with(JPEG) {
        return Format::Image;
    }
    if content.starts_with(NPY) {
        return Format::Npy;
    }
    if content.starts_with(HDF5) {
        return Format::Hdf5;
    }
    match promised {
        // An archive is told from others by its name alone, and an array of no signature is none.
        Format::Npz if content.starts_with(b"PK") => Format::Npz,
        // Neither begins with a signature that all such files have.
        Format::Safetensors | Format::Hdf5 if is_binary(content) => promised,
        _ if is_binary(content) => Format::Binary,
        Format::Npy
        | Format::Npz
        | Format::Safetensors
        | Format::Hdf5
        | Format::Image
        | Format::Binary => Format::Text,
        Format::Text if is_svg(content) => Format::Svg,
        Format::Text | Format::Json | Format::Csv | Format::Svg => promised,
    }
}

/// Whether a content is no text: it has a signature, a NUL, or bytes that are not UTF-8 together with
/// control characters. Text in an old encoding has the former and not the latter.
fn is_binary(content: &[u8]) -> bool {
    let start = &content[..content.len().min(LOOKED_AT)];
    let control = |byte: &u8| {
        (*byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x07 | 0x08 | 0x0b | 0x0c | 0x1b))
            || *byte == 0x7f
    };
    let has_control = start.iter().any(control);
    let is_utf_8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        // A character that is cut off where the look ends.
        Err(error) => error.error_len().is_none() && start.len() < content.len(),
    };
    let is_signed = SIGNATURES.iter().any(|signature| {
        // Two readable letters alone are a word.
        start.starts_with(signature)
            && (signature.len() > 4 || !signature.is_ascii() || has_control || !is_utf_8)
    });
    is_signed || start.contains(&0) || (has_control && !is_utf_8)
}

/// Whether text begins as an SVG image does.
fn is_svg(content: &[u8]) -> bool {
    const HEAD: usize = 1000;
    let start = String::from_utf8_lossy(&content[..content.len().min(HEAD)]);
    let start = start.trim_start_matches('\u{feff}').trim_start();
    start.starts_with("<svg") || (start.starts_with("<?xml") && start.contains("<svg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        use Format::{Binary, Csv, Hdf5, Image, Json, Npy, Npz, Safetensors, Svg, Text};
        let cases: &[(&str, &[u8], Format)] = &[
            ("a.txt", b"accuracy 0.9\n", Text),
            ("a.txt", "caf\u{e9} 1.0\n".as_bytes(), Text),
            ("a.csv", b"a,b\ncaf\xe9,1\n", Csv), // Latin-1
            ("a.log", b"\x1b[1mred\x1b[0m 50%\r100%\n", Text),
            ("a.json", b"{}", Json),
            ("a.txt", b"", Text),
            ("fig.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Image),
            ("fig.dat", b"\xff\xd8\xff\xe0\0\x10JFIF", Image),
            ("fig.png", b"could not draw\n", Text),
            ("fig.svg", b"<?xml version='1.0'?>\n<svg/>", Svg),
            ("fig", b"<svg xmlns='x'/>", Svg),
            ("a.npy", b"\x93NUMPY\x01\0", Npy),
            ("a.npz", b"PK\x03\x04", Npz),
            ("a.xlsx", b"PK\x03\x04", Binary),
            ("a.pdf", b"%PDF-1.7\nreadable\n", Binary),
            ("a.h5", b"\x89HDF\r\n\x1a\n", Hdf5),
            ("a.nc", b"\x89HDF\r\n\x1a\n", Hdf5),
            ("a.h5", b"\0\0\0", Hdf5), // bytes of a user may come first
            ("a.hdf5", b"could not write\n", Text),
            ("a.safetensors", b"\x02\0\0\0\0\0\0\0{}", Safetensors),
            ("a.safetensors", b"version https://git-lfs\n", Text),
            ("a.pickle", b"\x80\x04\x95\x0e\0", Binary),
            ("a.csv", b"1,2\n\0", Binary),
            ("a.bin", b"\x01\x02\xff\xfe", Binary),
            ("a.parquet", b"PAR1\x15\x04\xff", Binary),
            // Words that begin as signatures do.
            ("a.txt", b"RIFF raff\n", Text),
            ("a.txt", b"BMI 22.5\n", Text),
            ("a.txt", b"ORCID\n", Text),
        ];
        for (name, content, format) in cases {
            assert_eq!(Format::of(name, content), *format, "{name} {content:?}");
        }
        let both = |name, expected: &[u8], actual: &[u8]| {
            Format::of_both(name, &expected.to_vec().into(), &actual.to_vec().into())
        };
        assert_eq!(both("a.csv", b"1,2\n", b"\0"), Binary);
        assert_eq!(both("a.txt", b"x", b"<svg/>"), Text);
    }
}
