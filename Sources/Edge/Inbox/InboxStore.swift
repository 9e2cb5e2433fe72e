// SPDX-License-Identifier: Apache-2.0

import ControlAPI

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Keeps inboxes and their messages for longer than the edge lives.
///
/// Every member may be called from any task.
package protocol InboxStore: Sendable {
    /// What other edges do to the same inboxes; `nil` where no other edge can.
    ///
    /// For one reader.
    var events: AsyncStream<InboxEvent>? { get }

    /// Begins; returns once it can be asked, or soon, since it may be away for a while.
    func open() async

    /// Every inbox, for an edge that begins.
    func inboxes() async throws -> [InboxRecord]

    /// One inbox; `nil` if there is none.
    func inbox(_ id: TunnelID) async throws -> InboxRecord?

    /// Keeps an inbox, or what is new of it.
    func put(_ record: InboxRecord) async throws

    /// Removes an inbox with its messages.
    func remove(_ id: TunnelID) async throws

    /// Keeps a message; it is durable when the call returns.
    ///
    /// The bounds of the inbox are held in the same transaction: delivered messages make room, others never do.
    ///
    /// - Throws: ``InboxStoreError``.
    func append(_ message: NewMessage, to id: TunnelID, keep: InboxSettings.Keep) async throws(InboxStoreError)

    /// What is to be handed over next; of edges that share the store, to one at a time.
    ///
    /// - Parameters:
    ///   - id: The tunnel.
    ///   - order: Whether a message that is due later holds those behind it.
    ///   - now: The time.
    ///   - held: The messages that are being handed over now.
    func next(
        _ id: TunnelID,
        order: InboxSettings.Delivery.Order,
        now: Date,
        except held: Set<String>
    ) async throws -> InboxTurn

    /// Notes what came of handing a message over; one that somebody changed meanwhile stays as it is.
    func conclude(_ message: String, of id: TunnelID, with step: DeliveryStep, now: Date) async throws

    /// Some messages, the newest first.
    ///
    /// - Parameters:
    ///   - id: The tunnel.
    ///   - state: Those in this state alone.
    ///   - before: The message after whose older ones are wanted.
    ///   - limit: The most messages.
    func page(_ id: TunnelID, state: InboxMessageState?, before: String?, limit: Int) async throws -> [InboxMessage]

    /// A message with its content; `nil` if there is none.
    func message(_ message: String, of id: TunnelID) async throws -> StoredMessage?

    /// Changes messages by hand.
    ///
    /// - Parameters:
    ///   - id: The tunnel.
    ///   - selection: Which of its messages.
    ///   - change: What becomes of them.
    /// - Returns: How many there were.
    func change(
        _ id: TunnelID,
        _ selection: MessageSelection,
        _ change: MessageChange,
        now: Date
    ) async throws -> Int

    /// How much is kept of each inbox.
    func figures() async throws -> [TunnelID: InboxFigures]

    /// Removes what is kept long enough, in small steps.
    func sweep(now: Date) async throws -> SweepReport

    /// Ends; nothing is asked of it any more.
    func close() async
}

/// A store of one edge alone.
extension InboxStore {
    package var events: AsyncStream<InboxEvent>? { nil }

    package func open() async {}

    package func inbox(_ id: TunnelID) async throws -> InboxRecord? {
        try await self.inboxes().first { $0.tunnelID == id.description }
    }
}

/// What happened at another edge.
package enum InboxEvent: Equatable, Sendable {
    /// There is something to hand over.
    case due(TunnelID)
    /// An inbox was made, changed or removed.
    case changed(TunnelID)
    /// Anything may have happened.
    case missed
}

/// An inbox: whose it is, and all that an edge that begins needs to make its tunnel again.
package struct InboxRecord: Codable, Equatable, Sendable {
    package var tunnelID: String
    package var name: String?
    package var owner: String
    package var settings: InboxSettings
    package var policy: TunnelPolicy
    package var createdAt: Date
    /// When the owner took the name, or last changed the policy, in seconds since 1970.
    package var version: Double

    /// Describes an inbox.
    package init(
        tunnelID: String,
        name: String?,
        owner: String,
        settings: InboxSettings,
        policy: TunnelPolicy,
        createdAt: Date,
        version: Double
    ) {
        self.tunnelID = tunnelID
        self.name = name
        self.owner = owner
        self.settings = settings
        self.policy = policy
        self.createdAt = createdAt
        self.version = version
    }
}

