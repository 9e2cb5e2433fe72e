// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What is signed, as it came.
package struct SignedRequest {
    package var method: String
    /// The request target as the app sees it.
    package var target: String
    /// The body's bytes, before anybody parsed them.
    package var body: [UInt8]
    /// The values of a field, by its name in lower case.
    package var values: (String) -> [String]

    /// Describes a request.
    package init(method: String, target: String, body: [UInt8], values: @escaping (String) -> [String]) {
        self.method = method
        self.target = target
        self.body = body
        self.values = values
    }
}

/// Checks the signature of a webhook: one scheme, `encode(HMAC-hash(secret, render(template)))`, with presets.
///
/// Sources: GitHub's "Validating webhook deliveries", Stripe's "Verify webhook signatures manually", Slack's "Verifying
/// requests from Slack", the Standard Webhooks specification and Shopify's "Verify the webhook".
package struct SignatureCheck: Sendable {
    /// What came of a check.
    package enum Result: Equatable, Sendable {
        case right
        /// The field is not there, or there twice, or can't be read.
        case missing
        /// Its time is too far from now.
        case stale
        /// It is somebody else's, or the request was changed.
        case wrong
    }

    private enum Part: Equatable, Sendable {
        case text([UInt8])
        case body
        case method
        case path
        case time
        case header(String)
    }

    /// Where the signatures are in a field's value.
    private enum Candidates: Equatable, Sendable {
        /// The whole value, behind a prefix.
        case whole(prefix: String)
        /// The members of a comma list with this name: Stripe's `t=…,v1=…,v1=…`.
        case members(String)
        /// What stands behind `v1,` in a list with spaces: Standard Webhooks.
        case versions(String)
    }

    private enum Clock: Equatable, Sendable {
        case none
        case field(String)
        /// A member of the field with the signatures.
        case member(String)
    }

    private let fields: [String]
    private let candidates: Candidates
    private let hash: InboxSettings.GenericSignature.Hash
    private let coding: InboxSettings.GenericSignature.Coding
    private let template: [Part]
    private let clock: Clock
    private let tolerance: Double
    private let key: [UInt8]

    /// Makes the check that settings ask for; a scheme without its secret has no right signature.
    package init(_ verify: InboxSettings.Verification) {
        let secret = verify.secret ?? ""
        self.tolerance = Double(verify.toleranceSeconds ?? 300)
        self.key = verify.scheme == .standard ? Self.standardKey(secret) : Array(secret.utf8)
        switch verify.scheme {
        case .github:
            (self.fields, self.candidates) = (["x-hub-signature-256"], .whole(prefix: "sha256="))
            (self.hash, self.coding, self.template, self.clock) = (.sha256, .hex, [.body], .none)
        case .stripe:
            (self.fields, self.candidates) = (["stripe-signature"], .members("v1"))
            (self.hash, self.coding, self.clock) = (.sha256, .hex, .member("t"))
            self.template = [.time, .text(Array(".".utf8)), .body]
        case .slack:
            (self.fields, self.candidates) = (["x-slack-signature"], .whole(prefix: "v0="))
            (self.hash, self.coding, self.clock) = (.sha256, .hex, .field("x-slack-request-timestamp"))
            self.template = [.text(Array("v0:".utf8)), .time, .text(Array(":".utf8)), .body]
        case .standard:
            (self.fields, self.candidates) = (["webhook-signature", "svix-signature"], .versions("v1"))
            (self.hash, self.coding, self.clock) = (.sha256, .base64, .field("webhook-timestamp"))
            let dot = Part.text(Array(".".utf8))
            self.template = [.header("webhook-id"), dot, .time, dot, .body]
        case .shopify:
            (self.fields, self.candidates) = (["x-shopify-hmac-sha256"], .whole(prefix: ""))
            (self.hash, self.coding, self.template, self.clock) = (.sha256, .base64, [.body], .none)
        case .generic:
            let generic = verify.generic ?? InboxSettings.GenericSignature(field: "")
            (self.fields, self.candidates) = ([generic.field.lowercased()], .whole(prefix: generic.prefix))
            (self.hash, self.coding) = (generic.hash, generic.coding)
            self.template = Self.parts(generic.template)
            self.clock = generic.timeField.map { .field($0.lowercased()) } ?? .none
        }
    }

    /// Checks a request.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - now: The time in seconds since 1970.
    package func check(_ request: SignedRequest, now: Double) -> Result {
        // Svix' own names of the same fields: all three of them, or none.
        guard let field = self.fields.first(where: { !request.values($0).isEmpty }) else { return .missing }
        let isSvix = field.hasPrefix("svix-")
        func value(_ name: String) -> String? {
            let values = request.values(isSvix ? name.replacing("webhook-", with: "svix-", maxReplacements: 1) : name)
            return values.count == 1 ? values[0] : nil
        }
        guard let written = value(field) ?? (isSvix ? request.values(field).first : nil),
            request.values(field).count == 1
        else { return .missing }
        var time = ""
        switch self.clock {
        case .none: break
        case .field(let name):
            guard let text = value(name) else { return .missing }
            time = text
        case .member(let name):
            guard let text = Self.members(name, of: written).first else { return .missing }
            time = text
        }
        if self.clock != .none {
            guard time.utf8.count <= 16, let seconds = Double(time), seconds.isFinite else { return .missing }
            guard abs(seconds - now) <= self.tolerance else { return .stale }
        }
        let found = self.found(in: written)
        guard !found.isEmpty else { return .missing }
        var message: [UInt8] = []
        message.reserveCapacity(request.body.count + 128)
        for part in self.template {
            switch part {
            case .text(let bytes): message += bytes
            case .body: message += request.body
            case .method: message += request.method.utf8
            case .path: message += request.target.utf8
            case .time: message += time.utf8
            case .header(let name):
                guard let text = value(name) else { return .missing }
                message += text.utf8
            }
        }
        return found.contains { self.isRight($0, for: message) } ? .right : .wrong
    }

    /// The signatures in a field, decoded; as many as there can be when a secret is replaced.
    private func found(in written: String) -> [[UInt8]] {
        let texts: [String]
        switch self.candidates {
        case .whole(let prefix): texts = written.hasPrefix(prefix) ? [String(written.dropFirst(prefix.count))] : []
        case .members(let name): texts = Self.members(name, of: written)
        case .versions(let version):
            texts = written.split(separator: " ").filter { $0.hasPrefix(version + ",") }
                .map { String($0.dropFirst(version.count + 1)) }
        }
        return texts.prefix(8).compactMap { text in
            switch self.coding {
            case .hex: Self.hex(text)
            case .base64: Data(base64Encoded: text).map { Array($0) }
            }
        }
    }

    /// In constant time.
    private func isRight(_ code: [UInt8], for message: [UInt8]) -> Bool {
        let key = SymmetricKey(data: self.key)
        guard !self.key.isEmpty else { return false }
        switch self.hash {
        case .sha1:
            return HMAC<Insecure.SHA1>.isValidAuthenticationCode(code, authenticating: message, using: key)
        case .sha256: return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: message, using: key)
        case .sha512: return HMAC<SHA512>.isValidAuthenticationCode(code, authenticating: message, using: key)
        }
    }

    private static func members(_ name: String, of list: String) -> [String] {
        list.split(separator: ",").compactMap { member in
            let pair = member.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, pair[0].drop(while: { $0 == " " }) == name else { return nil }
            return String(pair[1])
        }
    }

    private static func hex(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2), digits.count <= 256 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }

    /// The key behind `whsec_`, in base 64; a secret that is written otherwise is taken as it is.
    private static func standardKey(_ secret: String) -> [UInt8] {
        let text = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret
        return Data(base64Encoded: text).map { Array($0) } ?? Array(secret.utf8)
    }

    private static func parts(_ template: String) -> [Part] {
        var parts: [Part] = []
        var rest = template[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            if open > rest.startIndex { parts.append(.text(Array(rest[..<open].utf8))) }
            let name = rest[rest.index(after: open)..<close]
            switch name {
            case "body": parts.append(.body)
            case "method": parts.append(.method)
            case "path": parts.append(.path)
            case _ where name.hasPrefix("header:"): parts.append(.header(name.dropFirst(7).lowercased()))
            default: parts.append(.text(Array(rest[open...close].utf8)))
            }
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.text(Array(rest.utf8))) }
        return parts
    }
}
