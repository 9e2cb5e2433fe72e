// SPDX-License-Identifier: Apache-2.0

#if os(Linux) && canImport(Glibc)
import Foundation
import Glibc
#endif

/// Gives memory back that the start needed and a program that waits does not.
///
/// To load the program, read its command line and configuration and parse certificates touches most of its code once.
/// Those pages stay mapped, two thirds of what the process has resident, though hardly any of them is needed again.
/// Only Linux has a way to let go of them; elsewhere nothing happens.
package enum ProgramMemory {
    /// When it is worth while: after the start, and when the program has settled.
    private static let moments = [Duration.seconds(2), .seconds(30)]

    /// Gives memory back at the right moments, until the task is cancelled.
    package static func settle() async {
        for moment in self.moments {
            do {
                try await Task.sleep(for: moment)
            } catch {
                return
            }
            self.release()
        }
    }

    /// Lets go of the pages of the program's code.
    ///
    /// Code that is needed again comes back from the kernel's page cache, without a disk being asked.
    package static func release() {
        #if os(Linux) && canImport(Glibc)
        guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8),
            let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        else { return }
        for range in Self.codeRanges(of: program, in: maps) {
            guard let start = UnsafeMutableRawPointer(bitPattern: range.lowerBound) else { continue }
            // Only advice: where it is not taken, nothing changes.
            _ = madvise(start, Int(range.count), Int32(MADV_DONTNEED))
        }
        #endif
    }

    /// How many bytes of files are resident, which is code mostly; 0 where nobody can say.
    package static var residentFileBytes: Int {
        #if os(Linux) && canImport(Glibc)
        // Total, resident and shared pages (proc(5)).
        let counts = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        guard let counts, counts.count > 2, let pages = Int(counts[2]) else { return 0 }
        return pages * sysconf(Int32(_SC_PAGESIZE))
        #else
        return 0
        #endif
    }

    /// The mappings that hold a program's code, from the text of `/proc/PID/maps`.
    ///
    /// Pages that can be written, or could before the loader was done (they look like constants), are not among them:
    /// what is in those is nowhere else.
    static func codeRanges(of program: String, in maps: String) -> [Range<UInt>] {
        maps.split(separator: "\n").compactMap { line in
            // Address range, permissions, offset, device, inode, path; only the path may hold blanks.
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count == 6, fields[1] == "r-xp", fields[5].drop(while: { $0 == " " }) == program else {
                return nil
            }
            let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard bounds.count == 2, bounds[0] < bounds[1] else { return nil }
            return bounds[0]..<bounds[1]
        }
    }
}
