// SPDX-License-Identifier: Apache-2.0

/// What the target of a request names below a shared folder.
struct FolderPath: Equatable, Sendable {
    /// The names of the folders, and then of the file; none for the shared folder itself.
    var names: [String]
    /// Whether the target ends with a slash, as that of a folder does.
    var hasSlash: Bool

    /// Reads a target in origin form (RFC 9112 §3.2.1).
    ///
    /// Each name is decoded once and by itself, so that no escape makes two names of one. Names that begin with a dot
    /// are private, and `.` and `..` are among them.
    ///
    /// - Returns: `nil` if the target names nothing that is shared.
    init?(target: some StringProtocol) {
        let path = target.prefix { $0 != "?" }
        guard path.first == "/" else { return nil }
        var names: [String] = []
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                guard index == parts.count - 1 else { return nil }
                continue
            }
            guard let name = Self.decoded(part), Self.isShared(name) else { return nil }
            names.append(name)
        }
        self.names = names
        self.hasSlash = path.last == "/"
    }

    /// Whether a file or folder of this name is shared.
    static func isShared(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix(".") && !name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") }
    }

    /// Encodes a name for a link (RFC 3986 §2.3: what is unreserved stays).
    static func encoded(_ name: String) -> String {
        name.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                String(UnicodeScalar(byte))
            default:
                "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }

    private static func decoded(_ part: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(part.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(self.digit), let low = rest.popFirst().flatMap(self.digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
