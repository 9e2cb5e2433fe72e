// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// All that a session knows of one stream.
struct StreamRecord {
    /// The number on the wire; that of the session until OPEN is serialised.
    var id = StreamID.session
    var wire = Wire.waiting
    var state: StreamState
    var kind: StreamKind
    var urgency: UInt8

    var sendWindow: SendWindow
    var sendQueue = ByteQueue()
    /// The writer was told to stop, and is to be told when it may go on.
    var isWriterWaiting = false
    /// The greatest limit at which the peer has been told that this side is held up.
    var blockedReported: UInt64?
    /// Since when data has waited for credit.
    var blockedSince: NIODeadline?
    var blockedRepeated: NIODeadline?

    var receiveWindow: ReceiveWindow
    var receiveQueue = ByteQueue()
    var tuner: WindowTuner
    /// Bytes buffered whose credit on the session has not been given back.
    var held = 0
    var lastGrant: NIODeadline?
    /// Whether the consumer has been told that there is something to read and has not read since.
    var isReadSignalled = false
    /// Whether what is unread is to be looked at when the consumers have had their chance.
    var isListedUnread = false
    /// Whether the consumer has seen the end.
    var isEndRead = false

    var control: Control = []
    /// What RESET or REJECT is to say.
    var termination: CodeAndReason?
    var stopCode = ErrorCode.noError
    var acknowledgement = OpenAckFrame()

    /// Until when OPEN must be answered.
    var answerDeadline: NIODeadline?
    /// Until when the peer must have ended what it was asked to stop.
    var stopDeadline: NIODeadline?

    /// What the stream contributes to the session's budget.
    var budgeted = 0
    /// Whether the owner has been told that the stream is over.
    var isEndReported = false
    /// Whether the owner has let go: nothing local belongs to the stream any more.
    var isReleased = false
    /// Why the stream ended, kept until what came before has been read.
    var end: StreamError?

    /// Where the stream stands on the wire.
    enum Wire: Hashable {
        /// OPEN is not serialised.
        case waiting
        case live
        /// RESET or REJECT is out or about to be; what still comes is discarded.
        case zombie
        /// No frame of the stream is expected any more.
        case closed
    }

    /// Control frames that are due.
    ///
    /// Their content is computed when they are serialised, so that memory for them is bounded whatever the peer does.
    struct Control: OptionSet {
        let rawValue: UInt8
        static let openAck = Control(rawValue: 1)
        static let reject = Control(rawValue: 2)
        static let reset = Control(rawValue: 4)
        static let stopSending = Control(rawValue: 8)
        static let windowUpdate = Control(rawValue: 16)
        static let blocked = Control(rawValue: 32)
        /// The stream stands in the queue of those with control frames.
        static let isQueued = Control(rawValue: 128)

        var isAnyDue: Bool { !self.subtracting(.isQueued).isEmpty }
    }

    struct CodeAndReason {
        var code: ErrorCode
        var reason: String
    }

    /// Moves the deadlines of what the peer was to do meanwhile.
    mutating func postpone(by pause: TimeAmount) {
        self.answerDeadline = self.answerDeadline.map { $0 + pause }
        self.stopDeadline = self.stopDeadline.map { $0 + pause }
        self.blockedSince = self.blockedSince.map { $0 + pause }
    }

    /// What the stream may pin in memory: what is granted, or is to be as bytes are consumed.
    var pinned: Int {
        switch self.wire {
        case .waiting, .live:
            self.state.receiving == .open
                ? max(self.receiveWindow.committed, self.tuner.window) : self.receiveQueue.byteCount
        case .zombie: 0
        case .closed: self.receiveQueue.byteCount
        }
    }
}
