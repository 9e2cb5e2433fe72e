// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// What a new connection is for (docs/protocol.md §B.19).
public enum ConnectionPurpose {
    /// A new session.
    case newSession
    /// A connector's: to go on with a session that has lost its connection; a new session if the edge does not grant it.
    case resume(SessionHandler)
    /// An edge's: perhaps a session that has lost its connection, which the connector's HELLO is waited for to say.
    ///
    /// The function finds the session that a request names, and calls back, on the connection's event loop, with none
    /// if it knows none that the connector may go on with.
    case resumeOrNew(find: (ResumeRequest, @escaping (NIOLoopBound<SessionHandler>?) -> Void) -> Void)
}

/// How far a connection is with that.
enum Arrival {
    /// The session is this handler's own.
    case settled
    /// The edge's HELLO will say whether this session goes on.
    case resuming(SessionHandler)
    /// The connector's HELLO will say whether an earlier session goes on.
    case asking(find: (ResumeRequest, @escaping (NIOLoopBound<SessionHandler>?) -> Void) -> Void)
    /// It named one, which is looked for; meanwhile nothing may come, and little is kept of what does.
    case deciding
    /// The connection belongs to an earlier session.
    case carrying(SessionCarrier)

    /// Whether the handler's own session says nothing yet, or never will.
    var isHeld: Bool {
        switch self {
        case .settled, .resuming: false
        case .asking, .deciding, .carrying: true
        }
    }

    /// Whether the handler takes messages out of what comes.
    var isDecoding: Bool {
        switch self {
        case .settled, .resuming, .asking: true
        case .deciding, .carrying: false
        }
    }
}
