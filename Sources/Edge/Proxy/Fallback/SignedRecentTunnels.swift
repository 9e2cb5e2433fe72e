// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import Crypto
import EdgeTunnels

/// The cookie in which a browser keeps its ``RecentTunnels``: signed, for one host of one edge, and of no use elsewhere.
///
/// Its value is `<seconds>.<id>.…` and the first half of an HMAC-SHA256 (RFC 2104) in hexadecimal. The keys are derived
/// from those that sign tokens, so that every edge that takes the same tokens takes the same cookies.
struct SignedRecentTunnels: Sendable {
    /// The name of the cookie.
    static let name = "culvert-tunnel"
    private static let tagLength = 16
    private let keys: [SymmetricKey]

    /// Derives the keys (RFC 5869).
    ///
    /// - Parameter secrets: The keys that sign tokens, of which the first one signs.
    init(secrets: [[UInt8]]) {
        self.keys = secrets.map { secret in
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: secret),
                info: Array("culvert recent tunnels".utf8),
                outputByteCount: 32
            )
        }
    }

    /// The value of `Set-Cookie`; `nil` without a key.
    func setCookie(_ recent: RecentTunnels, host: String, isSecure: Bool) -> String? {
        guard let key = self.keys.first else { return nil }
        let payload = recent.entries.map { "\($0.openedAt).\($0.id)" }.joined(separator: ".")
        let tag = Self.hexadecimal(Self.tag(payload, host: host, key: key))
        return "\(Self.name)=\(payload).\(tag); Path=/; HttpOnly; SameSite=Lax\(isSecure ? "; Secure" : "")"
    }

    /// What the cookies of a request say; nothing if none of them is ours and fresh.
    ///
    /// - Parameters:
    ///   - values: The values of the cookies of this name.
    ///   - host: The host that the request is for.
    ///   - now: In seconds since 1970.
    func read(_ values: [Substring], host: String, now: Int) -> RecentTunnels {
        // A browser has one of ours. A second one is a neighbour's, whose scripts may set it for all hosts of a domain:
        // then whatever is in either may be open.
        var entries: [RecentTunnels.Entry] = []
        for value in values.prefix(2) {
            guard let dot = value.lastIndex(of: "."), value.utf8.count <= 512 else { continue }
            let payload = value[..<dot]
            guard let tag = Self.bytes(value[value.index(after: dot)...]),
                self.keys.contains(where: { ConstantTime.equal(Self.tag(payload, host: host, key: $0), tag) })
            else { continue }
            for entry in Self.entries(payload) where now - entry.openedAt < RecentTunnels.lifetime {
                if !entries.contains(where: { $0.id == entry.id }) { entries.append(entry) }
            }
        }
        return RecentTunnels(entries.sorted { $0.openedAt > $1.openedAt })
    }

    private static func entries(_ payload: Substring) -> [RecentTunnels.Entry] {
        let parts = payload.split(separator: ".", omittingEmptySubsequences: false)
        return stride(from: 0, to: parts.count - 1, by: 2).compactMap { index in
            guard let time = Int(parts[index]), let id = TunnelID(parts[index + 1]) else { return nil }
            return RecentTunnels.Entry(id: id, openedAt: time)
        }
    }

    private static func tag(_ payload: some StringProtocol, host: String, key: SymmetricKey) -> [UInt8] {
        let message = Array("\(host.lowercased())\n\(payload)".utf8)
        return Array(HMAC<SHA256>.authenticationCode(for: message, using: key).prefix(Self.tagLength))
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count == 2 * Self.tagLength else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }
}
