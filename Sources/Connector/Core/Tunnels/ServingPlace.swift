// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The machine and the local server that a tunnel is served from, in a word that means nothing to others.
///
/// An edge that finds a name served from another place refuses it, unless both connectors share it on purpose; the same
/// command in the same place may take its tunnel up again at any time.
package struct ServingPlace: Hashable, Sendable, CustomStringConvertible {
    /// 16 hexadecimal digits.
    package let description: String

    /// Names a place.
    ///
    /// - Parameters:
    ///   - machine: The machine: see ``thisMachine(identityFile:)``.
    ///   - parts: What is served there.
    package init(machine: String = Self.thisMachine(), _ parts: String...) {
        self.description = Self.hash([machine] + parts)
    }

    /// What tells this machine from others: its id, and its name, since copies and containers share the first.
    package static func thisMachine(identityFile: String = "/etc/machine-id") -> String {
        let id = (try? BoundedFile.read(identityFile, limit: 1 << 10)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return "\(ProcessInfo.processInfo.hostName)\n\(id)"
    }

    /// A hash that tells texts apart, by FNV-1a: it names places and files, and guards nothing.
    package static func hash(_ parts: [String]) -> String {
        let hash = parts.joined(separator: "\n").utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { hash, byte in
            (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
