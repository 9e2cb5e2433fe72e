// SPDX-License-Identifier: Apache-2.0

import Crypto
import EdgeTunnels
import Synchronization

/// One API key as it is kept: never the key itself, only its hash.
///
/// A plain SHA-256 is enough, because the keys are 160 random bits: there is no dictionary to try.
package struct APIKeyRecord: Codable, Equatable, Sendable {
    /// The name of the key, in logs and limits.
    package var name: String
    /// Who owns the tunnels made with the key; `nil` is its name.
    ///
    /// Several keys may have one owner: the next key of somebody whose last one has leaked, or one for each machine.
    package var owner: String?
    /// What the key may do.
    package var role: Role
    /// SHA-256 of the key, 64 hexadecimal digits.
    package var sha256: String
    /// The secret of the second factor in base 32 (RFC 4648 §6); `nil` asks for none.
    package var totpSecret: String?
    /// Whether the key has been revoked; its record stays, so that its name isn't used again for someone else.
    package var revoked: Bool?

    /// Describes a key.
    package init(
        name: String,
        owner: String? = nil,
        role: Role,
        sha256: String,
        totpSecret: String? = nil,
        revoked: Bool? = nil
    ) {
        self.name = name
        self.owner = owner
        self.role = role
        self.sha256 = sha256
        self.totpSecret = totpSecret
        self.revoked = revoked
    }

    private enum CodingKeys: String, CodingKey {
        case name
        case owner
        case role
        case sha256
        case totpSecret = "totp_secret"
        case revoked
    }
}

/// An API key, as it is shown once to the person who asked for it.
package enum APIKey {
    /// The start of every key, by which secret scanners can find one that has leaked.
    package static let prefix = "cvk_"

    /// Draws a key of 160 bits.
    package static func generate() -> String {
        var generator = SystemRandomNumberGenerator()
        return self.prefix + Base32.encode((0..<20).map { _ in generator.next() as UInt8 }).lowercased()
    }

    /// The hash under which a key is kept.
    package static func hash(_ key: some StringProtocol) -> [UInt8] {
        Array(SHA256.hash(data: Array(key.utf8)))
    }
}

/// The API keys that are valid now; they may be replaced while the edge runs.
package final class APIKeyStore: Sendable {
    private struct Entry {
        var hash: [UInt8]
        var principal: Principal
    }

    private let entries: Mutex<[Entry]>

    /// Makes a store.
    ///
    /// - Throws: ``CredentialError`` for a record that can't be used.
    package init(_ records: [APIKeyRecord]) throws {
        self.entries = Mutex(try Self.entries(of: records))
    }

    /// Takes other keys instead; those that are no longer among them are refused from now on.
    package func replace(with records: [APIKeyRecord]) throws {
        let entries = try Self.entries(of: records)
        self.entries.withLock { $0 = entries }
    }

    /// Who the key belongs to.
    ///
    /// Each record is compared in full, whether or not an earlier one matched.
    func principal(for key: String) -> Principal? {
        let hash = APIKey.hash(key)
        return self.entries.withLock { entries in
            var found: Principal?
            for entry in entries where ConstantTime.equal(entry.hash, hash) { found = entry.principal }
            return found
        }
    }

    /// The first bytes of the hash of a key that is valid, by its name: another key of the name has others.
    func fingerprint(of name: String) -> String? {
        self.entries.withLock { entries in
            entries.first { $0.principal.name == name }.map { Hexadecimal.encode($0.hash.prefix(8)) }
        }
    }

    /// Who a key belongs to that was valid once, if it still is.
    func principal(named name: String, fingerprint: String) -> Principal? {
        self.entries.withLock { entries in
            entries.first { $0.principal.name == name && Hexadecimal.encode($0.hash.prefix(8)) == fingerprint }?
                .principal
        }
    }

    /// Whether somebody has a key; the tunnels of others come to their end.
    func hasKey(ofOwner owner: String) -> Bool {
        self.entries.withLock { $0.contains { $0.principal.owner == owner } }
    }

    /// Everything that is wrong with records.
    package static func errors(in records: [APIKeyRecord]) -> [CredentialError] {
        var names = Set<String>()
        var errors: [CredentialError] = []
        for record in records {
            if !names.insert(record.name).inserted { errors.append(.duplicateName(record.name)) }
            if !APIKeyRecord.isName(record.name) { errors.append(.malformedName(record.name)) }
            if let owner = record.owner, !APIKeyRecord.isName(owner) {
                errors.append(.malformedOwner(owner, name: record.name))
            }
            if record.hashBytes == nil { errors.append(.malformedHash(name: record.name)) }
            if record.totpSecret != nil, record.oneTimePassword == nil {
                errors.append(.malformedSecret(name: record.name))
            }
        }
        return errors
    }

    private static func entries(of records: [APIKeyRecord]) throws -> [Entry] {
        if let error = self.errors(in: records).first { throw error }
        return records.compactMap { record in
            guard record.revoked != true, let hash = record.hashBytes else { return nil }
            return Entry(
                hash: hash,
                principal: Principal(
                    name: record.name,
                    owner: record.owner ?? record.name,
                    role: record.role,
                    oneTimePassword: record.oneTimePassword
                )
            )
        }
    }
}

extension APIKeyRecord {
    /// Whether a text can be the name of a key: a word that is safe in a log line, a token and an `otpauth` URI.
    package static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x3a }
    }

    /// The hash; `nil` if it is none.
    fileprivate var hashBytes: [UInt8]? {
        Hexadecimal.decode(self.sha256).flatMap { $0.count == 32 ? $0 : nil }
    }

    /// The second factor; `nil` if there is none, or if its secret can't be used.
    fileprivate var oneTimePassword: OneTimePassword? {
        self.totpSecret.flatMap { Base32.decode($0) }.flatMap { $0.count >= 10 ? OneTimePassword(secret: $0) : nil }
    }
}

/// Why a file of credentials can't be used.
package enum CredentialError: Error, Equatable, CustomStringConvertible {
    case duplicateName(String)
    case malformedName(String)
    case malformedOwner(String, name: String)
    case malformedHash(name: String)
    case malformedSecret(name: String)
    case noSigningKey
    case duplicateKeyID(String)
    case shortSigningKey(keyID: String)

    package var description: String {
        switch self {
        case .duplicateName(let name): "two API keys are named \(name)"
        case .malformedName(let name): "\(String(reflecting: name)) is not a name: one word of ASCII without a colon"
        case .malformedOwner(let owner, let name):
            "the owner \(String(reflecting: owner)) of API key \(name) is not a name: one word of ASCII without a colon"
        case .malformedHash(let name): "the sha256 of API key \(name) is not 64 hexadecimal digits"
        case .malformedSecret(let name): "the totp_secret of API key \(name) is not base 32 of at least 10 bytes"
        case .noSigningKey: "there is no signing key"
        case .duplicateKeyID(let keyID): "two signing keys have the kid \(keyID)"
        case .shortSigningKey(let keyID): "signing key \(keyID) has fewer than 32 bytes"
        }
    }
}
