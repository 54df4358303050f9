//! An XDP program that passes everything: what any XDP program costs. Written by hand, instruction by
//! instruction, so that it is no part of the object that the daemon loads.

/// The name of its only function.
pub(crate) const PROGRAM: &str = "empty";

/// `r0 = XDP_PASS; exit`.
const CODE: [u8; 16] = [0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
/// For sections and for the symbol. The section's name says that frames may lie in several buffers.
const NAMES: &[u8] = b"\0xdp.frags\0empty\0.symtab\0.strtab\0\0\0\0\0\0\0\0";
const SECTION_NAME: u32 = 1;
const SYMBOL_NAME: u32 = 11;
const SYMTAB_NAME: u32 = 17;
const STRTAB_NAME: u32 = 25;

const HEADER_LEN: usize = 64;
const SYMBOL_LEN: usize = 24;
const CODE_AT: usize = HEADER_LEN;
const SYMBOLS_AT: usize = CODE_AT + CODE.len();
const NAMES_AT: usize = SYMBOLS_AT + 2 * SYMBOL_LEN;
const SECTIONS_AT: usize = NAMES_AT + NAMES.len();

/// A section header (elf(5), `Elf64_Shdr`).
#[derive(Clone, Copy, Default)]
struct Section {
    name: u32,
    kind: u32,
    flags: u64,
    at: usize,
    len: usize,
    link: u32,
    info: u32,
    entry: u64,
}

/// The object: a little-endian 64-bit ELF file of machine BPF, with one program.
pub(crate) fn object() -> Vec<u8> {
    const PROGBITS: u32 = 1;
    const SYMTAB: u32 = 2;
    const STRTAB: u32 = 3;
    let sections = [
        Section::default(),
        Section {
            name: SECTION_NAME,
            kind: PROGBITS,
            // SHF_ALLOC and SHF_EXECINSTR.
            flags: 6,
            at: CODE_AT,
            len: CODE.len(),
            ..Section::default()
        },
        Section {
            name: SYMTAB_NAME,
            kind: SYMTAB,
            at: SYMBOLS_AT,
            len: 2 * SYMBOL_LEN,
            // Its names are in section 3; its first global symbol is number 1.
            link: 3,
            info: 1,
            entry: 24,
            ..Section::default()
        },
        Section {
            name: STRTAB_NAME,
            kind: STRTAB,
            at: NAMES_AT,
            len: NAMES.len(),
            ..Section::default()
        },
    ];
    let mut file = header();
    file.extend(CODE);
    // The first symbol is none; the second a global function, 16 bytes at the beginning of section 1.
    file.extend([0; SYMBOL_LEN]);
    file.extend(SYMBOL_NAME.to_le_bytes());
    file.extend([0x12, 0, 1, 0]);
    file.extend(0_u64.to_le_bytes());
    file.extend(16_u64.to_le_bytes());
    file.extend(NAMES);
    for section in sections {
        file.extend(section.name.to_le_bytes());
        file.extend(section.kind.to_le_bytes());
        file.extend(section.flags.to_le_bytes());
        file.extend(0_u64.to_le_bytes());
        file.extend(section.at.to_le_bytes());
        file.extend(section.len.to_le_bytes());
        file.extend(section.link.to_le_bytes());
        file.extend(section.info.to_le_bytes());
        file.extend(8_u64.to_le_bytes());
        file.extend(section.entry.to_le_bytes());
    }
    file
}

/// elf(5), `Elf64_Ehdr`.
fn header() -> Vec<u8> {
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // Relocatable, for EM_BPF, version 1; no entry point, no program headers.
    header.extend([1, 0, 247, 0, 1, 0, 0, 0]);
    header.extend([0; 16]);
    header.extend(SECTIONS_AT.to_le_bytes());
    // No flags; 64 bytes of this header; no program headers; 4 section headers of 64 bytes; names in number 3.
    header.extend([0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0, 4, 0, 3, 0]);
    header
}
