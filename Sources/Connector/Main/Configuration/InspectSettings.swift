// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Inspection

/// What a file of tunnels says about the inspector; what is `nil` is left to the command line and the defaults.
struct InspectSettings: Equatable, Sendable {
    /// Whether requests can be inspected, and where.
    var choice: InspectChoice?
    /// How much is kept of all traffic.
    var memory: ByteSize?
    /// How much is kept of one body.
    var body: ByteSize?
    /// Whether a token has to be shown.
    var requiresToken: Bool?
    /// Other names under which the inspector may be opened.
    var allowedHosts: [String] = []
    /// The fields that are not kept.
    var dropped = DroppedFields([])
    /// The secrets by which replays are signed anew.
    var signingSecrets: [SigningSecret] = []

    /// The bounds of ``memory``, in bytes.
    static let memoryRange = 1 << 16...1 << 36
    /// The most names, and the most secrets.
    static let longestList = 100

    /// Whether a text is the name of a field (RFC 9110 §5.1) that may be left out: without `Host` no replay is a request.
    static func isDroppable(_ text: String) -> Bool {
        !text.isEmpty && text.lowercased() != "host"
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
