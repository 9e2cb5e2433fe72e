// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// What has been sent of a request, as long as it may have to be sent once more, and where it has been.
///
/// The head is kept until the response begins. The body is kept until the connector takes the stream: from then on the
/// origin may have seen it. What fits into a stream's first window is all that can be on its way by then.
struct SentRequest {
    /// The most bytes of a body that are kept: a stream's initial window (docs/protocol.md §B.8).
    static let maximumBody = 64 << 10

    private(set) var head: ByteBuffer
    /// The first part of the body; mostly the only one, so that it is kept without a list.
    private var first: ByteBuffer?
    private var others: [ByteBuffer] = []
    /// Whether the last of those is a copy that more can be gathered in.
    private var isGathering = false
    /// How many bytes of the body are kept.
    private(set) var bodyBytes = 0
    /// Whether the whole body is there.
    private(set) var isComplete: Bool
    /// Whether everything that was sent is here.
    private(set) var isWhole = true
    /// The numbers of the sessions that the request has been on, or that lead to the same origin which can't be reached.
    private(set) var tried: [UInt64] = []
    /// How often the request has been sent, the next or present time included.
    private(set) var attempt = 1

    /// - Parameters:
    ///   - head: The head as it goes to the origin.
    ///   - hasBody: Whether a body follows.
    init(head: ByteBuffer, hasBody: Bool) {
        self.head = head
        self.isComplete = !hasBody
    }

    /// What was sent of the body, in its order.
    var body: [ByteBuffer] { self.first.map { [$0] + self.others } ?? self.others }

    /// How much memory the head and the body take, in bytes.
    var heldBytes: Int { self.head.readableBytes + self.bodyBytes }

    /// How many more bytes of the body may be sent as long as the connector has not taken the stream.
    var room: Int { self.isWhole ? max(0, Self.maximumBody - self.bodyBytes) : .max }

    /// Bytes of the body go to the origin.
    mutating func sent(_ bytes: ByteBuffer) {
        guard self.isWhole else { return }
        self.bodyBytes += bytes.readableBytes
        // A few bytes would keep the whole of what was read with them: they are copied out of it.
        let isWasteful = bytes.storageCapacity > 2 * bytes.readableBytes + 1_024
        if isWasteful, self.isGathering {
            self.others[self.others.count - 1].writeImmutableBuffer(bytes)
        } else if self.first == nil, !isWasteful {
            self.first = bytes
        } else {
            self.others.append(isWasteful ? ByteBuffer(bytes: bytes.readableBytesView) : bytes)
            self.isGathering = isWasteful
        }
    }

    /// The body is complete.
    mutating func complete() {
        self.isComplete = true
    }

    /// The connector has taken the stream: a request with a body is sent no more.
    mutating func accepted() {
        guard self.bodyBytes > 0 || !self.isComplete else { return }
        self.forgetBody()
    }

    /// The response has begun: the request is not sent again.
    ///
    /// - Returns: The memory of its head, of which others may still hold the bytes.
    mutating func answered() -> ByteBuffer {
        var head = ByteBuffer()
        swap(&head, &self.head)
        self.forgetBody()
        return head
    }

    /// The rest of the body will not be there.
    mutating func abandon() {
        self.forgetBody()
    }

    private mutating func forgetBody() {
        self.isWhole = false
        self.first = nil
        self.others = []
        self.isGathering = false
        self.bodyBytes = 0
    }

    /// The request is sent once more.
    ///
    /// - Parameter sessions: The sessions that it is not to meet again.
    mutating func failed(on sessions: [UInt64]) {
        self.attempt += 1
        self.tried += sessions
    }
}
