// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// The inbox of a tunnel, as those see it who let requests in and hand messages over.
package final class TunnelInbox: Sendable {
    /// Which requests it is for.
    package let rules: InboxRules
    /// Checks signatures; `nil` if there are none.
    package let check: SignatureCheck?
    /// What becomes of messages.
    package let delivery: InboxDelivery
    /// Where messages go.
    package let desk: InboxDesk
    private let id: TunnelID

    init(_ id: TunnelID, _ settings: InboxSettings, desk: InboxDesk) {
        self.id = id
        self.rules = InboxRules(settings)
        self.check = settings.verify.map { SignatureCheck($0) }
        self.delivery = InboxDelivery(settings)
        self.desk = desk
    }

    /// What it is set to.
    package var settings: InboxSettings { self.rules.settings }

    /// Somebody has come who may take messages.
    package func sessionJoined() { self.desk.wake(self.id, hasSession: true) }

    /// Keeps a message; it is durable when the call returns.
    ///
    /// - Throws: ``InboxStoreError``.
    package func keep(_ message: NewMessage) async throws(InboxStoreError) {
        do throws(InboxStoreError) {
            try await self.desk.store.append(message, to: self.id, keep: self.settings.keep)
        } catch {
            self.desk.recorder.refused(error == .full ? .full : .unavailable)
            if case .failed(let why) = error { self.desk.recorder.storeFailed(why) }
            throw error
        }
        self.desk.recorder.stored()
        self.desk.wake(self.id)
    }
}

/// Counts what inboxes do.
package protocol InboxRecorder: Sendable {
    /// A message was kept.
    func stored()
    /// One was not.
    func refused(_ reason: InboxRefusal)
    /// A message was handed over, or not.
    func concluded(_ outcome: DeliveryOutcome)
    /// The store did not do what it was asked for.
    func storeFailed(_ why: String)
}

/// Why a request was not kept.
package enum InboxRefusal: String, CaseIterable, Sendable {
    case full
    case unavailable
    case signature
    case size
}
