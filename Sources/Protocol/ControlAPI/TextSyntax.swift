// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a text in a policy has to look like: for people, for JSON Schema and for the program.
package struct TextSyntax: Sendable {
    /// A way to say it in JSON Schema.
    package enum Form: Equatable, Sendable {
        /// A regular expression (ECMA 262).
        case pattern(String)
        /// A format with a name.
        case format(String)
    }

    /// What a valid text is, after "has to be".
    package let requirement: String
    /// One word that stands for the text in help.
    package let placeholder: String
    /// The forms of which a valid text has one; they describe what ``isValid`` decides.
    package let forms: [Form]
    /// Whether a text is valid.
    package let isValid: @Sendable (String) -> Bool
}

extension TextSyntax {
    /// A value of `Host`, or one of the words that stand for it; above all, nothing that could end the field.
    package static let host = TextSyntax(
        requirement: "rewrite, preserve, or a host name with or without a port",
        placeholder: "rewrite|preserve|host",
        forms: [
            .pattern(
                #"^([A-Za-z0-9._-]{1,249}|\[[0-9A-Fa-f:.]{2,45}\])"#
                    + #"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$"#
            )
        ],
        isValid: { Self.isHost($0) }
    )

    /// An origin (RFC 6454 §6.2), or one of the words that stand for it.
    package static let origin = TextSyntax(
        requirement: "rewrite, preserve, or http:// or https:// with a host name",
        placeholder: "rewrite|preserve|origin",
        forms: [
            .pattern("^(rewrite|preserve)$"),
            .pattern(
                #"^https?://([A-Za-z0-9._-]{1,249}|\[[0-9A-Fa-f:.]{2,45}\])"#
                    + #"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$"#
            ),
        ],
        isValid: { text in
            if text == "rewrite" || text == "preserve" { return true }
            let schemes = ["http://", "https://"]
            return schemes.contains { text.hasPrefix($0) && Self.isHost(String(text.dropFirst($0.count))) }
        }
    )

    /// An IP address, or a network in CIDR notation (RFC 4632 §3.1).
    package static let network = TextSyntax(
        requirement: "an address or a network, such as 192.0.2.7 or 10.0.0.0/8",
        placeholder: "network",
        forms: [
            .format("ipv4"),
            .format("ipv6"),
            .pattern(
                #"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"#
                    + "/(3[0-2]|[12]?[0-9])$"
            ),
            .pattern("^([0-9a-f]{1,4}:){1,6}:/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$"),
        ],
        isValid: { Self.isNetwork($0) }
    )

    /// The name of a user of HTTP Basic authentication; it can't contain a colon (RFC 7617 §2).
    package static let userName = TextSyntax(
        requirement: "1 to 128 of ASCII without space and colon",
        placeholder: "user",
        forms: [.pattern("^[!-9;-~]{1,128}$")],
        isValid: { text in
            (1...128).contains(text.utf8.count)
                && text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") }
        }
    )

    /// The password of such a user; browsers differ in how they send anything else (RFC 7617 §2.1).
    package static let password = TextSyntax(
        requirement: "1 to 256 of ASCII",
        placeholder: "password",
        forms: [.pattern("^[ -~]{1,256}$")],
        isValid: { text in
            (1...256).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        }
    )

    /// The most iterations that a hash may ask for, which bounds the work of whoever compares a password with it.
    package static let mostHashIterations = 50_000

    /// The hash of a password as the edge writes it: `pbkdf2-sha256$iterations$salt$hash`.
    package static let passwordHash = TextSyntax(
        requirement: "a hash that this edge made",
        placeholder: "hash",
        forms: [
            .pattern(#"^pbkdf2-sha256\$([1-9][0-9]{0,3}|[1-4][0-9]{4}|50000)\$[0-9a-f]{32}\$[0-9a-f]{64}$"#)
        ],
        isValid: { Self.isPasswordHash($0) }
    )

    private static func isHost(_ text: String) -> Bool {
        var host = text[...]
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            guard Self.number(text[text.index(after: colon)...], in: 1...65_535) != nil else { return false }
            host = text[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            // Whether it is an address is the local server's to say: this keeps out what ends the field.
            return (4...47).contains(host.utf8.count)
                && host.utf8.dropFirst().dropLast().allSatisfy {
                    $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") || Self.isHexadecimal($0)
                }
        }
        return (1...249).contains(host.utf8.count)
            && host.utf8.allSatisfy { byte in
                Self.isDigit(byte) || Self.isLetter(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: "_")
            }
    }

    private static func isNetwork(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = parts.first,
            // Printable ASCII alone: C would stop reading at a NUL.
            address.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return false }
        var bytes = [UInt8](repeating: 0, count: 16)
        let range: ClosedRange<Int>
        if inet_pton(AF_INET, String(address), &bytes) == 1 {
            range = 0...32
        } else if inet_pton(AF_INET6, String(address), &bytes) == 1 {
            // An IPv4-mapped address (RFC 4291 §2.5.5.2) is the IPv4 address; its prefix has to reach into that.
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
            range = (isMapped ? 96 : 0)...128
        } else {
            return false
        }
        guard parts.count == 2 else { return true }
        guard !parts[1].isEmpty, parts[1].utf8.allSatisfy(Self.isDigit), let length = Int(parts[1]) else {
            return false
        }
        return range.contains(length)
    }

    private static func isPasswordHash(_ text: String) -> Bool {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "pbkdf2-sha256"
            && Self.number(parts[1], in: 1...Self.mostHashIterations) != nil
            && parts[2].utf8.count == 32 && parts[3].utf8.count == 64
            && [parts[2], parts[3]].joined().utf8.allSatisfy { Self.isDigit($0) || (0x61...0x66).contains($0) }
    }

    /// Reads a number of ASCII digits without leading zeros.
    private static func number(_ text: Substring, in range: ClosedRange<Int>) -> Int? {
        guard text.utf8.first != UInt8(ascii: "0"), text.utf8.allSatisfy(Self.isDigit), let number = Int(text),
            range.contains(number)
        else { return nil }
        return number
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        Self.isDigit(byte) || (0x61...0x66).contains(byte | 0x20)
    }
}