/// The head of a message, and how it came.
package struct MessageHead: Codable, Equatable, Sendable {
    /// The method.
    package var method: String
    /// The request target as the app sees it, undecoded: without the prefix that named the tunnel.
    package var target: String
    /// The head's bytes as they came.
    package var bytes: [UInt8]
    /// How the request named its tunnel: bytes of the target, 0 for its host.
    package var prefixLength: Int
    /// The address that the sender's connection came from, and its port.
    package var address: String?
    package var port: Int
    /// Whether `Authorization` was for the edge, and is not for the app.
    package var dropsAuthorization: Bool

    /// Describes a head.
    package init(
        method: String,
        target: String,
        bytes: [UInt8],
        prefixLength: Int,
        address: String? = nil,
        port: Int = 0,
        dropsAuthorization: Bool = false
    ) {
        self.method = method
        self.target = target
        self.bytes = bytes
        self.prefixLength = prefixLength
        self.address = address
        self.port = port
        self.dropsAuthorization = dropsAuthorization
    }
}

/// A message that is to be kept.
package struct NewMessage: Sendable {
    package let id: String
    package let receivedAt: Date
    package let head: MessageHead
    /// The body, without the framing of its chunks.
    package let body: [UInt8]
    /// Whether its signature was right; `nil` if none was checked.
    package let verified: Bool?

    /// Makes a message with an id of its own.
    package init(receivedAt: Date, head: MessageHead, body: [UInt8], verified: Bool? = nil, id: String? = nil) {
        self.id = id ?? Self.makeID()
        self.receivedAt = receivedAt
        self.head = head
        self.body = body
        self.verified = verified
    }

    /// What the message counts for in the bounds of its inbox, in bytes.
    package var size: Int { self.head.bytes.count + self.body.count }

    /// Draws an id of 20 characters: 100 bits, so that nobody guesses one.
    static func makeID() -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        var generator = SystemRandomNumberGenerator()
        let letters = (0..<20).map { _ in alphabet[Int(generator.next(upperBound: UInt8(32)))] }
        return "msg_" + String(decoding: letters, as: UTF8.self)
    }

    /// Whether a text may be an id of a message.
    package static func isID(_ text: String) -> Bool {
        text.utf8.count == 24 && text.hasPrefix("msg_")
            && text.utf8.dropFirst(4).allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "2")...UInt8(ascii: "7")).contains(byte)
            }
    }
}

/// A message as it is kept.
package struct StoredMessage: Equatable, Sendable {
    package var message: InboxMessage
    package var head: MessageHead
    package var body: [UInt8]

    /// Describes a message.
    package init(message: InboxMessage, head: MessageHead, body: [UInt8]) {
        self.message = message
        self.head = head
        self.body = body
    }
}

/// What is to be handed over next.
package enum InboxTurn: Equatable, Sendable {
    case now(StoredMessage)
    /// Nothing before that time.
    case later(Date)
    case nothing
}

/// Which messages of an inbox.
package enum MessageSelection: Equatable, Sendable {
    case one(String)
    /// Those in a state, the oldest thousand of them.
    case all(InboxMessageState)
}

/// What a person wants of messages.
package enum MessageChange: Equatable, Sendable {
    /// To be handed over again, at once, with all attempts.
    case deliver
    /// Not to be handed over any more: they are dead.
    case skip
    case delete
}

/// How much is kept of an inbox.
package struct InboxFigures: Equatable, Sendable {
    package var waiting = 0
    package var delivered = 0
    package var dead = 0
    /// The bytes of heads and bodies.
    package var bytes = 0
    package var oldestWaiting: Date?

    /// Nothing at all.
    package init() {}
}

/// What a sweep has done.
package struct SweepReport: Equatable, Sendable {
    package var deleted = 0
    package var expired = 0

    /// Nothing.
    package init() {}
}

/// Why a message was not kept.
package enum InboxStoreError: Error, Equatable, Sendable {
    /// There is no such inbox.
    case noInbox
    /// The bounds of the inbox, of the store or of the disk.
    case full
    /// The store failed; why is for the log.
    case failed(String)
}
