// SPDX-License-Identifier: Apache-2.0
import Mux
import Protocol

extension ExchangeState.Failure {
    /// What a stream's end means to the request that was on it.
    init(_ error: StreamError, _ circumstances: OriginLink.Circumstances) {
        var (isElsewhere, isCapacity, isUnreachable, isLost, isSilent) = (false, false, false, false, false)
        switch error.code {
        // The session is leaving or gone: another one may do better.
        case .draining, .sessionLost, .sessionClosing:
            isElsewhere = true
            isLost = error.code == .sessionLost
        case .overloaded, .memoryPressure:
            isElsewhere = true
            isCapacity = true
        case .connectRefused, .connectTimeout, .hostUnreachable, .dnsFailure, .localTLSError, .targetUnknown:
            isUnreachable = error.isRetrySafe
        // The connector's own time-out would have come first: whoever has the session does not answer at all, be it here or
        // at the edge that passes the stream on.
        case .deadlineExceeded where error.origin != .rejected && !circumstances.wasAccepted:
            isLost = true
            isSilent = true
        // What else a connector refuses for, no other would take.
        default: break
        }
        self.init(
            isReused: circumstances.isReused,
            isUndelivered: isElsewhere && error.isRetrySafe,
            isCapacity: isCapacity,
            isUnreachable: isUnreachable,
            isLostUnaccepted: isLost && !circumstances.wasAccepted,
            isSilent: isSilent,
            isAfterEnd: circumstances.isAfterEnd
        )
    }
}
