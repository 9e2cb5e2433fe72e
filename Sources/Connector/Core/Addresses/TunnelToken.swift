// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation

/// A tunnel token (a JWT, RFC 7519) as far as the connector has to understand it.
///
/// The edge checks the signature; the connector has no key for it, and forged claims gain it nothing. The text of the
/// token is available through ``secret`` alone.
package struct TunnelToken: Equatable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The token as the edge issued it, for the `Authorization` field and OPEN alone.
    package let secret: String
    package let tunnelID: String
    /// The edge to dial, if the token names it.
    package let edge: EdgeAddress?
    /// The public URL, if the token names it.
    package let publicURL: String?
    /// What the tunnel carries.
    package let kind: TunnelKind
    /// What the origin sees in `Host`, if the token's policy says it.
    package let hostField: String?

    /// When it was issued and when it ends, in seconds since 1970, if it says so; by the edge's clock.
    package let issuedAt: Double?
    package let expiresAt: Double?

    private struct Claims: Decodable {
        var sub: String?
        var edge: String?
        var url: String?
        var iat: Double?
        var exp: Double?
        var policy: Policy?
        var form: TunnelForm?

        struct Policy: Decodable {
            var host: String?
        }
    }

    /// Reads a token; white space around it is allowed, since files end in a newline.
    ///
    /// - Throws: ``TunnelTokenError``, which never quotes the token.
    package init(parsing text: String) throws(TunnelTokenError) {
        let secret = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !secret.isEmpty else { throw .empty }
        let parts = secret.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }), secret.utf8.count <= 16_384 else { throw .notAToken }
        guard secret.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let payload = Self.base64URL(parts[1]),
            let claims = try? JSONDecoder().decode(Claims.self, from: payload)
        else { throw .notAToken }
        guard let tunnelID = claims.sub, Self.isTunnelID(tunnelID) else { throw .noTunnel }
        if let edge = claims.edge {
            do { self.edge = try EdgeAddress(parsing: edge) } catch { throw .badEdge(error.reason) }
        } else {
            self.edge = nil
        }
        self.secret = secret
        self.tunnelID = tunnelID
        self.publicURL = claims.url
        self.kind = claims.form?.kind ?? .http
        self.hostField = claims.policy?.host.flatMap { $0 == "rewrite" || $0 == "preserve" ? nil : $0 }
        self.issuedAt = claims.iat
        self.expiresAt = claims.exp
    }

    /// That the token has expired, and when, as a sentence; `nil` if it has not, or does not say when it ends.
    ///
    /// - Parameters:
    ///   - kind: What the token is to be called: a tunnel token, or an access token.
    ///   - now: The time.
    package func expiry(of kind: String = "tunnel token", at now: Date = Date()) -> String? {
        guard let expiresAt, expiresAt <= now.timeIntervalSince1970 else { return nil }
        // What a token says may lie before what a calendar can show.
        let end = Date(timeIntervalSince1970: max(expiresAt, 0)).formatted(.iso8601)
        return "The \(kind) of \(self.tunnelID) expired at \(end)."
    }

    package var description: String { "token for \(self.tunnelID)" }
    package var debugDescription: String { self.description }
    /// Keeps `dump` and string interpolation of an enclosing value from showing the secret.
    package var customMirror: Mirror { Mirror(self, children: ["tunnelID": self.tunnelID]) }

    /// Whether the text is an id that an edge issues (`[a-z0-9-]{3,63}`): ids go into request targets.
    package static func isTunnelID(_ text: String) -> Bool {
        (3...63).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
            }
    }

    package static func == (one: TunnelToken, other: TunnelToken) -> Bool {
        one.secret == other.secret
    }

    private static func base64URL(_ text: Substring) -> Data? {
        var text = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text)
    }
}

/// Why a text is not a usable tunnel token.
package enum TunnelTokenError: Error, Equatable, CustomStringConvertible {
    case empty
    case notAToken
    case noTunnel
    case badEdge(String)

    package var description: String {
        switch self {
        case .empty: "The tunnel token is empty."
        case .notAToken:
            "The tunnel token is not one: it should be the text that the edge gave when it made the tunnel."
        case .noTunnel: "The tunnel token names no tunnel."
        case .badEdge(let reason): "The tunnel token names an edge that can't be dialled: \(reason)."
        }
    }
}
