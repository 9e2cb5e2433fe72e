// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A folder whose files are shared, and nothing that is not in it.
///
/// Every name of a path is opened below the folder before it, and no symbolic link is followed: neither a link in the
/// folder nor a folder that is replaced by one meanwhile leads out of it. The folder itself is found anew for each
/// request: one that is made again, as site generators do, is shared as it is then. All calls block.
struct SharedFolder: Sendable {
    /// What a path leads to.
    enum Found: Sendable {
        case file(SharedFile)
        case folder(SharedFile)
    }

    /// A file or folder in a listing.
    struct Entry: Equatable, Sendable {
        var name: String
        var isFolder: Bool
        /// In bytes.
        var size: Int
        /// In seconds since 1970.
        var modifiedAt: Int
    }

    /// The most entries that a listing shows.
    static let mostEntries = 5_000

    private let path: String

    /// Shares a folder.
    ///
    /// - Returns: `nil` if there is none that this user may read.
    init?(path: String) {
        self.path = path
        guard self.isThere else { return nil }
    }

    /// Whether it can be read now.
    var isThere: Bool { self.root() != nil }

    /// Opens the folder, which may be named by a link: it is the person's own word.
    private func root() -> SharedFile? {
        let descriptor = open(self.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0, let root = SharedFile(owning: descriptor), root.isFolder else { return nil }
        return root
    }

    /// Finds what a path leads to; `nil` if it is nothing that is shared.
    func find(_ path: FolderPath) -> Found? {
        guard var place = self.root() else { return nil }
        for (index, name) in path.names.enumerated() {
            guard place.isFolder else { return nil }
            let isLast = index == path.names.count - 1
            // A pipe that nobody writes to must not stop this thread.
            let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (isLast ? 0 : O_DIRECTORY)
            let descriptor = openat(place.descriptor, name, flags)
            guard descriptor >= 0, let next = SharedFile(owning: descriptor) else { return nil }
            place = next
        }
        if place.isFolder { return .folder(place) }
        return place.isRegular && !path.hasSlash ? .file(place) : nil
    }

    /// The file of a folder that stands for the folder.
    func index(of folder: SharedFile) -> SharedFile? {
        let descriptor = openat(folder.descriptor, "index.html", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0, let file = SharedFile(owning: descriptor), file.isRegular else { return nil }
        return file
    }

    /// What is shared of a folder, folders first, by name; and whether there is more.
    func list(_ folder: SharedFile) -> (entries: [Entry], isCut: Bool) {
        let copy = openat(folder.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { return ([], false) }
        guard let stream = fdopendir(copy) else {
            close(copy)
            return ([], false)
        }
        defer { closedir(stream) }
        var entries: [Entry] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                    String(validatingCString: $0)
                }
            }
            guard let name, FolderPath.isShared(name) else { continue }
            var status = stat()
            guard fstatat(folder.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            let kind = status.st_mode & S_IFMT
            guard kind == S_IFREG || kind == S_IFDIR else { continue }
            guard entries.count < Self.mostEntries else { return (Self.sorted(entries), true) }
            entries.append(
                Entry(
                    name: name,
                    isFolder: kind == S_IFDIR,
                    size: Int(status.st_size),
                    modifiedAt: SharedFile.modificationTime(status)
                )
            )
        }
        return (Self.sorted(entries), false)
    }

    private static func sorted(_ entries: [Entry]) -> [Entry] {
        entries.sorted { $0.isFolder != $1.isFolder ? $0.isFolder : $0.name < $1.name }
    }
}

/// An open file or folder.
final class SharedFile: Sendable {
    let descriptor: CInt
    let isFolder: Bool
    let isRegular: Bool
    /// In bytes.
    let size: Int
    /// In seconds since 1970.
    let modifiedAt: Int

    /// Takes over a descriptor, which is closed with the value, also if there is none.
    init?(owning descriptor: CInt) {
        var status = stat()
        let isKnown = fstat(descriptor, &status) == 0
        self.descriptor = descriptor
        self.isFolder = status.st_mode & S_IFMT == S_IFDIR
        self.isRegular = status.st_mode & S_IFMT == S_IFREG
        self.size = Int(status.st_size)
        self.modifiedAt = Self.modificationTime(status)
        guard isKnown else { return nil }
    }

    deinit { close(self.descriptor) }

    static func modificationTime(_ status: stat) -> Int {
        #if canImport(Darwin)
        status.st_mtimespec.tv_sec
        #else
        status.st_mtim.tv_sec
        #endif
    }

    /// A time as HTTP writes it (RFC 9110 §5.6.7); the C locale, which this program never leaves, names days in English.
    static func date(_ seconds: Int) -> String {
        var (time, parts) = (time_t(seconds), tm())
        guard gmtime_r(&time, &parts) != nil else { return "" }
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            let count = strftime(buffer.baseAddress, 64, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        return text
    }

    /// Reads a piece into memory; less than what is asked for at the end of the file.
    ///
    /// - Returns: How many bytes were read, 0 at the end; `nil` if the system refuses.
    func read(at offset: Int, into memory: UnsafeMutableRawBufferPointer) -> Int? {
        while true {
            let count = pread(self.descriptor, memory.baseAddress, memory.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { return nil }
        }
    }
}
