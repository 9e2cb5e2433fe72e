// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// What one side of a session brings along.
public struct SessionConfiguration: Sendable {
    /// Which end of the tunnel this side is.
    public var role: SessionRole
    /// What this side's HELLO says.
    public var settings: SessionSettings
    /// What this side can do beyond the minimum.
    public var capabilities: Capabilities = []
    /// What the windows of one session may pin in memory, in bytes (docs/protocol.md §B.7.3).
    ///
    /// What the peer's streams may pin from the start, `maximumStreams` times `initialWindow` of ``settings``, is set
    /// aside of it: at least that and 1 MiB are taken.
    public var budget: Int
    /// The same for a session that several tunnels share, which has more streams: with what an edge sets aside, enough for
    /// the first windows of 4 096.
    public var sharedBudget = 224 << 20
    /// How many streams a side may open in a second, and twice as many at once, the same on both sides
    /// (docs/protocol.md §B.12).
    ///
    /// Of the peer's, more are refused; of this side's, more wait.
    public var opensPerSecond = 2_000.0
    /// How many opens may wait for the peer to allow them or for their turn; further ones fail at once.
    public var maximumWaitingOpens = 1_024
    /// How long a stream of kind http may be held up before it is reset with FLOW_STALL.
    public var stallTimeout = TimeAmount.seconds(120)
    /// How long the peer's HELLO may take.
    public var helloTimeout = TimeAmount.seconds(10)
    /// The window that every stream keeps, in bytes; `nil` lets windows tune themselves.
    ///
    /// For measurements.
    public var fixedWindow: Int?
    /// Counts what all sessions of the process buffer.
    public var governor: MemoryGovernor

    /// Makes the defaults of a role: a connector accepts 1 024 streams, an edge none.
    ///
    /// - Parameters:
    ///   - role: Which end of the tunnel this side is.
    ///   - governor: Counts what all sessions of the process buffer; share one among them.
    public init(role: SessionRole, governor: MemoryGovernor = MemoryGovernor()) {
        self.role = role
        self.governor = governor
        self.settings = SessionSettings()
        switch role {
        case .connector:
            self.settings.maximumStreams = 1_024
            self.budget = 128 << 20
        case .edge:
            self.budget = 64 << 20
        }
    }
}

/// How far a session is in its life (docs/protocol.md §B.13).
public enum SessionPhase: Hashable, Sendable {
    /// Waiting for the peer's HELLO.
    case helloWait
    /// Streams may be opened both ways.
    case active
    /// One side announced the end.
    case draining
    /// Only the goodbye is left to send.
    case closing
    /// Over.
    case closed
}

/// Why a session ended.
public struct SessionEnd: Error, Hashable, Sendable {
    /// The code of the GOAWAY that was sent or received, or what stands for the loss of the connection.
    public var code: ErrorCode
    /// What happened, for logs.
    public var reason: String
    /// Whether the peer, or the network, ended it.
    public var isByPeer: Bool

    /// Makes an end.
    public init(code: ErrorCode, reason: String, isByPeer: Bool) {
        self.code = code
        self.reason = reason
        self.isByPeer = isByPeer
    }

    /// Whether nothing went wrong.
    public var isGraceful: Bool { self.code.isGracefulEnd }
}

extension ErrorCode {
    /// Whether a GOAWAY of this code announces an orderly end rather than a session error.
    var isGracefulEnd: Bool {
        self == .noError || self == .shutdown || self == .replaced || self == .idExhausted
    }
}
