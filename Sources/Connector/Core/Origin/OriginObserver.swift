// SPDX-License-Identifier: Apache-2.0

import Inspection
import NIOConcurrencyHelpers
import Protocol

/// Whether the local server can be reached.
package enum OriginEvent: Equatable, Sendable {
    /// It can't be reached; reported once, not once a request.
    case unreachable(target: String, code: ErrorCode, reason: String)
    /// It can be reached again.
    case reachable(target: String)
    /// These other connectors serve the tunnel, too, as the edge says; none if the list is empty.
    case alsoServed(by: [String])
}

/// Receives events of the local server and of the requests that it gets; called on the event loops of the sessions.
package struct OriginObserver: Sendable {
    /// Called when the local server can't be reached, and when it can again.
    let report: @Sendable (OriginEvent) -> Void
    /// Who looks at requests and responses; if nobody does, no byte is parsed.
    let listeners: CaptureListeners
    /// Called for connections of tunnels that don't carry HTTP; `nil` where nobody looks.
    let connections: (@Sendable (OriginConnectionEvent) -> Void)?

    /// Called with a sentence about a local server that speaks something else than its target says.
    private(set) var warn: @Sendable (String) -> Void = { _ in }

    /// Whether the local server can't be reached, as far as anybody has noticed; `nil` if each notices for itself.
    private(set) var isUnreachable: (@Sendable () -> Bool)?

    /// - Parameters:
    ///   - report: Called when the local server can't be reached, and when it can again.
    ///   - listeners: Who looks at requests and responses; without them no byte is parsed.
    ///   - connections: Called for connections of tunnels that don't carry HTTP.
    package init(
        report: @escaping @Sendable (OriginEvent) -> Void,
        listeners: CaptureListeners = CaptureListeners(),
        connections: (@Sendable (OriginConnectionEvent) -> Void)? = nil
    ) {
        self.report = report
        self.listeners = listeners
        self.connections = connections
    }

    /// The same observer, told once by all who notice that the local server is away, and once that it is back.
    ///
    /// - Parameter warn: Called with a sentence about a local server that speaks something else than its target says, once
    ///   with each.
    func once(warn: @escaping @Sendable (String) -> Void = { _ in }) -> OriginObserver {
        let sentences = NIOLockedValueBox<Set<String>>([])
        let failure = NIOLockedValueBox<ErrorCode?>(nil)
        let report = self.report
        var observer = OriginObserver(
            report: { event in
                let isNew = failure.withLockedValue { failure in
                    switch event {
                    case .unreachable(_, let code, _):
                        defer { failure = code }
                        return failure != code
                    case .reachable:
                        defer { failure = nil }
                        return failure != nil
                    case .alsoServed: return true
                    }
                }
                if isNew { report(event) }
            },
            listeners: self.listeners,
            connections: self.connections
        )
        observer.warn = { sentence in
            if sentences.withLockedValue({ $0.insert(sentence).inserted }) { warn(sentence) }
        }
        observer.isUnreachable = { failure.withLockedValue { $0 != nil } }
        return observer
    }

    /// The same observer, without what it says of the local server itself.
    var listening: OriginObserver {
        OriginObserver(report: { _ in }, listeners: self.listeners, connections: self.connections)
    }

    /// An observer that does nothing.
    package static let none = OriginObserver { _ in }

    /// The capture for a new connection; `nil` if nobody looks.
    func makeCapture() -> PipeCapture? {
        guard !self.listeners.isEmpty else { return nil }
        return PipeCapture(self.listeners.forNextConnection())
    }

    /// What counts a new connection's bytes; `nil` if nobody looks.
    func makeMeter() -> ConnectionMeter? {
        self.connections.map { ConnectionMeter($0) }
    }
}
