// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import Inspection

/// How a sender of webhooks signs what it sends.
package enum SignatureScheme: String, CaseIterable, Sendable {
    /// `Stripe-Signature: t=…,v1=…` over time and body.
    case stripe
    /// `X-Slack-Signature: v0=…` over `X-Slack-Request-Timestamp` and body.
    case slack
    /// `webhook-signature: v1,…` over `webhook-id`, `webhook-timestamp` and body (standardwebhooks.com).
    case standard
    /// The same with fields that begin with `svix-`.
    case svix
    /// `X-Hub-Signature-256: sha256=…` over the body alone: only a changed body needs a new one.
    case github
    /// `X-Shopify-Hmac-Sha256`, the base64 of a code over the body alone.
    case shopify

    /// All of them, as they are written in settings.
    package static var names: String { self.allCases.map(\.rawValue).joined(separator: ", ") }
}

/// The secret by which requests of a sender are signed, so that a replay can be signed anew.
package struct SigningSecret: Equatable, Sendable, CustomStringConvertible {
    /// How it is used.
    package var scheme: SignatureScheme
    /// The tunnel whose requests it signs; `nil` means all.
    package var tunnel: String?
    private let key: [UInt8]

    /// Takes the secret as the sender shows it.
    ///
    /// - Returns: `nil` if it is empty, or not the base64 that the scheme asks for.
    package init?(_ scheme: SignatureScheme, secret: String, tunnel: String? = nil) {
        self.scheme = scheme
        self.tunnel = tunnel
        switch scheme {
        case .stripe, .slack, .github, .shopify:
            self.key = Array(secret.utf8)
        case .standard, .svix:
            let text = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret
            guard let data = Data(base64Encoded: text) else { return nil }
            self.key = Array(data)
        }
        guard !self.key.isEmpty else { return nil }
    }

    /// Why a secret of a scheme can't be used.
    package static func refusal(of scheme: SignatureScheme) -> String {
        "The secret of \(scheme.rawValue) has to be base64, perhaps behind “whsec_”."
    }

    /// Without the secret.
    package var description: String { "a secret of \(self.scheme.rawValue)" }

    /// Whether a request of a tunnel has a signature of this scheme.
    package func signs(_ head: HeadText, of tunnel: String) -> Bool {
        (self.tunnel ?? tunnel) == tunnel && head.first(self.field) != nil
    }

    /// The fields of a signature that is made now.
    ///
    /// - Parameters:
    ///   - body: The content as it is sent, with its content coding.
    ///   - head: The head of the captured request, from which the message's id is taken.
    ///   - seconds: The time, since 1970.
    package func fields(for body: [UInt8], in head: HeadText, at seconds: Int64) -> [HeadText.Field] {
        let time = "\(seconds)"
        switch self.scheme {
        case .stripe:
            return [HeadText.Field("stripe-signature", "t=\(time),v1=\(Self.hex(self.code("\(time).", body)))")]
        case .slack:
            return [
                HeadText.Field("x-slack-request-timestamp", time),
                HeadText.Field("x-slack-signature", "v0=" + Self.hex(self.code("v0:\(time):", body))),
            ]
        case .standard, .svix:
            let prefix = self.scheme == .svix ? "svix" : "webhook"
            let id = head.first("\(prefix)-id") ?? ""
            let code = Data(self.code("\(id).\(time).", body)).base64EncodedString()
            return [
                HeadText.Field("\(prefix)-timestamp", time), HeadText.Field("\(prefix)-signature", "v1,\(code)"),
            ]
        case .github:
            return [HeadText.Field("x-hub-signature-256", "sha256=" + Self.hex(self.code("", body)))]
        case .shopify:
            return [HeadText.Field("x-shopify-hmac-sha256", Data(self.code("", body)).base64EncodedString())]
        }
    }

    private var field: String {
        switch self.scheme {
        case .stripe: "stripe-signature"
        case .slack: "x-slack-signature"
        case .standard: "webhook-signature"
        case .svix: "svix-signature"
        case .github: "x-hub-signature-256"
        case .shopify: "x-shopify-hmac-sha256"
        }
    }

    private func code(_ prefix: String, _ body: [UInt8]) -> [UInt8] {
        var hash = HMAC<SHA256>(key: SymmetricKey(data: self.key))
        hash.update(data: Array(prefix.utf8))
        hash.update(data: body)
        return Array(hash.finalize())
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
