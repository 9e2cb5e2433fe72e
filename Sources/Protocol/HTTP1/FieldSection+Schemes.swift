// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What fields name that is about a whole connection rather than one message.
extension FieldSection {
    /// Whether credentials or challenges are of a scheme that authenticates the connection instead of the request
    /// (RFC 4559 §6): what comes next on the connection is then that user's, whoever sends it.
    ///
    /// - Parameter field: `Authorization` or `WWW-Authenticate`, which may hold a list of challenges.
    package func bindsConnection(_ field: KnownField) -> Bool {
        guard self.contains(field) else { return false }
        return self.bytes.withUnsafeReadableBytes { bytes in
            self.lines.contains { line in
                let start = Int(line.value.start)
                guard line.known == field else { return false }
                // A comma in a quoted string is taken for the beginning of a challenge, too: at worst a connection is kept
                // for one visitor that could have served many.
                return bytes[start..<start + Int(line.value.count)].split(separator: UInt8(ascii: ","))
                    .contains { Self.namesConnectionScheme($0) }
            }
        }
    }

    private static let connectionSchemes = ["ntlm", "negotiate", "kerberos"].map { Array($0.utf8) }

    private static func namesConnectionScheme(_ challenge: Slice<UnsafeRawBufferPointer>) -> Bool {
        let scheme = challenge.drop { $0 == 0x20 || $0 == 0x09 }.prefix { $0 != 0x20 && $0 != 0x09 }
        return self.connectionSchemes.contains { name in
            scheme.count == name.count && zip(scheme, name).allSatisfy { $0 | 0x20 == $1 }
        }
    }

    /// Which protocols `Upgrade` names, in lower case and without their versions.
    ///
    /// Another version of HTTP, or TLS, would carry requests that the edge can't see, past passwords, limits and the
    /// log; RFC 9113 §3.1 has taken back the upgrade to `h2c`.
    package var upgrade: UpgradeRequest {
        // Nobody speaks so many; in a longer list a hidden one could hide.
        guard let protocols = self.tokens(.upgrade, atMost: 16) else { return .mixed }
        let names = protocols.map { $0.prefix { $0 != "/" } }
        let hidden = names.count { $0.hasPrefix("h2") || $0 == "http" || $0 == "tls" || $0 == "spdy" }
        guard hidden > 0 else { return names.isEmpty ? .nothing : .protocols }
        return hidden == names.count ? .hiddenRequests : .mixed
    }

    /// What `Upgrade` asks for.
    package enum UpgradeRequest: Equatable {
        case nothing
        /// Protocols that may be asked for.
        case protocols
        /// Only protocols that would carry further requests unseen.
        case hiddenRequests
        /// Both.
        case mixed
    }
}
