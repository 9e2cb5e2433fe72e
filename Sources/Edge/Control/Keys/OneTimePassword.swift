// SPDX-License-Identifier: Apache-2.0

import Crypto
import EdgeTunnels
import Synchronization

/// Time-based one-time passwords (RFC 6238) with what every authenticator app supports: SHA-1, 30 s, six digits.
package struct OneTimePassword: Equatable, Sendable {
    /// The length of a step in seconds.
    package static let step: Int64 = 30

    /// The shared secret.
    package let secret: [UInt8]

    /// Makes the second factor of a shared secret.
    package init(
        secret: [UInt8]
    ) {
        self.secret = secret
    }

    /// The number of the step that a time falls into.
    ///
    /// - Parameter seconds: Seconds since 1970.
    package static func counter(at seconds: Int64) -> UInt64 {
        UInt64(max(0, seconds) / self.step)
    }

    /// The code of a step (RFC 4226 §5.3).
    ///
    /// - Parameters:
    ///   - counter: The number of the step.
    ///   - digits: The length of the code; more than six only in the vectors of the RFC.
    package func code(counter: UInt64, digits: Int = 6) -> String {
        let message = (0..<8).map { UInt8(truncatingIfNeeded: counter >> (56 - 8 * UInt64($0))) }
        let mac = Array(
            HMAC<Insecure.SHA1>.authenticationCode(for: message, using: SymmetricKey(data: self.secret))
        )
        let offset = Int(mac[mac.count - 1] & 0x0f)
        let binary = mac[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        let modulus = (0..<digits).reduce(UInt32(1)) { product, _ in product * 10 }
        let text = String(binary % modulus)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// The step whose code this is, among the current one and its two neighbours (RFC 6238 §5.2).
    ///
    /// - Parameters:
    ///   - code: What the caller sent.
    ///   - seconds: Seconds since 1970.
    func matchingCounter(_ code: String, at seconds: Int64) -> UInt64? {
        let current = Self.counter(at: seconds)
        var found: UInt64?
        for counter in [current &- 1, current, current + 1] {
            if ConstantTime.equal(self.code(counter: counter).utf8, code.utf8) { found = counter }
        }
        return found
    }

    /// The URI that authenticator apps read from a QR code.
    ///
    /// - Parameter name: The name of the API key.
    package func uri(name: String) -> String {
        let label = name.utf8.reduce(into: "") { label, byte in
            switch byte {
            // RFC 3986 §2.3: what needs no encoding.
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "@"):
                label.unicodeScalars.append(Unicode.Scalar(byte))
            default: label += "%\(Hexadecimal.encode([byte]).uppercased())"
            }
        }
        return
            "otpauth://totp/Culvert:\(label)?secret=\(Base32.encode(self.secret))&issuer=Culvert&algorithm=SHA1&digits=6&period=30"
    }
}

/// Accepts each one-time password once (RFC 6238 §5.2).
final class OneTimePasswordGuard: Sendable {
    private let lastAccepted = Mutex<[String: UInt64]>([:])
    /// Where other edges, and this one after a restart, learn which codes were used.
    private let directory: (any TunnelDirectory)?

    init(directory: (any TunnelDirectory)? = nil) {
        self.directory = directory
    }

    /// Whether a code is right and neither it nor a later one was accepted before, here or, while the directory can be
    /// asked, anywhere.
    func accept(
        _ code: String,
        for password: OneTimePassword,
        keyName: String,
        at seconds: Int64
    ) async -> Bool {
        guard let counter = password.matchingCounter(code, at: seconds),
            self.acceptHere(code, for: password, keyName: keyName, at: seconds)
        else { return false }
        guard let directory, directory.isUp else { return true }
        return (try? await directory.useCode(step: counter, ofKey: keyName)) ?? true
    }

    /// Whether a code is right and neither it nor a later one was accepted here before.
    ///
    /// - Parameters:
    ///   - code: What the caller sent.
    ///   - password: The secret of the key.
    ///   - keyName: The name of the key; what is remembered is bounded by the number of keys.
    ///   - seconds: Seconds since 1970.
    func acceptHere(_ code: String, for password: OneTimePassword, keyName: String, at seconds: Int64) -> Bool {
        guard let counter = password.matchingCounter(code, at: seconds) else { return false }
        return self.lastAccepted.withLock { lastAccepted in
            if let last = lastAccepted[keyName], counter <= last { return false }
            lastAccepted[keyName] = counter
            return true
        }
    }
}
