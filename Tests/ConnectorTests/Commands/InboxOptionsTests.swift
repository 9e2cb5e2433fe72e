// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI
import Testing

@testable import Connector

@Suite("The options of inboxes")
struct InboxOptionsTests {
    private func settings(_ line: String, from present: InboxSettings? = nil) throws -> InboxSettings {
        let words = ["inbox", "set", "my-app"] + line.split(separator: " ").map(String.init)
        return try #require(try CulvertCommand.parseAsRoot(words) as? InboxCommand.Set).settings(from: present)
    }

    private var present: InboxSettings {
        var settings = InboxSettings()
        settings.paths = ["/hooks/*"]
        settings.when = .always
        settings.keep.messages = 7
        settings.verify = InboxSettings.Verification(scheme: .github, secret: nil)
        settings.verify?.onFailure = .mark
        return settings
    }

    @Test("What is not named stays as it is in an inbox that is there")
    func unnamed() throws {
        #expect(try self.settings("", from: self.present) == self.present)
        var changed = self.present
        changed.methods = ["POST"]
        #expect(try self.settings("--method POST", from: self.present) == changed)
        #expect(try self.settings("--method POST").paths == InboxSettings().paths)
    }

    @Test("What was switched on can be switched off")
    func off() throws {
        #expect(try self.settings("--no-always", from: self.present).when == .unreachable)
        #expect(try self.settings("--no-mark", from: self.present).verify?.onFailure == .refuse)
        let error = #expect(throws: CommandFailure.self) { try self.settings("--mark") }
        #expect(error?.message.contains("--verify") == true)
    }

    @Test("Who deletes a tunnel or an inbox is told of webhooks that nobody has got yet")
    func deletion() {
        func sentence(waiting: Int, dead: Int, deleting subject: DeletionQuestion.Subject = .tunnel) -> String? {
            var inbox = InboxStatus(tunnelID: "a", settings: InboxSettings(), waiting: waiting, dead: dead)
            inbox.delivered = 9
            return DeletionQuestion.sentence(of: "a", inbox, deleting: subject)
        }
        #expect(sentence(waiting: 0, dead: 0, deleting: .inbox) == nil)
        #expect(
            sentence(waiting: 0, dead: 1, deleting: .inbox)
                == "The inbox of a holds 1 webhook that could not be delivered."
        )
        #expect(sentence(waiting: 0, dead: 0) == nil)
        #expect(
            sentence(waiting: 1, dead: 0)
                == "The inbox of a holds 1 webhook that waits, and goes with the tunnel."
        )
        #expect(
            sentence(waiting: 2, dead: 3)
                == "The inbox of a holds 2 webhooks that wait and 3 webhooks that could not be delivered, and goes with the "
                + "tunnel."
        )
    }
}
