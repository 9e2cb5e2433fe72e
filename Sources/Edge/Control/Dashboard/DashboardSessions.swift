// SPDX-License-Identifier: Apache-2.0

import Crypto
import EdgeTunnels
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Who has signed in at the dashboard, as two halves that are worth nothing without each other.
///
/// The cookie is signed and says who, until when and for which host; browsers send cookies to every port of a host, so that
/// whoever listens at another one may see it. The page's token is kept by the page, whose origin has one port, and sent in a
/// field of its own, which no other site can set; the cookie has its hash. Keys are derived from those that sign tokens, so
/// that every edge that takes the same tokens takes the same sessions.
package final class DashboardSessions: Sendable {
    /// How long a session lasts, in seconds; it is not prolonged.
    static let lifetime = 8 * 3_600
    /// The most sessions that are remembered as ended here.
    static let mostEnded = 4_096

    /// A session.
    struct Session: Codable, Equatable, Sendable {
        /// What it is ended by.
        var id: String
        /// The name of the key that has signed in, and the first bytes of its hash.
        var key: String
        var fingerprint: String
        /// The host that was asked, with its port.
        var host: String
        /// The hash of the page's token.
        var page: String
        /// In seconds since 1970.
        var end: Int
    }

    private struct State {
        var keys: [SymmetricKey]
        var ended: [String: Int] = [:]
    }

    private let state: Mutex<State>

    /// Makes the sessions of an edge.
    ///
    /// - Parameter secrets: The keys that sign tokens, of which the first one signs; without any, one that lives as long as
    ///   the edge.
    package init(secrets: [[UInt8]]) {
        self.state = Mutex(State(keys: Self.keys(of: secrets)))
    }

    /// Takes up other keys.
    package func replace(with secrets: [[UInt8]]) {
        let keys = Self.keys(of: secrets)
        self.state.withLock { $0.keys = keys }
    }

    private static func keys(of secrets: [[UInt8]]) -> [SymmetricKey] {
        guard !secrets.isEmpty else { return [SymmetricKey(size: .bits256)] }
        return secrets.map { secret in
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: secret),
                info: Array("culvert dashboard".utf8),
                outputByteCount: 32
            )
        }
    }

    /// Begins a session.
    ///
    /// - Returns: The value of its cookie, and the page's token.
    func begin(
        key: String,
        fingerprint: String,
        host: String,
        now: Int
    ) throws -> (cookie: String, token: String, end: Int) {
        let token = Self.random()
        let session = Session(
            id: Self.random(),
            key: key,
            fingerprint: fingerprint,
            host: host.lowercased(),
            page: Self.hash(token),
            end: now + Self.lifetime
        )
        let payload = Self.hexadecimal(try JSONEncoder().encode(session))
        let signature = self.state.withLock { Self.tag(payload, $0.keys[0]) }
        return ("\(payload).\(Self.hexadecimal(signature))", token, session.end)
    }

    /// The session that a cookie and the page's token make up; `nil` if they are none, not of each other or of this host, or
    /// over.
    func session(cookie: Substring, token: String, host: String, now: Int) -> Session? {
        guard cookie.utf8.count <= 4_096, let dot = cookie.firstIndex(of: "."),
            let signature = Hexadecimal.decode(String(cookie[cookie.index(after: dot)...]))
        else { return nil }
        let payload = String(cookie[..<dot])
        let (isSigned, ended) = self.state.withLock { state in
            (state.keys.contains { ConstantTime.equal(Self.tag(payload, $0), signature) }, state.ended)
        }
        guard isSigned, let bytes = Hexadecimal.decode(payload),
            let session = try? JSONDecoder().decode(Session.self, from: Data(bytes)), session.end > now,
            session.host == host.lowercased(), ended[session.id] == nil,
            ConstantTime.equal(session.page.utf8, Self.hash(token).utf8)
        else { return nil }
        return session
    }

    /// Ends a session at this edge; at others its halves are gone with the page.
    func end(_ session: Session, now: Int) {
        self.state.withLock { state in
            state.ended = state.ended.filter { $0.value > now }
            if state.ended.count >= Self.mostEnded, let first = state.ended.min(by: { $0.value < $1.value })?.key {
                state.ended[first] = nil
            }
            state.ended[session.id] = session.end
        }
    }

    /// How many sessions are remembered as ended.
    var endedCount: Int { self.state.withLock { $0.ended.count } }

    private static func tag(_ payload: String, _ key: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(payload.utf8), using: key))
    }

    private static func hash(_ token: String) -> String {
        self.hexadecimal(SHA256.hash(data: Array(token.utf8)))
    }

    private static func random() -> String {
        SymmetricKey(size: .bits128).withUnsafeBytes { self.hexadecimal($0) }
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String { Hexadecimal.encode(Array(bytes)) }
}
