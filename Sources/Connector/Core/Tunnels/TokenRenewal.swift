// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Keeps the token of a tunnel valid for as long as the tunnel is served.
struct TokenRenewal: Sendable {
    /// Where successors come from.
    struct Source: Sendable {
        /// Asks the edge for the successor, with nothing but the token itself.
        var byToken: @Sendable (TunnelToken) async throws -> TunnelToken
        /// Asks the edge with an API key, which may succeed where the token is refused; `nil` without a key.
        var byKey: (@Sendable (TunnelToken) async throws -> TunnelToken)?
        /// The file that the token came from, where its owner may put another one.
        var file: TokenFile?
    }

    /// The longest sleep at once: a file is looked at so often.
    private static let tick = Duration.seconds(30)

    let token: CurrentToken
    let source: Source
    /// Shared by all tunnels of the program.
    var pace = RenewalPace()
    let report: @Sendable (TokenEvent) -> Void

    /// Renews until the task is cancelled.
    func run() async {
        var held = self.token.held
        var schedule = self.schedule(of: held)
        while !Task.isCancelled {
            if held != self.token.held {
                held = self.token.held
                schedule = self.schedule(of: held)
            }
            let token = held.token
            if let next = self.source.file?.readIfChanged(), self.isLater(next, than: token) {
                self.take(CurrentToken.Held(token: next, isFresh: false))
                continue
            }
            let now = ContinuousClock.now
            let pause = min(schedule.map { $0.nextAttempt - now } ?? Self.tick, Self.tick)
            guard pause <= .zero else {
                try? await Task.sleep(for: pause)
                continue
            }
            do {
                self.take(try await self.successor(of: token))
            } catch is CancellationError {
                return
            } catch {
                let isToBeTold = schedule?.failed(now: .now) ?? false
                guard isToBeTold, let end = token.expiresAt else { continue }
                self.report(.ending(at: end, reason: "\(error)"))
            }
        }
    }

    /// Looks for another token after the edge has refused one, and goes on looking while the failure may be temporary.
    ///
    /// - Parameter policy: Says which failures are.
    /// - Returns: Whether there is another one now.
    /// - Throws: ``CommandFailure`` if the edge does not know the API key either, and `CancellationError`.
    func recover(from refused: TunnelToken, policy: ReconnectPolicy) async throws -> Bool {
        var backoff = ReconnectBackoff()
        while true {
            if self.token.value != refused { return true }
            do {
                self.take(try await self.successor(of: refused))
                return true
            } catch let failure as EdgeFailure {
                if self.source.byKey != nil, failure.isUnknownKey { throw Self.unknownToEdge }
                guard case .retry(let minimum, _) = policy.decide(afterCall: failure) else { return false }
                try await Task.sleep(for: backoff.nextDelay(atLeast: minimum, draw: .random(in: 0...1)))
            } catch let error as CancellationError {
                throw error
            } catch {
                return false
            }
        }
    }

    private static let unknownToEdge = CommandFailure(
        .refused,
        "The edge knows neither the token of this tunnel nor the API key that made it. One that was started anew with --dev "
            + "has another key, which it prints: start culvert again with that."
    )

    /// A token that the owner put into the file, or the edge's answer to the token, or to the key.
    private func successor(of token: TunnelToken) async throws -> CurrentToken.Held {
        if let next = try? self.source.file?.read(), self.isLater(next, than: token) {
            return CurrentToken.Held(token: next, isFresh: false)
        }
        let turn = self.pace.take(now: .now)
        if turn > .zero { try await Task.sleep(for: turn) }
        let next: TunnelToken
        do {
            next = try await self.source.byToken(token)
        } catch let failure as EdgeFailure {
            guard case .refused(let status, _, _) = failure, [401, 403, 404].contains(status),
                let byKey = self.source.byKey
            else { throw failure }
            next = try await byKey(token)
        }
        guard self.isSuccessor(next, of: token) else {
            throw CommandFailure(.unavailable, "The edge gave a token that can't be used.")
        }
        return CurrentToken.Held(token: next, isFresh: true)
    }

    /// Whether a token may take the place of another one.
    private func isSuccessor(_ next: TunnelToken, of token: TunnelToken) -> Bool {
        next.tunnelID == token.tunnelID && next != token
    }

    /// Whether what the file holds takes the place: a file that can't be written to goes on holding an older one.
    private func isLater(_ next: TunnelToken, than token: TunnelToken) -> Bool {
        self.isSuccessor(next, of: token) && next.issuedAt ?? 0 >= token.issuedAt ?? 0
    }

    private func take(_ next: CurrentToken.Held) {
        var problem: String?
        // What is not fresh came from the file.
        if next.isFresh, let file = self.source.file {
            do {
                try file.keep(next.token)
            } catch {
                problem = "it can't be kept in \(file.path): \(error.message)"
            }
        }
        self.token.replace(with: next)
        self.report(.renewed(end: next.token.expiresAt, problem: problem))
    }

    private func schedule(of held: CurrentToken.Held) -> RenewalSchedule? {
        RenewalSchedule.Life(of: held.token, isFresh: held.isFresh, at: Date().timeIntervalSince1970).map {
            RenewalSchedule($0, now: .now, draw: .random(in: 0...1))
        }
    }
}
