//! What the first bytes of a file say: whether it is the disk that it is taken for.
//!
//! Any file is a raw image to QEMU. A guest that gets a compressed archive or a text for a disk does not boot, so without the
//! operator's word a raw image must look like a disk.

/// Bytes that are looked at: the last sign is the superblock of btrfs at 64 KiB.
pub(super) const HEAD_BYTES: u64 = 68 << 10;
const SECTOR_BYTES: u64 = 512;
const SAY_RAW: &str = "if it is a raw disk all the same, say `format: raw` in the inventory";

/// What files that are no disks begin with.
const PACKED: [(&str, &[u8]); 7] = [
    ("gzip", b"\x1f\x8b"),
    ("xz", b"\xfd7zXZ\0"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
    ("bzip2", b"BZh"),
    ("zip", b"PK\x03\x04"),
    ("lz4", b"\x04\x22\x4d\x18"),
    ("7z", b"7z\xbc\xaf\x27\x1c"),
];

/// What disks have, and where: a boot sector, a GUID partition table, or a bare file system for a guest whose kernel is
/// booted directly (ext2 to 4, xfs, btrfs: their superblocks, as in the kernel's `magic.h` and `xfs_format.h`).
const DISKS: [(usize, &[u8]); 5] =
    [(510, b"\x55\xaa"), (512, b"EFI PART"), (1080, b"\x53\xef"), (0, b"XFSB"), (65600, b"_BHRfS_M")];

/// Why a file of this head and size is no raw image of a disk.
pub(super) fn no_disk(head: &[u8], bytes: u64) -> Option<String> {
    if let Some((name, _)) = PACKED.into_iter().find(|(_, magic)| head.starts_with(magic)) {
        return Some(format!("it is a {name} file: unpack it"));
    }
    if bytes == 0 {
        return Some("it is empty".into());
    }
    if !bytes.is_multiple_of(SECTOR_BYTES) {
        return Some(format!("it has {bytes} bytes, which is no multiple of {SECTOR_BYTES}; {SAY_RAW}"));
    }
    let is_disk = DISKS.into_iter().any(|(at, magic)| head.get(at..).is_some_and(|rest| rest.starts_with(magic)));
    (!is_disk)
        .then(|| format!("it has neither a boot sector, nor a partition table, nor a known file system; {SAY_RAW}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(at: usize, magic: &[u8]) -> Vec<u8> {
        let mut head = vec![0; HEAD_BYTES as usize];
        head[at..at + magic.len()].copy_from_slice(magic);
        head
    }

    #[test]
    fn a_packed_file_is_named() {
        for (name, magic) in PACKED {
            // Also where the rest looks like a disk.
            let mut head = sign(510, b"\x55\xaa");
            head[..magic.len()].copy_from_slice(magic);
            let why = no_disk(&head, 1 << 20).unwrap();
            assert_eq!(why, format!("it is a {name} file: unpack it"));
        }
    }

    #[test]
    fn a_disk_has_whole_sectors_and_a_sign_of_being_one() {
        for (at, magic) in DISKS {
            assert_eq!(no_disk(&sign(at, magic), 1 << 20), None, "{at}");
        }
        assert_eq!(no_disk(b"", 0).unwrap(), "it is empty");
        assert!(no_disk(b"hello, world\n", 13).unwrap().starts_with("it has 13 bytes, which is no multiple of 512; "));
        assert!(no_disk(&[0; 1000], 1000).unwrap().contains("no multiple of 512"));
        assert!(no_disk(&[0; 1024], 1024).unwrap().contains("neither a boot sector"));
    }
}
