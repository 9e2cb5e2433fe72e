// SPDX-License-Identifier: Apache-2.0

/// Whether a request whose stream fails is sent once more, and where (docs/protocol.md §B.9.6).
extension ExchangeState {
    /// How often a request is sent at most.
    static let maximumAttempts = 3

    /// How a stream failed.
    struct Failure: Equatable {
        /// Whether the stream had served another request, so that the origin may have been closing it.
        private(set) var isReused = false
        /// Whether it is certain that the origin saw nothing, and another session may do better.
        private(set) var isUndelivered = false
        /// Whether it is the session's capacity that is used up: another session may do better, but none is waited for.
        private(set) var isCapacity = false
        /// Whether the connector can't reach its origin: another connector may have another one.
        private(set) var isUnreachable = false
        /// Whether the session was lost before the edge heard that the connector had taken the stream: the origin has
        /// probably seen nothing.
        private(set) var isLostUnaccepted = false
        /// Whether nothing was heard of the session either: nobody knows whether it is lost.
        private(set) var isSilent = false
        /// Whether the origin can have seen nothing of the request.
        var isUnseen: Bool { self.isUndelivered || self.isUnreachable }
        /// Whether it ended after all that either side had to say.
        private(set) var isAfterEnd = false
    }

    /// What a failure of the stream means.
    enum FailureAction: Equatable {
        /// Send the request once more.
        ///
        /// - Parameters:
        ///   - place: Where.
        ///   - mayWait: Whether a session there is waited for.
        case retry(Place, mayWait: Bool)
        /// Answer with an error.
        case answer
        /// Cut the visitor's connection: a part of the response is out.
        case cut
        /// The response is complete; only the rest of the upload is lost.
        case over
        /// Both directions have ended.
        case leave
    }

    /// Where a request is sent once more.
    enum Place: Equatable {
        case anySession
        /// A session that it has not been on.
        case otherSession
        /// A session of a connector that it has not been at.
        case otherConnector
    }

    /// Decides on a failure.
    ///
    /// - Parameters:
    ///   - failure: How the stream failed.
    ///   - isRepeatable: Whether all that was sent of the request is still there to be sent again.
    func failed(_ failure: Failure, isRepeatable: Bool) -> FailureAction {
        switch self.responseHalf {
        case .complete: return .over
        case .body, .raw: return .cut
        case .rawEnded: return failure.isAfterEnd ? .leave : .cut
        case .awaitingHead: break
        }
        guard isRepeatable, !self.hasResponseBytes, self.attempt < Self.maximumAttempts else { return .answer }
        if failure.isUnreachable { return .retry(.otherConnector, mayWait: false) }
        if failure.isUndelivered { return .retry(.otherSession, mayWait: !failure.isCapacity) }
        // The origin may have seen it: a request that may be sent twice is (RFC 9110 §9.2.2), once.
        if failure.isReused, self.isRepeatedOnce { return .retry(.anySession, mayWait: true) }
        if failure.isLostUnaccepted, self.request.isIdempotent {
            return .retry(.otherSession, mayWait: !failure.isSilent)
        }
        return .answer
    }

    private var isRepeatedOnce: Bool {
        self.attempt == 1 && (self.request.isIdempotent || !self.hasSentBody)
    }

    /// Whether a request need not wait for a session that has fallen silent, if there is another one.
    ///
    /// Only one that may be sent twice, and whose connection to the origin the connector has not made, or had made before: how
    /// long an origin thinks about a request says nothing.
    ///
    /// - Parameters:
    ///   - isReused: Whether the stream had served another request.
    ///   - wasAccepted: Whether the connector had taken it.
    ///   - isRepeatable: Whether all that was sent of the request is still there to be sent again.
    func mayLeaveSilence(isReused: Bool, wasAccepted: Bool, isRepeatable: Bool) -> Bool {
        guard self.isUnanswered, !self.hasResponseBytes, isRepeatable, self.request.isIdempotent else { return false }
        return isReused ? self.isRepeatedOnce : !wasAccepted && self.attempt < Self.maximumAttempts
    }

    /// Whether a request is lost when the session that it is on, which is silent, is given up.
    ///
    /// What the connector has taken may go on. On a used connection that says nothing: nobody has heard that the connector has
    /// this request.
    ///
    /// - Parameters:
    ///   - isReused: Whether the stream had served another request.
    ///   - wasAccepted: Whether the connector had taken it.
    func isLostUntaken(isReused: Bool, wasAccepted: Bool) -> Bool {
        self.isUnanswered && !self.hasResponseBytes && (isReused || !wasAccepted)
    }

    /// Whether a request that the connector can't pass on any more met a connection that the origin was just closing.
    ///
    /// The connector says so at once, and ends the stream only when what the origin may have answered has had time to
    /// be read. A request that may be sent again need not wait for that.
    ///
    /// - Parameter isReused: Whether the stream had served another request.
    func isLostOnUsedConnection(isReused: Bool) -> Bool {
        isReused && self.mayReuseStream && self.isUnanswered && !self.hasResponseBytes
    }
}
