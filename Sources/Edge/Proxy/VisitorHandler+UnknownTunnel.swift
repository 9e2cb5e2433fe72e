// SPDX-License-Identifier: Apache-2.0
import NIOCore

extension VisitorHandler {
    /// Answers a request for a tunnel that this edge does not know, after its connector had time to come.
    ///
    /// When one edge takes over from another, visitors may be here before the connectors are
    /// (`tunnel.unknown-hold`). Few requests wait, so that guessed ids cost nothing but patience.
    func awaitTunnel(_ id: TunnelID, _ head: RequestHead, record: RequestRecord, prefixLength: Int) {
        let hold = self.services.tunnels.unknownHold
        guard hold > .zero, self.services.arrivals.enter() else { return self.refuse(head, .tunnelNotFound) }
        self.phase = .answering
        self.lookAgain(id, head, record: record, prefixLength: prefixLength, until: .now() + hold)
    }

    private func lookAgain(
        _ id: TunnelID,
        _ head: RequestHead,
        record: RequestRecord,
        prefixLength: Int,
        until deadline: NIODeadline
    ) {
        guard let context else { return self.services.arrivals.leave() }
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(50)) {
            guard case .answering = self.phase else { return self.services.arrivals.leave() }
            if let tunnel = self.services.registry.tunnel(id) {
                self.services.arrivals.leave()
                self.enter(tunnel, head, record: record, prefixLength: prefixLength)
            } else if NIODeadline.now() < deadline {
                return self.lookAgain(id, head, record: record, prefixLength: prefixLength, until: deadline)
            } else {
                self.services.arrivals.leave()
                self.refuse(head, .tunnelNotFound)
            }
            self.process()
            self.flushIfNeeded()
            self.updateReading()
        }
    }
}
