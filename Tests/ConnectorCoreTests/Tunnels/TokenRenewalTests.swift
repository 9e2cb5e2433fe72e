// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOConcurrencyHelpers
import Testing

@testable import ConnectorCore

/// What is asked for a successor, and what becomes of the answers; the edge is a closure.
@Suite("The successors of a token", .timeLimit(.minutes(1)))
struct TokenRenewalTests {
    private func token(_ issuedAt: Double, life: Double = 600, of tunnelID: String = "my-app") throws -> TunnelToken {
        try TunnelToken(
            parsing: TokenText.signed(#"{"sub":"\#(tunnelID)","iat":\#(issuedAt),"exp":\#(issuedAt + life)}"#)
        )
    }

    private static let gone = EdgeFailure.refused(status: 401, retryAfter: nil, problem: nil)
    private static let away = EdgeFailure.unreachable(address: "e", reason: "connection refused")

    @Test("Past two thirds of its life the token is renewed, and each session is told; after that it is left alone")
    func run() async throws {
        let now = Date().timeIntervalSince1970
        let (old, new) = (try self.token(now - 500), try self.token(now))
        let (events, continuation) = AsyncStream.makeStream(of: TokenEvent.self)
        let current = CurrentToken(old)
        let notified = NIOLockedValueBox(0)
        _ = current.changed.subscribe { notified.withLockedValue { $0 += 1 } }
        let asked = NIOLockedValueBox<[TunnelToken]>([])
        let renewal = TokenRenewal(
            token: current,
            source: .init(byToken: { token in
                asked.withLockedValue { $0.append(token) }
                return new
            }),
            report: { continuation.yield($0) }
        )
        let task = Task { await renewal.run() }
        var iterator = events.makeAsyncIterator()
        #expect(await iterator.next() == .renewed(end: new.expiresAt, problem: nil))
        #expect(current.value == new)
        #expect(notified.withLockedValue { $0 } == 1)
        task.cancel()
        await task.value
        #expect(asked.withLockedValue { $0 } == [old])
    }

    @Test("Where it can't be renewed, its end and the reason are told, and it is tried again")
    func warning() async throws {
        let now = Date().timeIntervalSince1970
        let old = try self.token(now - 20, life: 28)
        let (events, continuation) = AsyncStream.makeStream(of: TokenEvent.self)
        let new = try self.token(now)
        let tries = NIOLockedValueBox(0)
        let renewal = TokenRenewal(
            token: CurrentToken(old),
            source: .init(byToken: { _ in
                let number = tries.withLockedValue { tries -> Int in
                    tries += 1
                    return tries
                }
                if number == 1 { throw Self.away }
                return new
            }),
            report: { continuation.yield($0) }
        )
        let task = Task { await renewal.run() }
        var iterator = events.makeAsyncIterator()
        let end = try #require(old.expiresAt)
        #expect(await iterator.next() == .ending(at: end, reason: "\(Self.away)"))
        #expect(await iterator.next() == .renewed(end: new.expiresAt, problem: nil))
        task.cancel()
    }

    @Test("After a refusal the key is asked, and after it nobody; a temporary failure is waited out")
    func recovery() async throws {
        let (old, new) = (try self.token(1), try self.token(2))
        let policy = ReconnectPolicy()
        func renewal(
            _ byToken: @escaping @Sendable (TunnelToken) async throws -> TunnelToken,
            _ byKey: (@Sendable (TunnelToken) async throws -> TunnelToken)? = nil
        ) -> TokenRenewal {
            TokenRenewal(token: CurrentToken(old), source: .init(byToken: byToken, byKey: byKey), report: { _ in })
        }
        let refused = renewal { _ in throw Self.gone }
        #expect(try await refused.recover(from: old, policy: policy) == false)
        let keyed = renewal({ _ in throw Self.gone }, { _ in new })
        #expect(try await keyed.recover(from: old, policy: policy))
        #expect(keyed.token.value == new)
        // An edge with other keys than before: neither is of use any more.
        let problem = ProblemDetails(title: "", status: 401, code: "invalid_credentials")
        let stranger = renewal(
            { _ in throw Self.gone },
            { _ in throw EdgeFailure.refused(status: 401, retryAfter: nil, problem: problem) }
        )
        let end = await #expect(throws: CommandFailure.self) {
            try await stranger.recover(from: old, policy: policy)
        }
        #expect(end?.message.contains("start culvert again") == true)
        // Somebody else was faster.
        #expect(try await keyed.recover(from: old, policy: policy))
        let tries = NIOLockedValueBox(0)
        let away = renewal { _ in
            let number = tries.withLockedValue { tries -> Int in
                tries += 1
                return tries
            }
            guard number > 2 else { throw Self.away }
            return new
        }
        #expect(try await away.recover(from: old, policy: policy))
        #expect(tries.withLockedValue { $0 } == 3)
        // No other tunnel's, and not the same again.
        for wrong in [old, try self.token(3, of: "other-app")] {
            let renewal = renewal { _ in wrong }
            #expect(try await renewal.recover(from: old, policy: policy) == false)
            #expect(renewal.token.value == old)
        }
    }

    @Test("A later token that its owner put into the file is taken before the edge is asked, an earlier one is not")
    func file() async throws {
        let path = NSTemporaryDirectory() + "culvert-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let (earlier, old, later, new) = (try self.token(1), try self.token(2), try self.token(3), try self.token(4))
        for (held, expected) in [(later, later), (earlier, new)] {
            try Data(held.secret.utf8).write(to: URL(fileURLWithPath: path))
            let renewal = TokenRenewal(
                token: CurrentToken(old),
                source: .init(byToken: { _ in new }, file: TokenFile(path, environment: [:])),
                report: { _ in }
            )
            #expect(try await renewal.recover(from: old, policy: ReconnectPolicy()))
            #expect(renewal.token.value == expected)
            // What the edge gave is in the file now.
            #expect(try TokenFile(path, environment: [:])?.read() == expected)
        }
    }
}
