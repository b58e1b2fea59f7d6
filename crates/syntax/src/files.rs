//! Reads and writes files that strangers may have prepared.
//!
//! A checkout can contain links to anywhere, and a path can be a pipe that never ends or a device. So
//! only regular files are read, up to a limit, and nothing is written through a link.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The text of a regular file of at most `limit` bytes.
///
/// # Errors
///
/// Besides those of reading: [`ErrorKind::InvalidInput`] for a pipe, device or folder,
/// [`ErrorKind::FileTooLarge`], and [`ErrorKind::InvalidData`] for what isn't UTF-8.
pub fn read(path: &Path, limit: usize) -> io::Result<String> {
    let too_large = || {
        let message = format!("it has more than {limit} bytes");
        io::Error::new(ErrorKind::FileTooLarge, message)
    };
    // Before it is opened: opening a pipe waits for a writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        let message = "it is not a regular file";
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    if metadata.len() > limit as u64 {
        return Err(too_large());
    }
    // The size of some files, such as those of /proc, isn't known before.
    let mut text = String::new();
    let read = File::open(path)?
        .take(limit as u64 + 1)
        .read_to_string(&mut text)?;
    if read > limit {
        return Err(too_large());
    }
    Ok(text)
}

/// Refuses a path that a link leads out of the folder `boundary`. The path, or its end, need not
/// exist.
///
/// # Errors
///
/// [`ErrorKind::PermissionDenied`] if the path leaves the folder.
pub fn stay_inside(boundary: &Path, path: &Path) -> io::Result<()> {
    let real = |path: &Path| {
        let existing = path.ancestors().find(|it| fs::symlink_metadata(it).is_ok());
        existing.unwrap_or(path).canonicalize()
    };
    if real(path)?.starts_with(real(boundary)?) {
        return Ok(());
    }
    let message = format!("a link leads it out of {}", boundary.display());
    Err(io::Error::new(ErrorKind::PermissionDenied, message))
}

/// Writes a file, and its folder if there is none, within the folder `boundary`.
///
/// # Errors
///
/// Besides those of writing: [`ErrorKind::PermissionDenied`] for a path that a link leads out of the
/// folder, and for one that is itself a link, and [`ErrorKind::InvalidInput`] for a pipe or device.
pub fn write(boundary: &Path, path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        stay_inside(boundary, folder)?;
        fs::create_dir_all(folder)?;
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "it is a link, and nothing is written through links",
        )),
        Ok(metadata) if !metadata.is_file() => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is not a regular file",
        )),
        _ => fs::write(path, text),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_that_never_end_are_not_read() {
        let kind = |path: &str, limit| read(Path::new(path), limit).unwrap_err().kind();
        assert_eq!(kind("/dev/zero", 10), ErrorKind::InvalidInput);
        assert_eq!(kind("/dev", 10), ErrorKind::InvalidInput);
        assert_eq!(kind("/proc/self/maps", 10), ErrorKind::FileTooLarge);
        assert_eq!(kind("/no/such/file", 10), ErrorKind::NotFound);
    }

    #[test]
    fn nothing_is_written_through_a_link_or_outside_of_the_folder() {
        let base = std::env::temp_dir().join(format!("gizmos-files-{}", std::process::id()));
        let (inside, outside) = (base.join("project"), base.join("outside"));
        fs::create_dir_all(&inside).unwrap();
        fs::create_dir_all(&outside).unwrap();
        symlink(&outside, inside.join("rules")).unwrap();
        symlink(outside.join("new"), inside.join("dangling")).unwrap();
        let kind = |path: &str| write(&inside, &inside.join(path), "x").map_err(|it| it.kind());
        assert_eq!(kind("rules/a"), Err(ErrorKind::PermissionDenied));
        assert_eq!(kind("rules/deep/er/a"), Err(ErrorKind::PermissionDenied));
        assert_eq!(kind("dangling"), Err(ErrorKind::PermissionDenied));
        assert_eq!(kind("new/folder/a"), Ok(()));
        assert_eq!(kind("new/folder/a"), Ok(()));
        assert!(stay_inside(&inside, &inside.join("rules")).is_err());
        assert!(stay_inside(&inside, &inside.join("new/b")).is_ok());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        fs::remove_dir_all(base).unwrap();
    }
}
