// SPDX-License-Identifier: Apache-2.0
import HTTP1
import NIOCore

/// What has come from a visitor and has not been taken, and how far it has been understood.
struct VisitorInput {
    private var unread = ByteBuffer()
    private var headParser: HeadParser
    private var bodyReader = BodyReader(.none)

    init(_ settings: ProxySettings) {
        self.headParser = HeadParser(
            maximumBytes: settings.maximumHeadBytes,
            maximumFields: settings.maximumFields
        )
    }

    /// How many bytes wait to be taken.
    var count: Int { self.unread.readableBytes }
    var isEmpty: Bool { self.count == 0 }
    /// How much memory they take.
    var heldBytes: Int { self.isEmpty ? 0 : self.unread.storageCapacity }
    /// Whether the body of the request has been taken.
    var isBodyComplete: Bool { self.bodyReader.isComplete }

    /// Bytes came.
    mutating func receive(_ bytes: ByteBuffer) {
        self.unread.appendUnread(bytes)
    }

    /// What waits has no reader.
    mutating func drop() {
        self.unread = ByteBuffer()
    }

    /// All is taken that can be for now: memory that is not needed any more is let go.
    mutating func shrink() {
        self.unread.shrinkUnread()
    }

    /// Takes everything.
    mutating func takeAll() -> ByteBuffer {
        defer { self.unread = ByteBuffer() }
        return self.unread
    }

    /// Takes the head of the next request, whose body is read from then on; `nil` until it is complete.
    mutating func takeHead() throws(HTTPFault) -> RequestHead? {
        guard let head = try self.headParser.request(&self.unread) else { return nil }
        self.bodyReader = BodyReader(head.framing)
        return head
    }

    /// Takes what can be passed on of a body; `nil` until more comes.
    ///
    /// - Parameters:
    ///   - limit: How many bytes are looked at.
    ///   - contentOnly: Whether the framing of its chunks is left out.
    mutating func takeBody(upTo limit: Int, contentOnly: Bool) throws(HTTPFault) -> ByteBuffer? {
        guard limit < self.count, var part = self.unread.getSlice(at: self.unread.readerIndex, length: limit) else {
            return try self.bodyReader.read(&self.unread, contentOnly: contentOnly)
        }
        let bytes = try self.bodyReader.read(&part, contentOnly: contentOnly)
        self.unread.moveReaderIndex(forwardBy: limit - part.readableBytes)
        return bytes
    }

    /// Takes bytes as they came.
    mutating func takeBytes(upTo limit: Int) -> ByteBuffer? {
        self.unread.readSlice(length: min(limit, self.count))
    }

    /// Whether what came of a head shows that a browser sent it.
    var isFromBrowser: Bool { ErrorPage.prefersHTML(unfinishedHead: self.unread) }
}
