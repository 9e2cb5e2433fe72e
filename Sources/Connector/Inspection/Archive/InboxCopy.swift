// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTP1
import NIOCore

/// A message of a tunnel's inbox as an exchange that can be looked at and sent: the request as the local server gets it.
package struct InboxCopy: Sendable {
    /// What the edge says of the message.
    package let message: InboxMessage
    /// The head as the sender wrote it, without the fields that are not kept.
    package let head: [UInt8]
    /// The request without a response.
    package let state: ExchangeState

    /// Fields that the edge makes itself, or that were for the connection of the sender alone (RFC 9110 §7.6.1).
    private static let replaced: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "te", "upgrade", "transfer-encoding", "content-length",
        "expect",
        "host", "culvert-inbox", "culvert-received",
    ]

    /// Reads a message.
    ///
    /// - Parameters:
    ///   - content: The message, as the edge's API gives it.
    ///   - host: The local server's own `Host`.
    ///   - dropped: The fields that are not kept.
    ///   - now: The time.
    /// - Throws: ``ProblemDetails`` if it is no HTTP request.
    package init(
        _ content: InboxMessageContent,
        host: String,
        dropped: DroppedFields = DroppedFields([]),
        now: NIODeadline
    ) throws(ProblemDetails) {
        let (message, original) = (content.message, HeadText(Array(content.head.utf8)))
        guard let body = Data(base64Encoded: content.bodyBase64),
            Array(message.method.utf8).withUnsafeBytes(ByteClass.isToken),
            Array(message.target.utf8).withUnsafeBytes(ByteClass.isTarget),
            Array(message.id.utf8).withUnsafeBytes(ByteClass.isToken)
        else { throw .inspector(502, "message_unreadable", "What the edge says of this message is no HTTP request.") }
        let kept = original.fields.filter { field in
            !Self.replaced.contains(field.name.asciiLowercased())
                && Array(field.name.utf8).withUnsafeBytes(ByteClass.isToken)
                && Array(field.value.utf8).withUnsafeBytes(ByteClass.isFieldValue)
        }
        let fields =
            [HeadText.Field("Host", host)] + kept + [
                HeadText.Field("Content-Length", "\(body.count)"), HeadText.Field("Culvert-Inbox", message.id),
                HeadText.Field("Culvert-Received", message.receivedAt.formatted(Date.ISO8601FormatStyle())),
            ]
        let lines = ["\(message.method) \(message.target) HTTP/1.1"]
        let text = (lines + fields.map { "\($0.name): \($0.value)" }).joined(separator: "\r\n") + "\r\n\r\n"
        var state = ExchangeState(
            request: MessageCapture(head: Array(text.utf8), body: BodyCapture(whole: Array(body))),
            began: now
        )
        state.requestEnd = now
        state.end = now
        state.ending = .complete
        var sent = MessageCapture(head: Array(content.head.utf8))
        if !dropped.isEmpty {
            state.drop(dropped)
            sent.drop(dropped)
        }
        self.message = message
        self.head = sent.head
        self.state = state
    }

    /// The request in the form that all others are shown in.
    ///
    /// - Parameter tunnel: The tunnel's name.
    package func view(tunnel: String) -> ExchangeView {
        ExchangeView(
            ExchangeSnapshot(
                id: CaptureID(0),
                tunnel: tunnel,
                connection: 0,
                clock: CaptureClock(
                    date: self.message.receivedAt.timeIntervalSince1970 * 1_000,
                    deadline: self.state.began
                ),
                replayOf: nil,
                isImported: true,
                state: self.state
            )
        )
    }
}

/// A message of an inbox, as the inspector's API shows it.
package struct InboxMessageAnswer: Codable, Equatable, Sendable {
    package var message: InboxMessage
    package var request: MessageAnswer
    /// A signature that says when it was made.
    package var signature: ExchangeAnswer.Signature?

    /// Describes a message.
    ///
    /// - Parameters:
    ///   - copy: The message.
    ///   - tunnel: The tunnel's name.
    ///   - uri: The path of the call that is answered.
    package init(_ copy: InboxCopy, tunnel: String, uri: String) {
        let view = copy.view(tunnel: tunnel)
        self.message = copy.message
        self.request = MessageAnswer(request: view, uri: uri, rawLimit: nil)
        self.request.body.uri = uri + "/body"
        self.signature = ExchangeAnswer.signature(in: view.request)
    }
}
