// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// Is told what happens to a session, on its event loop.
public protocol SessionDelegate: AnyObject {
    /// The peer's HELLO came: streams may be opened.
    ///
    /// - Parameters:
    ///   - session: The session.
    ///   - peer: What the peer's HELLO said.
    func sessionDidBecomeActive(_ session: SessionHandler, peer: SessionSettings)

    /// The peer announced the end of the session: open no more streams on it, connect elsewhere.
    ///
    /// - Parameters:
    ///   - session: The session.
    ///   - code: Why.
    ///   - gracePeriod: How long streams may still run.
    ///   - reconnectAfter: How long to wait before connecting elsewhere, at least.
    func sessionPeerIsDraining(
        _ session: SessionHandler,
        code: ErrorCode,
        gracePeriod: TimeAmount,
        reconnectAfter: TimeAmount
    )

    /// The peer has become suspect or silent, or has shown itself again: see ``SessionHandler/isSuspect`` and
    /// ``SessionHandler/isSilent``.
    ///
    /// - Parameter session: The session.
    func sessionSuspicionDidChange(_ session: SessionHandler)

    /// The session has lost its connection and could go on over another one.
    ///
    /// - Returns: Whether it is to be kept for that; if not, it ends.
    func sessionMaySuspend(_ session: SessionHandler) -> Bool

    /// The session has no connection any more: streams stay, and nothing of them moves.
    func sessionDidSuspend(_ session: SessionHandler, reason: String)

    /// The session goes on over another connection.
    func sessionDidResume(_ session: SessionHandler, _ resumption: Resumption)

    /// The connection goes on with an earlier session, and this one never was; nothing else is told of it.
    func sessionDidHandOver(_ session: SessionHandler)

    /// The session is over; told exactly once, also for one that never became active.
    func sessionDidEnd(_ session: SessionHandler, end: SessionEnd)
}

extension SessionDelegate {
    /// Does nothing: a side that opens no streams has no use for it.
    public func sessionSuspicionDidChange(_ session: SessionHandler) {}
    /// Keeps every session that can be kept.
    public func sessionMaySuspend(_ session: SessionHandler) -> Bool { true }
    /// Does nothing.
    public func sessionDidSuspend(_ session: SessionHandler, reason: String) {}
    /// Does nothing.
    public func sessionDidResume(_ session: SessionHandler, _ resumption: Resumption) {}
    /// Does nothing.
    public func sessionDidHandOver(_ session: SessionHandler) {}
}
