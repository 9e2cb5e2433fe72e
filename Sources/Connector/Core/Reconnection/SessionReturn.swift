// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import Protocol
import Synchronization

/// Brings another connection to a session that has lost its own (docs/protocol.md §B.19): at once, and again until the
/// session goes on or is over.
final class SessionReturn: Sendable {
    private let opener: any SessionOpener
    private let bundle: SessionSettings.Bundle
    private let network: NetworkWatch
    private let pauses: ReconnectPauses
    private let report: @Sendable (_ retryIn: Duration, _ reason: String) -> Void
    private let pace = Mutex(DialPace())

    /// - Parameter report: Called when an attempt fails, once for each cause while a session waits.
    init(
        _ opener: any SessionOpener,
        _ bundle: SessionSettings.Bundle,
        _ network: NetworkWatch,
        _ pauses: ReconnectPauses,
        report: @escaping @Sendable (_ retryIn: Duration, _ reason: String) -> Void
    ) {
        self.opener = opener
        self.bundle = bundle
        self.network = network
        self.pauses = pauses
        self.report = report
    }

    /// Begins to dial; the task gives another session if the edge has begun one instead.
    func begin(_ session: TunnelSession) -> Task<TunnelSession?, Never> {
        let distance = self.pace.withLock { $0.next(now: .now) }
        return Task { await self.run(session, after: distance) }
    }

    private func run(_ session: TunnelSession, after distance: Duration) async -> TunnelSession? {
        try? await Task.sleep(for: distance)
        var backoff = ReconnectBackoff.comingBack
        var causes = ReturnCauses()
        while !Task.isCancelled {
            do {
                return try await self.opener.comeBack(to: session, bundle: self.bundle, network: self.network)
            } catch is NetworkChanged {
                backoff.reset()
                continue
            } catch is CancellationError {
                return nil
            } catch let failure as EdgeFailure where failure.isAboutToken {
                // The edge lets the tunnel's connector in no more: the next attempt for a new session says why.
                session.endIfSuspended("the edge refuses the connection")
                return nil
            } catch {
                let asked = (error as? EdgeFailure)?.retryAfter ?? .zero
                let delay = backoff.nextDelay(atLeast: asked, draw: .random(in: 0...1))
                if !Task.isCancelled, let cause = causes.new(error) { self.report(delay, cause) }
                if await self.pauses.wait(for: delay, index: Int(self.bundle.index)) == .networkChanged {
                    backoff.reset()
                }
            }
        }
        return nil
    }
}
