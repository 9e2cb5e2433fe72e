// SPDX-License-Identifier: Apache-2.0

import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The keys that what is kept is sealed with (AES-256-GCM): the first seals, all of them open.
package struct SealingKeys: Sendable {
    private let keys: [(id: String, key: SymmetricKey)]

    /// Reads the text of a key file: a key of 32 bytes in base 64 a line, the newest first; lines that begin with `#` say
    /// nothing.
    ///
    /// - Returns: `nil` if a line is no such key, or there is none.
    package init?(_ text: String) {
        let lines = text.split(whereSeparator: \.isNewline).map { $0.filter { $0 != " " && $0 != "\t" } }
        var keys: [(id: String, key: SymmetricKey)] = []
        for line in lines where !line.isEmpty && !line.hasPrefix("#") {
            guard let bytes = Data(base64Encoded: line), bytes.count == 32 else { return nil }
            let id = SHA256.hash(data: bytes).prefix(4).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
            keys.append((id.joined(), SymmetricKey(data: bytes)))
        }
        guard !keys.isEmpty else { return nil }
        self.keys = keys
    }

    /// Draws a key, as a line of a key file.
    package static func makeKey() -> String {
        SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
    }

    /// Seals bytes.
    ///
    /// - Parameters:
    ///   - bytes: What is to be sealed.
    ///   - place: Where they are kept: they can't be opened as if they were kept elsewhere.
    package func seal(_ bytes: some DataProtocol, at place: String) throws -> Data {
        let (id, key) = self.keys[0]
        // A nonce is given, or made at random: with random ones a key seals far more than an inbox ever sees.
        let box = try AES.GCM.seal(bytes, using: key, authenticating: Data("\(id) \(place)".utf8))
        var sealed = Data(id.utf8)
        sealed.append(contentsOf: box.nonce)
        sealed.append(box.ciphertext)
        sealed.append(box.tag)
        return sealed
    }

    /// Opens what was sealed for the same place; `nil` if the key is not there, or the bytes were changed.
    package func open(_ sealed: Data, at place: String) -> Data? {
        guard sealed.count >= 8 + 28 else { return nil }
        let id = String(decoding: sealed.prefix(8), as: UTF8.self)
        guard let key = self.keys.first(where: { $0.id == id })?.key,
            let box = try? AES.GCM.SealedBox(combined: sealed.dropFirst(8))
        else { return nil }
        return try? AES.GCM.open(box, using: key, authenticating: Data("\(id) \(place)".utf8))
    }
}
