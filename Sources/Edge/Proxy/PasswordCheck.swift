// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import NIOCore
import NIOPosix

/// A request whose password is compared, on a thread that is nobody's event loop.
final class PasswordCheck: Responder {
    private let attempt: PasswordAttempt
    private let visit: TunnelVisit
    private let tunnel: Tunnel
    private var sink: (any ResponseSink)?

    init(_ attempt: PasswordAttempt, _ visit: TunnelVisit, _ tunnel: Tunnel) {
        self.attempt = attempt
        self.visit = visit
        self.tunnel = tunnel
    }

    let turn = Turn.neither

    func begin(_ sink: any ResponseSink) {
        self.sink = sink
        NIOThreadPool.singleton.runIfActive(eventLoop: self.visit.request.eventLoop) { [attempt] in attempt.isRight() }
            .assumeIsolated()
            .whenComplete { result in
                guard let sink = self.sink.take() else { return }
                let isRight = (try? result.get()) ?? false
                let decided = self.tunnel.concludeVisit(self.attempt, isRight: isRight)
                sink.handOver(to: self.visit.proceed(decided, to: self.tunnel))
            }
    }

    var heldBytes: Int { self.visit.heldBytes }

    func giveWay(_ error: VisitorError, detail: String) {
        self.sink.take()?.handOver(to: EdgeAnswer(self.visit.request, .error(error, detail: detail)))
    }

    func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {}

    func visitorLeft(isBroken: Bool) {
        self.sink = nil
        self.visit.request.finish()
    }
}
